#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# With a disk and a device there: does a policy give what it says, as often as
# it is applied; do the metrics count; does a report hold what it should and
# nothing else?
# vm: --disk 64 --net tap
set -uo pipefail
cd /exo || exit 1
. selftests/rig/tap.sh

e=/exo/build/exoctl
as() { runuser -u "$1" -- "$e" "${@:2}" 2>&1; echo "=$?"; }
apply() { "$e" policy apply "$p" "$@" 2>&1; echo "=$?"; }
dir=$(mktemp -d)
p=$dir/policy

# Without the module
is "metrics say that it is down" "$("$e" metrics 2>/dev/null | tail -n 1)" \
	"exo_up 0"
like "and fail" "$("$e" metrics 2>&1 >/dev/null; echo "=$?")" '^=1$'
like "a report can be made" "$("$e" report "$dir/none.tar.gz" 2>&1; echo "=$?")" '^=0$'
like "it says why" "$(tar -xzOf "$dir/none.tar.gz" exo-report/module.txt)" \
	'not loaded'

insmod "$EXO_KO"
for _ in $(seq 100); do [ -e /dev/exo ] && break; sleep 0.1; done
chown root:exo /dev/exo
chmod 660 /dev/exo

# Policy.  Another test may have left something on the disk.
dd if=/dev/zero of=/dev/vda bs=1M count=1 status=none
cat >"$p" <<'END'
[disk site]
device = /dev/vda
grant = alice 8M
grant = 1002 1M
[user alice]
max-memory = 1M
[net eth0]
lane = direct
grant = alice 80
grant = bob 8000-8100
END
chmod 644 "$p"
like "a disk without a label" "$(apply)" "$p:2: cannot attach /dev/vda"
like "the rest of it is tried" "$("$e" net list)" '^eth0'
"$e" net detach eth0
"$e" disk format /dev/vda --name other >/dev/null
like "another disk than was meant" "$(apply)" "$p:2: the disk on /dev/vda is not"
is "it is detached again" "$("$e" disk list | wc -l)" 1
like "grants on it are errors" "$(apply)" "$p:3: no disk site is attached"
"$e" disk format /dev/vda --name site --force >/dev/null
"$e" net detach eth0
"$e" policy forget alice
out=$(apply --dry-run)
like "it would be applied" "$out" 'would be applied: 7 rules, 2 newly attached, 5 newly granted, 0 w'
like "the disk would be attached" "$out" '^would attach /dev/vda as disk site$'
like "and granted" "$out" '^would grant 2048 blocks of disk site to alice$'
like "and the device" "$out" '^would attach eth0, lane direct$'
like "and ports of it" "$out" '^would grant port 8000-8100 of eth0 to bob$'
like "and limits set" "$out" '^would set the policy of alice$'
is "nothing was attached" "$("$e" disk list | wc -l) $("$e" net list | wc -l)" "1 1"
is "nothing was set" "$("$e" policy list --json | tr -d ' \n')" '{"policies":[],"grants":[]}'
out=$(apply)
like "it is applied" "$out" 'applied: 7 rules, 2 newly attached, 5 newly granted, 0 w'
like "it says what it did" "$out" '^granted 2048 blocks of disk site to alice$'
like "by its exit status" "$(apply)" '^=0$'
like "again: nothing is new" "$(apply)" 'applied: 7 rules, 0 newly attached, 0 newly granted, 0 w'
is "nor said to be" "$(apply | wc -l)" 2
like "what was granted" "$(as alice extent create site docs --size 8M)" '^=0$'
like "no more" "$(as alice extent create site more --size 4K)" 'more blocks than'
like "the other's" "$(as bob extent create site b --size 1M)" '^=0$'
sed -i 's/alice 8M/alice 9M/' "$p"
like "a larger one is told" "$(apply)" '^granted 2304 blocks of disk site to alice$'
like "a larger grant replaces it" \
	"$(as alice extent create site more --size 1M)" '^=0$'
