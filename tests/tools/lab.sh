# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A node with pods, a cluster DNS service and nodens, in namespaces, for what is shell: the benches, the demo and
# tests/deploy. (tests/ns has its own in Python, lab.py.)
#
# Contract: lab_enter runs the calling script anew inside its own network, mount and process namespaces. That
# network namespace IS the node (so iptables, conntrack, /sys and bpffs are the node's own and plain commands
# run on it); pods are namespaces beside it, entered with in_pod. Whatever ends the script (exit, Ctrl-C,
# kill -9) ends the process namespace, and with it every process, namespace, mount and rule of the lab: there
# is no clean-up that could be forgotten. Two labs never see each other.
#
#	. tests/tools/lab.sh
#	lab_enter "$@"		# returns on the node
#	lab_build		# uplink, cluster DNS, pods p1 and p2
#	lab_start_nodens --hook tc
#	in_pod p1 dig n1.default.svc.cluster.local

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_BUILD=${NODENS_BUILD:-$LAB_ROOT/build}
NODENS=${NODENS:-$LAB_BUILD/nodens}

LAB_DNS4=10.96.0.10 LAB_DNS6=fd00:10:96::a	   # kube-dns, what pods ask
LAB_UP4=10.96.0.11 LAB_UP6=fd00:10:96::b	   # kube-dns-upstream, what nodens asks
LAB_NODE4=192.168.77.10 LAB_NODE6=fd00:192:168:77::10 # the node's own address
LAB_SERVERS="dns1 dns2"

lab_die() {
	echo "lab: $*" >&2
	exit 1
}

# ---- the node ------------------------------------------------------------------------------------------

# Whether this is the script's second run, on the node.
lab_inside() { [ -n "${NODENS_LAB_DIR:-}" ] && [ $$ -eq 1 ]; }

lab_enter() {
	if lab_inside; then
		LAB=$NODENS_LAB_DIR
		lab_become_node
		return
	fi
	[ "$(id -u)" = 0 ] || lab_die "network namespaces need root"
	LAB_OUTER_DIR=$(mktemp -d /tmp/nodens-lab.XXXXXX) || exit 1
	LAB_OUTER_PID=
	# Nothing inside is asked to stop: with its first process the whole namespace goes.
	trap '[ -z "$LAB_OUTER_PID" ] || kill -9 "$LAB_OUTER_PID" 2>/dev/null; wait 2>/dev/null
	      rm -rf "$LAB_OUTER_DIR"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	NODENS_LAB_DIR=$LAB_OUTER_DIR setpriv --pdeathsig KILL \
		unshare --mount --net --pid --fork --kill-child --mount-proc "$BASH" "$0" "$@" <&0 &
	LAB_OUTER_PID=$!
	wait "$LAB_OUTER_PID"
	local status=$?
	LAB_OUTER_PID=
	exit "$status"
}

lab_become_node() {
	# /sys shows the namespace it was mounted in, and libxdp wants its pins under /sys/fs/bpf.
	mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf || lab_die "cannot mount bpffs (no CONFIG_BPF_SYSCALL?)"
	mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs "$LAB" ||
		lab_die "cannot mount"
	mkdir -p "$LAB/state"
	ip link set lo up
	lab_sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
	lab_pod_mounts
}

lab_sysctl() {
	sysctl -q -w "$@" || lab_die "sysctl $*"
}

# Pods resolve with glibc as in a cluster, so they need files of their own; one mount namespace serves all.
lab_pod_mounts() {
	printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' \
		"$LAB_DNS4" >"$LAB/resolv.conf"
	printf 'hosts: files dns\n' >"$LAB/nsswitch.conf"
	# A process holds it: binding it to a file fails now and then on 6.18 (EINVAL; namespaces' ids are not in order).
	unshare --mount sh -c "
		mount --bind '$LAB/resolv.conf' /etc/resolv.conf &&
		mount --bind '$LAB/nsswitch.conf' /etc/nsswitch.conf && echo \$\$ >'$LAB/state/podmnt' &&
		exec sleep infinity" </dev/null >/dev/null 2>"$LAB/podmnt.log" &
	disown
	wait_until 5 test -s "$LAB/state/podmnt" ||
		lab_die "cannot give pods a resolv.conf: $(cat "$LAB/podmnt.log")"
}

