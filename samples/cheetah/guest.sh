# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=sh disable=SC2034,SC2154
#
# guest: what the demo, the benchmark and the tests of cheetah share: a machine
# (tools/vm/run --net tap --disk N [--disk M]) with exo on its first disk and,
# on port 81, nginx on ext4 on the second.  Sourced, in the guest.
#
#   exo_up MIB             module, disk "site", alice may take MIB of it
#   pack_site DIR NAME     as alice
#   cheetah_up NAME [OPTION]...   as alice; its pid in $cheetah, its log in $log
#   ext4_up                the second disk, as /srv/ext4
#   nginx_up DIR           serves DIR; its pid in $nginx
#   pages DIR              prints the documents' names, one a line
#   servers_down, exo_down

log=/tmp/cheetah.log
cheetah=
nginx=
guest=10.77.0.2

die() {
	echo "$0: $*" >&2
	exit 1
}

exo_up() {
	# Only force gets in a module without its checks (tools/bench/http).
	insmod ${EXO_UNCHECKED:+-f} "${EXO_UNCHECKED:-$EXO_KO}" ||
		die "cannot load the module"
	chgrp exo /dev/exo
	exoctl disk format --force /dev/vda --name site >/dev/null &&
		exoctl disk attach /dev/vda >/dev/null &&
		exoctl disk grant site alice --size "$1M" >/dev/null &&
		exoctl net attach eth0 >/dev/null &&
		exoctl net grant eth0 alice 80-89 >/dev/null ||
		die "cannot set up exo"
	sysctl -qw net.ipv4.ip_unprivileged_port_start=80
	ulimit -l unlimited
}

# PAM would put the limits back; setpriv does not ask it.
as_alice() {
	setpriv --reuid alice --regid alice --init-groups "$@"
}

pack_site() {
	as_alice cheetah-pack "$1" "site:$2" 2>/tmp/pack.log >&2 || {
		cat /tmp/pack.log >&2
		die "cannot pack $1"
	}
}

# Wait until something listens on a port, 10 s at most.
await_port() {
	i=0
	while [ -z "$(ss -Hltn "sport = :$1")" ]; do
		i=$((i + 1))
		[ "$i" -lt 100 ] || return 1
		sleep 0.1
	done
}

cheetah_up() {
	name=$1
	shift
	# The subshell becomes setpriv becomes cheetah: the pid stays.
	(exec setpriv --reuid alice --regid alice --init-groups \
		cheetah --disk "site:$name" --dev eth0 "$@") >"$log" 2>&1 &
	cheetah=$!
	i=0
	while ! grep -q '^cheetah: serving' "$log"; do
		i=$((i + 1))
		if [ "$i" -ge 100 ] || ! kill -0 "$cheetah" 2>/dev/null; then
			cat "$log" >&2
			die "cheetah did not start"
		fi
		sleep 0.1
	done
}

cheetah_down() {
	kill "$cheetah" && wait "$cheetah"
	set -- $?
	cheetah=
	return "$1"
}

# One worker and everything that makes it fast.
nginx_conf() {
	cat <<-CONF
	daemon off;
	worker_processes 1;
	worker_rlimit_nofile 65536;
	pid /run/nginx.pid;
	error_log /dev/null;
	user www-data;
	events { worker_connections 8192; use epoll; multi_accept on; }
	http {
		sendfile on;
		tcp_nopush on;
		tcp_nodelay on;
		access_log off;
		keepalive_timeout 65;
		keepalive_requests 1000000000;
		open_file_cache max=20000 inactive=600s;
		open_file_cache_valid 600s;
		include /etc/nginx/mime.types;
		default_type application/octet-stream;
		server {
			listen 81 backlog=4096;
			root $1;
		}
	}
	CONF
}

ext4_up() {
	mke2fs -q -F -t ext4 /dev/vdb && mkdir -p /srv/ext4 &&
		mount /dev/vdb /srv/ext4 || die "no ext4 on /dev/vdb"
}

nginx_up() {
	mkdir -p /var/lib/nginx /var/log/nginx
	nginx_conf "$1" >/tmp/nginx.conf
	nginx -c /tmp/nginx.conf &
	nginx=$!
	await_port 81 || die "nginx did not start"
}

nginx_down() {
	kill "$nginx" && wait "$nginx"
}

# For the end of a test: what runs, and all of exo.
servers_down() {
	kill ${cheetah:+"$cheetah"} ${nginx:+"$nginx"} 2>/dev/null
	wait
}

exo_down() {
	if mountpoint -q /srv/ext4; then
		umount /srv/ext4
	fi
	exoctl net detach eth0 >/dev/null
	exoctl disk detach site >/dev/null
	rmmod exo
}

pages() {
	(cd "$1" && find -L . -type f | sed 's|^\.||')
}
