#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does tools/bench/core write a figure for each of its cases?
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
alone
csv=build/bench/core-quick.csv

rm -f "$csv"
out=$(tools/bench/core --quick 2>&1)
is "it runs" $? 0
like "it says where the figures are" "$out" "^Figures: $csv\$"
is "their columns are named" "$(head -n 1 "$csv")" \
	"bench,case,system,metric,value,unit"
is "each row has these, with a number" "$(tail -n +2 "$csv" |
	grep -cvE '^core,[a-z0-9-]+,(exo|linux|unchecked),[a-z_]+,-?[0-9]+\.[0-9]+,[a-z]+$')" 0

# instructions CASE SYSTEM: a positive number, once.
instructions() {
	is "$1 takes instructions of $2" "$(awk -F, -v c="$1" -v s="$2" '
		$2 == c && $3 == s && $4 == "insns_per_op" {
			n++
			good += $5 > 0 && $6 == "instructions"
		}
		END { print n + 0, good + 0 }' "$csv")" "1 1"
}

for case in ioctl-empty page pages-512 derive export-import; do
	for system in exo linux unchecked; do
		instructions $case $system
	done
done
# Linux has nothing like them.
for case in revoke-1 revoke-10000 notice-1 notice-10000; do
	instructions $case exo
	instructions $case unchecked
done
finish
