# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The agent as an operator sees it: its pages over HTTP, its log, what it prints. Sourced after lab-agent.sh.

# serve [FLAG...] <COREFILE: the agent with this configuration, started anew; what it prints is in queries.log.
serve() {
	thaw
	lab_stop_nodens
	cat >"$LAB/Corefile"
	! grep -E 'Sanitizer|runtime error' "$LAB/nodens.log" || fail "the agent of the test before was not clean"
	"$NODENS" run -conf "$LAB/Corefile" -mode listen "$@" >"$LAB/queries.log" 2>"$LAB/nodens.log" &
	lab_set nodens.pid $!
	disown
	wait_until 10 grep -q 'ready: ' "$LAB/nodens.log" || fail "nodens: $(cat "$LAB/nodens.log")"
}

answering() { wait_until 5 grep -q 'upstreams of all zones answer' "$LAB/nodens.log" || fail "no upstream answered"; }
status_of() { curl -s -m 5 -o "$LAB/body" -w '%{http_code}' "$1"; }
said() { grep -qE "$1" "$LAB/nodens.log"; }
printed() { grep -qE "$1" "$LAB/queries.log"; }

page() { curl -s -m 5 http://127.0.0.1:9253/metrics >"$LAB/page"; }
# Pages are not made anew within 100 ms.
fresh_page() {
	sleep 0.2
	page
}
# sum NAME [REGEX]: of the series with this name whose labels match.
sum() {
	awk -v name="$1" -v re="${2:-.}" 'index($0, name "{") == 1 || index($0, name " ") == 1 {
		if ($0 ~ re) s += $NF } END { printf "%d\n", s }' "$LAB/page"
}

PROMETHEUS=":9253"
full_corefile() {
	cat <<-END
	example.org:53 two.test:53 {
	    bind $SERVE4 $SERVE6
	    errors
	    log
	    debug
	    health 127.0.0.1:8080
	    ready 127.0.0.1:8181
	    prometheus $PROMETHEUS
	    reload 2s
	    loop
	    bufsize 1232
	    loadbalance
	    cache {
	        success 1000 300 1
	        denial 1000 60 1
	        prefetch 3 1m 90%
	        serve_stale 1h
	    }
	    hosts {
	        192.0.2.200 host.example.org
	        ttl 60
	        fallthrough
	    }
	    template IN A templated.example.org {
	        match ^t[0-9]+[.]templated[.]example[.]org[.]$
	        answer "{{ .Name }} 60 IN A 192.0.2.201"
	        fallthrough
	    }
	    template IN TXT broken.example.org {
	        answer "{{ .Name }} 60 IN A no-address"
	    }
	    forward . 10.50.0.1 {
	        max_concurrent 40
	    }
	}
	tcp.test:53 {
	    bind $SERVE4 $SERVE6
	    cache
	    forward . 10.50.0.2 {
	        force_tcp
	    }
	}
	down.test:53 {
	    bind $SERVE4 $SERVE6
	    forward . 10.50.0.2 {
	        max_fails 1
	    }
	}
	END
}
