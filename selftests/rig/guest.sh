#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is the guest what the tests expect it to be?
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

case $EXO_KERNEL in
debug) release='^6\.1\..*-exo-debug' ;;
sid) release='^[0-9.]+\+deb' ;;
*) release="^${EXO_KERNEL//./\\.}\\." ;;
esac
like "the kernel is the one asked for" "$(uname -r)" "$release"
is "alice is in the group exo" "$(id -u alice):$(id -Gn alice)" "1001:alice exo"
is "bob is in the group exo" "$(id -u bob):$(id -Gn bob)" "1002:bob exo"
for fs in cgroup2 bpf debugfs; do
	like "$fs is mounted" "$(cat /proc/mounts)" " $fs "
done
is "a task that hangs for 90 s ends it" "$(cd /proc/sys/kernel &&
	cat hung_task_timeout_secs hung_task_panic)" $'90\n1'
is "mitigations are at their default" "$(grep -c mitigations= /proc/cmdline)" 0
is "the site has files" "$(($(find -L /usr/share/exo-site -name '*.html' |
	wc -l) > 2000))" 1
is "the host side answers" "$(vm-host sh -c 'test -f Makefile; echo $?')" 0
vm-host sh -c 'exit 9'
is "its status comes back" $? 9
is "its output comes whole" "$(vm-host head -c 200000 /dev/zero | wc -c)" 200000
vm-host sleep 1 & vm-host sleep 1 & vm-host sleep 1 &
begin=$(date +%s)
wait
is "several commands run at once" "$(($(date +%s) - begin <= 2))" 1
# A clock that is fast makes every time limit in here a short one.
outside=$(vm-host date +%s%N)
here=$(date +%s%N)
sleep 2
here=$(($(date +%s%N) - here))
outside=$(($(vm-host date +%s%N) - outside))
echo "# $((here / 1000000)) ms here, at most $((outside / 1000000)) ms outside"
is "the clock is not fast" "$((here <= outside))" 1
timeout 1 vm-host sleep 60
is "one can be given up" $? 124
is "and its port used again" "$(for _ in 1 2 3 4; do
	vm-host echo hi; done | wc -l)" 4
for m in null_blk veth sch_netem nf_tables dm_flakey; do
	modprobe $m
	is "there is a module $m" $? 0
done
is "/dev/stderr opens" "$( (echo x >/dev/stderr) 2>&1)" x
finish
