#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# fetch.sh FOLDER NAME ADDRESS: curl each document that FOLDER/list names into
# FOLDER/NAME, over 16 connections at once.  Runs outside the guest.
#
# Fails unless each was answered with 200; says how many there were.
set -u
cd "$1" || exit 1
name=$2
rm -rf "$name"

# Names are escaped as in a URL; those that curl's own syntax would need escaped
# are refused.
awk -v to="$name" -v from="http://$3" '
	/["\\]/ { exit 1 }
	{
		url = $0
		gsub(/%/, "%25", url)
		gsub(/ /, "%20", url)
		gsub(/#/, "%23", url)
		gsub(/[?]/, "%3F", url)
		printf "url = \"%s%s\"\noutput = \"%s%s\"\n", from, url, to, $0
	}' list >"$name.curl" || exit 1
sed -n 's/^url = "\(.*\)"$/\1/p' "$name.curl" >"$name.uris"

began=$(date +%s%N)
curl -sS --no-progress-meter --fail --globoff --path-as-is --create-dirs --max-time 120 \
	--parallel --parallel-max 16 -K "$name.curl" \
	-w '%{http_code} %{size_download} %{num_connects}\n' >"$name.out" ||
	{
		echo "curl ended with status $?"
		exit 1
	}
took=$((($(date +%s%N) - began) / 100000000))
awk -v asked="$(wc -l <list)" -v ds=$took -v name="$name" '
	$1 == 200 { n++ }
	{ bytes += $2; conns += $3 }
	END {
		printf "%s: %d of %d documents, %.0f bytes, %.1f s, ",
			name, n, asked, bytes, ds / 10
		printf "%d connections\n", conns
		printf "%.0f\n", bytes >(name ".bytes")
		exit n < 2 || n != asked
	}' "$name.out"
