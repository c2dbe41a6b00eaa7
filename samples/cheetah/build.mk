# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += cheetah-pack

CHEETAH_CORE := $(addprefix samples/cheetah/,http.c path.c doc.c crc32c.c)
CHEETAH_PACK := $(addprefix samples/cheetah/,pack.c tree.c group.c mime.c)

cheetah-pack_SRCS := samples/cheetah/cheetah-pack.c samples/cheetah/site.c \
	$(CHEETAH_PACK) $(CHEETAH_CORE)
cheetah-pack_LIBS := exo -lhttp_parser
