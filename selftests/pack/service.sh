#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does exo-policy.service, as it is installed, load the module and grant what
# the policy says under systemd, wait for a disk that comes late, and follow a
# changed file when it is reloaded?
# full-timeout: 1200
set -uo pipefail
. selftests/rig/tap.sh

[ -n "${EXO_FULL-}" ] || {
	echo "1..0 # SKIP takes two minutes; tools/check --full runs it"
	exit 77
}
[ "$(id -u)" = 0 ] || {
	echo "1..0 # SKIP making a root needs root"
	exit 77
}
alone
image=$(tools/vm/image) && base=$(tools/vm/dkms-root) || exit 1
release=$(cat "$image/release-6.1")

dir=$(mktemp -d "$PWD/build/vm/service.XXXXXX")
root=$dir/root
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cp -a "$base/root" "$root"
# What only building modules takes.
rm -rf "$root"/usr/src/* "$root"/usr/lib/gcc "$root"/var/upgrade
make -s B="${EXO_BUILD-build}" DESTDIR="$root" PREFIX=/usr install
install -D build/kmod-6.1/exo.ko "$root/lib/modules/$release/updates/exo.ko"
depmod -b "$root" "$release"
chroot "$root" systemd-sysusers exo.conf >>"$dir/log" 2>&1
is "systemd-sysusers makes the group" $? 0
chroot "$root" useradd -u 1500 -G exo carol
mkdir -p "$root/etc/exo"
cat >"$root/etc/exo/policy" <<'END'
[user carol]
max-memory = 1M
[disk site]
device = /dev/vda
grant = carol 8M
END
chroot "$root" systemctl enable exo-policy.service >>"$dir/log" 2>&1
is "systemctl enables the unit" $? 0

mke2fs -q -t ext4 -O ^has_journal -N 65536 -d "$root" "$dir/root.ext4" \
	$(($(du -sm "$root" | cut -f 1) + 300))M >>"$dir/log" 2>&1
ln -sf "$image"/{vmlinux,initrd,release}-6.1 "$dir/"
facts=$(tools/vm/run --image "$dir" --kernel 6.1 --name service --disk 64 -- \
	bash /exo/selftests/pack/service.guest 2>&1)
fact() { sed -n "s/^$1: //p" <<<"$facts"; }

is "systemd runs, as it does in a container" "$(fact systemd)" 1
is "the module is loaded by the unit" "$(fact module)" loaded
is "a rule that fails fails the unit" "$(fact early)" "exit-code 1"
like "its line is in the log" "$(fact early-log)" \
	'/etc/exo/policy:4: cannot attach /dev/vda'
is "what else the policy says is given" "$(fact early-users)" "1500 256"
is "it is tried again when the disk is there" "$(fact late)" \
	"active exited success"
is "and gives what the policy says" "$(fact late-grants)" "1500 2048"
like "by itself" "$(fact restarts)" '^[1-9]'
is "reloading works" "$(fact reload)" 0
is "and withdraws what the file does not name" "$(fact reload-grants)" "1501 256"
is "and forgets the user" "$(fact reload-users)" ""
is "reloading a wrong file fails" "$(fact wrong)" 1
is "and changes nothing" "$(fact wrong-grants)" "1501 256"
is "without a file the unit is skipped" "$(fact without)" "inactive no"
[ -n "$(fact without)" ] || sed 's/^/# /' <<<"$facts"
finish
