#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does tools/mutate tell a check that a test misses from one that none does?
# timeout: 900
set -uo pipefail
. selftests/rig/tap.sh
alone
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# mutate NAME...: with the table made here, logs apart from those of a whole run
mutate() {
	tools/mutate --table "$dir/table" --name rig-mutate "$@" 2>&1
}

# Nothing on a disk matters to core/commands.
cat >"$dir/table" <<'TABLE'
catalogue_range  core/commands
command_known    core/commands
data_floor       redundant: to be seen
TABLE
make -s build/kmod-mutant-6.1/exo_mutant.ko
out=$(mutate --no-build core/commands)
is "a check that no test misses fails the run" $? 1
like "which is said, with the test" "$out" \
	'^SURVIVED +catalogue_range +core/commands$'
like "a check that a test misses is killed, which says by what" "$out" \
	'^killed +command_known +core/commands: .+'
is "and both are counted in the last line" "$(tail -n 1 <<<"$out")" \
	"1 killed, 1 survived, 0 without a test, 0 redundant"

out=$(mutate --no-build data_empty data_floor)
is "a check without a test fails the run" $? 1
like "which is said" "$out" '^NO TEST +data_empty '
like "a redundant one has its reason" "$out" \
	'^redundant +data_floor +to be seen$'

out=$(mutate --no-build data_floor)
is "and does not fail the run" $? 0

echo 'wrong  core/commands' >>"$dir/table"
out=$(mutate --no-build data_floor)
is "a row of no check is refused" $? 1
like "by name" "$out" 'no check is named wrong'
finish
