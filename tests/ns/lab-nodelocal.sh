# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# node-cache's container with its image swapped: Corefile.base (tests/data/nodelocal), arguments and ConfigMaps at
# their own paths, in the node's network as a hostNetwork pod is. Sourced after lab.sh and testlib.sh.

LOCAL4=169.254.20.10 LOCAL6=fd00:169:254::10
FAKE=$LAB_ROOT/tests/fake-upstream
OUTSIDE=192.168.77.1 STUB=192.168.77.2 # what /etc/resolv.conf of the agent names, and a stub domain's server
LINK=nodelocaldns

# The agent's container: /etc and /tmp of its own, in the node's network.
container_build() {
	mkdir -p "$LAB/etc" "$LAB/tmp"
	cp -a /etc/. "$LAB/etc/"
	rm -rf "$LAB/etc/Corefile" "$LAB/etc/coredns" "$LAB/etc/kube-dns" "$LAB/etc/resolv.conf"
	mkdir -p "$LAB/etc/coredns" "$LAB/etc/kube-dns"
	echo "nameserver $OUTSIDE" >"$LAB/etc/resolv.conf"
}

outside_start() {
	ip -n wan addr add $STUB/24 dev eth0
	nsenter --net=/run/netns/wan "$FAKE" $OUTSIDE --id 7 >"$LAB/outside.log" 2>&1 &
	nsenter --net=/run/netns/wan "$FAKE" $STUB --id 9 >"$LAB/stub.log" 2>&1 &
	disown -a
	wait_until 5 grep -q ready "$LAB/outside.log" && wait_until 5 grep -q ready "$LAB/stub.log" ||
		lab_die "fake-upstream: $(cat "$LAB/outside.log" "$LAB/stub.log")"
}

# install LOCAL-DNS DNS-SERVER: as the manifest's sed does, and what kubelet makes of the ConfigMaps.
install() {
	sed "s/__PILLAR__LOCAL__DNS__/$1/g; s/__PILLAR__DNS__DOMAIN__/cluster.local/g; s/__PILLAR__DNS__SERVER__/$2/g" \
		"$LAB_ROOT/tests/data/nodelocal/Corefile.base" >"$LAB/Corefile.base"
	config_map coredns Corefile.base "$(cat "$LAB/Corefile.base")"
	rm -rf "$LAB/etc/kube-dns"
	mkdir "$LAB/etc/kube-dns"
}

# config_map NAME KEY TEXT: a symbolic link to a directory is swapped, so that nobody sees half of it.
config_map() {
	local dir=$LAB/etc/$1 data
	data=..$(date +%s%N)
	mkdir -p "$dir/$data"
	printf '%s\n' "$3" >"$dir/$data/$2"
	ln -s "$data" "$dir/..data_tmp"
	mv -T "$dir/..data_tmp" "$dir/..data"
	[ -L "$dir/$2" ] || ln -s "..data/$2" "$dir/$2"
}

# node_cache ARGUMENT...: the image swapped, the rest as it was. CONTAINER_AS: what becomes it, with rights taken away;
# CONTAINER_SYS=own: a /sys as of a container, read-only and without the node's bpffs.
CONTAINER_AS=() CONTAINER_SYS=
node_cache() {
	lab_stop_nodens
	! grep -sE 'Sanitizer|runtime error' "$LAB/nodens.log" || fail "the agent of the test before was not clean"
	: >"$LAB/nodens.log"
	# As in an image: this tree may lie below the /tmp that the container does not see.
	cp "$NODENS" "$LAB/etc/nodens.new" && mv "$LAB/etc/nodens.new" "$LAB/etc/nodens"
	KUBE_DNS_UPSTREAM_SERVICE_HOST=$LAB_UP4 unshare --mount sh -c '
		lab=$1 sys=$2; shift 2
		if [ "$sys" ]; then mount --bind /sys /sys && mount -o remount,ro,bind /sys || exit; fi
		mount --bind "$lab/etc" /etc && mount --bind "$lab/tmp" /tmp && exec "$@"' \
		sh "$LAB" "$CONTAINER_SYS" "${CONTAINER_AS[@]}" /etc/nodens "$@" >>"$LAB/nodens.log" 2>&1 &
	lab_set nodens.pid $!
	disown
}

ARGS=(-localip $LOCAL4,$LAB_DNS4 -conf /etc/Corefile -upstreamsvc kube-dns-upstream -pidfile /tmp/node-cache.pid)

# Does the agent get what pods miss?
steering() {
	local before after
	before=$(lab_stats kernel.steered 2>/dev/null) || return 1
	in_pod p1 dig +short +time=1 +tries=1 @$LAB_DNS4 "steering-$RANDOM$RANDOM.default.svc.cluster.local" >/dev/null
	after=$(lab_stats kernel.steered 2>/dev/null)
	[ "${after:-0}" -gt "$before" ]
}

ask() { dig +short +time=2 +tries=1 "$@"; }
ask_pod() { in_pod p1 dig +short +time=2 +tries=1 "$@"; }
log_has() { grep -qE "$1" "$LAB/nodens.log"; }
link_addrs() { ip -o addr show dev $LINK 2>/dev/null | awk '{ print $4 }' | sort | xargs; }
link_gone() { ! ip link show dev $LINK >/dev/null 2>&1; }
