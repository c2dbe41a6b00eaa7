#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does libexo.so export the functions of <exo/...>, each with a version, and
# nothing else?
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
. selftests/rig/tap.sh

so=build/libexo/libexo.so.0
# A declaration begins in the first column; the inline ones are no symbols.
declared=$(cat libexo/include/exo/*.h |
	sed -n '/^static/d; /^typedef/d
		s/^[a-z_].*[ *]\(exo_[a-z0-9_]*\)(.*/\1/p' | sort -u)
exported=$(nm -D --defined-only --with-symbol-versions "$so" |
	sed -n 's/^.* T //p' | sort -u)
is "every function of the headers is exported, no other" \
	"$(diff <(sed 's/@@.*//' <<<"$exported") <(echo "$declared"))" ""
is "each has a version" "$(grep -vc '@@LIBEXO_0\.[0-9]*$' <<<"$exported")" 0
is "what came with the first release stays in it" \
	"$(grep -c '@@LIBEXO_0\.1$' <<<"$exported")" 81
like "and what came later is in a later one" "$exported" \
	'exo_cap_derive@@LIBEXO_0\.2'
finish
