#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does the demonstration of two users who share a frame go through, and does it
# notice when a step does not?
# vm:
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh
PATH=/exo/build:$PATH

out=$(samples/tenants/demo.guest 2>&1)
is "the demonstration" "$?" 0
like "alice has no capability" "$out" '^alice +is user 1001,.* CapEff 0+$'
like "nor has bob" "$out" '^bob +is user 1002,.* CapEff 0+$'
like "bob reads the letter" "$out" '^bob .*reads in page 1: "Dear bob'
is "he is refused six times" "$(grep -c '^bob .*: refused$' <<<"$out")" 6
is "and told why each time" "$(grep -cE '^bob +\(.*(needed|revoked)\)$' <<<"$out")" 6
like "alice gives notice" "$out" '^alice +gives notice: .* 3000 ms'
like "bob hears of it" "$out" '^bob +hears of it: handle [0-9]+, 4 pages, ends in [1-9][0-9]* ms'
is "and reads before it ends, not after" \
	"$(grep -oE 'reads it once more|has ended|it is gone' <<<"$out" | xargs)" \
	"reads it once more has ended it is gone has ended it is gone"
like "alice revokes at once" "$out" '^alice +revokes .*at once: 2 cap'
like "alice gives pages back" "$out" '^alice +gives 128 back'
like "bob is taken from" "$out" '^bob .*in the vector: handle [0-9]+ was taken'
like "to the end" "$out" '^root +Every step went as it should'
is "and exo is unloaded" "$(rmmod exo 2>&1)" ""

# Without the module, without the other.
build/tenants alice /tmp/none /tmp/none.ready >/tmp/out 2>&1
is "no module: status 1" "$?" 1
like "no module: said" "$(cat /tmp/out)" 'FAILED to (be without|open /dev/exo)'
build/tenants carol /tmp/none /tmp/none.ready >/tmp/out 2>&1
is "nobody else" "$?" 2
finish
