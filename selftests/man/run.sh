#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Do the examples of the manual pages do on the module what they say? All by
# alice, who has a grant for blocks and one for ports.
#
#	this namespace			namespace "peer"
#	exo0  10.99.0.1/24 ------------ exo1  10.99.0.2/24	attached
#
# vm: --disk 64
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

b=build/selftests/man
exoctl=build/exoctl
# As a user in group exo who holds nothing but what she was granted.
alice() { timeout 20 runuser -u alice -- "$@" 2>&1; echo "=$?"; }
# In the peer: connects to a port, prints what it is sent.
client() {
	timeout 5 ip netns exec peer bash -c \
		"exec 3<>/dev/tcp/10.99.0.1/$1 && cat <&3" 2>&1
}

[ -e /sys/module/exo ] || insmod "$EXO_KO"
for _ in $(seq 100); do [ -e /dev/exo ] && break; sleep 0.1; done
chown root:exo /dev/exo
chmod 660 /dev/exo

like "exo_env" "$(alice $b/exo_env)" 'frames of up to [1-9].*TCP flows: yes'
like "exo_env counts" "$(alice $b/exo_env)" '^1 envs are open'
like "exo_frame" "$(alice $b/exo_frame)" '^65536 bytes, at the end: hello, frame'
out=$(alice $b/exo_cap)
like "exo_cap" "$out" '^1 page: hello, bob'
like "exo_cap gives notice" "$out" '^wanted back in [12]\.[0-9] s'
like "exo_cap takes it back" "$out" '^and gone'
like "exo_cap says why" "$out" '^CAP_IMPORT.* was revoked$'
out=$(alice $b/exo_event)
like "exo_event sees what is held" "$out" '^[5-9] pages held'
like "and that nobody asks" "$out" '^nobody asks for them'
like "exo_policy is not for users" "$(alice $b/exo_policy)" 'not permitted'
is "nothing is set for anybody" "$($b/exo_policy 2>&1; echo "=$?")" "=0"
$exoctl policy set bob --max-pages 77
like "exo_policy" "$($b/exo_policy)" '^user 1002: 77 pages'
$exoctl policy forget bob
like "exo_loop" "$(alice $b/exo_loop)" '^tick, 0 left'
like "exo_sys" "$(alice $b/exo_sys)" 'missing'

# Disks
is "exo_disk without a disk" "$(alice $b/exo_disk)" "=0"
$exoctl disk format --force /dev/vda --name site >/dev/null
$exoctl disk attach /dev/vda >/dev/null
like "exo_disk" "$(alice $b/exo_disk)" '^site on vda: [0-9]+ of 16384 blocks free'
like "exo_extent without a grant" "$(alice $b/exo_extent site)" 'not permitted'
$exoctl disk grant site alice --size 4M >/dev/null
like "exo_extent creates" "$(alice $b/exo_extent site)" '^256 blocks from block'
like "and opens" "$(alice $b/exo_extent site)" '^256 blocks from block'
like "exo_io" "$(alice $b/exo_io site notes)" '^written by way of /dev/exo'
like "exo_io: nothing of that name" "$(alice $b/exo_io site none)" '^=1'
like "exo_cq" "$(alice $b/exo_cq site notes)" '^64 blocks read, 0 failed'
$exoctl disk detach site >/dev/null

# Flows
ip netns add peer
ip link add exo0 type veth peer name exo1 netns peer
ip addr add 10.99.0.1/24 dev exo0
ip link set exo0 up
ip -n peer addr add 10.99.0.2/24 dev exo1
ip -n peer link set exo1 up
is "exo_net without a device" "$(alice $b/exo_net)" "=0"
like "exo_neigh" "$(alice $b/exo_neigh exo0 10.99.0.1 10.99.0.2)" \
	"^$(ip netns exec peer cat /sys/class/net/exo1/address)\$"
like "exo_neigh: nobody there" \
	"$(alice $b/exo_neigh exo0 10.99.0.1 10.99.0.77)" '^10.99.0.77: '
$exoctl net attach exo0 >/dev/null
like "exo_flow without a grant" "$(alice $b/exo_flow exo0 8191)" 'not permitted'
$exoctl net grant exo0 alice 8191-8192 >/dev/null
like "exo_net" "$(alice $b/exo_net)" '^exo0: 0 flows'

# server NAME PORT: starts it in the background, output in $out
server() {
	out=$(mktemp)
	alice "$b/$1" exo0 "$2" >"$out" &
	for _ in $(seq 100); do grep -q ready "$out" && break; sleep 0.1; done
}

server exo_flow 8191
for _ in 1 2 3; do client 8191 >/dev/null & done
for _ in $(seq 100); do grep -q = "$out" && break; sleep 0.1; done
like "exo_flow shows who connects" "$(cat "$out")" '^10.99.0.2, port [0-9]+'
like "and ends" "$(cat "$out")" '^=0'

server exo_tcp 8192
for i in 1 2 3; do
	is "exo_tcp: client $i is greeted" "$(client 8192)" hello
done
wait
is "and ends well" "$(grep -c '10.99.0.2: well' "$out")" 3
like "with status 0" "$(cat "$out")" '^=0'

$exoctl net detach exo0 >/dev/null

# exoctl(8), by the names that this machine has; its disk has been formatted.
useradd -M www
example=$(sed 's|^# exoctl ||; s|disk format|& --force|; s|/dev/vdb|/dev/vda|
	s|eth0|exo0|' $b/exoctl.example)
is "exoctl(8) shows five commands" "$(wc -l <<<"$example")" 5
while read -r -a words; do
	"$exoctl" "${words[@]}" >/dev/null
	is "exoctl ${words[*]}" $? 0
done <<<"$example"
like "they give blocks" "$($exoctl policy list)" '^site +www .* 512M'
like "and a port" "$($exoctl policy list)" '^exo0 +www .*80'
$exoctl net detach exo0 >/dev/null
$exoctl disk detach site >/dev/null
ip netns del peer
is "nothing is left" \
	"$($exoctl status --json | grep -o '"in_use": {[^}]*}' | grep -o '[0-9]*' |
		xargs)" "1 0 0 0 0 0 0 0"
finish
