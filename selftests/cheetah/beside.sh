#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Under load from standard clients: are all answers right, does Linux keep the
# rest of the device (ssh, ping, another server), does tcpdump see the packets;
# is a damaged pack refused?
#
# vm: --net tap --disk 512 --disk 512
# timeout: 400
# shellcheck disable=SC2154	# guest.sh sets guest, log
set -u
. /exo/samples/cheetah/guest.sh

trap 'sshd_down; servers_down; exo_down' EXIT
n=0
failed=0
sshd=
keys=build/vm/$EXO_NAME.ssh	# not in the guest
seconds=20
[ "$EXO_KERNEL" != debug ] || seconds=120

report() {
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	failed=1
	echo "not ok $n - $2"
}

wrk_clean() {
	out=$(vm-host wrk -t1 -c64 -d3s "$@") || return 1
	echo "$out" | sed -n 's/^ *\([0-9]* requests in.*\)/# wrk: \1/p'
	case $out in
	*Non-2xx* | *"Socket errors"* | *" 0 requests in"*) echo "# $out"; return 1 ;;
	esac
}

h2load_clean() {
	out=$(vm-host h2load --h1 "$@" | grep -E '^requests:|^status') || return 1
	echo "$out" | sed 's/^/# h2load: /'
	echo "$out" | grep -q ' 0 failed, 0 errored, 0 timeout' &&
		echo "$out" | grep -q ' 0 3xx, 0 4xx, 0 5xx'
}

# Keys for this run alone: the client's outside, the host's here.
sshd_up() {
	mkdir -m 700 /run/beside &&
		ssh-keygen -q -t ed25519 -N '' -f /run/beside/host &&
		vm-host rm -rf "$keys" && vm-host mkdir "$keys" &&
		vm-host ssh-keygen -q -t ed25519 -N '' -f "$keys/id" &&
		vm-host cat "$keys/id.pub" >/run/beside/authorized ||
		die "no keys for ssh"
	# shellcheck disable=SC2016	# for the other shell
	vm-host sh -c 'echo "$1" >"$2"' - \
		"$guest $(cut -d ' ' -f 1,2 /run/beside/host.pub)" "$keys/hosts"
	/usr/sbin/sshd -D -f /dev/null -E /tmp/sshd.log -h /run/beside/host \
		-o UsePAM=no -o PasswordAuthentication=no \
		-o AuthorizedKeysFile=/run/beside/authorized &
	sshd=$!
	await_port 22 || die "sshd did not start: $(cat /tmp/sshd.log)"
}

sshd_down() {
	if [ -n "$sshd" ]; then
		kill "$sshd"
		wait "$sshd"
		sshd=
	fi
	rm -rf /run/beside
	vm-host rm -rf "$keys"
}

# A command for a shell in the guest, by way of eth0.
login() {
	vm-host ssh -F /dev/null -i "$keys/id" -o IdentitiesOnly=yes \
		-o UserKnownHostsFile="$keys/hosts" \
		-o StrictHostKeyChecking=yes -o BatchMode=yes \
		-o ConnectTimeout="$seconds" "root@$guest" "$1" || {
		cat /tmp/sshd.log >&2
		return 1
	}
}

exo_up 64
mkdir -p /tmp/www
for size in 1000 20000 100000 400000; do
	head -c "$size" /dev/urandom >"/tmp/www/f$size"
done
pack_site /tmp/www www
nginx_up /tmp/www
cheetah_up www -v

wrk_clean "http://$guest/f1000"
report $? "wrk, kept alive"
wrk_clean -H "Connection: close" "http://$guest/f20000"
report $? "wrk, a connection a request"
h2load_clean -n 20000 -c 32 -m 8 "http://$guest/f1000"
report $? "h2load, pipelined"
h2load_clean -n 1000 -c 16 -m 4 "http://$guest/f400000"
report $? "h2load, pipelined, large"

