# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += exoctl
exoctl_SRCS := $(wildcard tools/exoctl/*.c) common/crc32c.c
exoctl_LIBS := exo -lblkid