like "ports, once however often it is applied" \
	"$("$e" net revoke eth0 alice 80 2>&1; echo "=$?")" '^=0$'
like "really" "$("$e" net revoke eth0 alice 80 2>&1)" 'no such grant'
users() { "$e" policy list --json | tr -d ' \n' | sed 's/,"grants":.*/}/'; }
is "a user's memory" "$(users)" \
	'{"policies":[{"uid":1001,"max_pages":256,"allow":[]}]}'
sed -i 's/^max-memory = 1M/max-memory = 2M\nallow = numbers/' "$p"
apply >/dev/null
is "more of it, and physical numbers" "$(users)" \
	'{"policies":[{"uid":1001,"max_pages":512,"allow":["numbers"]}]}'
apply >/dev/null
grants() {
	vm-host python3 -c '
import json, sys
for g in sorted(json.loads(sys.argv[1])["grants"], key=str):
    del g["kind"]
    print(*g.values(), end="; ")' "$("$e" policy list --json)"
}
is "all is listed" "$(grants)" \
	"site 1001 2304; site 1002 256; eth0 1001 80 80; eth0 1002 8000 8100; "
out=$("$e" policy list)
like "for people: a disk" "$out" '^site +alice +2304 +9\.0M$'
like "a device" "$out" '^eth0 +bob +8000-8100$'
out=$(as alice policy list)
like "a user sees her own" "$out" '^site +alice +2304'
like "and is told so" "$out" 'is shown to root'
is "not the other's" "$(grep -cE 'bob|1002|8000' <<<"$out")" 0

# What a file does not name any more is withdrawn.
cp "$p" "$dir/all"
"$e" disk grant site 5555 --size 1M
"$e" policy set bob --max-pages 7
"$e" net grant eth0 alice 81
grep -v 1002 "$dir/all" | sed '/^\[user/,/^allow/d; s/8000-8100/8000-8101/' >"$p"
before=$(grants; users)
out=$(apply --dry-run)
like "a dry run says it" "$out" 'would be applied: 5 rules, 0 newly attached, 1 newly granted, 6 w'
like "of a disk" "$out" '^would withdraw 256 blocks of disk site from bob$'
is "and does nothing" "$(grants; users)" "$before"
like "the same for programs" "$("$e" policy apply "$p" --dry-run --json)" \
	'"change": "withdraw", "kind": "disk-grant", "subject": "site", "uid": 1002, "nr_blocks": 256'
out=$(apply)
like "it is done" "$out" 'is applied: 5 rules, 0 newly attached, 1 newly granted, 6 withdrawn$'
like "a user of a disk" "$out" '^withdrew 256 blocks of disk site from bob$'
like "what was given by hand" "$out" '^withdrew 256 blocks of disk site from 5555$'
like "a range that is another now" "$out" '^withdrew port 8000-8100 of eth0 from bob$'
like "a port" "$out" '^withdrew port 81 of eth0 from alice$'
like "a user that had a section" "$out" '^forgot the policy of alice$'
like "one that never had" "$out" '^forgot the policy of bob$'
is "the rest stays" "$(grants)" \
	"site 1001 2304; eth0 1001 80 80; eth0 1002 8000 8101; "
is "no user is left" "$(users)" '{"policies":[]}'
like "bob cannot take more" "$(as bob extent create site c --size 4K)" 'no grant'
like "but keeps what he has" "$(as bob extent list site)" ' bob +b$'
like "it is what the file says" "$(apply)" '0 newly attached, 0 newly granted, 0 withdrawn$'
sed -i 's/disk site/disk elsewhere/; s/^device.*//' "$p"
out=$(apply)
like "a rule that fails" "$out" "$p:3: no disk elsewhere is attached"
like "keeps nobody else's" "$out" '^withdrew 2304 blocks of disk site from alice$'
like "and is told by the status" "$out" '^=1$'
: >"$p"
like "an empty file leaves nothing" "$(apply)" ' 2 withdrawn$'
is "nothing" "$(grants)" ""
cp "$dir/all" "$p"
like "all of it again" "$(apply)" ' 5 newly granted, 0 withdrawn$'

