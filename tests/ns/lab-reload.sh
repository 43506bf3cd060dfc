# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The agent with steering and a configuration that changes under it. Sourced after lab-agent.sh and lab_enter.

SERVE=10.96.0.10
CM=$LAB/cm # a ConfigMap's volume, as the kubelet keeps it

# configmap DIR KEY <TEXT: the new version is written beside the old one, then a symlink is turned.
configmap() {
	local version
	mkdir -p "$1"
	version=$(mktemp -d "$1/..XXXXXX")
	[ ! -e "$1/..data" ] || cp "$1/..data/"* "$version/" 2>/dev/null || true
	cat >"$version/$2"
	ln -s "${version##*/}" "$1/..data_tmp"
	mv -T "$1/..data_tmp" "$1/..data"
	[ -L "$1/$2" ] || ln -s "..data/$2" "$1/$2"
}

# corefile [ZONE UPSTREAM [LINE]]...: one block each. RELOAD is in the first one.
RELOAD="reload 2s 1s"
corefile() {
	local reload=$RELOAD
	while [ $# -gt 0 ]; do
		printf '%s\n' "$1:53 {" "    bind $SERVE" "    cache 300" "    $reload" "    ${3:-}" "    forward . 10.50.0.$2" "}"
		reload=
		shift 2
		[ $# = 0 ] || shift
	done
}

LOCALIP="-localip $SERVE"
# agent [FLAG...]: with the Corefile of the ConfigMap, started anew.
agent() {
	lab_stop_nodens
	! grep -E 'Sanitizer|runtime error' "$LAB/nodens.log" || fail "the agent of the test before was not clean"
	"$NODENS" run -conf "$CM/Corefile" -mode steer $LOCALIP "$@" >"$LAB/queries.log" 2>"$LAB/nodens.log" &
	lab_set nodens.pid $!
	disown
	wait_until 10 said ': steering' || fail "nodens: $(cat "$LAB/nodens.log")"
}

ask() { in_pod p1 dig @$SERVE +tries=1 +time=8 "$@"; }
answers() { [ "$(ask "$1" +short)" = "$2" ]; }
said() { grep -qE "$1" "$LAB/nodens.log"; }
times() { grep -cE "$1" "$LAB/nodens.log" || true; }
# Nothing was to happen: longer than an interval and its jitter.
sit() { sleep 4.5; }
signal() { kill -"$1" "$(lab_nodens_pid)"; }
