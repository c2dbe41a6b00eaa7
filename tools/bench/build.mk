# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
PROGRAMS += bench-core
bench-core_SRCS := tools/bench/core.c
