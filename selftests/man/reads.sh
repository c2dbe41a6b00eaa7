#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What does a read of 4 KiB take, by exo and by io_uring? The figures of
# docs/why.md, and the order that it claims.
#
# vm: --cpus 1 --count
# timeout: 300
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

NR_READS=32000

[ -e /sys/module/exo ] || insmod "$EXO_KO"
modprobe brd rd_nr=1 rd_size=131072
modprobe null_blk nr_devices=1 gb=1 queue_mode=2 memory_backed=1
for _ in $(seq 100); do [ -e /dev/exo ] && [ -b /dev/ram0 ] && break; sleep 0.1; done

# count LABEL HOW WHAT: instructions a read, in $count_LABEL and as a comment
count() {
	local total
	vm-mark "$1" build/selftests/man/reads "$2" "$3"
	is "$1 reads" $? 0
	total=$(vm-host tools/vm/count-table "$EXO_COUNT" | tr -d , |
		awk -v label="$1" '$1 == label { seen = 1 }
			seen && $1 == "mark-1" { print $5; exit }')
	printf -v "count_$1" %d $((${total:-0} / NR_READS))
	echo "# $1: $((${total:-0} / NR_READS)) instructions a read"
}

mkdir -p /run/reads
for dev in ram0 nullb0; do
	mkfs.ext4 -q -F "/dev/$dev"
	mount "/dev/$dev" /run/reads
	dd if=/dev/zero of=/run/reads/file bs=1M count=64 status=none
	sync
	count "${dev}_ext4" linux /run/reads/file
	umount /run/reads
	count "${dev}_raw" linux "/dev/$dev"
	build/exoctl disk format "/dev/$dev" --name reads --force >/dev/null
	build/exoctl disk attach "/dev/$dev" >/dev/null
	count "${dev}_exo" exo reads
	count "${dev}_uring" uring reads
	build/exoctl disk detach reads >/dev/null
done
modprobe -r brd null_blk

# Set by count(). On the debug kernel most of it is that kernel's own checks.
# shellcheck disable=SC2154
if [ "${EXO_KERNEL:-}" = debug ]; then
	skip "who takes fewer" "a debug kernel counts its own checks"
else
	is "on brd exo takes fewer than io_uring on the raw device" \
		$((count_ram0_exo > 500 && count_ram0_exo < count_ram0_raw)) 1
	is "and that fewer than io_uring on ext4" \
		$((count_ram0_raw < count_ram0_ext4)) 1
	is "on null_blk both take fewer than ext4" \
		$((count_nullb0_exo > 500 && count_nullb0_raw > 500 &&
		count_nullb0_exo < count_nullb0_ext4 &&
		count_nullb0_raw < count_nullb0_ext4)) 1
	is "and so does exo by io_uring" \
		$((count_ram0_uring < count_ram0_ext4 &&
		count_nullb0_uring < count_nullb0_ext4)) 1
fi
finish
