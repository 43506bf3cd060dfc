# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A kernel in QEMU that runs the command once: boots it, shows its console, reads the command's status off it."""
import re
import subprocess
import sys
import time

import stage
from common import TIMED_OUT, TOP, Problem, need, output, pack, running, say, which

# tsc: emulated processors share one clock; unless it is told so the kernel reads the slow HPET instead.
# no_timer_check: on a busy host a tick comes too late for the check, and 5.4 panics
WORDS = 'console=ttyS0 panic=-1 oops=panic random.trust_cpu=on tsc=reliable no_timer_check'


def check_machine():
    if output('uname', '-m').strip() != 'x86_64':
        raise Problem('guests are x86-64, and so must be the programs they get from this machine')
    need('qemu-system-x86_64', 'qemu-system-x86')
    need('busybox', 'busybox-static')
    need('cpio', 'cpio')
    need('ldd', 'libc-bin')
    need('ip', 'iproute2')
    if subprocess.run(['ldd', which('busybox')], capture_output=True).returncode == 0:
        raise Problem('busybox is not static (Debian package: busybox-static)')


def initrd(run, modules, token, args):
    """The kernel takes several archives one after the other, and uncompressed ones cost an emulated processor least."""
    root = run / 'root'
    stage.root(root, args)
    (root / 'vm/token').write_text(token + '\n')
    with open(run / 'initrd', 'wb') as archive:
        if modules:
            archive.write(modules.read_bytes())
            archive.flush()
        pack(root, archive)
    return run / 'initrd'


def show(console, log, token):
    """Copies the guest's console to @log and, but for the line with the status and the empty one before it, to
    stdout. Returns the status and the seconds the guest took to boot, or None."""
    out, result, empty = sys.stdout.buffer, None, False
    for line in console:
        log.write(line)
        line = line.replace(b'\r', b'')
        if line.startswith(token.encode() + b' '):
            result = re.fullmatch(rb'\S+ (\d+) ([\d.]+)\n?', line)
            empty = False
        elif b'terminating on signal' not in line:
            out.write(b'\n' if empty else b'')
            empty = line == b'\n'
            out.write(b'' if empty else line)
            out.flush()
    return (int(result[1]), result[2].decode()) if result else None


def boot(kernel, archive, token, console, args):
    """Returns the command's status; what the guest said is in the file @console."""
    # -serial with no -nographic keeps the firmware's own lines off the console. The processor is emulated: on hosts
    # that are guests themselves KVM may be offered and yet hang.
    words = f'{WORDS} {"" if args.verbose else "quiet"} {args.append}'
    start = time.monotonic()
    with running(['timeout', '--foreground', '-k', '5', str(args.timeout),
                  'qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', str(args.cpus),
                  '-m', str(args.mem), '-no-reboot', '-nodefaults', '-no-user-config', '-display', 'none',
                  '-serial', 'stdio', '-kernel', kernel, '-initrd', archive, '-append', words],
                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu, open(console, 'wb') as log:
        result = show(qemu.stdout, log, token)
        ended = qemu.wait()
    if result:
        status, booted = result
        say(f'{args.label}: exit status {status} (booted in {booted} s, {time.monotonic() - start:.0f} s in all)')
        return status
    if ended in TIMED_OUT:
        raise Problem(f'{args.label}: FAILED: the guest was stopped after {args.timeout} s', 124)
    if b'Kernel panic' in console.read_bytes():
        why = "the guest's kernel panicked"
    else:
        why = f"the guest died (qemu's exit status: {ended})"
    see = '' if args.verbose else f'; see {console.relative_to(TOP)}, or try --verbose'
    raise Problem(f'{args.label}: FAILED: {why}{see}', 125)
