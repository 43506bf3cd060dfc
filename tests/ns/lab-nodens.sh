# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# nodens in the lab: start, stop, ask it for its numbers. Sourced by lab.sh.

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

# lab_attached DEVICE: whether a program of nodens is on it. A tcx link (which older bpftools cannot show) is
# known by its pin.
lab_attached() {
	[ -n "$(find /sys/fs/bpf -path '*nodens*' -name "$1-*" 2>/dev/null)" ] ||
		tc filter show dev "$1" ingress 2>/dev/null | grep -q nodens ||
		ip link show dev "$1" | grep -q ' xdp\|xdpgeneric'
}

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
