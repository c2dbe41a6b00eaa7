# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += tenants
tenants_SRCS := $(addprefix samples/tenants/,tenants.c alice.c bob.c touch.c)
tenants_LIBS := exo
