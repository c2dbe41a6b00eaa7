#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does "exoctl doctor" find each thing that keeps exo from working?  Each is
# provoked in a directory that stands for a machine.
set -uo pipefail
. selftests/rig/tap.sh

exoctl=${EXO_BUILD-build}/exoctl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
r=$dir/root
version=$("$exoctl" --version | cut -d ' ' -f 2)

put() { mkdir -p "$r$(dirname "$1")" && echo "$2" >"$r$1"; }
# A machine on which all is well, as far as files show it.
healthy() {
	local rel=${1-6.1.0-9-amd64}

	rm -rf "$r"
	put /proc/sys/kernel/osrelease "$rel"
	put /proc/sys/kernel/modules_disabled 0
	put /proc/sys/kernel/unprivileged_bpf_disabled 2
	put /proc/sys/net/core/bpf_jit_enable 1
	put /proc/sys/net/core/bpf_jit_harden 0
	put /proc/meminfo "MemTotal:        2048000 kB"
	put /proc/self/status "CapEff: 0000000000004000"
	put /sys/kernel/security/lockdown "[none] integrity confidentiality"
	put /sys/module/module/parameters/sig_enforce N
	put /sys/module/exo/version "$version"
	put /sys/module/exo/parameters/page_limit_percent 25
	put "/lib/modules/$rel/updates/dkms/exo.ko" x
	put /usr/lib/udev/rules.d/60-exo.rules x
	put /etc/group "exo:x:$(id -g):"
	mkdir -p "$r/dev"
}
doctor() { "$exoctl" doctor --root "$r" "$@" 2>&1; echo "=$?"; }
# finds LEVEL CHECK PATTERN [ADVICE]
finds() {
	local out
	out=$(doctor)
	like "$1 $2: $3" "$out" "^$1 +$2 +.*$3"
	[ -z "${4-}" ] || like "$1 $2: advice" \
		"$(grep -A 1 "^$1 *$2 " <<<"$out")" "-> .*$4"
}

healthy
finds ok kernel 'Linux 6\.1\.0'
finds ok signing 'unsigned modules may'
finds ok io_uring available
finds ok bpf privileged
finds ok bpf-jit compiled
finds ok installed 'for Linux 6\.1\.0'
finds ok loaded loaded
finds ok version "module $version, exoctl $version"
finds ok page-limit 'at most 500 MiB'
finds ok udev-rule 60-exo
finds ok group 'you are in the group'
finds ok memlock CAP_IPC_LOCK

put /proc/sys/kernel/osrelease 5.10.0-30-amd64
finds fail kernel 'Linux 5\.10' 'needs Linux 6\.1'
healthy 7.99.0
finds warn kernel 'Linux 7\.99' 'newest'
healthy 8.0.1
finds warn kernel 'Linux 8\.0' 'newest'
rm "$r/proc/sys/kernel/osrelease"
finds fail kernel unknown

healthy
rm -r "$r/lib/modules"
finds warn installed 'loaded, but not' 'dkms-install'
rm -r "$r/sys/module/exo"
finds fail installed 'not installed' 'dkms-install'
finds fail loaded 'not loaded' 'installed first'
put /lib/modules/6.0.1/updates/dkms/exo.ko x
finds fail installed 'for Linux 6\.0\.1, not' 'linux-headers-6\.1\.0-9.*autoinstall'
put /lib/modules/6.1.0-9-amd64/extra/exo.ko.xz x
finds ok installed 'for Linux 6\.1'
finds fail loaded 'not loaded' 'modprobe exo'
finds ok version 'no module'
finds ok page-limit unknown
put /proc/sys/kernel/modules_disabled 1
finds fail signing 'switched off' 'next boot'
put /proc/sys/kernel/modules_disabled 0
put /sys/kernel/security/lockdown "none [integrity] confidentiality"
finds fail signing 'lockdown integrity.*signed' mokutil
put /sys/kernel/security/lockdown "[none] integrity confidentiality"
put /sys/module/module/parameters/sig_enforce Y
finds fail signing 'sig_enforce' mokutil
healthy
put /sys/kernel/security/lockdown "none integrity [confidentiality]"
finds ok signing 'lockdown confidentiality'

healthy
put /sys/module/exo/version 0.0.9
finds warn version "module 0\.0\.9, exoctl $version" 'rmmod exo'
rm "$r/sys/module/exo/version"
finds warn version 'module unknown'
put /sys/module/exo/parameters/page_limit_percent 2
finds warn page-limit '2: .*at most 40 MiB' 'modprobe\.d'
put /sys/module/exo/parameters/page_limit_percent 90
finds warn page-limit '90: ' 'little to Linux'

