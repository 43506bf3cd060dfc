# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens in front of a DNS cache that stays (-mode front): one at 169.254.20.10 and one at 169.254.10.11 of the node, both
unbound, and the cluster's DNS at its ClusterIP. Nothing of the other's is touched, and whichever of the two dies, nothing
is lost but what was in flight."""
import time

import pytest
import yaml

from agent import command, detach
from cluster import D
from lab import DNS4, ROOT, UP4, ip, leftovers, ms_since_boot, note, output, rules, run, spawn, wait_until
from load import Load
from nodecache import NodeCache, notrack_rules

HIT_RATE, MISS_RATE = 1000, 100


# ---- the other -------------------------------------------------------------------------------------------


class ClusterDns:
    """The cluster's DNS at its ClusterIP."""

    address = DNS4

    def __init__(self, lab, cluster):
        self.lab, self.cluster = lab, cluster

    def start(self, answer):
        """Returns when it answers; moving.test has this answer, for 4 s."""
        lines = ["$ORIGIN test.", "$TTL 4", "@ SOA ns h. 1 7200 1800 86400 4", "@ NS ns", "ns A 192.0.2.53",
                 f"moving A {answer}", *(f"many 60 A 10.102.0.{i}" for i in range(100))]
        (self.lab.dir / "test.zone").write_text("\n".join(lines) + "\n")
        self.kill()
        for server in self.cluster.servers:
            server.start()
        for server in self.cluster.servers:
            server.wait()
        wait_other(self, answer)

    def kill(self):
        for server in self.cluster.servers:
            server.kill()
        time.sleep(0.1)

    def end(self):
        """The servers as other tests have them."""
        (self.lab.dir / "test.zone").unlink()
        self.kill()
        for server in self.cluster.servers:
            server.start()


class Unbound:
    """A cache of the node, as NodeLocal DNSCache and its like are."""

    def __init__(self, lab, cluster, address):
        self.lab, self.address, self.process = lab, address, None

    def start(self, answer):
        many = "".join(f' local-data: "many.test. 60 IN A 10.102.0.{i}"\n' for i in range(100))
        config = self.lab.dir / "unbound.conf"
        config.write_text(f"""server:
 interface: {self.address}
 num-threads: 1
 access-control: 0.0.0.0/0 allow
 module-config: "iterator"
 username: ""
 chroot: ""
 directory: "{self.lab.dir}"
 pidfile: ""
 use-syslog: no
 do-daemonize: no
 local-zone: "10.in-addr.arpa" nodefault
 local-zone: "test." static
 local-data: "moving.test. 4 IN A {answer}"
{many}forward-zone:
 name: "."
 forward-addr: {UP4}
remote-control:
 control-enable: no
""")
        self.process = spawn("unbound", "-d", "-c", config, log=self.lab.dir / "unbound.log")
        wait_other(self, answer)

    def kill(self):
        self.process.kill()
        self.process.wait()
        time.sleep(0.1)

    def end(self):
        self.kill()


def wait_other(other, answer):
    wait_until(10, lambda: other.lab.node.says(answer, "moving.test", server=other.address, timeout=1),
               "the other does not answer")


@pytest.fixture(scope="module")
def addresses(p2):
    ip("""link add nodelocaldns type bridge
        link set nodelocaldns up
        addr add 169.254.20.10/32 dev nodelocaldns
        addr add 169.254.10.11/32 dev nodelocaldns""")


@pytest.fixture(params=["169.254.20.10", "169.254.10.11", DNS4])
def other(request, lab, cluster, addresses, nodens):
    """It answers, and moving.test is 192.0.2.1."""
    other = ClusterDns(lab, cluster) if request.param == DNS4 else Unbound(lab, cluster, request.param)
    other.start("192.0.2.1")
    yield other
    nodens.stop()
    detach()
    other.end()


# ---- nodens ----------------------------------------------------------------------------------------------


@pytest.fixture
def front(nodens, other, p1):
    """front(): as a user would start it: no Corefile, nothing bound."""
    def front():
        nodens.spawn("run", "-mode", "front", "-localip", other.address)
        nodens.wait(lambda: nodens.answers_new_names(p1, other.address, "kernel.steered"))
    return front


def node_state():
    """The node as others see it: addresses, routes, rules, listening sockets, rules of netfilter. nd0 is nodens' own, and so
    is its lock, a port of the loopback net (userspace/link/node_lock.h)."""
    lines = [line.split("valid_lft")[0] for line in output("ip", "-o", "addr", "show").splitlines()]
    lines += output("ip", "route", "show", "table", "all").splitlines()
    lines += output("ip", "-6", "route", "show", "table", "all").splitlines()
    sockets = (line.split() for line in output("ss", "-Hlntu").splitlines())
    return ([line for line in lines if " nd0 " not in line],
            output("ip", "rule"),
            sorted((parts[0], parts[4]) for parts in sockets if parts[4] != "127.110.100.48:1"),
            rules())


