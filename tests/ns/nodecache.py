# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""node-cache's container with its image swapped: Corefile.base (tests/data/nodelocal), arguments and ConfigMaps at their
own paths, in the node's network as a hostNetwork pod is."""
import contextlib
import os
import pathlib
import shutil
import time

import agent
from agent import NODENS
from cluster import FakeUpstream
from lab import DNS4, DNS6, ROOT, UP4, addresses, ip, link_info, run, source_to, wait_until
from query import SILENCE, unique

LOCAL4, LOCAL6 = "169.254.20.10", "fd00:169:254::10"
OUTSIDE, STUB = "192.168.77.1", "192.168.77.2"  # what /etc/resolv.conf of the agent names; a stub domain's server
LINK = "nodelocaldns"
BOTH = [f"{DNS4}/32", f"{LOCAL4}/32"]  # the link's addresses
ARGS = ["-localip", f"{LOCAL4},{DNS4}", "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream", "-pidfile",
        "/tmp/node-cache.pid"]
TWO_FAMILIES = ["-localip", f"{LOCAL4},{DNS4},{LOCAL6},{DNS6}", *ARGS[2:]]

# /etc and /tmp of its own; with a /sys as of a container, read-only and without the node's bpffs.
MOUNTS = """lab=$1 sys=$2; shift 2
if [ "$sys" ]; then mount --bind /sys /sys && mount -o remount,ro,bind /sys || exit; fi
mount --bind "$lab/etc" /etc && mount --bind "$lab/tmp" /tmp && exec "$@\""""


def config_map(directory, key, text):
    """As the kubelet keeps a volume: a symbolic link to a directory is swapped, so that nobody sees half of it."""
    directory = pathlib.Path(directory)
    data = directory / f"..{time.time_ns()}"
    data.mkdir(parents=True)
    old = directory / "..data"
    if old.exists():
        for path in old.iterdir():
            shutil.copy(path, data)
    (data / key).write_text(text)
    (directory / "..data_tmp").symlink_to(data.name)
    os.rename(directory / "..data_tmp", old)
    if not (directory / key).is_symlink():
        (directory / key).symlink_to(f"..data/{key}")


class NodeCache(agent.Nodens):
    """nodens where the image of node-cache was."""

    def __init__(self, lab, cluster):
        super().__init__(lab)
        self.cluster, self.manifest = cluster, False
        self.etc, self.tmp = lab.dir / "etc", lab.dir / "tmp"
        shutil.copytree("/etc", self.etc, symlinks=True)
        for name in "Corefile", "coredns", "kube-dns", "resolv.conf":
            run("rm", "-rf", self.etc / name)
        for path in self.etc / "coredns", self.etc / "kube-dns", self.tmp:
            path.mkdir()
        (self.etc / "resolv.conf").write_text(f"nameserver {OUTSIDE}\n")
        ip(f"addr add {STUB}/24 dev eth0", "wan")
        self.outside = FakeUpstream(cluster.wan, OUTSIDE, "--id", 7)
        self.stub = FakeUpstream(cluster.wan, STUB, "--id", 9)

    def install(self, local_dns=LOCAL4, dns_server=DNS4):
        """As the manifest's sed does, and what the kubelet makes of the ConfigMaps."""
        self.own()
        base = (ROOT / "tests/data/nodelocal/Corefile.base").read_text()
        for name, value in (("LOCAL__DNS", local_dns), ("DNS__DOMAIN", "cluster.local"), ("DNS__SERVER", dns_server)):
            base = base.replace(f"__PILLAR__{name}__", value)
        self.base = base
        self.set_base(base)
        shutil.rmtree(self.etc / "kube-dns")
        (self.etc / "kube-dns").mkdir()

    def set_base(self, text):
        config_map(self.etc / "coredns", "Corefile.base", text)

    def set_kube_dns(self, key, text):
        config_map(self.etc / "kube-dns", key, text)

    def clear_kube_dns(self):
        (self.etc / "kube-dns/..data").unlink()

    def image(self, *args, prefix=(), own_sys=False):
        """What becomes the container: as in an image, nodens lies at a path that the container sees."""
        shutil.copy(NODENS, self.etc / "nodens.new")
        os.rename(self.etc / "nodens.new", self.etc / "nodens")
        return ["unshare", "--mount", "sh", "-c", MOUNTS, "sh", self.lab.dir, "own" if own_sys else "", *prefix,
                "/etc/nodens", *args]

    def swap(self, *args, prefix=(), own_sys=False, netns=None):
        """The image swapped, the rest as it was; only begins. prefix: what takes rights away."""
        self.stop()
        program, *rest = self.image(*args, prefix=prefix, own_sys=own_sys)
        self.spawn(*rest, program=program, netns=netns, env={"KUBE_DNS_UPSTREAM_SERVICE_HOST": UP4})

    def own(self):
        """The manifest's own ends: a test has a start of its own."""
        self.manifest = False
        self.stop()

    def steering(self, pod):
        """Whether the agent gets what pods miss."""
        before = self.stat("kernel.steered", missing=None)
        if before is None:
            return False
        try:
            pod.ask(unique("default.svc.cluster.local"), timeout=1)
        except SILENCE:
            return False
        return self.stat("kernel.steered") > before


def notrack_rules(address):
    """node-cache's own in table raw, one list of iptables' arguments each."""
    ends = [("PREROUTING", "-d", "--dport"), ("OUTPUT", "-s", "--sport"), ("OUTPUT", "-d", "--dport")]
    return [[chain, end, address, "-p", proto, port, "53", "-m", "comment", "--comment",
             "NodeLocal DNS Cache: skip conntrack", "-j", "NOTRACK"]
            for proto in ("udp", "tcp") for chain, end, port in ends]


def link_gone():
    return not link_info(LINK)


def link_addresses():
    return addresses(LINK)


def start(cache, p1, *flags, args=ARGS):
    cache.swap(*args, *flags)
    cache.wait(lambda: cache.steering(p1))


def ends(cache, regex):
    """It does not start, and says this."""
    cache.wait_end(10)
    assert cache.said(regex), cache.log_text()


def wait_link(addresses=BOTH):
    wait_until(5, lambda: link_addresses() == addresses, lambda: f"the link's addresses: {link_addresses()}")


@contextlib.contextmanager
def link(kind, name, *addresses):
    """A link of another's on the node."""
    ip(f"link add {name} type {kind}")
    try:
        ip("\n".join([f"link set {name} up", *(f"addr add {address} dev {name}" for address in addresses)]))
        yield
    finally:
        run("ip", "link", "del", name, check=False)


def wait_source(source, address=DNS4):
    wait_until(4, lambda: source_to(address) == source, lambda: f"source {source_to(address)}, not {source}")
