# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The running kernel, in mount, network and PID namespaces of its own."""
import os
import time

import stage
from common import TIMED_OUT, Problem, need, running, say

# A new sysfs, since the old one shows the interfaces of the namespace it was mounted in. The shell stays the first
# process of its PID namespace: when it ends, all that the command left behind ends with it.
INSIDE = '''
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
mount -t tmpfs tmpfs /run
ip link set lo up
status=0
timeout --foreground -k 5 "$2" "$1" || status=$?
exit "$status"
'''


def run(dir, args):
    """Returns the command's status."""
    if os.geteuid():
        raise Problem('running needs root, for its namespaces')
    need('unshare', 'util-linux')
    need('ip', 'iproute2')
    stage.tree(dir / 'nodens')
    for argument in args.add:
        stage.extra(argument, dir / 'nodens', None)
    stage.command(dir / 'command', dir / 'nodens', args)
    start = time.monotonic()
    # unshare ignores SIGTERM, and its death is its child's.
    with running(['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-euc',
                  INSIDE, 'bash', dir / 'command', str(args.timeout)], stop='kill') as process:
        status = process.wait()
    took = time.monotonic() - start
    if status in TIMED_OUT and took >= args.timeout:
        raise Problem(f'running: FAILED: stopped after {args.timeout} s', 124)
    say(f'running: exit status {status} ({took:.0f} s in all)')
    return status
