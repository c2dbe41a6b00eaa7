#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Do the network and the disks of a machine work?
# vm: --net tap --disk 64 --disk 32
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

is "the first disk has its size" "$(blockdev --getsize64 /dev/vda)" $((64 << 20))
is "the second disk has its size" "$(blockdev --getsize64 /dev/vdb)" $((32 << 20))
is "a disk is blank" "$(tr -d '\0' </dev/vda | wc -c)" 0
ping -q -c 1 -W 5 10.77.0.1 >/dev/null
is "the host's end answers" $? 0
like "segmentation is offloaded" "$(ethtool -k eth0)" \
	'tcp-segmentation-offload: on'
mkdir -p /tmp/w
head -c 5000000 /dev/urandom >/tmp/w/f
busybox httpd -p 8080 -h /tmp/w
is "the host fetches a file" \
	"$(vm-host curl -s http://10.77.0.2:8080/f | md5sum)" \
	"$(md5sum </tmp/w/f)"
finish