lab_set() { printf '%s\n' "$2" >"$LAB/state/$1"; }
lab_get() { cat "$LAB/state/$1" 2>/dev/null; }

lab_need() {
	local cmd missing=
	for cmd; do command -v "$cmd" >/dev/null || missing+=" $cmd"; done
	[ -z "$missing" ] || lab_die "not installed:$missing (scripts/deps --check lists the packages)"
}

# lab_build [ptp|bridge]: the node as most tests want it.
lab_build() {
	lab_need ip iptables ip6tables conntrack knotd knotc dig jq
	lab_uplink
	local server
	for server in $LAB_SERVERS; do lab_pod "$server"; done
	lab_zones
	for server in $LAB_SERVERS; do lab_dns_start "$server"; done
	lab_services
	for server in $LAB_SERVERS; do
		wait_until 20 lab_dns_alive "$server" || lab_die "$server: $(cat "$LAB/$server.log")"
	done
	lab_pod p1 "${1:-ptp}"
	lab_pod p2 "${1:-ptp}"
}

# The rest of the network: a default route and an address of the node's own.
lab_uplink() {
	ip netns add wan
	ip link add uplink type veth peer name eth0 netns wan
	ip addr add $LAB_NODE4/24 dev uplink
	ip addr add $LAB_NODE6/64 dev uplink nodad
	ip link set uplink up
	ip -n wan addr add 192.168.77.1/24 dev eth0
	ip -n wan addr add fd00:192:168:77::1/64 dev eth0 nodad
	ip -n wan link set lo up
	ip -n wan link set eth0 up
	ip route add default via 192.168.77.1
	ip -6 route add default via fd00:192:168:77::1
}

# ---- pods ----------------------------------------------------------------------------------------------

# lab_pod NAME [ptp|bridge]: a pod as the ptp plugin (a route per pod) or the bridge plugin (cni0) makes it.
lab_pod() {
	local name=$1 style=${2:-ptp} n veth
	n=$(($(lab_get pods || echo 1) + 1))
	lab_set pods $n
	veth=veth$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
	lab_set "$name.veth" "$veth"
	ip netns add "$name"
	ip -n "$name" link set lo up
	ip link add "$veth" type veth peer name eth0 netns "$name"
	ip -n "$name" link set eth0 up
	if [ "$style" = bridge ]; then lab_pod_bridge "$name" "$n" "$veth"; else lab_pod_ptp "$name" "$n" "$veth"; fi
}

lab_pod_ptp() {
	local name=$1 ip4=10.244.0.$2 ip6=fd00:10:244::$2 veth=$3
	lab_set "$name.ip4" "$ip4"
	lab_set "$name.ip6" "$ip6"
	ip addr add 10.244.0.1/32 dev "$veth"
	ip addr add fd00:10:244::1/128 dev "$veth" nodad
	ip link set "$veth" up
	ip -n "$name" addr add "$ip4/32" dev eth0
	ip -n "$name" addr add "$ip6/128" dev eth0 nodad
	ip -n "$name" route add 10.244.0.1 dev eth0
	ip -n "$name" route add default via 10.244.0.1
	ip -n "$name" -6 route add fd00:10:244::1 dev eth0
	ip -n "$name" -6 route add default via fd00:10:244::1
	ip route add "$ip4" dev "$veth"
	ip -6 route add "$ip6" dev "$veth"
}

lab_pod_bridge() {
	local name=$1 ip4=10.245.0.$2 ip6=fd00:10:245::$2 veth=$3
	lab_set "$name.ip4" "$ip4"
	lab_set "$name.ip6" "$ip6"
	if ! ip link show cni0 >/dev/null 2>&1; then
		ip link add cni0 type bridge
		ip addr add 10.245.0.1/24 dev cni0
		ip addr add fd00:10:245::1/64 dev cni0 nodad
		ip link set cni0 up
	fi
	ip link set "$veth" master cni0 up
	ip -n "$name" addr add "$ip4/24" dev eth0
	ip -n "$name" addr add "$ip6/64" dev eth0 nodad
	ip -n "$name" route add default via 10.245.0.1
	ip -n "$name" -6 route add default via fd00:10:245::1
}