chmod 666 "$p"
like "not if others can change it" "$(apply)" 'chmod go-w'
chmod 644 "$p"
cp "$p" "$dir/alices"
chown alice "$dir/alices"
like "not if it is another's" "$("$e" policy apply "$dir/alices" 2>&1)" 'chown root'
chmod 755 "$dir"
sed -i 's/eth0/eth7/' "$p"
like "no such device" "$(apply)" "$p:9: there is no network device eth7"
cp "$p" "$dir/hers" && chown alice "$dir/hers"
like "not by a user" "$(as alice policy apply "$dir/hers")" \
	'cannot list what was given: only root'

# Metrics
m=$("$e" metrics)
like "up" "$m" '^exo_up 1$'
like "a disk's size" "$m" '^exo_disk_size_bytes\{disk="site",dev="vda"\} 67108864$'
like "a device's packets" "$m" \
	'^exo_net_rx_passed_packets_total\{dev="eth0",lane="direct"\} [0-9]+$'
is "the one that asks is not counted" \
	"$(sed -n 's/^exo_processes //p' <<<"$m")" 0
# Two envs of one process; FRAME_ALLOC of 100 pages in the first.
runuser -u bob -- perl -e '
	open(F, "+<", "/dev/exo") && open(G, "+<", "/dev/exo") or exit 1;
	ioctl(F, 0xec88, my $a = pack("L6Q", 32, 0, 100, 0, 0, 0, 0)) or exit 1;
	sleep 60' &
for _ in $(seq 100); do "$e" env | grep -q 'bob .* 100 ' && break; sleep 0.1; done
read -r id _ pid _ <<<"$("$e" env | grep 'bob .* 100 ')"
"$e" revoke "$id" 30 --timeout 3600000 --no-wait >/dev/null
h=$("$e" metrics)
like "a process with two envs" "$h" '^exo_processes 1$'
is "is one row" "$(grep -c '^exo_process_frame_pages{' <<<"$h")" 1
like "its pages" "$h" "^exo_process_frame_pages\{pid=\"$pid\"\} 100$"
like "pages that it owes" "$h" "^exo_process_asked_pages\{pid=\"$pid\"\} 30$"
like "an event that it did not read" "$h" \
	"^exo_process_unread_events\{pid=\"$pid\"\} 1$"
