#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Do the examples of the manual pages compile without a warning, link with both
# libraries, and, where they need no module, do what they say?
set -uo pipefail
. selftests/rig/tap.sh

lib=${EXO_BUILD-build}/libexo
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
flags=(-std=gnu11 -O1 -Wall -Wextra -Werror -Iinclude/uapi -Ilibexo/include)
cc=${CC-gcc}
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH

# compile NAME SUFFIX LIBRARY...
compile() {
	is "$1 links with ${3##*/}" \
		"$("$cc" "${flags[@]}" -o "$dir/$1.$2" "$dir/$1.c" "${@:3}" 2>&1)" ""
}

n=0
for page in docs/man/exo_*.3; do
	name=$(basename "$page" .3)
	selftests/man/manual.py extract "$page" >"$dir/$name.c"
	like "$name has a program" "$(cat "$dir/$name.c")" '^int main\('
	compile "$name" shared "$lib/libexo.so.0"
	compile "$name" static "$lib/libexo.a" -luring -lnl-route-3 -lnl-3 \
		"-fsanitize=address,undefined"
	n=$((n + 1))
done
is "there are many" "$((n > 10))" 1

is "exo_loop ticks" "$("$dir/exo_loop.static" 2>&1)" \
	$'tick, 2 left\ntick, 1 left\ntick, 0 left'
is "so it does with the shared library" "$("$dir/exo_loop.shared" 2>&1)" \
	$'tick, 2 left\ntick, 1 left\ntick, 0 left'
is "exo_sys finds no module" "$("$dir/exo_sys.static" 2>&1)" \
	"the module is missing"
"$dir/exo_neigh.static" nosuch 10.0.0.1 10.0.0.2 >"$dir/out" 2>&1
is "exo_neigh fails on a device that is not there" "$?" 1
for name in exo_env exo_frame exo_disk exo_net; do
	[ -e /dev/exo ] && continue
	"$dir/$name.static" >"$dir/out" 2>&1
	is "$name fails without the module" "$?" 1
done
finish
