#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is every document of a real site what nginx sends, also when packets are lost
# and overtake each other, and when memory holds a small part of the site?
#
# vm: --net tap --disk 512 --disk 512
# timeout: 900
# shellcheck disable=SC2154	# guest.sh sets guest, log
set -u
. /exo/samples/cheetah/guest.sh

work=build/vm/$EXO_NAME.site	# not in the guest
trap 'servers_down; lossless; exo_down; vm-host rm -rf "$work"' EXIT
n=0
failed=0

check() {
	n=$((n + 1))
	what=$1
	shift
	if "$@"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		failed=1
	fi
}

# NAME PORT: into a folder of that name.
fetch() {
	vm-host selftests/cheetah/fetch.sh "$work" "$1" "$guest:$2" >/tmp/fetch
	set -- $?
	sed 's/^/# /' /tmp/fetch
	return "$1"
}

alike() {
	vm-host diff -rq "$work/$1" "$work/$2"
}

# By a second standard client, pipelined; one connection goes through the list.
# It counts a status twice if a packet ends within the line, therefore the bytes.
h2load_clean() {
	out=$(vm-host h2load --h1 -c 1 -m 8 -n "$documents" \
		-i "$work/cheetah.uris" | grep -E '^requests:|^status|^traffic') ||
		return 1
	echo "$out" | sed 's/^/# h2load: /'
	bytes=$(vm-host cat "$work/nginx.bytes")
	echo "$out" | grep -q " $documents succeeded, 0 failed, 0 errored, 0 ti" &&
		echo "$out" | grep -q ' 2xx, 0 3xx, 0 4xx, 0 5xx' &&
		echo "$out" | grep -q " (${bytes:-?}) data"
}

# Both directions: what we send by eth0's queue, what comes through an ifb.
lossy() {
	modprobe ifb numifbs=1 && ip link set ifb0 up &&
		tc qdisc add dev ifb0 root netem limit 20000 loss 5% \
			delay 2ms 1ms reorder 25% &&
		tc qdisc add dev eth0 ingress &&
		tc filter add dev eth0 ingress matchall action mirred \
			egress redirect dev ifb0 &&
		tc qdisc replace dev eth0 root netem limit 20000 loss 5% \
			delay 2ms 1ms reorder 25% ||
		die "no netem"
}

lossless() {
	tc qdisc del dev eth0 root
	tc qdisc del dev eth0 ingress
	rmmod ifb
} 2>/dev/null

# DEVICE: "PACKETS DROPPED" by its netem.
netem_counts() {
	tc -s qdisc show dev "$1" | awk '
		/^qdisc/ { netem = $2 == "netem" }
		netem && /pkt \(dropped/ { print $4, $7 + 0 }'
}

# How many cheetah gave to the device; the netem of eth0 counts what they are
# cut into, but drops them whole.
sent() {
	sed -n 's/^sent .* bytes in \([0-9]*\) packets.*/\1/p' "$log"
}

# WHAT LOST ALL: were 3 to 7 of a hundred packets dropped, and not few?
dropped() {
	echo "# $1: $2 of $3 packets were dropped"
	[ "$2" -gt 100 ] && [ $(($2 * 100)) -ge $(($3 * 3)) ] &&
		[ $(($2 * 100)) -le $(($3 * 7)) ]
}

# COUNTER [vm-host]: of Linux's TCP, here or outside.
linux_count() {
	name=$1
	shift
	"$@" nstat -asz "$name" | awk -v name="$name" '$1 == name { print $2 }'
}

# Segments that a Linux sent again, here or (with vm-host) outside.
linux_again() {
	linux_count TcpRetransSegs "$@"
}

log_counts() {
	sed -n '2,$s/^/# cheetah: /p' "$log"
}

vm-host rm -rf "$work"
vm-host mkdir -p "$work"
exo_up 400
ext4_up
cp -rLp /usr/share/exo-site/ /srv/ext4/www
pages /srv/ext4/www >/tmp/LIST
documents=$(wc -l </tmp/LIST)
mv /tmp/LIST /srv/ext4/www/LIST
pack_site /srv/ext4/www docs
nginx_up /srv/ext4/www
vm-host curl -sS --fail -m 60 -o "$work/list" "http://$guest:81/LIST" ||
	die "cannot get the list"

cheetah_up docs -v
check "curl gets all documents from nginx" fetch nginx 81
check "curl gets all documents from cheetah" fetch cheetah 80
check "their bytes are the same" alike nginx cheetah
check "h2load gets all documents from cheetah" h2load_clean
check "status, type, length, validators are the same" \
	vm-host python3 selftests/cheetah/headers.py "$work/list" 16 \
	"$guest:80" "$guest:81"
check "cheetah ends when told" cheetah_down
log_counts
echo "# the guest's Linux sent $(linux_count TcpOutRsts) resets"

# With memory for a thirtieth of the site.
cheetah_up docs --cache 4 -v
clients=$(linux_again vm-host)
lossy
check "cheetah, 5 % lost and a quarter reordered" fetch lossy-cheetah 80
check "their bytes are the same" alike nginx lossy-cheetah
clients=$(($(linux_again vm-host) - clients))
check "the clients sent $clients packets again" [ "$clients" -gt 0 ]
# shellcheck disable=SC2046	# two numbers each
set -- $(netem_counts eth0) $(netem_counts ifb0)
check "cheetah ends when told" cheetah_down
log_counts
check "cheetah sent packets again" \
	grep -q 'packets, [1-9][0-9]* bytes again' "$log"
check "packets to the clients were lost" \
	dropped "to the clients" "$2" "$(sent)"
check "packets from the clients were lost" \
	dropped "from the clients" "$4" $(($3 + $4))

again=$(linux_again)
check "nginx, likewise" fetch lossy-nginx 81
check "their bytes are the same" alike nginx lossy-nginx
again=$(($(linux_again) - again))
check "Linux sent $again packets again" [ "$again" -gt 0 ]
exit $failed
