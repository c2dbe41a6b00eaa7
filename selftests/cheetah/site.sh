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

keep=build/vm/$EXO_NAME.digests
trap 'servers_down; lossless; exo_down; vm-host rm -f "$keep"' EXIT
n=0

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

fetch() {
	vm-host python3 selftests/cheetah/fetch.py --list /LIST --keep "$keep" \
		"$@" "cheetah=$guest:80" "nginx=$guest:81"
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

vm-host rm -f "$keep"
failed=0
exo_up 400
ext4_up
cp -rLp /usr/share/exo-site/ /srv/ext4/www
pages /srv/ext4/www >/tmp/LIST
mv /tmp/LIST /srv/ext4/www/LIST
pack_site /srv/ext4/www docs
nginx_up /srv/ext4/www

cheetah_up docs -v
check "all documents, as nginx sends them" fetch
check "cheetah ends when told" cheetah_down
sed 's/^/# /' "$log"

cheetah_up docs --cache 4 -v
check "again, with memory for a thirtieth of the site" fetch
lossy
check "again, 5 % lost and a quarter reordered, both ways" fetch --connections 96
tc -s qdisc show dev eth0 | grep -A 1 netem | sed 's/^/# /'
check "cheetah ends when told" cheetah_down
sed 's/^/# /' "$log"
check "packets were sent again" grep -q 'packets, [1-9][0-9]* bytes again' "$log"
exit $failed
