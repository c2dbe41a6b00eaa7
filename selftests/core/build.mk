# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The module's core: commands, frames, envs.
TESTS_VM += selftests/core/commands.c selftests/core/frames.c \
	selftests/core/mapping.c selftests/core/pinning.c \
	selftests/core/accounting.c selftests/core/isolation.c \
	selftests/core/uring.c selftests/core/race.c selftests/core/life.c \
	selftests/core/fail_nth.c selftests/core/fail_nth_disk.c \
	selftests/core/fail_nth_net.c selftests/core/policy.c \
	selftests/core/events.c selftests/core/place.c selftests/core/pool.c

# Capabilities.
TESTS_VM += selftests/core/cap.c selftests/core/cap_tree.c \
	selftests/core/cap_expiry.c selftests/core/refusal.c \
	selftests/core/cap_attack.c selftests/core/cap_io.c \
	selftests/core/cap_race.c selftests/core/revoked.c \
	selftests/core/model.c selftests/core/kill.c \
	selftests/core/fail_nth_cap.c selftests/core/stalled.c \
	selftests/core/notice.c

# Visible revocation.
TESTS_VM += selftests/core/event_queue.c selftests/core/ask.c \
	selftests/core/fail_nth_event.c selftests/core/placement.c \
	selftests/core/pressure.c

# Several NUMA nodes.
TESTS_VM += selftests/core/numa.c

selftests/core/pinning_LIBS := -luring
selftests/core/uring_LIBS := -luring
selftests/core/race_LIBS := -pthread
selftests/core/cap_race_LIBS := -pthread
selftests/core/notice_LIBS := -pthread
selftests/core/place_LIBS := -pthread
selftests/core/stalled_LIBS := -pthread
selftests/core/cap_attack_LIBS := -luring
selftests/core/revoked_LIBS := -luring
selftests/core/cap_io_LIBS := -luring -pthread
selftests/core/fail_nth_disk_LIBS := -luring
