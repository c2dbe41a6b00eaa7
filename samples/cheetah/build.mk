# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += cheetah cheetah-pack

CHEETAH_CORE := $(addprefix samples/cheetah/,http.c path.c doc.c) \
	common/crc32c.c
CHEETAH_PACK := $(addprefix samples/cheetah/,pack.c tree.c group.c mime.c)

# Linked at a fixed address, so that a profile can name its functions.
cheetah_SRCS := $(addprefix samples/cheetah/,cheetah.c conn.c cache.c first.c \
	reply.c site.c) $(CHEETAH_CORE)
cheetah_LIBS := exo -lhttp_parser -no-pie
cheetah-pack_SRCS := samples/cheetah/cheetah-pack.c samples/cheetah/site.c \
	$(CHEETAH_PACK) $(CHEETAH_CORE)
cheetah-pack_LIBS := exo -lhttp_parser
