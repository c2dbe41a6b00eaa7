#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# A machine's life with exo from DKMS: installed on 6.1, used there; a kernel
# 6.12 comes and DKMS builds for it by itself; used there; removed.  Then once
# more without the project's Makefile.
#
# Compiling is done in a chroot here, since the emulator takes long at it;
# loading and using in the machine, booted from that same directory each time.
# full-timeout: 1800
set -uo pipefail
. selftests/rig/tap.sh

[ -n "${EXO_FULL-}" ] || {
	echo "1..0 # SKIP takes three minutes; tools/check --full runs it"
	exit 77
}
[ "$(id -u)" = 0 ] || {
	echo "1..0 # SKIP entering a chroot needs root"
	exit 77
}
alone
image=$(tools/vm/image) && base=$(tools/vm/dkms-root) || exit 1
old=$(cat "$image/release-6.1")
new=$(cat "$image/release-6.12")
version=$(tools/packaging/version)

dir=$(mktemp -d "$PWD/build/vm/dkms.XXXXXX")
root=$dir/root
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cp -a "$base/root" "$root"

# inside COMMAND...: as root of that machine; what it mounts ends with it
inside() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -c '
		mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" &&
		exec chroot "$0" env -i PATH="$PATH" HOME=/root "$@"' \
		"$root" "$@" >>"$dir/log" 2>&1 </dev/null
	local rc=$?
	[ $rc = 0 ] || tail -n 30 "$dir/log" "$root"/var/lib/dkms/exo/*/build/*.log |
		sed 's/^/# /'
	return $rc
}

# boot V [WORD]: what the guest's half prints
boot() {
	[ -e "$dir/root.ext4" ] && rm "$dir/root.ext4"
	mke2fs -q -t ext4 -O ^has_journal -N 65536 -d "$root" \
		"$dir/root.ext4" $(($(du -sm "$root" | cut -f 1) + 300))M
	ln -sf "$image"/{vmlinux,initrd,release}-"$1" "$dir/"
	tools/vm/run --image "$dir" --kernel "$1" --name "dkms-$1" -- \
		bash /exo/selftests/pack/dkms.guest "${2-}" 2>&1
}
fact() { sed -n "s/^$1: //p" <<<"$facts"; }

# works V RELEASE: what is to be seen on each kernel
works() {
	is "$1: booted" "$(fact release)" "$2"
	is "$1: DKMS has installed it" "$(fact dkms)" \
		"exo/$version, $2, x86_64: installed"
	is "$1: modprobe would load that file" "$(fact file)" \
		"/lib/modules/$2/updates/dkms/exo.ko"
	is "$1: of this version" "$(fact version)" "$version"
	is "$1: it loads" "$(fact modprobe)" 0
	is "$1: the udev rule holds" "$(fact device)" "660 root exo"
	like "$1: a member of the group uses it" "$(fact member)" '^exo is loaded'
	like "$1: another user is told what to do" "$(fact other)" \
		'cannot open /dev/exo.*adduser USER exo'
	is "$1: the doctor finds nothing that fails" "$(fact doctor)" ""
	is "$1: it unloads" "$(fact rmmod)" 0
}

# Installed.
src=$root/usr/src/exo-tree
mkdir -p "$src"
cp -r Makefile Kbuild LICENSE dkms.conf kmod include libexo tools samples \
	selftests "$src/"
make -s B=build DESTDIR="$root" PREFIX=/usr install
inside systemd-sysusers exo.conf
is "systemd-sysusers makes the group" $? 0
inside sh -c 'useradd -m -G exo carol && useradd -m dave'
inside make -C /usr/src/exo-tree dkms-install KERNELVER="$old"
is "make dkms-install" $? 0
inside make -C /usr/src/exo-tree dkms-install KERNELVER="$old"
is "once more, as for a new version" $? 0
facts=$(boot 6.1)
works 6.1 "$old"
echo "$facts" >"$dir/log-6.1"

# Upgraded, by nothing but the arrival of the kernel's headers.
inside sh -c 'dpkg --force-depends -i /var/upgrade/*.deb && rm -r /var/upgrade'
is "the new kernel's headers are installed" $? 0
facts=$(boot 6.12 remove)
works 6.12 "$new"

# Removed.
is "make dkms-remove" "$(fact remove)" 0
is "no file is left" "$(fact left)" ""
is "DKMS has forgotten it" "$(fact status)" ""
like "modprobe fails cleanly" "$(fact modprobe-after)" 'Module exo not found'
like "the doctor sees it" "$(fact doctor-after)" 'not installed'
like "exoctl says what to do" "$(fact exoctl-after)" \
	'neither loaded nor installed'

# By DKMS's own commands, from a checkout.
conf=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' dkms.conf)
inside make -C /usr/src/exo-tree dkms-remove
is "make dkms-remove, of two kernels" $? 0
inside dkms add /usr/src/exo-tree
is "dkms add" $? 0
for step in build install; do
	inside dkms "$step" "exo/$conf" -k "$old"
	is "dkms $step" $? 0
done
is "the module is there" \
	"$(modinfo -F vermagic "$root/lib/modules/$old/updates/dkms/exo.ko" |
		cut -d ' ' -f 1)" "$old"
inside dkms remove "exo/$conf" --all
is "dkms remove" $? 0
is "and is gone" "$(find "$root/lib/modules" -name 'exo.ko*')" ""
finish
