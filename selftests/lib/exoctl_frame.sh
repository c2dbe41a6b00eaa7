#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does exoctl show where the pages of a frame lie, to those who may see it?
# vm:
set -uo pipefail
cd /exo || exit 1
. selftests/lib/exoctl_module.sh

# Frames
out=$(try "$e" frame test 64 --order 3)
like "runs of eight" "$out" '^0-[0-9]+ +(8|16|24|32|40|48|56|64) +[0-9]+-[0-9]+ '
like "counted" "$out" '^64 pages in [1-8] runs?, the longest of '
out=$(as alice frame test 64)
like "a user sees colours and nodes" "$out" '^0(-[0-9]+)? +[0-9]+ +- +[0-9]+(-[0-9]+)? +0$'
like "but no numbers, and is told how" "$out" 'exoctl policy set USER'
out=$(try "$e" frame test 8 --colour 0x7:3 --json)
is "a colour" "$(grep -o '"colour": [0-9]*' <<<"$out" |
	awk '$2 % 8 != 3 { bad++ } END { print (NR > 0), bad + 0 }')" "1 0"
like "a colour in vain" "$(try "$e" frame test 4 --order 2 --colour 1:1)" \
	'colour that the order makes impossible'
like "no colour" "$(try "$e" frame test 4 --colour 8:1)" 'no MASK:VALUE'
like "a node there is not" "$(try "$e" frame test 4 --node 63)" 'a node that is not there'
like "no pages" "$(try "$e" frame test 0)" 'out of bounds'


# Who may see numbers
like "a right" "$(try "$e" policy set alice --allow numbers --max-pages 10)" '^=0$'
like "alice sees numbers" "$(as alice frame test 8)" '^0(-[0-9]+)? +[0-9]+ +[1-9][0-9]*'
like "no limit" "$(try "$e" policy set alice --max-pages none)" '^=0$'
like "so she has" "$(as alice frame test 11)" '^11 pages in'
like "the right stays" "$("$e" policy list)" '^alice +- +numbers$'
works=$("$e" policy forget alice 2>&1; echo "=$?")
like "forgotten" "$works" '^=0$'
like "then she sees none" "$(as alice frame test 8)" 'exoctl policy set USER'
nothing_left
finish
