# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# tap.sh: TAP output for shell tests.  Source it, say `is WHAT GOT WANTED` and
# `like WHAT TEXT PATTERN`, `skip WHAT WHY`, end with `finish`.

# alone: wait until no other test that uses the same names runs.
alone() {
	mkdir -p build/vm
	exec 9>build/vm/.rig.lock
	flock 9
}

tap_n=0
tap_bad=0

is() {
	tap_n=$((tap_n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tap_n - $1"
	else
		tap_bad=1
		echo "not ok $tap_n - $1"
		echo "# got '$2', wanted '$3'"
	fi
}

like() {
	tap_n=$((tap_n + 1))
	if grep -qE -e "$3" <<<"$2"; then
		echo "ok $tap_n - $1"
	else
		tap_bad=1
		echo "not ok $tap_n - $1"
		echo "# no match for '$3' in:"
		sed 's/^/#   /' <<<"$2"
	fi
}

# skip WHAT WHY
skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_n"
	exit "$tap_bad"
}
