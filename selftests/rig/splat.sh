#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is each kind of complaint of the kernel noticed, on each kernel?  One that takes
# long is tried on the first, and on all of them with EXO_FULL=1.
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
alone

splat() {
	local kernel=$1 what=$2 pattern=$3 err

	err=$(tools/vm/run --kernel "$kernel" --name rig-splat -- \
		"insmod build/kmod-$kernel/rig_splat.ko what=$what; exit 0" 2>&1)
	is "$kernel: $what gives 70" $? 70
	like "$kernel: $what is shown" "$err" "complained: .*$pattern"
}

# A task that nothing wakes: told and then ended by the kernel, which looks every
# 5 s here and not only after a minute and a half.
hung() {
	local kernel=$1 err

	err=$(tools/vm/run --kernel "$kernel" --name rig-splat -- "
		echo 5 >/proc/sys/kernel/hung_task_timeout_secs
		insmod build/kmod-$kernel/rig_splat.ko what=hung
		sleep 120" 2>&1)
	is "$kernel: hung gives 70" $? 70
	like "$kernel: hung is shown" "$err" \
		'complained: .*task rig_hung:[0-9]+ blocked for more than 5 sec'
	like "$kernel: hung ends the machine" "$err" \
		'Kernel panic .*hung_task: blocked tasks'
}

# Not the debug kernel, which has a test of its own.
mapfile -t kernels < <(tr ' ' '\n' <<<"${EXO_KERNELS-6.1 6.12}" | grep -v debug)

for kernel in "${kernels[@]}"; do
	splat "$kernel" warn 'WARNING: .*rig_splat'
	splat "$kernel" oops 'BUG: kernel NULL pointer'
	if [ -n "${EXO_FULL-}" ] || [ "$kernel" = "${kernels[0]}" ]; then
		hung "$kernel"
	fi
done
splat 6.1 bug 'kernel BUG at'
splat 6.1 panic 'Kernel panic'

# The emulator's own fault, which would look like one of the kernel; a breakpoint
# that does stand there is one.
for kernel in "${kernels[@]}"; do
	splat "$kernel" trap '(int3: 0000|Fatal exception)'
	out=$(tools/vm/run --kernel "$kernel" --name rig-splat -- "rmmod rig_int3 &&
		! insmod build/kmod-$kernel/rig_int3.ko toggle_ms=3000 &&
		dmesg | grep rig_int3:" 2>&1)
	is "$kernel: a stale breakpoint is no splat" $? 0
	like "$kernel: it was provoked" "$out" 'patched [0-9]{2,} times'
done

tools/vm/run --name rig-splat -- \
	'insmod build/kmod-6.1/rig_splat.ko what=none && rmmod rig_splat'
is "no complaint, no splat" $? 0
finish