lab_veth() { lab_get "$1.veth"; }
lab_ip4() { lab_get "$1.ip4"; }
lab_ip6() { lab_get "$1.ip6"; }

in_pod() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" --mount="/proc/$(<"$LAB/state/podmnt")/ns/mnt" -- "$@"
}

# ---- cluster DNS ---------------------------------------------------------------------------------------

# n<i>.default.svc.cluster.local is 10.100.<i / 256>.<i % 256> and fd00:100::<i>, so that a client can tell
# one name's answer from another's.
lab_zones() {
	awk 'BEGIN {
		print "$ORIGIN cluster.local.\n$TTL 30"
		print "@ 30 SOA ns.dns hostmaster 1 7200 1800 86400 5\n@ NS ns.dns\nns.dns A 10.96.0.10"
		print "dns-version TXT \"1.1.0\""
		print "$ORIGIN default.svc.cluster.local."
		for (i = 0; i < 10000; i++)
			printf "n%d A 10.100.%d.%d\nn%d AAAA fd00:100::%x\n", i, i / 256, i % 256, i, i
		for (i = 0; i < 1000; i++)
			printf "bench-%04d 3600 A 10.101.%d.%d\n", i, i / 256, i % 256
		for (i = 0; i < 200; i++)
			printf "big A 10.102.0.%d\n", i
		for (i = 0; i < 50; i++)
			printf "fifty A 10.103.0.%d\n", i
		for (i = 0; i < 40; i++)
			printf "forty A 10.106.0.%d\nforty AAAA fd00:106::%x\n", i, i + 1
		for (i = 1; i <= 4; i++)
			printf "web A 10.104.0.%d\nweb AAAA fd00:104::%d\n", i, i
		print "kubernetes A 10.96.0.1\nv4only A 10.105.0.4\nv6only AAAA fd00:105::6"
		print "short 2 A 10.105.0.2\nttl5 5 A 10.105.0.5"
		print "_https._tcp.kubernetes SRV 0 100 443 kubernetes"
		print "txt TXT \"one\" \"two\""
		print "alias1 CNAME alias2\nalias2 20 CNAME alias3\nalias3 CNAME web\ndangling CNAME gone"
	}' >"$LAB/cluster.local.zone"
	awk 'BEGIN {
		print "$ORIGIN example.org.\n$TTL 30"
		print "@ SOA ns hostmaster 1 7200 1800 86400 60\n@ NS ns\nns A 192.0.2.53\n@ A 192.0.2.1"
		print "www A 192.0.2.80\nwww AAAA 2001:db8::80\ncdn CNAME edge.cdn\nedge.cdn A 192.0.2.81"
		print "mail MX 10 www\n*.wild A 192.0.2.99\n*.wild AAAA 2001:db8::99"
	}' >"$LAB/example.org.zone"
	printf '%s\n' '$ORIGIN 10.in-addr.arpa.' '$TTL 30' '@ SOA ns.dns.cluster.local. h.cluster.local. 1 7200 1800 86400 5' \
		'@ NS ns.dns.cluster.local.' '1.0.96 PTR kubernetes.default.svc.cluster.local.' >"$LAB/10.in-addr.arpa.zone"
}

lab_dns_start() {
	local name=$1 zone
	mkdir -p "$LAB/$name"
	{
		printf 'server:\n    rundir: %s\n    listen: [ 0.0.0.0@53, "::@53" ]\n' "$LAB/$name"
		printf '    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n'
		printf 'log:\n  - target: stderr\n    any: warning\n'
		printf 'control:\n    listen: %s\n' "$LAB/$name/ctl"
		printf 'database:\n    storage: %s\n' "$LAB/$name"
		printf 'template:\n  - id: default\n    storage: %s\n    zonefile-sync: -1\n' "$LAB"
		printf '    zonefile-load: whole\n    journal-content: none\nzone:\n'
		for zone in cluster.local example.org 10.in-addr.arpa; do
			printf '  - domain: %s\n    file: %s.zone\n' "$zone" "$zone"
		done
	} >"$LAB/$name.conf"
	nsenter --net="/run/netns/$name" knotd -c "$LAB/$name.conf" >"$LAB/$name.log" 2>&1 &
	lab_set "$name.pid" $!
	disown
}

