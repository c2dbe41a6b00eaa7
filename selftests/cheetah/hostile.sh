#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does the server stand what the world sends, and serve others meanwhile?
#
# vm: --net tap --disk 512 --disk 512
# timeout: 400
# shellcheck disable=SC2154	# guest.sh sets guest
set -u
. /exo/samples/cheetah/guest.sh

trap 'servers_down; exo_down' EXIT
exo_up 64
mkdir -p /tmp/www
head -c 1000 /dev/urandom >/tmp/www/small
head -c 500000 /dev/urandom >/tmp/www/big
pack_site /tmp/www www
cheetah_up www
vm-host python3 selftests/cheetah/hostile.py "$guest" 80
