#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Does the guest's test runner see a splat, a test that hangs, and go on with the
# next test?  Does tools/check say what failed and where time went, run two lanes,
# and take its machine along when it is ended?
# timeout: 600
set -uo pipefail
. selftests/rig/tap.sh
alone

out=$(tools/vm/run --name rig-runner -- '
	cd /tmp
	printf "#!/bin/sh\ninsmod /exo/build/kmod-6.1/rig_splat.ko what=warn\nrmmod rig_splat\n" > splat
	printf "#!/bin/sh\nsleep 50\n" > hang
	printf "#!/bin/sh\nsleep 500 & exit 3\n" > leave
	printf "#!/bin/sh\npgrep -x sleep && exit 1\nexit 0\n" > clean
	chmod +x splat hang leave clean
	vm-check 20 /tmp/splat 2 /tmp/hang 20 /tmp/leave 20 /tmp/clean' 2>/dev/null)
is "the machine reports the splat" $? 70
like "the splat is the first test's" "$out" '@@ end /tmp/splat 0 splat'
like "a test that hangs is ended" "$out" '@@ end /tmp/hang 124 ok'
like "a test's status is passed on" "$out" '@@ end /tmp/leave 3 ok'
like "nothing of a test is left for the next" "$out" '@@ end /tmp/clean 0 ok'

out=$(tools/check --no-build --kernel 6.1 rig/program 2>&1)
is "tools/check runs a test" $? 0
like "it says what time the test took, and the machine around it" \
	"$(tail -n 2 <<<"$out" | head -n 1)" \
	'^seconds: ([a-z ]+ [0-9]+, )*machines [0-9]+(, [a-z ]+ [0-9]+)*$'
like "by the folders of tests" "$(tail -n 2 <<<"$out")" '^seconds: .*\brig [0-9]+'
like "the last line counts" "$(tail -n 1 <<<"$out")" \
	'^[1-9][0-9]* passed, 0 failed, [0-9]+ skipped$'

# load: python that has tools/check as module check, and runs standard input
load() {
	python3 -c '
import importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("check", "tools/check")
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)
exec(sys.stdin.read())' 2>&1
}

# What failed must be in the last lines, which may be all that somebody has.
out=$(load <<-'END'
	import argparse
	tally = check.Tally()
	tally.judge("6.1 one", 1, "not ok 1 - sum\n# got 4\n# not 5\nok 2 - rest\n# else\n1..2\n")
	tally.judge("6.1 two", 0, "ok 1 - all\n1..1\n", "the kernel complained")
	tally.judge("6.1 many", 1, "not ok 1 - part\n" * 100)
	print("the end")
	sys.exit(check.finish(argparse.Namespace(record=None), tally, 1))
	END
)
is "a test failed, so tools/check did" $? 1
end=${out##*the end}
is "it says last what failed, with what the test says of it" "$(grep -A 3 'one: sum' <<<"$end")" \
	"$(printf '%s\n' 'FAIL  6.1 one: sum' '    | # got 4' '    | # not 5' \
		'FAIL  6.1 two: the kernel complained')"
is "but not endlessly" "$(grep -c '^FAIL' <<<"$end")" 13
like "and how much else" "$end" '^FAIL  and 90 more$'

# Two that wait for each other; then one after another; then one that fails.
out=$(load <<-'END'
	import threading
	met, order = threading.Barrier(2, timeout=20), []
	check.run_lanes(2, [lambda _: met.wait(), lambda _: met.wait()], check.Children())
	print("met")
	jobs = [lambda _, n=n: (check.time.sleep(0.02 * (3 - n)), order.append(n)) for n in range(3)]
	check.run_lanes(1, jobs, check.Children())
	print("in order", *order)
	check.run_lanes(2, [lambda _: 1 / 0, lambda _: print("goes on")], check.Children())
	END
)
is "a lane that fails fails the run" $? 1
like "two lanes run side by side" "$out" '^met$'
like "one does one after another" "$out" '^in order 0 1 2$'
like "the other lane goes on" "$out" '^goes on$'
like "then the failure is said" "$out" '^ZeroDivisionError'

# A machine goes with the tools/check that started it.
tools/check --no-build --kernel 6.1 rig/guest >/dev/null 2>&1 &
pid=$!
for ((n = 0; n < 300; n++)); do
	machine=$(pgrep -P $pid -f vm/run) && pgrep -P "$machine" -f qemu >/dev/null && break
	sleep 0.1
done
kill $pid
wait $pid
is "tools/check ends when it is told to" $? 1
like "it had a machine" "$machine" '^[0-9]+$'
is "which has ended too" "$(ps -o pid= "$machine")" ""
finish
