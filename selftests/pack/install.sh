#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does "make install" put in place what a packager needs, and can a program be
# built against it, and does "make uninstall" take everything away?
# timeout: 300
set -uo pipefail
. selftests/rig/tap.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
d=$dir/dest
m() { make -s B="${EXO_BUILD-build}" DESTDIR="$d" PREFIX=/usr "$@" 2>&1; }
# ls_modes DIR: "755 usr/sbin/exoctl"
ls_modes() { (cd "$1" && find . ! -type d -printf '%m %P\n' | sort -k 2); }

version=$(tools/packaging/version)
like "there is a version" "$version" '^[0-9]+\.[0-9]+\.[0-9]+$'
is "the module has it" \
	"$(sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' kmod/main.c)" "$version"
is "dkms.conf has it" \
	"$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)" "$version"
is "the programs have it" "$("${EXO_BUILD-build}/exoctl" --version)" \
	"exoctl $version"

is "it installs without a word" "$(m install)" ""
list=$(ls_modes "$d")
for f in '755 usr/sbin/exoctl' '755 usr/bin/cheetah' '755 usr/bin/cheetah-pack' \
	'644 usr/lib/libexo.a' '644 usr/lib/libexo.so.0' '777 usr/lib/libexo.so' \
	'644 usr/include/exo/exo.h' '644 usr/include/linux/exo.h' \
	'644 usr/include/linux/exo_disk.h' '644 usr/lib/pkgconfig/exo.pc' \
	'644 usr/share/man/man8/exoctl.8' '644 usr/share/man/man4/exo.4' \
	'644 usr/lib/udev/rules.d/60-exo.rules' \
	'644 usr/lib/sysusers.d/exo.conf' '644 etc/modprobe.d/exo.conf' \
	'644 usr/lib/systemd/system/exo-policy.service' \
	'644 usr/share/doc/exo/policy.example'; do
	like "$f" "$list" "^$f\$"
done
is "the module is not among it" "$(grep -c '\.ko' <<<"$list")" 0
is "no file names the DESTDIR" "$(grep -rlF "$d" "$d" | wc -l)" 0
is "nothing is left to be filled in" "$(grep -rIl '@[A-Z]*@' "$d" | wc -l)" 0
if libc=$(dpkg -L linux-libc-dev 2>/dev/null); then
	is "no file is one of linux-libc-dev's" "$(comm -12 \
		<(cut -d ' ' -f 2 <<<"$list" | sed 's|^|/|' | sort) \
		<(sort <<<"$libc") | wc -l)" 0
fi

unit=$d/usr/lib/systemd/system/exo-policy.service
like "the unit calls what is installed" "$(cat "$unit")" \
	'^ExecStart=/usr/sbin/exoctl policy apply /etc/exo/policy$'
if command -v systemd-analyze >/dev/null; then
	sed "s|=/usr/sbin/|=$d/usr/sbin/|" "$unit" >"$dir/exo-policy.service"
	is "systemd understands it" \
		"$(systemd-analyze verify --man=no "$dir/exo-policy.service" 2>&1 |
			grep exo-policy)" ""
else
	echo "ok $((++tap_n)) - systemd understands it # SKIP there is none"
fi

# A program of somebody else's.
cat >"$dir/prog.c" <<'END'
#include <stdio.h>
#include <exo/exo.h>

int main(void)
{
	struct exo_env *env;
	int rc = exo_env_open(NULL, "/nonexistent", &env);

	printf("%s %d\n", exo_version(), rc);
	return 0;
}
END
pc() {
	PKG_CONFIG_SYSROOT_DIR=$d PKG_CONFIG_LIBDIR=$d/usr/lib/pkgconfig \
	PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
		pkg-config "$@" exo
}
is "pkg-config knows the version" "$(pc --modversion)" "$version"
# shellcheck disable=SC2046	# words
is "a program is built" "$(gcc -Wall -Werror -o "$dir/prog" "$dir/prog.c" \
	$(pc --cflags --libs) 2>&1)" ""
is "it runs" "$(LD_LIBRARY_PATH=$d/usr/lib "$dir/prog")" "$version -2"
like "with the shared library" "$(LD_LIBRARY_PATH=$d/usr/lib ldd "$dir/prog")" \
	"libexo.so.0 => $d/usr/lib/libexo.so.0"
# shellcheck disable=SC2046
is "so is one with the static library" "$(gcc -o "$dir/static" "$dir/prog.c" \
	$(pc --cflags) "$d/usr/lib/libexo.a" \
	$(pc --static --libs | tr ' ' '\n' | grep -vx -- -lexo) 2>&1)" ""
is "it runs alone" "$("$dir/static")" "$version -2"
for h in "$d"/usr/include/*/*.h; do
	h=${h#"$d/usr/include/"}
	echo "#include <$h>" >"$dir/h.c"
	# shellcheck disable=SC2046
	is "<$h> stands alone" "$(gcc -std=c11 -Wall -Werror -fsyntax-only \
		$(pc --cflags) "$dir/h.c" 2>&1)" ""
done

# Again, and away.
echo 'options exo page_limit_percent=10' >>"$d/etc/modprobe.d/exo.conf"
like "what was changed is kept" "$(m install)" 'modprobe.d/exo.conf was changed'
like "really" "$(cat "$d/etc/modprobe.d/exo.conf")" '^options exo'
like "and by uninstall too" "$(m uninstall)" 'modprobe.d/exo.conf was changed'
is "nothing else is left" "$(ls_modes "$d")" '644 etc/modprobe.d/exo.conf'
rm -rf "$d"
m install >/dev/null
m uninstall >/dev/null
is "what was not changed is removed" "$(ls_modes "$d")" ""
m PREFIX=/opt/x install >/dev/null
is "elsewhere: its own configuration" \
	"$(ls "$d/opt/x/etc/modprobe.d")" exo.conf
like "elsewhere: its own paths" "$(cat "$d/opt/x/lib/pkgconfig/exo.pc")" \
	'^libdir=/opt/x/lib$'

# The sources for DKMS, as a package would have them.
rm -rf "$d"
m dkms-install >/dev/null
src=$d/usr/src/exo-$version
like "dkms.conf goes with them" "$(cat "$src/dkms.conf")" \
	"^PACKAGE_VERSION=\"$version\""
is "all sources of the module" "$(cd "$src" && find kmod include Kbuild \
	-type f | sort)" "$(find kmod include Kbuild \
	-name '*.[chS]' -o -name 'Kbuild*' | sort)"
finish
