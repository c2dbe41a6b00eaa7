# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
LIBEXO_SRCS := $(wildcard libexo/*.c)
LIBEXO_LIBS := -luring -lnl-route-3 -lnl-3

$(B)/obj/libexo/neigh.o: OBJ_CFLAGS = -I/usr/include/libnl3
