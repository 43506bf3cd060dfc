# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Debian's cloud kernels, from the mirror that this machine's apt uses."""
import re
import shutil
import subprocess
from pathlib import Path

from common import Problem, need, output, pack, say

KEYRING = Path('/usr/share/keyrings/debian-archive-keyring.gpg')

# Modules the guest gets, as a regular expression over their paths; what they depend on comes along. They are loaded
# when the kernel asks for them (request_module), as on a real node, or by modprobe in the guest.
MODULES = re.compile(
    r'kernel/net/(sched|netfilter|bridge|8021q|ipv4|ipv6|packet|xdp)/'
    r'|kernel/drivers/net/(veth|dummy|ifb|tun|vrf|macvlan|netdevsim/netdevsim|ipvlan/ipvlan)[.]ko')

APT_CONF = '''\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "{dir}/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{dir}/empty";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Default-Release "";
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
'''


def own_mirror(archive):
    """The mirror of this machine's own Debian packages; @archive: '' for the main one, '-security'."""
    release = Path('/etc/os-release').read_text()
    codename = re.search(r'^VERSION_CODENAME=(\w+)', release, re.M)
    suites = ['stable', 'oldstable', 'testing', 'unstable', 'sid'] + ([codename[1]] if codename else [])
    targets = output('apt-get', 'indextargets', '--no-release-info', '--format', '$(RELEASE) $(REPO_URI)',
                     'Created-By: Packages', 'Component: main')
    for line in targets.splitlines():
        suite, _, uri = line.partition(' ')
        if suite in [name + archive for name in suites]:
            return uri
    return None


class Apt:
    """An apt that knows nothing but one suite. Proxies and credentials of the machine's configuration stay in force;
    its sources, state and hooks do not, so nothing outside of @dir changes."""

    def __init__(self, suite, dir, mirror):
        if not KEYRING.exists():
            raise Problem(f'{KEYRING} is missing (Debian package: debian-archive-keyring)')
        main, security = mirror, None
        if not mirror:
            main, security = own_mirror(''), own_mirror('-security')
        if not main:
            raise Problem('apt on this machine has no Debian mirror; name one with --mirror URL')
        for name in ('lists/partial', 'cache/archives/partial', 'empty'):
            (dir / name).mkdir(parents=True)
        (dir / 'status').touch()
        sources = [f'deb [signed-by={KEYRING}] {main} {suite} main']
        # Backports and sid have no security archive of their own.
        if security and not suite.endswith('-backports') and suite != 'sid':
            sources.append(f'deb [signed-by={KEYRING}] {security} {suite}-security main')
        (dir / 'sources.list').write_text('\n'.join(sources) + '\n')
        # A suite that has ended is never signed again, so its date proves nothing. The sandbox user could not write
        # here when a directory above is closed to it.
        self.conf = dir / 'apt.conf'
        self.conf.write_text(APT_CONF.format(dir=dir))
        if self.get('update').returncode:
            raise Problem(f'cannot read the package lists of {suite} (a suite that has left the mirror: give '
                          '--mirror URL of an archive)')

    def get(self, *args, **kwargs):
        return subprocess.run(['apt-get', '-c', self.conf, '-qq', *args], **kwargs)

    def depends(self, package):
        """What the newest version of @package depends on, names alone."""
        shown = subprocess.run(['apt-cache', '-c', self.conf, 'show', '--no-all-versions', package],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        line = re.search(r'^Depends:(.*)', shown, re.M)
        return [word.split()[0] for word in re.split(r'[,|]', line[1]) if word.strip()] if line else []


def fetch(suite, dir, mirror):
    """Makes @dir/{vmlinuz,config,release,modules.cpio} from the newest cloud kernel of @suite."""
    need('apt-get', 'apt')
    need('dpkg-deb', 'dpkg')
    need('xz', 'xz-utils')
    say(f'looking for the newest cloud kernel of Debian {suite}')
    new = dir.with_name(dir.name + '.new')
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    apt = Apt(suite, new / 'apt', mirror)
    image = next((name for name in apt.depends('linux-image-cloud-amd64') if name.startswith('linux-image-')), None)
    if not image:
        raise Problem(f'the mirror has no cloud kernel for {suite}')
    release = image.removeprefix('linux-image-')
    if (dir / 'release').exists() and (dir / 'release').read_text().strip() == release:
        say(f'{image} is the newest, and already here')
        shutil.rmtree(new)
        return
    unpack(apt, image, release, new)
    pack_modules(new, release)
    for done in (new / 'deb', new / 'apt', dir):
        shutil.rmtree(done, ignore_errors=True)
    (new / 'release').write_text(release + '\n')
    new.rename(dir)
    say(f'unpacked {image}')


def unpack(apt, image, release, new):
    # Of newer kernels the image's package is empty: vmlinuz, the configuration and the modules come with these.
    parts = {f'linux-{part}-{release}' for part in ('base', 'binary', 'modules')}
    packages = [image] + [name for name in apt.depends(image) if name in parts]
    if apt.get('download', *packages, cwd=new).returncode:
        raise Problem('cannot download ' + ' '.join(packages))
    for package in new.glob('linux-*.deb'):
        subprocess.run(['dpkg-deb', '-x', package, new / 'deb'], check=True)
        package.unlink()
    for name in ('vmlinuz', 'config'):
        places = [new / f'deb/boot/{name}-{release}', new / f'deb/usr/lib/modules/{release}/{name}']
        found = next((place for place in places if place.exists()), None)
        if not found:
            raise Problem(f'the packages of {release} have no {name}')
        found.rename(new / name)


def pack_modules(new, release):
    """Makes @new/modules.cpio: the modules the guest gets, and those that these need."""
    lib = new / f'deb/lib/modules/{release}'
    if not lib.exists():
        lib = new / f'deb/usr/lib/modules/{release}'  # since trixie
    compressed = list(lib.rglob('*.ko.xz'))
    if compressed:
        subprocess.run(['xz', '-d', *compressed], check=True)
    everything = new / f'all/lib/modules/{release}'
    everything.parent.mkdir(parents=True)
    lib.rename(everything)
    subprocess.run(['busybox', 'depmod', '-b', new / 'all', release], check=True)

    root = new / 'modules'
    kept = root / f'usr/lib/modules/{release}'
    wanted = {'modules.builtin', 'modules.order'}
    for line in (everything / 'modules.dep').read_text().splitlines():
        module, _, needed = line.partition(':')
        if MODULES.match(module):
            wanted.update([module, *needed.split()])
    for name in wanted:
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(everything / name, kept / name)
    (root / 'lib').symlink_to('usr/lib')  # where depmod looks
    subprocess.run(['busybox', 'depmod', '-b', root, release], check=True)
    (root / 'lib').unlink()
    (root / 'boot').mkdir()
    shutil.copy2(new / 'config', root / f'boot/config-{release}')  # bpftool and libbpf read it
    with open(new / 'modules.cpio', 'wb') as archive:
        pack(root, archive)
    for done in (root, new / 'all'):
        shutil.rmtree(done)