class Loaded:
    """Hits and misses of a pod; a client waits 5 s for an answer."""

    def __init__(self, lab, pod, address, seconds):
        self.load = Load(lab.tool("dnsclient"), [pod], seconds, HIT_RATE, MISS_RATE, server=address, options=["-T", 5000])

    def end(self, begin, end):
        """Hits lost: none. Misses lost: none that was sent outside of this time (ms)."""
        load = self.load
        load.end()
        assert load.hits["sent"] >= 2000 and load.misses["sent"] >= 200
        assert load.hits["lost"] == 0
        assert load.lost_outside(begin, end) == 0, "misses lost that were not in flight"
        note(f"0 of {load.hits['sent']} hits, {load.misses['lost']} of {load.misses['sent']} misses lost")


# ---- the tests, each in front of all three ---------------------------------------------------------------


def test_serves(other, front, nodens, p1):
    at = {"server": other.address, "timeout": 6}
    before = node_state()
    front()
    assert node_state() == before
    assert p1.value(f"n1.{D}", **at) == "10.100.0.1", "a miss"
    with nodens.counting() as gains:
        assert p1.value(f"n1.{D}", **at) == "10.100.0.1", "a hit"
    assert gains["kernel.hits"] == 1
    assert p1.value(f"n2.{D}", tcp=True, **at) == "10.100.0.2"
    assert len(p1.values("many.test", **at)) == 100, "too large for UDP, by TCP"
    assert "tc" in p1.ask("many.test", ignore_tc=True, **at).flags
    assert p1.ask(f"nx.{D}", **at).status == "NXDOMAIN"
    p1.ask("moving.test", **at)
    assert p1.ask("moving.test", **at).ttl <= 4, "the TTL of the other's"
    nodens.stop()
    assert node_state() == before
    assert leftovers() == []
    assert p1.value(f"n1.{D}", **at) == "10.100.0.1", "without nodens"


def test_follows(other, front, p1):
    """The other comes back with another answer: nodens says so when the TTL of the first has run out."""
    front()
    assert p1.value("moving.test", server=other.address) == "192.0.2.1"
    begin = time.monotonic()
    other.kill()
    other.start("192.0.2.2")
    wait_until(8, lambda: p1.says("192.0.2.2", "moving.test", server=other.address, timeout=6), "still the old one")
    seconds = time.monotonic() - begin
    note(f"followed after {seconds:.1f} s, the TTL is 4 s")
    assert seconds <= 5.5


def test_nodens_dies(other, front, lab, nodens, p1):
    front()
    load = Loaded(lab, p1, other.address, 4)
    when = ms_since_boot()
    nodens.kill()
    time.sleep(1)
    assert nodens.stat("kernel.steer_dead") > 0, "misses that went to the other untouched"
    load.end(when - 50, when + 100)
    detach()
    assert leftovers() == []


def test_other_dies(other, front, lab, p1):
    """Names that are known are answered all the while; new ones wait until it is back."""
    front()
    load = Loaded(lab, p1, other.address, 4)
    when = ms_since_boot()
    other.kill()
    time.sleep(0.7)
    other.start("192.0.2.1")
    load.end(when - 50, when + 50)


@pytest.mark.parametrize("other", ["169.254.20.10"], indirect=True)
def test_notrack_rules_of_the_other(other, front, nodens, p1):
    """They are at work: nobody is told to remove them."""
    made = notrack_rules(other.address)
    for rule in made:
        run("iptables", "-w", "-t", "raw", "-A", *rule)
    try:
        front()
        assert p1.value(f"n1.{D}", server=other.address) == "10.100.0.1"
        assert not nodens.said("NOTRACK"), nodens.log_tail()
    finally:
        for rule in made:
            run("iptables", "-w", "-t", "raw", "-D", *rule)


def manifest():
    """Arguments and Corefile of deploy/manifests/front."""
    objects = {x["kind"]: x for x in yaml.safe_load_all((ROOT / "deploy/manifests/front/nodens.yaml").read_text())}
    container, = objects["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return container["args"], objects["ConfigMap"]["data"]["Corefile"]


def sockets():
    return {line.split()[4] for line in output("ss", "-Hlntu").splitlines()}


@pytest.mark.parametrize("other", ["169.254.20.10"], indirect=True)
def test_manifest(other, lab, cluster, p1):
    """Of a NodeLocal DNSCache's ports none is bound."""
    args, corefile = manifest()
    assert other.address in args
    image = NodeCache(lab, cluster)
    image.set_base(corefile)
    before = sockets()
    image.swap(*args)
    try:
        image.wait(lambda: image.answers_new_names(p1, other.address, "kernel.steered"))
        bound = sockets() - before - {"127.110.100.48:1"}
        assert bound == {"*:19253", "127.0.0.1:18080", "127.0.0.1:18181"}
        assert p1.value(f"n1.{D}", server=other.address) == "10.100.0.1"
    finally:
        image.stop()


def test_wants_an_address():
    said, status = command("run", "-mode", "front")
    assert status and "-mode front:" in said and "-localip" in said
