#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Where sid is out of reach, is that said, and the rest tested all the same?
# timeout: 300
set -uo pipefail
. selftests/rig/tap.sh
alone
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A cache that has the image, but nothing of sid.
image=$(tools/vm/image)
mkdir "$dir/exo"
ln -s "$image" "$dir/exo/"
export XDG_CACHE_HOME=$dir EXO_SID_MIRROR=http://127.0.0.1:9/debian

out=$(tools/vm/sid-kernel 2>&1)
is "sid-kernel fails" $? 1
is "its last line says why" "$(tail -n 1 <<<"$out")" \
	"sid-kernel: sid is out of reach"
like "after what apt said" "$out" '^sid-kernel: [EW]: .*127\.0\.0\.1'
is "nothing is left of the attempt" "$(find "$dir/exo" -name 'sid-*' -type d)" ""

out=$(tools/check --no-build rig/guest 2>&1)
is "a check goes on without" $? 0
grep '^FAIL' <<<"$out" | sed 's/^/# /'
is "and has one skip, with the reason" "$(grep '^skip  sid' <<<"$out")" \
	"skip  sid: sid is out of reach"
like "what it can, it runs" "$out" '^pass  6.12 rig/guest'
tools/check --no-build --kernel sid rig/program >/dev/null 2>&1
is "a check of sid alone fails" $? 1

# The version of before is good enough where it is built.
echo "1.2.3-none 1.2.3-1" >"$dir/exo/sid-newest"
touch -d '3 days ago' "$dir/exo/sid-newest"
out=$(tools/vm/sid-kernel 2>&1)
like "an old version is tried" "$out" 'building .*/sid-'
like "and the failure named" "$(tail -n 1 <<<"$out")" \
	'^sid-kernel: failed: E: '
finish