like "bob sees his" "$(as bob metrics)" "^exo_process_handles\{pid=\"$pid\"\} 1$"
like "alice sees none" "$(as alice metrics)" '^exo_processes 0$'
like "pressure is counted" "$h" '^exo_memory_pressure_total [0-9]+$'
like "and what was taken" "$h" '^exo_taken_pages_total 0$'
like "and the most there may be" "$h" '^exo_max_frame_pages [1-9][0-9]*$'
kill %1
wait
m=$h
before=$(sed -n 's/^exo_net_rx_passed_packets_total.* //p' <<<"$m")
ping -q -c 5 -W 5 10.77.0.1 >/dev/null
after=$("$e" metrics | sed -n 's/^exo_net_rx_passed_packets_total.* //p')
is "they count" "$((after >= before + 5))" 1
like "versions" "$m" '^exo_info\{module="[0-9.]+",exoctl="[0-9.]+"\} 1$'
# The format: a HELP and a TYPE, then samples of that name, and nothing else.
is "the format" "$(awk '
	/^# HELP exo_[a-z_]+ .+\.$/ { help = $3; next }
	/^# TYPE exo_[a-z_]+ (gauge|counter)$/ {
		if ($3 != help || seen[$3]++) print "type", $0
		if (($4 == "counter") != ($3 ~ /_total$/)) print "name", $0
		type = $3; next }
	/^exo_[a-z_]+({[a-z]+="[^"]*"(,[a-z]+="[^"]*")*})? [0-9]+$/ {
		name = $1; sub(/{.*/, "", name)
		if (name != type) print "sample", $0
		next }
	{ print "line", $0 }' <<<"$m")" ""
like "a user may ask" "$(as alice metrics)" '^exo_up 1$'

# JSON: every word of it stands in the manual, or in the header.
{
	"$e" status --json
	"$e" doctor --json
	"$e" disk list --json
	"$e" extent list site --json
	"$e" net list --json
	"$e" policy check --json "$p"
	"$e" policy list --json
	"$e" report --json "$dir/j.tar.gz"
	"$e" net detach eth0
	"$e" net attach eth0 --json
	sed '/net eth7/,$d' "$p" >"$dir/disk"
	"$e" policy apply "$dir/disk" --json
	truncate -s 8M "$dir/image"
	"$e" disk format "$dir/image" --name j --json
} >"$dir/json" 2>&1
is "what programs read is in the manual" "$(vm-host python3 -c '
import json, re, sys
words = set()
def walk(d):
    if isinstance(d, dict):
        words.update(d)
        d = list(d.values())
    for x in d if isinstance(d, list) else []:
        walk(x)
text, n = sys.argv[1].strip(), 0
while text:
    d, end = json.JSONDecoder().raw_decode(text)
    walk(d)
    text, n = text[end:].strip(), n + 1
manual = open("docs/man/exoctl.8").read()
header = open("include/uapi/linux/exo.h").read()
known = set(re.findall(r"^\.Va (\w+)", manual, re.M))
known |= set(re.findall(r"\bout_(?:nr_)?(\w+);", header))
known |= set(re.findall(r"\bout_(\w+);", header))
print(n, sorted(words - known))' "$(cat "$dir/json")" 2>&1)" "11 []"

# Report
echo '<6>exo: a line for the report' >/dev/kmsg
echo '<6>nothing to do with it' >/dev/kmsg
out=$("$e" report "$dir/r.tar.gz" 2>&1; echo "=$?")
like "it is made" "$out" '^=0$'
is "it says what it holds" \
	"$(sed -n 's/^  \([a-z]*\.txt\) .*/\1/p' <<<"$out" | sort)" \
	"$(tar -tzf "$dir/r.tar.gz" | sed -n 's|^exo-report/\(.\)|\1|p' | sort)"
is "only its owner may read it" "$(stat -c %a "$dir/r.tar.gz")" 600
mkdir "$dir/x" && tar -C "$dir/x" -xzf "$dir/r.tar.gz"
x=$dir/x/exo-report
like "doctor" "$(cat "$x/doctor.txt")" '^ok +loaded'
is "versions" "$(grep -cF "kernel $(uname -r) " "$x/versions.txt")" 1
like "parameters" "$(cat "$x/module.txt")" '^page_limit_percent 25$'
like "the log" "$(cat "$x/log.txt")" 'a line for the report'
is "exo's alone" "$(grep -c 'nothing to do with' "$x/log.txt")" 0
like "metrics" "$(cat "$x/metrics.txt")" '^exo_up 1$'
like "extents" "$(cat "$x/extents.txt")" 'start 256 blocks 2048 state 1'
is "no names of users or extents" \
	"$(grep -rEc 'alice|bob|docs|1001|1002' "$x" | grep -vc ':0$')" 0
like "not over another file" "$("$e" report "$dir/r.tar.gz" 2>&1; echo "=$?")" \
	'there already'
is "nothing is left in /tmp" "$(find /tmp -maxdepth 1 -name 'exo-report*' | wc -l)" 0
like "not where one may not write" "$(as alice report /r.tar.gz)" \
	'cannot make /r.tar.gz'
like "a user's lacks the log only" "$(cd /tmp && as alice report /tmp/a.tar.gz)" '^=0$'
rm -f /tmp/a.tar.gz

"$e" extent list site >/dev/null
"$e" disk detach site
"$e" net detach eth0
is "nothing is left" \
	"$("$e" status --json | grep -o '"in_use": {[^}]*}' | grep -o '[0-9]*' |
		xargs)" "1 0 0 0 0 0 0 0"
rm -rf "$dir"
finish