# The rest of the device, while there is load on the flow.
sshd_up
vm-host wrk -t1 -c16 "-d${seconds}s" "http://$guest/f20000" >/tmp/wrk.out 2>&1 &
load=$!
sleep 0.5
[ "$(login 'uname -r')" = "$(uname -r)" ]
report $? "ssh: uname -r"
# shellcheck disable=SC2016	# for the other shell
login 'echo $SSH_CONNECTION; cat /tmp/www/f400000' >/tmp/login
from=$(head -n 1 /tmp/login | tr -d '\0')
case $from in
"10.77.0.1 "*" $guest 22") ;;
*) false ;;
esac
report $? "ssh: the connection is $from"
tail -n +2 /tmp/login | cmp - /tmp/www/f400000
report $? "ssh: 400000 bytes"
kill -0 "$load" && ! grep -q 'requests in' /tmp/wrk.out
report $? "there was load all the time"
sshd_down
timeout 20 tcpdump -c 200 -n -i eth0 tcp port 80 >/tmp/dump 2>/tmp/dump.err
report $? "tcpdump sees the flow"
[ "$(grep -c '10.77.0.2.80 > ' /tmp/dump)" -gt 10 ] &&
	[ "$(grep -c '> 10.77.0.2.80: ' /tmp/dump)" -gt 10 ]
report $? "in both directions"
ping -c 5 -i 0.2 -W 2 10.77.0.1 >/tmp/ping
report $? "ping: $(tail -n 1 /tmp/ping)"
vm-host curl -sS -m 10 "http://$guest:81/f400000" | cmp - /tmp/www/f400000
report $? "a server on Linux's own TCP, port 81"
vm-host curl -sS -m 10 "http://$guest:80/f400000" | cmp - /tmp/www/f400000
report $? "and the flow itself"
ss -Hltn 'sport = :80' | grep -q :80
report $? "ss shows the port"
wait "$load"
sed -n 's/^ *\([0-9]* requests in.*\)/# wrk: \1/p' /tmp/wrk.out
grep -q 'requests in' /tmp/wrk.out && ! grep -qE 'Non-2xx|Socket err' /tmp/wrk.out
report $? "the load saw no error"

# Idle means asleep: no more than a tick's worth of CPU in two seconds.
sleep 1
ticks() {
	awk '{ print $14 + $15 }' "/proc/$cheetah/stat"
}
before=$(ticks)
sleep 2
after=$(ticks)
[ $((after - before)) -le 1 ]
report $? "idle: $((after - before)) ticks of CPU time in 2 s"
cheetah_down
report $? "ends when told"

# Damage, from below: the device is taken back and written to.
damage() {
	exoctl disk detach site >/dev/null || return 1
	printf 'damage' | dd of=/dev/vda bs=4096 seek="$1" conv=notrunc \
		status=none
	exoctl disk attach /dev/vda >/dev/null
}
start=$(exoctl extent list site | awk '/www/ { for (i = 1; i <= NF; i++)
	if ($i ~ /^[0-9]+$/) { print $i; exit } }')
refused() {
	as_alice timeout 10 cheetah --disk site:www --dev eth0 >/tmp/out 2>&1
	[ $? = 1 ] && grep -q "$1" /tmp/out && return
	cat /tmp/out
	return 1
}
# The second chunk-sized piece holds documents, see doc.h.
damage $((start + 16))
cheetah_up www
codes=
for size in 1000 20000 100000 400000; do
	codes="$codes $(vm-host curl -s -m 5 -o /dev/null -w '%{http_code}' \
		"http://$guest/f$size")"
done
echo "# $codes: $(tail -n 1 "$log")"
case $codes in
*500*) grep -q 'checksum is wrong' "$log" ;;
*) false ;;
esac
report $? "a damaged document is not served"
case $codes in
*200*) ;;
*) false ;;
esac
report $? "others are"
cheetah_down
damage $((start + 1))
refused 'the checksum of its index is wrong'
report $? "a damaged index is refused"
damage "$start"
refused 'there is no packed site in it'
report $? "an extent without a pack is refused"
exit $failed
