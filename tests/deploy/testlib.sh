# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Runs test functions and counts them: sourced by the scripts of tests/deploy.
#
# Contract: run_tests runs each named function in a subshell with errexit; it passed when it returned 0, was
# skipped when it called skip, and failed otherwise, also when any command in it failed. Ends with the line
# "N passed, N failed, N skipped" and exits 1 if any failed or none passed. State between functions lives in
# files. With NODENS_STRICT=1 a skip counts as a failure, unless NODENS_SKIPS (globs) expects it.

# run_tests [-k GLOB] NAME...: -k comes from the script's own arguments: `test-node -k '*caps*'`.
run_tests() {
	local glob='*' name start status passed=0 failed=0 skipped=0 out canary
	[ "${1:-}" != -k ] || {
		glob=$2
		shift 2
	}
	# Behind ||, && or in an if, bash ignores errexit all the way down, and tests would pass on failure.
	set +e
	canary=$(
		trap - ERR
		set -e
		false
		echo on
	)
	[ -z "$canary" ] || {
		echo "run_tests must be a command of its own: 0 passed, 1 failed, 0 skipped"
		return 1
	}
	out=$(mktemp)
	for name; do
		# shellcheck disable=SC2053
		[[ $name == $glob ]] || continue
		start=$(date +%s%N)
		(
			set -eE
			trap 'echo "line $LINENO: $BASH_COMMAND: exit status $?" >&2' ERR
			"$name"
		) >"$out" 2>&1
		status=$?
		start=$((($(date +%s%N) - start) / 1000000))
		case $status in
		0)
			passed=$((passed + 1))
			printf 'ok    %-44s %5d ms\n' "$name" $start
			grep '^# ' "$out" | sed 's/^# /        /'
			;;
		77)
			if skip_expected "$name"; then skipped=$((skipped + 1)); else failed=$((failed + 1)); fi
			printf 'SKIP  %-44s %s\n' "$name" "$(tail -1 "$out")"
			;;
		*)
			failed=$((failed + 1))
			printf 'FAIL  %-44s %5d ms\n' "$name" $start
			tail -30 "$out" | sed 's/^/        /'
			;;
		esac
	done
	rm -f "$out"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ] && [ $((passed + skipped)) -gt 0 ]
}

skip_expected() {
	local glob
	[ "${NODENS_STRICT:-}" = 1 ] || return 0
	set -f
	for glob in ${NODENS_SKIPS:-}; do
		# shellcheck disable=SC2053
		[[ $1 == $glob ]] && set +f && return 0
	done
	set +f
	return 1
}

# Every function of the calling script that is called test_*, in the order they stand in it.
all_tests() { grep -oE '^test_[a-z0-9_]+' "$0"; }

skip() {
	echo "$*"
	exit 77
}

fail() {
	echo "failed: $*"
	exit 1
}

# A line for the report of a test that passes.
note() { echo "# $*"; }

# is GOT WANT WHAT
is() { [ "$1" = "$2" ] || fail "$3: got \"$1\", want \"$2\""; }
isnt() { [ "$1" != "$2" ] || fail "$3: got \"$1\""; }

# compare NUMBER -eq|-ge|-le NUMBER WHAT; anything but two whole numbers fails.
compare() {
	[[ $1 =~ ^-?[0-9]+$ && $3 =~ ^-?[0-9]+$ ]] || fail "$4: \"$1\" $2 \"$3\": not numbers"
	[ "$1" "$2" "$3" ] || fail "$4: $1 is not $2 $3"
}

# matches TEXT REGEX WHAT
matches() { [[ $1 =~ $2 ]] || fail "$3: \"$1\" does not match $2"; }

# succeeds WHAT CMD..., fails_with WHAT CMD...
succeeds() {
	local what=$1
	shift
	"$@" || fail "$what: exit status $?"
}
