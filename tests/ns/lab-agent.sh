# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The agent in listen mode, so that each miss is a plain packet, beside upstreams that misbehave on demand
# (tests/fake-upstream). Sourced after lab.sh and testlib.sh.
#
# Contract: a pod `cli` asks, a namespace `up` holds the upstreams; both are the caller's to make.

SERVE4=10.244.0.1 SERVE6=fd00:10:244::1	# the node's side of each pod's veth
FAKE=$LAB_ROOT/tests/fake-upstream

# fake_start N [flags]: 10.50.0.N, which answers 192.0.2.N
fake_start() {
	local i=$1
	shift
	ip -n up addr add 10.50.0.$i/32 dev lo
	nsenter --net=/run/netns/up "$FAKE" 10.50.0.$i --id $i "$@" >"$LAB/fake$i.log" 2>&1 &
	lab_set fake$i.pid $!
	disown
}

fake_ready() { wait_until 10 grep -q ready "$LAB/fake$1.log" || lab_die "fake-upstream: $(cat "$LAB/fake$1.log")"; }

# Three upstreams, and an address where nobody listens.
upstreams_start() {
	local i
	for i in 1 2 3; do fake_start $i "$@"; done
	ip -n up addr add 10.50.0.9/32 dev lo
	ip route add 10.50.0.0/24 via "$(lab_ip4 up)" dev "$(lab_veth up)"
	for i in 1 2 3; do fake_ready $i; done
}

freeze() { kill -USR1 "$(lab_get "fake$1.pid")"; }
thaw() { kill -USR2 "$(lab_get fake1.pid)" "$(lab_get fake2.pid)" "$(lab_get fake3.pid)"; }

# agent FORWARD-LINE [CACHE-LINE]: the agent with this configuration, started anew: nothing cached, all alive.
agent() {
	thaw
	lab_stop_nodens
	printf '%s\n' ".:53 {" "    bind $SERVE4 $SERVE6" "${2-    cache 30}" "    forward $1" "}" >"$LAB/Corefile"
	agent_start
}

# forwards <LINES: the agent with these forwards in one block without a cache, started anew.
forwards() {
	thaw
	lab_stop_nodens
	{ printf '.:53 {\n    bind %s\n    forward . 10.50.0.9\n' "$SERVE4"; cat; echo '}'; } >"$LAB/Corefile"
	agent_start
}

agent_start() {
	! grep -E 'Sanitizer|runtime error' "$LAB/nodens.log" || fail "the agent of the test before was not clean"
	: >"$LAB/nodens.log"
	"$NODENS" run -conf "$LAB/Corefile" -mode listen "$@" >"$LAB/nodens.log" 2>&1 &
	lab_set nodens.pid $!
	disown
	wait_until 10 grep -q ready "$LAB/nodens.log" || fail "nodens: $(cat "$LAB/nodens.log")"
}

# ask NAME [dig's arguments]
ask() { in_pod cli dig @$SERVE4 +tries=1 +time=8 "$@"; }
status() { grep -o 'status: [A-Z]*' <<<"$OUT" | cut -d' ' -f2; }
ttls() { awk '/^[^;]/ && NF > 4 { print $2 }' <<<"$OUT" | sort -u; }
tcp_used() { grep -q 'SERVER:.*(TCP)' <<<"$OUT"; }

# Milliseconds that a command took, its output in OUT.
timed() {
	local start
	start=$(date +%s%N)
	OUT=$("$@") || true
	MS=$((($(date +%s%N) - start) / 1000000))
}

# asked UPSTREAM NAME: "udp=N tcp=N", as the upstream counted.
asked() { nsenter --net=/run/netns/up dig @10.50.0.$1 +short TXT queries."$2" | tr -d '"'; }

# How often the agent said $1.
logged() { grep -c "$1" "$LAB/nodens.log" || true; }

# The agent's streams to port $1 of the upstreams that are open.
streams() { ss -Htn state established dport = ":$1" | wc -l; }

# gained COUNTER CMD...: by how much agent.COUNTER grows while CMD runs, in GAINED.
gained() {
	local counter=$1 before
	shift
	before=$(lab_stats "agent.$counter")
	OUT=$("$@")
	GAINED=$(($(lab_stats "agent.$counter") - before))
}

# py [ARG...] <PROGRAM: dnspython in the client's pod; `where` is the address to ask.
py() {
	in_pod cli /usr/bin/python3 -c "
import sys, socket, struct, time
import dns.message, dns.query, dns.flags, dns.rcode
where = '$SERVE4'
$(cat)" "$@"
}
