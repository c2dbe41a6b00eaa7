#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does exoctl lead an administrator and two users through a disk and a device,
# and does every mistake get an answer that helps?
# vm: --disk 64 --net tap
# timeout: 240
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

e=/exo/build/exoctl
try() { "$@" 2>&1; echo "=$?"; }
as() { runuser -u "$1" -- "$e" "${@:2}" 2>&1; echo "=$?"; }

# says WHAT PATTERN COMMAND...: it fails with status 1 and these words
says() {
	local out
	out=$(try "${@:3}")
	like "$1" "$out" "$2"
	like "$1: it failed" "$out" '^=1$'
}
works() {
	local out
	out=$(try "${@:2}")
	like "$1" "$out" '^=0$'
}
# json TEXT EXPRESSION: what Python makes of it, d being the text decoded
json() {
	vm-host python3 -c 'import json, sys
d = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$1" "$2" 2>&1
}

if [ ! -e /sys/module/exo ]; then
	says "without the module: what to do" 'modprobe' "$e" status
	# shellcheck disable=SC2086	# no parameter, or some
	insmod "$EXO_KO" ${EXO_KO_PARAMS-}
fi
for _ in $(seq 100); do [ -e /dev/exo ] && break; sleep 0.1; done
chown root:root /dev/exo
chmod 600 /dev/exo
like "without permission: the rule" "$(as alice status)" '60-exo.rules'
chown root:exo /dev/exo
chmod 660 /dev/exo
like "without the group: which" "$(as nobody status)" 'group exo may.*adduser'

like "status" "$(try "$e" status)" 'Features:.* frame'
is "status for programs" "$(json "$("$e" status --json)" \
	'd["limits"]["block_bytes"], d["in_use"]["nr_envs"], d["disks"]')" \
	"(4096, 1, [])"
is "no disks for programs" "$(json "$("$e" disk list --json)" d)" \
	"{'disks': []}"
is "the doctor finds the module" "$(json "$("$e" doctor --json)" \
	'[c["level"] for c in d["checks"] if c["name"] in ("loaded", "version", "kernel", "device")]')" \
	"['ok', 'ok', 'ok', 'ok']"

# Disks
says "no label yet" 'no valid exo label.*exoctl disk format' \
	"$e" disk attach /dev/vda
works "formatted" "$e" disk format /dev/vda --name site
like "not by a user" "$(as alice disk format /dev/vda --name a)" \
	'cannot open /dev/vda.*sudo'
says "no such disk" "no such disk is attached" "$e" disk detach site
says "no block device" 'not a block device' "$e" disk attach /dev/null
works "attached" "$e" disk attach /dev/vda
says "twice" 'attached already' "$e" disk attach /dev/vda
says "not formatted while attached" 'in use|attached' \
	"$e" disk format /dev/vda --name b --force
like "listed" "$("$e" disk list)" '^site +vda +64M'
is "for programs" "$(json "$("$e" disk list --json)" \
	'[(x["name"], x["device"], x["nr_blocks"], x["nr_open"], len(x["uuid"])) for x in d["disks"]]')" \
	"[('site', 'vda', 16384, 0, 36)]"
like "a user may not detach" "$(as alice disk detach site)" 'only root'
like "nor grant" "$(as alice disk grant site alice --size 1M)" 'only root'

# Extents
like "no grant, no extent" "$(as alice extent create site a --size 1M)" \
	"no grant on this disk.*exoctl disk grant"
works "granted by name" "$e" disk grant site alice --size 8M
works "granted by number" "$e" disk grant vda 1002 --blocks 256
like "created" "$(as alice extent create site docs --size 4M --mode 644)" '^=0$'
like "private" "$(as alice extent create site keys --size 1M)" '^=0$'
like "the name is taken" "$(as alice extent create site docs --size 1M)" \
	'extent of that name'
like "above the grant" "$(as alice extent create site big --size 8M)" \
	'more blocks than you were granted'
like "a place of one's choice" \
	"$(as bob extent create site b --blocks 16 --at 8192)" '^=0$'
like "overlapping" "$(as bob extent create site c --blocks 16 --at 8200)" \
	'belong to another'
like "outside" "$(as bob extent create site c --blocks 16 --at 16380)" \
	'outside the disk'
list=$(as bob extent list site)
like "a readable extent is shown" "$list" \
	'256 +1024 +4.0M +0644 +alice +docs'
like "a private one without its name" "$list" '1280 +256 +1.0M - +- +-$'
like "the owner sees it" "$(as alice extent list site)" 'alice +keys'
is "for programs, what bob may know" "$(json \
	"$(runuser -u bob -- "$e" extent list site --json)" \
	'[(x["start"], x["nr_blocks"], x["name"], x["uid"], x["mode"], x["state"]) for x in d["extents"]]')" \
	"[(256, 1024, 'docs', 1001, '0644', 'clean'), (1280, 256, None, None, None, 'clean'), (8192, 16, 'b', 1002, '0600', 'clean')]"
like "another cannot delete it" "$(as bob extent delete site alice:docs)" \
	'only its owner'
like "nor know of a private one" "$(as bob extent delete site alice:keys)" \
	'no such extent|only its owner'
like "no such extent" "$(as alice extent delete site none)" 'no such extent'
like "no such owner" "$(as alice extent delete site nemo:none)" 'no such user'
works "grant withdrawn" "$e" disk revoke site alice
like "then no more" "$(as alice extent create site more --size 1M)" 'no grant'
like "but what exists stays" "$(as alice extent list site)" 'alice +docs'
like "until it is deleted" "$(as alice extent delete site docs)" '^=0$'
works "detached" "$e" disk detach site
works "attached again" "$e" disk attach /dev/vda
like "what was created is there" "$(as alice extent list site)" 'alice +keys'
like "what was deleted is not" "$(as alice extent list site | grep -c docs)" \
	'^0$'
works "detached by its device" "$e" disk detach vda
is "none is left" "$("$e" disk list | wc -l)" 1

# Devices
says "no such device" "no network device 'eth9'" "$e" net attach eth9
says "not Ethernet" 'not an Ethernet' "$e" net attach lo
says "not attached" 'not attached' "$e" net detach eth0
out=$("$e" net attach eth0 2>&1)
like "attached" "$out" 'lane direct'
like "it says what is bypassed" "$out" 'bypasses: .*conntrack'
like "and what it costs" "$out" 'costs: '
says "twice" 'attached already' "$e" net attach eth0
like "listed" "$("$e" net list)" '^eth0 +direct +0 '
is "for programs" "$(json "$("$e" net list --json)" \
	'd["netdevs"][0]["name"], d["netdevs"][0]["nr_flows"], d["lanes"][0]["name"], "conntrack" in d["lanes"][0]["bypasses"]')" \
	"('eth0', 0, 'direct', True)"
like "a user may not" "$(as alice net detach eth0)" 'only root'
works "a port" "$e" net grant eth0 alice 80
works "a range" "$e" net grant eth0 1002 8000-8100
works "withdrawn" "$e" net revoke eth0 alice 80
like "shown in the status" "$("$e" status)" 'eth0 +direct'
works "detached" "$e" net detach eth0
ping -q -c 1 -W 5 10.77.0.1 >/dev/null
is "Linux has its network" $? 0
is "nothing is left" \
	"$("$e" status --json | grep -o '"in_use": {[^}]*}' | grep -o '[0-9]*' |
		xargs)" "1 0 0 0 0 0 0 0"
finish
