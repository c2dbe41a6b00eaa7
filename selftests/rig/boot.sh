# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# boot.sh: how long a machine takes to run its command.  Source it after tap.sh.

# boot_seconds [OPTION]...: what tools/vm/run, its children and the emulator have
# used of processors when the command in the guest asks.  On a quiet host that
# is no less than what passes meanwhile, and a busy one hardly adds to it.
boot_seconds() {
	# The last fields but those of /proc/PID/stat after the name: utime,
	# stime, and of children that have ended.
	# shellcheck disable=SC2016  # for the host's side of the machine
	tools/vm/run "$@" -- vm-host bash -c '
		for pid in $PPID $(cat /proc/$PPID/task/*/children); do
			cat /proc/$pid/stat
		done | awk -v hz="$(getconf CLK_TCK)" "
			{ sub(/.*\\) /, \"\"); used += \$12 + \$13 + \$14 + \$15 }
			END { print used / hz }"'
}

# boots_within SECONDS KERNEL [OPTION]...
boots_within() {
	local most=$1 kernel=$2 used

	shift 2
	used=$(boot_seconds --kernel "$kernel" "$@")
	is "$kernel: a machine runs a command" $? 0
	echo "# $used s of processors until then"
	is "$kernel: that takes at most $most s of processors" "$(awk \
		-v most="$most" '{ print ($1 > 0 && $1 <= most ? "yes" : $0) }' \
		<<<"$used")" yes
}
