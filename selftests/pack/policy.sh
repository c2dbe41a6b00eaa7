#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does "exoctl policy" read what is right, and say of each mistake where it is?
set -uo pipefail
. selftests/rig/tap.sh

exoctl=${EXO_BUILD-build}/exoctl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
p=$dir/policy

check() { "$exoctl" policy check "$p" "$@" 2>&1; echo "=$?"; }
# wrong WHAT LINE PATTERN TEXT: that text has one error, there
wrong() {
	local out

	printf '%b' "$4" >"$p"
	out=$(check)
	like "$1" "$out" "^$p:$2: .*$3"
	like "$1: it is the only one" "$out" "$p has 1 error:"
	like "$1: it fails" "$out" '^=1$'
}

sed 's/\bwww\b/daemon/; s/\blab\b/bin/' tools/packaging/policy.example >"$p"
like "the example is right" "$(check)" "^$p is right: 11 rules"
like "so it says" "$(check)" '^=0$'
is "it is understood" "$(check --json | sed '$d' | python3 -c '
import json, sys
for r in json.load(sys.stdin)["rules"]:
    del r["line"]
    print(*r.values())')" "disk-device site /dev/disk/by-id/nvme-example-part3
disk-grant site 1 134217728
disk-grant site 2 52428800
disk-device results /dev/disk/by-id/nvme-example-part4
disk-grant results 2 1073741824
user-memory bin 2 8589934592
user-allow bin 2 True
net-lane eth0 direct
net-grant eth0 1 80 80
net-grant eth0 1 443 443
net-grant eth0 2 8000 8099"
cp tools/packaging/policy.example "$p"
if ! getent passwd lab >/dev/null; then
	like "users that do not exist" "$(check)" \
		"^$p:16: there is no user 'lab'"
fi

printf ' [ net\teth0 ] # comment\n\n\tgrant\t=  bin \t 80#x\r\n[disk a]\ngrant=0 1' >"$p"
like "spaces, tabs, comments, CR, no newline at the end" "$(check)" \
	'is right: 2 rules'
: >"$p"
like "an empty file is right" "$(check)" 'is right: 0 rules'
printf '[disk a]\ngrant = bin 1M\n[net e]\ngrant = bin 1\n[disk a]\ngrant = daemon 1M\n' >"$p"
like "a section may come again" "$(check)" 'is right: 3 rules'

wrong "an unknown section" 1 "no section 'disc'" '[disc site]\ngrant = bin 1M\n'
wrong "a section without a name" 2 'which one' '#\n[disk]\n'
wrong "a section of two names" 1 'which one' '[disk a b]\n'
wrong "a section that is not closed" 1 'a section is' '[disk a\n'
wrong "text behind a section" 1 'a section is' '[disk a] grant = bin 1M\n'
wrong "an empty section" 1 'no section' '[]\n'
wrong "a setting before the sections" 1 'before the first' 'grant = bin 1M\n'
wrong "an unknown key" 2 "'disk' has no 'grants'" '[disk a]\ngrants = bin 1M\n'
wrong "a key of another section" 2 "'net' has no 'device'" \
	'[net a]\ndevice = /dev/vda\n'
wrong "no equals sign" 2 'KEY = VALUE' '[disk a]\ngrant bin 1M\n'
wrong "no value" 2 'a user and a size' '[disk a]\ngrant =\n'
wrong "no size" 2 'a user and a size' '[disk a]\ngrant = bin\n'
wrong "too many words" 2 'a user and a size' '[disk a]\ngrant = bin 1M 2M\n'
wrong "an unknown user" 2 "no user 'nosuchuser'" '[disk a]\ngrant = nosuchuser 1M\n'
wrong "an odd size" 2 "'3Q' is not a size" '[disk a]\ngrant = bin 3Q\n'
wrong "a size of 0" 2 "'0' is not a size" '[disk a]\ngrant = bin 0\n'
wrong "a negative size" 2 "'-1' is not a size" '[disk a]\ngrant = bin -1\n'
wrong "a size beyond counting" 2 "is not a size" \
	'[disk a]\ngrant = bin 99999999999T\n'
wrong "port 0" 2 "'0' is neither" '[net e]\ngrant = bin 0\n'
wrong "ports that run backwards" 2 "'9-8' is neither" '[net e]\ngrant = bin 9-8\n'
wrong "a port too large" 2 "'65536' is neither" '[net e]\ngrant = bin 65536\n'
wrong "a user that does not exist" 1 "no user 'nosuchuser'" \
	'[user nosuchuser]\nmax-memory = 1M\n'
wrong "an odd size of memory" 2 "'1X' is not a size" '[user bin]\nmax-memory = 1X\n'
wrong "what cannot be allowed" 2 "'all' cannot be allowed" '[user bin]\nallow = all\n'
wrong "a second size of memory" 4 'line 2 says that of bin' \
	'[user bin]\nmax-memory = 1M\n[user bin]\nmax-memory = 2M\n'
wrong "an unknown lane" 2 "no lane 'fast'" '[net e]\nlane = fast\n'
wrong "a relative device" 2 'not the path' '[disk a]\ndevice = vda\n'
wrong "a second grant of blocks" 4 'line 2 says that of bin' \
	'[disk a]\ngrant = bin 1M\n[disk a]\ngrant = bin 2M\n'
wrong "a second device" 3 'line 2 says that of a' \
	'[disk a]\ndevice = /dev/vda\ndevice = /dev/vdb\n'
wrong "a NUL" 2 'not text' '[disk a]\ngr\0ant = bin 1M\n'
wrong "a name too long" 1 'which one' "[disk $(printf 'x%.0s' {1..64})]\n"
wrong "a device too long" 2 'not the path' \
	"[disk a]\ndevice = /$(printf 'x%.0s' {1..256})\n"

printf '[disk]\n[net e]\ngrant = bin\nx = y\n' >"$p"
is "every error is said" "$(check | grep -c "^$p:[134]: ")" 3
head -c 100000 /dev/urandom >"$p"
like "noise is refused" "$(check)" '^=1$'
like "no file" "$("$exoctl" policy check "$dir/none" 2>&1; echo "=$?")" \
	"cannot open $dir/none: No such file"
like "a directory" "$("$exoctl" policy check "$dir" 2>&1; echo "=$?")" '^=1$'
like "called wrongly" "$("$exoctl" policy check 2>&1; echo "=$?")" '^=2$'

: >"$p"
chmod 666 "$p"
like "a file that others can change is not applied" \
	"$("$exoctl" policy apply "$p" 2>&1; echo "=$?")" 'chmod go-w'
chmod 644 "$p"
printf '[disk a]\ngrant = bin\n' >"$p"
like "nor one with an error" "$("$exoctl" policy apply "$p" 2>&1)" \
	'nothing of it would be'
finish
