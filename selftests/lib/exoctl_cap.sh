#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Do exoctl's commands about capabilities, pages and users show what is, do
# what they say, and does every mistake get an answer that helps?
# vm:
set -uo pipefail
cd /exo || exit 1
. selftests/lib/exoctl_module.sh

# Capabilities
out=$(as alice cap test)
like "cap test by a user" "$out" '^Capabilities work\.$'
like "the narrow one is shown" "$out" '^derive +giver +[0-9]+ +r-s +2-5 +1 +live'
like "so is what the other env got" "$out" '^import +taker +[0-9]+ +r-s +2-5 +[12] +live'
like "why it may not write" "$out" '^write .*it has the rights r-s, rw- are needed'
like "nor go beyond" "$out" '^beyond .*range ends after 4 pages'
like "and what revocation ended" "$out" '^after +taker +[0-9]+ .*revoked'
like "for programs" "$(vm-host python3 -c '
import json, sys
t = json.loads(sys.argv[1])
print(t["works"], len(t["steps"]), t["steps"][1]["rights"])' \
	"$("$e" cap test --json)" 2>&1)" '^True [0-9]+ r-s'
like "wrongly called" "$(try "$e" cap test it)" '^usage: exoctl cap test'
like "so too" "$(try "$e" cap)" 'exoctl cap test'
# Envs. A holder: perl keeps an env open and does not listen.
runuser -u bob -- perl -e 'open(F, "+<", "/dev/exo") or exit 1; sleep 60' &
for _ in $(seq 100); do "$e" env | grep -q bob && break; sleep 0.1; done
out=$("$e" env)
like "root sees bob's env" "$out" '^ +[0-9]+ +bob +[0-9]+ +perl +0 +0 +0 +0$'
like "and its own" "$out" ' root +[0-9]+ +exoctl '
like "alice sees hers alone" "$(as alice env list | grep -cE ' (bob|root|perl) ')" '^0$'
id=$("$e" env | awk '$2 == "bob" { print $1 }')
like "for programs" "$("$e" env --json)" "\"id\": $id, \"uid\": 1002, \"pid\": [0-9]+, \"program\": \"perl\""
like "a user may not ask" "$(as bob revoke "$id" 10)" 'only root.*sudo'
like "no such env" "$(try "$e" revoke 999999 10)" "no such env; 'exoctl env' lists"
like "no pages" "$(try "$e" revoke "$id" 0)" "'0' is no number of pages"
like "no time" "$(try "$e" revoke "$id" 1 --timeout 3600001)" 'is no time up to'
like "nothing to be taken: it ends all the same" \
	"$(try timeout 40 "$e" revoke "$id" 10 --timeout 500 --json)" '"taken": 0'
kill %1
wait

# Policy
like "none set" "$(try "$e" policy list)" '^=0$'
like "a user may not" "$(as alice policy set alice --max-pages 10)" 'only root.*sudo'
like "nor see what others were" "$(as alice policy list)" 'is shown to root'
like "a limit" "$(try "$e" policy set alice --max-pages 10)" '^=0$'
like "and a right beside it" "$(try "$e" policy set alice --allow numbers)" '^=0$'
like "both are listed" "$("$e" policy list)" '^alice +10 +numbers$'
like "for programs" "$("$e" policy list --json)" \
	'"uid": 1001, "max_pages": 10, "allow": \["numbers"\]'
like "she has no more than ten pages" "$(as alice frame test 11)" "exoctl policy list"
like "forgotten" "$(try "$e" policy forget alice)" '^=0$'
like "once" "$(try "$e" policy forget alice)" 'nothing is set for that user'
like "nobody" "$(try "$e" policy set nemo --max-pages 1)" "no user 'nemo'"
like "nothing" "$(try "$e" policy set alice)" 'set what'
nothing_left
finish
