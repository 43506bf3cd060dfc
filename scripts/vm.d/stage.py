# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The files of a run: the tree as the command finds it, and the root of a guest around it."""
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from common import GUEST_PATH, TOP, Problem, which

# Always in the guest. Those that run other programs are there because busybox's would run an applet of the same name
# instead of the program in the path: its ash, env or xargs never reaches the real ip and tc.
TOOLS_NEEDED = 'bash ip tc sh env timeout xargs find nice nohup setsid unshare nsenter chroot'.split()
# In the guest if this machine has them.
TOOLS_WANTED = 'bpftool iptables-legacy iptables-legacy-save ip6tables-legacy conntrack ethtool'.split()

# Opened by name at run time, so ldd does not show them: iptables' matches and targets, and what pthread_exit needs.
OPENED_BY_NAME = ('/usr/lib/x86_64-linux-gnu/xtables', '/lib/x86_64-linux-gnu/libgcc_s.so.1')


def copy(source, target):
    """A file or a directory, what links point to in place of the links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def tree(dir):
    """The build and the tests' files, with the layout of the tree."""
    files = [TOP / 'build/nodens', TOP / 'tests/vm-smoke']
    files += [file for file in (TOP / 'build/tests').rglob('*')
              if file.is_file() and (os.access(file, os.X_OK) or file.name.endswith('.bpf.o'))]
    files += (TOP / 'build/bpf').rglob('*.o')
    files += (TOP / 'tests').glob('lib*')
    dir.mkdir(parents=True)
    for file in files:
        if file.exists():
            copy(file, dir / file.relative_to(TOP))


def extra(argument, dir, root):
    """One --add FILE[:DEST]; @root: where absolute destinations are, None where they are refused."""
    source, _, dest = argument.partition(':')
    if not os.path.exists(source):
        raise Problem(f'--add: no such file: {source}')
    if not dest:
        path = Path(os.path.abspath(source))
        dest = str(path.relative_to(TOP)) if path.is_relative_to(TOP) else path.name
    if not dest.startswith('/'):
        copy(source, dir / dest)
    elif root:
        copy(source, root / dest[1:])
    else:
        raise Problem(f'--add: under the running kernel the destination must be relative: {dest}')


def command(file, dir, args):
    """The script that runs the command in its environment, the same for guests and the running kernel."""
    env = [f'PATH={GUEST_PATH}', 'HOME=/root', 'TERM=dumb', 'LANG=C', f'NODENS_VM={args.label}', f'NODENS_ROOT={dir}',
           *args.env]
    argv = args.command if len(args.command) > 1 else ['sh', '-c', args.command[0]]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('#!/bin/bash\n'
                    f'cd {shlex.quote(str(dir))} || exit 125\n'
                    f'exec env -i {shlex.join(env)} {shlex.join(argv)} </dev/null\n')
    file.chmod(0o755)


def libraries(root):
    """The libraries of every executable below @root, the dynamic linker included, to the paths they have here."""
    programs = [path for path in root.rglob('*')
                if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK)]
    # Scripts and static programs make ldd fail; a library that is missing shows in the list.
    listed = subprocess.run(['ldd', *programs], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    missing = re.search(r'.*not found', listed)
    if missing:
        raise Problem(f'a library of the files in the guest is missing: {missing[0].strip()}')
    for library in set(re.findall(r'^\t(?:\S+ => )?(/\S+) \(', listed, re.M)):
        copy(library, root / library[1:])


def root(dir, args):
    """The guest's root, but for the kernel's modules."""
    for name in 'usr/bin usr/lib usr/lib64 proc sys dev run tmp root etc vm var'.split():
        (dir / name).mkdir(parents=True)
    # One directory for programs: whatever place busybox would give an applet, a real program of that name wins.
    (dir / 'usr/sbin').symlink_to('bin')
    for name in ('bin', 'sbin', 'lib', 'lib64'):
        (dir / name).symlink_to(f'usr/{name}')
    (dir / 'var/run').symlink_to('/run')

    copy(which('busybox'), dir / 'usr/bin/busybox')
    for tool in TOOLS_NEEDED + args.tool + TOOLS_WANTED:
        path = which(tool)
        if path:
            copy(path, dir / 'usr/bin' / tool)
        elif tool not in TOOLS_WANTED:
            raise Problem(f'{tool} is missing on this machine')
    for path in OPENED_BY_NAME:
        if os.path.exists(path):
            copy(path, dir / path[1:])

    (dir / 'etc/passwd').write_text('root:x:0:0:root:/root:/bin/sh\n')
    (dir / 'etc/group').write_text('root:x:0:\n')
    (dir / 'etc/hosts').write_text('127.0.0.1 localhost\n::1 localhost\n127.0.1.1 nodens\n')
    (dir / 'etc/nsswitch.conf').write_text(
        ''.join(f'{name}: files\n' for name in ('passwd', 'group', 'services', 'protocols')) + 'hosts: files dns\n')
    for path in ('/etc/protocols', '/etc/services'):  # not on every machine
        if os.path.exists(path):
            copy(path, dir / path[1:])

    tree(dir / 'nodens')
    for argument in args.add:
        extra(argument, dir / 'nodens', dir)
    libraries(dir)
    copy(TOP / 'scripts/vm.d/init', dir / 'init')
    command(dir / 'vm/command', '/nodens', args)
