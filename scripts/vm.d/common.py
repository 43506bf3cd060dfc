# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What every part of scripts/vm needs."""
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
GUEST_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


TIMED_OUT = (124, 137, -9)  # of timeout(1)


class Problem(Exception):
    """Ends the run with one line that says why."""

    def __init__(self, why, status=2):
        super().__init__(why)
        self.status = status


def say(line):
    print(f'vm: {line}', file=sys.stderr, flush=True)


def which(program):
    return shutil.which(program, path=GUEST_PATH + ':' + os.environ['PATH'])


def need(program, package):
    if not which(program):
        raise Problem(f'{program} is missing (Debian package: {package})')


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def pack(dir, archive):
    """Writes what is below @dir to the file @archive, as an initramfs has it, owned by root."""
    names = sorted(str(path.relative_to(dir)) for path in dir.rglob('*'))
    subprocess.run(['cpio', '-0', '-o', '-H', 'newc', '-R', '0:0', '--quiet'], cwd=dir, stdout=archive, check=True,
                   input='\0'.join(names).encode() + b'\0')


@contextlib.contextmanager
def running(command, stop='terminate', **how):
    """A program without stdin that ends with this block, by SIGTERM, or by @stop='kill'."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **how)
    try:
        yield process
    finally:
        if process.poll() is None:
            getattr(process, stop)()
            process.wait()
