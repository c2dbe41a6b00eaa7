# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# exoctl_module.sh: for tests of exoctl in the guest.  Source it, and the module
# is loaded, /dev/exo is there and the group exo's.  Then say `try COMMAND...`
# for its words and status, `as USER ARGUMENT...` for those of exoctl run by a
# user; $e is exoctl.  End with `nothing_left` and `finish`.
. selftests/rig/tap.sh

e=/exo/build/exoctl
try() { "$@" 2>&1; echo "=$?"; }
as() { runuser -u "$1" -- "$e" "${@:2}" 2>&1; echo "=$?"; }

insmod "$EXO_KO"
for _ in $(seq 100); do [ -e /dev/exo ] && break; sleep 0.1; done
chown root:exo /dev/exo
chmod 660 /dev/exo

nothing_left() {
	is "nothing is left" \
		"$("$e" status --json | grep -o '"in_use": {[^}]*}' |
			grep -o '[0-9]*' | xargs)" "1 0 0 0 0 0 0 0"
}
