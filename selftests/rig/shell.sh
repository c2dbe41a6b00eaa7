#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does tools/vm/shell give a terminal a shell in the guest, and its status?
# timeout: 300
set -uo pipefail
. selftests/rig/tap.sh
alone
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkfifo "$dir/keys"

timeout 240 script -qefc 'tools/vm/shell --name rig-shell' /dev/null \
	<"$dir/keys" >"$dir/seen" 2>&1 &
pid=$!
exec 8>"$dir/keys"
for ((n = 0; n < 2000; n++)); do
	grep -qa '# ' "$dir/seen" && break
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
like "there is a prompt" "$(tr -cd '[:print:]\n' <"$dir/seen")" '# '
# The terminal echoes what is typed: it says 42 only if that was run.
# shellcheck disable=SC2016  # for the guest's shell
echo 'echo "saw $((6 * 7)) on $(hostname) at $(tty)"; exit 7' >&8
wait $pid
is "the shell's status is the machine's" $? 7
like "what was typed ran in the guest, on a terminal" \
	"$(tr -d '\r' <"$dir/seen")" 'saw 42 on exo at /dev/hvc0$'
finish
