# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The lab with fake-upstream as the only upstream, for tests of the cache. Sourced after lab.sh.
#
# Contract: what the upstream says is $LAB/answers, which tests add to while it runs; nobody but the test's pods
# has packets that nodens counts, and the upstream is asked how often each name was.

D=default.svc.cluster.local
FAKE=10.50.0.1
ROWS="/usr/bin/python3 $LAB_ROOT/tests/ns/cache_rows.py"
export NODENS

fake_start() {
	$ROWS answers >"$LAB/answers"
	ip -n up addr replace $FAKE/32 dev lo
	ip route replace $FAKE via "$(lab_ip4 up)" dev "$(lab_veth up)"
	nsenter --net=/run/netns/up "$LAB_ROOT/tests/fake-upstream" $FAKE --id 99 --answers "$LAB/answers" \
		>"$LAB/fake.log" 2>&1 &
	lab_set fake.pid $!
	disown
	wait_until 5 grep -q ready "$LAB/fake.log" || lab_die "fake-upstream: $(cat "$LAB/fake.log")"
}

fake_stop() {
	kill "$(lab_get fake.pid)"
	wait_until 3 test ! -e "/proc/$(lab_get fake.pid)"
}

freeze() { kill -USR1 "$(lab_get fake.pid)"; }
thaw() { kill -USR2 "$(lab_get fake.pid)"; }

# say NAME TYPE [dead] <MESSAGE: what the upstream answers from now on (cache_rows.py has the form).
say() {
	local message
	message=$([ "${3:-}" = dead ] || cat)
	{
		echo "== $*"
		[ -z "$message" ] || printf '%s\n' "$message"
	} >>"$LAB/answers"
}

# say_a NAME TTL ADDRESS
say_a() { printf 'flags QR RD RA\nrcode NOERROR\n;ANSWER\n@ %s IN A %s\n' "$2" "$3" | say "$1" A; }
# say_nxdomain NAME TTL
say_nxdomain() { printf 'flags QR RD RA\nrcode NXDOMAIN\n;AUTHORITY\ntest. %s IN SOA ns. h. 1 2 3 4 %s\n' "$2" "$2" | say "$1" A; }
say_rcode() { printf 'flags QR RD RA\nrcode %s\n' "$2" | say "$1" A; }

# cache LINE...: nodens for pods, with a block whose cache has these lines; nothing is cached, nothing else asks.
cache() {
	lab_stop_nodens
	thaw
	LAB_SERVE=$LAB_DNS4
	{
		printf '%s\n' ".:53 {" "    errors" "    bind $LAB_DNS4" "    forward . $FAKE" "    cache {"
		printf '        %s\n' "$@"
		printf '%s\n' "    }" "}"
	} >"$LAB/Corefile"
	lab_start_nodens --hook tc
}

ask() { in_pod p1 dig "@$LAB_DNS4" +tries=1 +time="${WAIT:-7}" +noedns "$@"; }
ttl() { awk '/^[^;]/ && NF > 4 { print $2; exit }' <<<"$OUT"; }
address() { awk '/^[^;]/ && $4 == "A" { print $5; exit }' <<<"$OUT"; }
status() { grep -o 'status: [A-Z]*' <<<"$OUT" | cut -d' ' -f2; }
# asked NAME: how often the upstream was, over UDP.
asked() { in_pod p1 dig @$FAKE +short TXT queries."$1" | grep -o 'udp=[0-9]*' | cut -d= -f2; }
asked_is() { [ "$(asked "$1")" = "$2" ]; }
asked_more() { [ "$(asked "$1")" -gt "$2" ]; }
stat() { lab_stats "kernel.$1"; }
# gained COUNTER CMD...: by how much the programs' counter grows, in GAINED; the output in OUT. Nobody but the
# test's pods has packets that count.
gained() {
	local counter=$1 before
	shift
	before=$(stat "$counter")
	OUT=$("$@")
	GAINED=$(($(stat "$counter") - before))
}

py() { in_pod p1 /usr/bin/python3 - "$@"; }

cache_lab() {
	CLIENT=$(lab_tool dnsclient) || exit 1
	lab_build
	lab_pod up
	ip -n wan route add $FAKE via $LAB_NODE4
	fake_start
}
