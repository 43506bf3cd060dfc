# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the namespace benches share: servers to compare with, the machine's busy time, medians. Sourced by
# bench/pod, bench/miss and bench/bystander.
#
# Contract: every variant is brought up, measured and taken down in turn, round after round, so that what else
# the machine does falls on all of them. Rows are kept as "variant metric value" and printed as medians.

. "$(dirname "${BASH_SOURCE[0]}")/../tests/tools/lab.sh"

BENCH_UNBOUND=10.96.0.20 BENCH_DNSMASQ=10.96.0.21
ROUNDS=${ROUNDS:-3}

# A server on the node as NodeLocal DNSCache is reached: a local address whose port 53 conntrack does not see.
bench_local_address() {
	local proto
	ip addr add "$1/32" dev lo
	for proto in udp tcp; do
		iptables -w -t raw -A PREROUTING -d "$1" -p $proto --dport 53 -j CT --notrack
		iptables -w -t raw -A OUTPUT -s "$1" -p $proto --sport 53 -j CT --notrack
	done || lab_die "no NOTRACK rules"
}

# bench_unbound UPSTREAM: one thread, cache and forwarder only.
bench_unbound() {
	cat >"$LAB/unbound.conf" <<-END
	server:
	    interface: $BENCH_UNBOUND
	    num-threads: 1
	    access-control: 0.0.0.0/0 allow
	    module-config: "iterator"
	    username: ""
	    chroot: ""
	    directory: "$LAB"
	    pidfile: ""
	    use-syslog: no
	    do-daemonize: no
	    outgoing-range: 4096
	    num-queries-per-thread: 2048
	    so-rcvbuf: 4m
	    local-zone: "10.in-addr.arpa" nodefault
	forward-zone:
	    name: "."
	    forward-addr: $1
	remote-control:
	    control-enable: no
	END
	lab_need unbound
	unbound -d -c "$LAB/unbound.conf" >"$LAB/unbound.log" 2>&1 &
	lab_set unbound.pid $!
	disown
	wait_until 5 bench_answers "$BENCH_UNBOUND" || lab_die "unbound: $(cat "$LAB/unbound.log")"
}

bench_dnsmasq() {
	lab_need dnsmasq
	dnsmasq -k -C /dev/null --no-resolv --no-hosts --server="$1" --listen-address="$BENCH_DNSMASQ" \
		--bind-interfaces --cache-size=10000 --dns-forward-max=2000 --user=root --pid-file= \
		--log-facility="$LAB/dnsmasq.log" >"$LAB/dnsmasq.err" 2>&1 &
	lab_set dnsmasq.pid $!
	disown
	wait_until 5 bench_answers "$BENCH_DNSMASQ" || lab_die "dnsmasq: $(cat "$LAB"/dnsmasq.*)"
}

bench_answers() {
	in_pod p1 dig +short +time=1 +tries=1 "@$1" kubernetes.default.svc.cluster.local | grep -q 10.96.0.1
}

# Busy hundredths of a second of all CPUs since boot: everything but idle and iowait.
bench_busy() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9; exit }' /proc/stat; }

# Hundredths of a second of CPU that a process has used.
bench_process() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# bench_idle: how many hundredths the machine is busy per second without us, into IDLE.
bench_idle() {
	local before after
	before=$(bench_busy)
	sleep 0.5
	after=$(bench_busy)
	IDLE=$(((after - before) * 2))
}

# bench_run SECONDS CMD...: run it, with the busy time above idle (hundredths of a second) in BUSY and its
# key=value line in LINE.
bench_run() {
	local seconds=$1 before
	shift
	before=$(bench_busy)
	LINE=$("$@") || lab_die "failed: $*"
	BUSY=$(awk -v b="$(bench_busy)" -v a="$before" -v i="$IDLE" -v s="$seconds" 'BEGIN { b -= a + i * s
		print (b > 0 ? b : 0) }')
}

# A key's value in LINE.
bench_value() {
	local pair
	for pair in $LINE; do
		[ "${pair%%=*}" != "$1" ] || echo "${pair#*=}"
	done
}

bench_add() { echo "$1 $2 $3" >>"$LAB/rows"; }

# What was lost or wrong belongs beside the numbers.
bench_check() {
	local lost wrong
	lost=$(bench_value lost)
	wrong=$(($(bench_value wrong) + $(bench_value refused)))
	[ "$lost" = 0 ] && [ "$wrong" = 0 ] || echo "  $1: $lost lost, $wrong wrong: $LINE" >&2
}

# bench_median VARIANT METRIC
bench_median() {
	awk -v v="$1" -v m="$2" '$1 == v && $2 == m { print $3 }' "$LAB/rows" | sort -g |
		awk '{ a[NR] = $1 } END { if (NR) print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'
}

# bench_ratio A B: A / B with two decimals, "-" without numbers.
bench_ratio() { awk -v a="${1:-0}" -v b="${2:-0}" 'BEGIN { if (a > 0 && b > 0) printf "%.2f\n", a / b; else print "-" }'; }

# bench_goal TEXT VALUE OP LIMIT: states whether a goal was met.
bench_goal() {
	awk -v t="$1" -v v="$2" -v o="$3" -v l="$4" 'BEGIN {
		met = o == "<=" ? v <= l : v >= l
		printf "goal: %s %s %s: %s, %s\n", t, o, l, v, v == "-" ? "not measured" : met ? "met" : "MISSED" }'
}

bench_machine() {
	echo "$(nproc) CPUs, Linux $(uname -r), $ROUNDS rounds, variants in turn; medians"
}
