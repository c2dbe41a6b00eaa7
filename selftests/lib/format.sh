#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does "exoctl disk format" write what it says, and spare what is there?
set -uo pipefail
. selftests/rig/tap.sh

exoctl=${EXO_BUILD-build}/exoctl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
d=$dir/disk

blank() { rm -f "$d"; truncate -s "$1" "$d"; }
format() { "$exoctl" disk format "$d" "$@" 2>&1; }
at() { dd if="$d" bs=4096 skip="$1" count=1 status=none; }
zero() { dd if=/dev/zero of="$d" bs=4096 seek="$1" count=1 conv=notrunc status=none; }

blank 64M
like "a blank disk is formatted" "$(format --name site)" \
	'exo disk site .*63M for up to 960 extents'
is "the label is there twice" "$(at 0 | md5sum)" "$(at 1 | md5sum)"
is "it begins with its magic" "$(at 0 | head -c 8)" EXOLABEL
is "slots follow" "$(at 2 | head -c 4)" XSLT
is "the last slot is there" "$(at 129 | head -c 4)" XSLT
is "and nothing behind" "$(at 130 | tr -d '\0' | wc -c)" 0

like "an exo disk is spared" "$(format --name other)" \
	'holds an exo disk named site; --force'
zero 0
like "also by its second label" "$(format --name other)" 'named site'
printf 'X' | dd of="$d" bs=1 seek=4200 conv=notrunc status=none
like "unless both are broken" "$(format --name other)" 'exo disk other'
before=$(at 0 | md5sum)
format --name site >/dev/null
is "refusing changes nothing" "$(at 0 | md5sum)" "$before"
like "--force overwrites it" "$(format --name third --force --slots 1)" \
	'for up to 15 extents'

blank 64M
mkfs.ext4 -q -L precious "$d"
like "a file system is spared" "$(format --name site)" \
	'holds ext4 "precious"; --force'
is "really" "$(blkid -p -o value -s TYPE "$d")" ext4
format --name site --force >/dev/null
is "--force leaves nothing of it" "$(blkid -p -o value -s TYPE "$d")" ""

blank 64M
printf '\x80\0\0\0\x83\0\0\0\0\x08\0\0\0\x08\0\0' |
	dd of="$d" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$d" bs=1 seek=510 conv=notrunc status=none
like "a partition table is spared" "$(format --name site)" \
	'holds a partition table \(dos\); --force'

blank 500K
like "a disk too small is refused" "$(format --name site)" \
	'too small for 64 slots'
is "and left alone" "$(tr -d '\0' <"$d" | wc -c)" 0
like "fewer slots fit" "$(format --name site --slots 8)" 'exo disk site'

d=/dev/null like "what is no disk is refused" \
	"$("$exoctl" disk format /dev/null --name site 2>&1)" \
	'cannot format /dev/null: Block device required'
like "what is not there is refused" \
	"$("$exoctl" disk format "$dir/none" --name site 2>&1)" \
	'cannot open .*none: No such file'

# Called wrongly: status 2 and how it is called.
wrong() {
	local what=$1
	shift
	like "$what" "$("$exoctl" "$@" 2>&1; echo "=$?")" '^=2$'
}
wrong "no name" disk format "$d"
wrong "a bad name" disk format "$d" --name 'a b'
wrong "no device" disk format --name a
wrong "0 slots" disk format "$d" --name a --slots 0
wrong "4097 slots" disk format "$d" --name a --slots 4097
wrong "an unknown option" disk format "$d" --name a --quick
wrong "no command"
wrong "an unknown command" frobnicate
wrong "an unknown verb" disk frobnicate
wrong "a noun alone" disk
wrong "a grant without an amount" disk grant a root
wrong "a grant of an odd size" disk grant a root --size 3Q
wrong "a port of 0" net grant lo root 0
wrong "a range that runs backwards" net grant lo root 90-80
wrong "a port too large" net grant lo root 65536
wrong "an extent with an execute bit" extent create a b --size 1M --mode 755
wrong "an extent without a length" extent create a b
like "help succeeds" "$("$exoctl" help; echo "=$?")" '^=0$'
like "help of a command" "$("$exoctl" help disk grant; echo "=$?")" '^=0$'
like "--help of a command" "$("$exoctl" disk grant --help)" '^usage:'
like "an unknown user" "$("$exoctl" disk revoke a nosuchuser 2>&1)" \
	"there is no user 'nosuchuser'"
if [ ! -e /dev/exo ]; then
	like "without the module: what to do" "$("$exoctl" status 2>&1; echo "=$?")" \
		'modprobe|insmod|/dev'
	like "and a failure" "$("$exoctl" status 2>&1; echo "=$?")" '^=1$'
fi
finish
