#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does the instruction count count, and attribute, what was done?
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
alone

# Kernel, user, copied bytes; a role; a readout from inside the guest.
# shellcheck disable=SC2016  # for the guest's shell
tools/vm/run --name rig-count --cpus 1 --profile -- '
	vm-mark copy dd if=/dev/zero of=/tmp/zero bs=1M count=8 status=none
	vm-mark loop sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i+1)); done"
	vm-mark role
	vm-mark --role worker sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i+1)); done"
	vm-mark sleep
	sleep 2
	vm-mark last
	vm-host tools/vm/count-table $EXO_COUNT > /tmp/table
	grep -q ^loop /tmp/table
'
is "the guest reads the table of its own counts" $? 0

table=$(tools/vm/count-table --json build/vm/rig-count.count)
value() {	# LABEL EXPRESSION over the interval i
	python3 -c '
import json, sys
i = next(i for i in json.loads(sys.argv[1]) if i["label"] == sys.argv[2])
print(int(eval(sys.argv[3])))' "$table" "$1" "$2"
}
is "8 MiB copied move at least as many bytes" \
	"$(value copy 'i["rep_bytes"] >= 8 << 20')" 1
is "a loop is user's work" "$(value loop 'i["user"] > 2e6')" 1
is "a copy is not" "$(value copy 'i["user"] < 2e6')" 1
is "the kernel's share of a copy shows" "$(value copy 'i["kernel"] > 5e5')" 1
is "a role has its own count" \
	"$(value role 'i["roles"]["worker"]["user"] > 2e6')" 1
is "the idle task is apart" "$(value sleep 'i["idle"] > 1000')" 1
like "the profile names functions" \
	"$(tools/vm/profile --label copy rig-count)" 'shmem_'

# Roles at the same time, each on its CPU, with children; then a task in the
# memory of one that is gone.
mapfile -t kernels < <(tr ' ' '\n' <<<"${EXO_KERNELS-6.1 6.12}" | grep -v debug)
# shellcheck disable=SC2016  # for the guest's shell
run='
	loop="i=0; while [ \$i -lt 20000 ]; do i=\$((i+1)); done"
	vm-mark both
	taskset -c 0 vm-mark --role left sh -c "($loop; exit) & wait" &
	taskset -c 1 vm-mark --role right sh -c "($loop; exit) & ($loop; exit) & wait" &
	wait
	vm-mark later
	for n in 1 2 3 4 5 6 7 8; do sh -c "true; true"; done
	sh -c "$loop"
	vm-mark last'
for kernel in "${kernels[@]}"; do
	tools/vm/run --kernel "$kernel" --name rig-count --count -- "$run"
	is "$kernel: a machine of two CPUs is counted" $? 0
	table=$(tools/vm/count-table --json build/vm/rig-count.count)
	is "$kernel: a role is inherited" \
		"$(value both 'i["roles"]["left"]["user"] > 2e6')" 1
	is "$kernel: roles are told apart" \
		"$(value both '1.6 < (i["roles"]["right"]["user"] /
			i["roles"]["left"]["user"]) < 2.4')" 1
	is "$kernel: CPUs are told apart" \
		"$(value both 'min(c["user"] for c in i["cpus"].values()) > 2e6')" 1
	is "$kernel: a role ends with its tasks" \
		"$(value later 'sum(i["roles"].get(r, {"user": 0})["user"]
			for r in ("left", "right"))')" 0
	is "$kernel: what comes later counts to the rest" \
		"$(value later 'i["roles"]["rest"]["user"] > 2e6')" 1
done
like "CPUs have lines of their own" \
	"$(tools/vm/count-table --cpus build/vm/rig-count.count)" '^  cpu 1  '

# shellcheck disable=SC2016  # for the guest's shell
run='vm-mark a sh -c "i=0; while [ \$i -lt 5000 ]; do i=\$((i+1)); done"'
for n in 1 2; do
	tools/vm/run --name rig-icount --icount --count -- "$run"
	eval "n$n=\$(tools/vm/count-table build/vm/rig-icount.count |
		awk '\$1 == \"a\" { print \$2 }')"
done
# Interrupts of the ports to the host come when the host is ready for them.
# shellcheck disable=SC2154  # set by eval
is "under --icount a run repeats within a hundred-thousandth" "$(echo "$n1 $n2" |
	tr -d , | awk '{ d = $1 - $2; print (d < 0 ? -d : d) * 100000 < $1 }')" 1
finish
