# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
LIBEXO_SRCS := $(wildcard libexo/*.c)
LIBEXO_LIBS := -luring
