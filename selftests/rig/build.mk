# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Tests of the rig itself.
TESTS_HOST += selftests/rig/machine.sh selftests/rig/splat.sh \
	selftests/rig/count.sh selftests/rig/runner.sh selftests/rig/lint.sh \
	selftests/rig/debug.sh selftests/rig/sid.sh \
	selftests/rig/accel.sh selftests/rig/unsafe.sh selftests/rig/shell.sh \
	selftests/rig/bench.sh selftests/rig/mutate.sh
TESTS_VM += selftests/rig/guest.sh selftests/rig/wires.sh \
	selftests/rig/program.c selftests/rig/flags.c
TEST_KMODS += selftests/rig/rig_splat.c selftests/rig/rig_int3.c
