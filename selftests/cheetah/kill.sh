#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does a server that is killed under load leave nothing behind, 50 times (on the
# newer of two kernels 20, but for EXO_FULL=1)?
#
# vm: --net tap --disk 512 --disk 512
# timeout: 400
# shellcheck disable=SC2154	# guest.sh sets guest
set -u
rounds=50
seconds=60	# of load; the rounds may take longer on a busy machine
if [ "$EXO_KERNEL" = 6.12 ] && [ -z "${EXO_FULL-}" ]; then
	rounds=20
	seconds=25
fi
. /exo/samples/cheetah/guest.sh

trap 'servers_down; exo_down' EXIT

# What is in use: all counters but those of disks and devices.
in_use() {
	exoctl status | sed -n '/^In use/,/flows$/p'
}

settled() {
	i=0
	until [ "$(in_use)" = "$1" ]; do
		i=$((i + 1))
		[ "$i" -lt 50 ] || return 1
		sleep 0.1
	done
}

exo_up 64
mkdir -p /tmp/www
for i in 1000 30000 100000 500000; do
	head -c "$i" /dev/urandom >"/tmp/www/f$i"
done
pack_site /tmp/www www
before=$(in_use)
ports=$(ss -Hltn | wc -l)

vm-host python3 selftests/cheetah/load.py "$guest" 80 $seconds \
	/f1000 /f30000 /f100000 /f500000 >/tmp/served &
load=$!

round=0
while [ "$round" -lt $rounds ]; do
	round=$((round + 1))
	cheetah_up www
	sleep "0.$((2 + round % 4))"
	kill -9 "$cheetah"
	wait "$cheetah" 2>/dev/null
	cheetah=
	settled "$before" || {
		in_use
		echo "not ok 1 - round $round: something stayed in use; before: $before"
		exit 1
	}
done
cheetah_up www
wait "$load"
total=$(cat /tmp/served)
echo "ok 1 - $rounds times killed, nothing left in use ($total requests served)"
if [ "$total" -gt 500 ]; then
	echo "ok 2 - there was load"
else
	echo "not ok 2 - there was hardly any load"
fi
body=$(vm-host curl -sS -m 5 "http://$guest/f1000" | md5sum)
if [ "$body" = "$(md5sum </tmp/www/f1000)" ]; then
	echo "ok 3 - and the next one serves"
else
	echo "not ok 3 - the next one does not serve"
fi
cheetah_down
if [ "$(ss -Hltn | wc -l)" = "$ports" ]; then
	echo "ok 4 - the port is free"
else
	echo "not ok 4 - the port is held"
fi
