#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is what the debug kernel finds noticed, and does it boot in a bearable time?
# kernel: debug
# timeout: 900
set -uo pipefail
. selftests/rig/tap.sh
. selftests/rig/boot.sh
alone

try() {
	tools/vm/run --kernel debug --name rig-debug -- \
		"insmod build/kmod-debug/rig_splat.ko what=$1; $2" 2>&1
}

splat() {
	local what=$1 pattern=$2 out

	out=$(try "$what" "exit 0")
	is "$what gives 70" $? 70
	like "$what is shown" "$out" "complained: .*$pattern"
}

splat stale 'KASAN: .*(use-after-free|UAF)'
splat beyond '(UBSAN|KASAN): .*out-of-bounds'
splat deadlock 'possible circular locking'
splat asleep 'sleeping function called from invalid context'
splat object 'ODEBUG'
boots_within 40 debug --name rig-debug
out=$(try unfreed vm-leaks)
is "unfreed fails" $? 1
like "unfreed is shown" "$out" 'unreferenced object'
like "and who allocated it" "$out" 'unfreed\+.*\[rig_splat\]'
try none "rmmod rig_splat && vm-leaks"
is "no complaint, no splat" $? 0
finish
