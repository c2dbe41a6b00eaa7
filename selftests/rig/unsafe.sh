#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does a module with checks switched off load by force alone, and say so then?
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
alone
mutant=build/kmod-mutant-6.1/exo_mutant.ko
unchecked=build/kmod-unchecked-6.1/exo_unchecked.ko

make -s "$mutant" "$unchecked"
is "the modules are built" $? 0

# shellcheck disable=SC2016  # for the guest's shell
all=$(tools/vm/run --name rig-unsafe -- '
	load() {
		dmesg -C
		echo "load $*"
		insmod "$@" 2>&1
		echo "status $?"
		[ ! -e /dev/exo ] || echo "there is a device"
		[ ! -e /sys/module/exo ] || echo "taints $(cat /sys/module/exo/taint)"
		dmesg
	}
	load '"$mutant"'
	load '"$unchecked"'
	load '"$mutant"' mutant=none
	load -f '"$mutant"'
	load -f '"$mutant"' mutant=command_known && rmmod exo
	# Not to be unloaded: it takes each device for one it is attached to.
	load -f '"$unchecked"'
	echo "tainted $(cat /proc/sys/kernel/tainted)"' 2>&1)
is "a machine tries them" $? 0

# What came of one "load".
of() {
	awk -v line="load $*" '/^load /{ on = $0 == line } on' <<<"$all"
}

refused() {
	local out

	out=$(of "$@")
	like "insmod $*: fails" "$out" '^status [1-9]'
	is "and leaves nothing" "$(grep -cE '^(there is|taints)' <<<"$out")" 0
	like "since no kernel has its version" "$out" \
		"exo: version magic '[^ ]+ NOT .*should be '[^ ]+ SMP "
}

forced() {
	local says=$1 out

	shift
	out=$(of "$@")
	like "insmod $*: succeeds" "$out" '^status 0$'
	like "there is a device" "$out" '^there is a device$'
	like "what is loaded is marked as forced" "$out" '^taints [A-Z]*F'
	like "the log says what it is" "$out" "exo: NOT SAFE: $says"
}

refused "$mutant"
refused "$unchecked"
refused "$mutant" mutant=none
out=$(of -f "$mutant")
like "a mutant by force, but of no check, fails" "$out" '^status [1-9]'
is "and leaves nothing as well" "$(grep -cE '^(there is|taints)' <<<"$out")" 0
forced 'the check "command_known" is switched off' \
	-f "$mutant" mutant=command_known
forced 'built without its checks' -f "$unchecked"
is "the kernel is marked as under test" \
	"$(($(awk '/^tainted/ { print $2 }' <<<"$all") >> 18 & 1))" 1
finish