lab_dns_alive() {
	dig +short +time=1 +tries=1 "@$(lab_ip4 "$1")" kubernetes.default.svc.cluster.local | grep -q 10.96.0.1
}

# ---- kube-proxy ----------------------------------------------------------------------------------------

# Both services, both families, as kube-proxy's iptables mode writes them: any of two backends at random,
# from pods and from the node itself.
lab_services() {
	lab_service iptables "$LAB_DNS4" "$(lab_ip4 dns1):53" "$(lab_ip4 dns2):53"
	lab_service iptables "$LAB_UP4" "$(lab_ip4 dns1):53" "$(lab_ip4 dns2):53"
	lab_service ip6tables "$LAB_DNS6" "[$(lab_ip6 dns1)]:53" "[$(lab_ip6 dns2)]:53"
	lab_service ip6tables "$LAB_UP6" "[$(lab_ip6 dns1)]:53" "[$(lab_ip6 dns2)]:53"
}

lab_service() {
	local cmd=$1 vip=$2 first=$3 second=$4 proto chain
	$cmd -w -t nat -N KUBE-SERVICES 2>/dev/null && {
		$cmd -w -t nat -A PREROUTING -j KUBE-SERVICES
		$cmd -w -t nat -A OUTPUT -j KUBE-SERVICES
	}
	for proto in udp tcp; do
		chain=KUBE-SVC-$proto-${vip##*[.:]}
		$cmd -w -t nat -N "$chain"
		$cmd -w -t nat -A "$chain" -m statistic --mode random --probability 0.5 -p $proto -j DNAT \
			--to-destination "$first"
		$cmd -w -t nat -A "$chain" -p $proto -j DNAT --to-destination "$second"
		$cmd -w -t nat -A KUBE-SERVICES -d "$vip" -p $proto --dport 53 -j "$chain"
	done || lab_die "$cmd: no DNAT"
}

# Conntrack entries that a client's address appears in, both families.
lab_conntrack() {
	{
		conntrack -L -f ipv4 2>/dev/null
		conntrack -L -f ipv6 2>/dev/null
	} | grep -cE "(src|dst)=($(lab_ip4 "$1")|$(lab_ip6 "$1")) " || true
}
# The sum of one of the counters of conntrack -S.
lab_conntrack_stat() { conntrack -S | grep -o "\b$1=[0-9]*" | awk -F= '{ s += $2 } END { print s + 0 }'; }
lab_conntrack_flush() { conntrack -F >/dev/null 2>&1; }

# Every rule of both families without its counters.
lab_rules() { { iptables-save; ip6tables-save; } 2>/dev/null | grep '^-' | sort; }

# ---- nodens --------------------------------------------------------------------------------------------

# Where nodens answers, who asks it whether it does, and what that counts as; --mode listen has its own.
LAB_SERVE="$LAB_DNS4 $LAB_DNS6"
LAB_PROBE_POD=p1 LAB_READY_KEY=kernel.steered

# lab_corefile [TTL]: the Corefile in use. The minimum of 1 s lets short TTLs run out; without cuts the agent asks
# nothing of its own accord, so that what the cluster's DNS is asked can be counted.
lab_corefile() {
	cat >"$LAB/Corefile" <<-END
	cluster.local:53 10.in-addr.arpa:53 {
	    errors
	    cache {
	        success 9984 ${1:-30} 1
	        denial 9984 5 1
	    }
	    nxdomain_cut off
	    bind $LAB_SERVE
	    forward . $LAB_UP4
	}
	.:53 {
	    errors
	    cache 30
	    bind $LAB_SERVE
	    forward . $LAB_UP4
	}
	END
}

# lab_start_nodens [flags]: returns when nodens has answered a pod's query; lab_run_nodens only starts it.
lab_start_nodens() {
	lab_run_nodens "$@"
	wait_until 10 lab_nodens_ready_or_gone
	lab_nodens_alive || lab_die "nodens $* ended: $(tail -5 "$LAB/nodens.log")"
	lab_nodens_ready || lab_die "nodens $* did not begin to answer: $(tail -5 "$LAB/nodens.log")"
}

lab_run_nodens() {
	[ -x "$NODENS" ] || lab_die "$NODENS is not there: run make"
	[ -e "$LAB/Corefile" ] || lab_corefile
	"$NODENS" run -conf "$LAB/Corefile" -localip "${LAB_SERVE// /,}" "$@" >>"$LAB/nodens.log" 2>&1 &
	lab_set nodens.pid $!
	disown
}

# Asked with a name that nobody knows: the agent has to answer it. The kernel's counters tell at once.
lab_nodens_ready() {
	local before after
	before=$(lab_stats $LAB_READY_KEY 2>/dev/null) || return 1
	in_pod $LAB_PROBE_POD dig +short +time=1 +tries=1 "@${LAB_SERVE%% *}" "ready-$RANDOM.wild.example.org" |
		grep -q 192.0.2.99 || return 1
	after=$(lab_stats $LAB_READY_KEY)
	[ "${after:-0}" -gt "${before:-0}" ]
}

lab_nodens_ready_or_gone() { ! lab_nodens_alive || lab_nodens_ready; }

lab_nodens_pid() { lab_get nodens.pid; }

lab_nodens_alive() {
	local pid
	pid=$(lab_nodens_pid) && [ -n "$pid" ] && [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status"
}

lab_nodens_gone() { ! lab_nodens_alive; }

# Ends it as the kubelet does, and waits for the end.
lab_stop_nodens() {
	lab_nodens_alive || return 0
	kill -TERM "$(lab_nodens_pid)"
	wait_until 5 lab_nodens_gone || {
		kill -9 "$(lab_nodens_pid)"
		echo "nodens did not end within 5 s of SIGTERM" >&2
		return 1
	}
}

# lab_stats kernel.hits: one number of `nodens stats --json`; fails where there is none.
lab_stats() { "$NODENS" stats --json | jq -e ".$1"; }
lab_hits() { lab_stats kernel.hits; }

# What is attached to devices of this node, one line for each program or tcx link ("veth1234 tc", sorted).
lab_programs() {
	{
		bpftool -j net show 2>/dev/null | jq -r '.[0] | (.tc // [] | .[] | select(.name | test("nodens|tc_return")) |
			"\(.devname) tc"), (.xdp // [] | .[] | "\(.devname) xdp")'
		find /sys/fs/bpf -path '*nodens*/links/*' -printf '%f tcx\n' 2>/dev/null
	} | sort
}

# What nodens must not leave behind: programs on devices, pins, its veth, loaded programs and maps.
lab_leftovers() {
	lab_programs | sed 's/^/program on /'
	find /sys/fs/bpf -mindepth 1 \( -path '*nodens*' -o -path '*/xdp/*' \) 2>/dev/null | sed 's/^/pin /'
	ip -br link | awk '/^nd0/ { print "device " $1 }'
}

# ---- small things --------------------------------------------------------------------------------------

# wait_until SECONDS CMD...: until CMD succeeds; fails when it never did.
wait_until() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# Milliseconds of a clock that nothing sets (CLOCK_BOOTTIME, 10 ms steps).
now_ms() {
	local up
	read -r up _ </proc/uptime
	echo $((${up%.*} * 1000 + 10#${up#*.} * 10))
}

# The C helper NAME of tests/tools or bench, built (as make does it) when it is not there or older than its source.
lab_tool() {
	local dir src bin
	for dir in tests/tools bench; do
		src=$LAB_ROOT/$dir/$1.c bin=$LAB_BUILD/$dir/$1
		[ -e "$src" ] && break
	done
	[ -e "$src" ] || lab_die "no such tool: $1"
	if [ ! -x "$bin" ] || [ "$src" -nt "$bin" ] || [ "$LAB_ROOT/tests/tools/dnsq.h" -nt "$bin" ]; then
		mkdir -p "${bin%/*}"
		gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -pthread -I"$LAB_ROOT/tests/tools" -o "$bin" "$src" >&2 ||
			lab_die "cannot build $1"
		chown --reference="$LAB_ROOT" "${bin%/*}" "$bin"
	fi
	echo "$bin"
}

# `bash tests/tools/lab.sh [CMD...]`: a lab to look around in (a shell without CMD).
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	lab_enter "$@"
	lab_build
	export PS1='node# '
	export -f in_pod lab_get
	export LAB
	if [ $# -gt 0 ]; then "$@"; else bash --norc -i; fi
	exit $?
fi
