#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Are the rig's shell scripts clean, its Python files whole?
set -uo pipefail
. selftests/rig/tap.sh

mapfile -t scripts < <(grep -lE '^#!.*/(ba|busybox )?sh$' .ci/run tools/setup \
	tools/check tools/vm/* tools/vm/guest/* selftests/rig/* 2>/dev/null)
for f in "${scripts[@]}"; do
	out=$(shellcheck -x -s "$(head -n 1 "$f" | grep -o 'bash$\|sh$')" "$f")
	is "shellcheck $f" "$?$out" 0
done
for f in tools/check tools/vm/{run,count-table,profile}; do
	python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$f"
	is "parse $f" $? 0
done
finish
