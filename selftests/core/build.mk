# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The module's core: commands, frames, envs.
TESTS_VM += selftests/core/commands.c selftests/core/frames.c \
	selftests/core/mapping.c selftests/core/pinning.c \
	selftests/core/accounting.c selftests/core/isolation.c \
	selftests/core/uring.c selftests/core/race.c selftests/core/life.c \
	selftests/core/fail_nth.c selftests/core/fail_nth_disk.c \
	selftests/core/fail_nth_net.c selftests/core/policy.c \
	selftests/core/events.c

selftests/core/pinning_LIBS := -luring
selftests/core/uring_LIBS := -luring
selftests/core/race_LIBS := -pthread
