#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does tools/vm/run start a command soon, pass on what it does, and end one that
# does not?
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
. selftests/rig/boot.sh
alone
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The debug kernel has a test of its own.
for kernel in ${EXO_KERNELS-6.1 6.12}; do
	[ "$kernel" = debug ] || boots_within 15 "$kernel" --name rig-status
done

tools/vm/run --name rig-status -- 'echo to out; echo to err >&2; exit 43' \
	>"$dir/out" 2>"$dir/err"
is "a status passes through" $? 43
is "standard output passes through" "$(cat "$dir/out")" "to out"
is "standard error stays apart" "$(cat "$dir/err")" "to err"

out=$(tools/vm/run --name rig-status -- printf '<%s>' 'a b' "c'd")
is "arguments arrive whole" "$out" "<a b><c'd>"

out=$(tools/vm/run --name rig-status -- 'sleep 1000 & head -c 3000000 /dev/zero' | wc -c)
is "a long output comes whole, a left process does not hold it up" "$out" 3000000

err=$(tools/vm/run --name rig-status --timeout 8 -- sleep 100 2>&1)
is "a command that takes too long ends with 124" $? 124
like "and that is said" "$err" "time ran out after 8 s"

err=$(tools/vm/run --name rig-status -- 'echo o > /proc/sysrq-trigger; sleep 9' 2>&1)
is "a machine that goes without a word gives 125" $? 125

tools/vm/run --forward 18099:80 --name rig-forward --timeout 60 -- \
	'mkdir -p /tmp/w; echo hello > /tmp/w/f; busybox httpd -p 80 -h /tmp/w
	 echo up; sleep 30' >"$dir/out" 2>"$dir/err" &
pid=$!
for ((n = 0; n < 200; n++)); do
	grep -q up "$dir/out" && break
	sleep 0.1
done
is "a forwarded port reaches the guest" \
	"$(curl -s -m 5 http://127.0.0.1:18099/f)" hello
kill $pid
wait $pid
is "a machine that is stopped says so by its status" $? 143
is "and leaves no work files" "$(pgrep -c -f 'qemu.*rig-forward[.]console')" 0
finish
