#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Is it found out what virtual machines can run by?
# timeout: 300
set -uo pipefail
. selftests/rig/tap.sh
alone
kernel=$(tools/vm/image)/vmlinux-6.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

accel() {
	XDG_CACHE_HOME=$dir timeout 20 tools/vm/accel "$kernel" 2>&1
}

unset EXO_ACCEL
out=$(accel)
is "there is an answer within 20 s" $? 0
like "with a reason" "$out" '^(kvm|tcg) .+'
echo "$(cat /proc/sys/kernel/random/boot_id) tcg as was found" >"$dir/exo/accel"
is "it is kept" "$(accel)" "tcg as was found"
echo "another-boot kvm as was found" >"$dir/exo/accel"
is "until the machine boots again" "$(accel)" "$out"

rm "$dir/exo/accel"
is "without a device it is the emulator" "$(EXO_KVM_DEVICE=/none accel)" \
	"tcg /none cannot be opened"
for a in kvm tcg; do
	is "EXO_ACCEL=$a decides" "$(EXO_ACCEL=$a accel)" "$a EXO_ACCEL says so"
done
EXO_ACCEL=other accel >/dev/null
is "another word is refused" $? 1

tools/vm/accel --try tcg "$kernel" 60
is "a guest that boots is seen" $? 0
out=$(tools/vm/accel --try tcg "$kernel" 1 2>&1)
is "one that does not come up in time fails" $? 1
like "which is said" "$out" 'does not get through its boot in 1 s'
out=$(tools/vm/accel --try none "$kernel" 2>&1)
is "as does one that does not start" $? 1
like "with what the emulator said" "$out" 'status [0-9]+: .*none'

# shellcheck disable=SC2016  # for the guest's shell
EXO_ACCEL=kvm tools/vm/run --name rig-accel --count -- 'test -n "$EXO_COUNT"'
is "to count takes the emulator" $? 0
finish