healthy
put /proc/sys/kernel/io_uring_disabled 0
finds ok io_uring available
put /proc/sys/kernel/io_uring_disabled 1
finds warn io_uring 'io_uring_group' 'sysctl kernel.io_uring_disabled=0'
put /proc/sys/kernel/io_uring_disabled 2
finds warn io_uring nobody 'fall back'
put /proc/sys/kernel/unprivileged_bpf_disabled 0
finds warn bpf 'every user' 'unprivileged_bpf_disabled=2'
rm "$r/proc/sys/kernel/unprivileged_bpf_disabled"
finds warn bpf 'no bpf'
put /proc/sys/net/core/bpf_jit_enable 0
finds warn bpf-jit interpreted 'bpf_jit_enable=1'
healthy
put /proc/sys/net/core/bpf_jit_harden 2
finds ok bpf-jit hardening

rm "$r/usr/lib/udev/rules.d/60-exo.rules"
finds warn udev-rule 'no udev rule' 60-exo
put /etc/udev/rules.d/60-exo.rules x
finds ok udev-rule /etc/udev
put /etc/group 'root:x:0:'
finds fail group 'no group exo' systemd-sysusers
finds fail device 'no /dev/exo' devtmpfs
rm -r "$r/sys/module/exo"
finds fail device 'no /dev/exo' 'with the module'
healthy
: >"$r/dev/exo"
finds fail device 'no character device' remove

put /proc/self/status "CapEff: 0000000000000000"
ulimit -Sl 512
finds fail memlock '512 KiB' 'LimitMEMLOCK='
if ulimit -Sl 8192 2>/dev/null; then
	finds warn memlock '8192 KiB' '64 MiB'
else
	echo "ok $((++tap_n)) - 8 MiB are little # SKIP the hard limit is lower"
fi
if ulimit -Sl 65536 2>/dev/null; then
	finds ok memlock '65536 KiB'
else
	echo "ok $((++tap_n)) - 64 MiB do # SKIP the hard limit is lower"
fi

# What only root can put up: a node, and a user who is not in the group.
node() {
	rm -f "$r/dev/exo"
	mknod "$r/dev/exo" c 1 3 && chmod "$1" "$r/dev/exo" &&
		chgrp "$2" "$r/dev/exo"
}
healthy
if node 660 "$(id -g)" 2>/dev/null; then
	finds ok device 'mode 0660'
	is "all is well: status 0" "$(doctor | tail -n 1)" =0
	is "and nothing to be looked at" "$(doctor | grep -c '^warn')" 0
	node 600 "$(id -g)"
	finds warn device 'mode 0600' 'udevadm trigger'
	node 660 12345
	finds warn device 'group 12345' 'udevadm trigger'
	node 666 "$(id -g)"
	finds warn device 'mode 0666' everybody
	put /etc/group 'exo:x:12345:'
	finds ok group 'you are root'
	chmod 755 "$dir" "$r"
	cp "$exoctl" "$dir/exoctl" && chmod 755 "$dir/exoctl"
	out=$(setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$dir/exoctl" doctor --root "$r")
	like "not in the group" "$out" '^fail  group +you are not'
	out=$(setpriv --reuid 65534 --regid 65534 --groups 12345 \
		"$dir/exoctl" doctor --root "$r")
	like "in the group, as one of several" "$out" '^ok +group +you are in'
else
	echo "ok $((++tap_n)) - device nodes # SKIP making them needs root"
fi

# For programs
healthy
put /proc/sys/kernel/osrelease '5.1"\'
out=$(doctor --json)
is "it fails if a check does" "$(tail -n 1 <<<"$out")" =1
is "JSON" "$(sed '$d' <<<"$out" | python3 -c '
import json, sys
d = json.load(sys.stdin)
c = {x["name"]: x for x in d["checks"]}
print(c["kernel"]["level"], c["kernel"]["found"], c["bpf"]["level"],
      d["nr_ok"] + d["nr_warn"] + d["nr_fail"] == len(d["checks"]),
      d["nr_fail"] == sum(x["level"] == "fail" for x in d["checks"]),
      set(map(len, d["checks"])))')" 'fail Linux 5.1"\ ok True True {4}'
like "it takes no arguments" "$("$exoctl" doctor x 2>&1; echo "=$?")" '^=2$'
"$exoctl" doctor >"$dir/out"
like "it runs on this machine" "$(tail -n 1 "$dir/out")" \
	'^[0-9]+ ok, [0-9]+ to be looked at, [0-9]+ failed$'
finish
