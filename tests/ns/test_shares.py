# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What one pod can take from the others: p1 is hostile, p2 asks as ever. The limits are those of "Shared limits" in
docs/architecture.md."""
import contextlib
import itertools
import pathlib
import socket
import time

import pytest

from agent import block, cluster_corefile, http
from cluster import D, Knot
from lab import (DNS4, DNS6, NODE4, POD_SIDE4, PYTHON, TOOLS, attached, conntrack_flush, ip, source_to, wait_for_line,
                 wait_until)
from nodecache import LOCAL4
from query import unique



# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def p1(lab, cluster):
    """The hostile one: its kernel resets nothing that it did not begin."""
    pod = lab.pod("p1")
    for tool in "iptables", "ip6tables":
        pod.run(tool, "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "DROP")
    return pod


@pytest.fixture(scope="module")
def p2(lab, p1):
    return lab.pod("p2")


@pytest.fixture
def started(nodens, p1):
    nodens.start("--hook", "tc", corefile=cluster_corefile(), probe=p1)


@contextlib.contextmanager
def hostile(pod, *cmd, name, until=None):
    """Runs in a pod for the time of the block; fails where it had ended by itself."""
    log = pod.lab.dir / name
    with pod.running(*cmd, log=log) as process:
        if until:
            wait_for_line(process, log, until, 20)
        yield
        assert process.poll() is None, f"it gave up: {log.read_text()}"


def handshakes(pod, n, server):
    """Of so many queries over TCP, each on a connection of its own, those answered in 3 s."""
    return sum(pod.says(f"10.100.0.{i}", f"n{i}.{D}", server=server, tcp=True) for i in range(n))


# ---- half-open connections -------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [DNS4, DNS6], ids=["ipv4", "ipv6"])
def test_half_open_connections(started, nodens, p1, p2, server):
    """300 SYNs a second of p1's address and 300 of made-up ones."""
    own, net = (p1.ip6, "fd00:10:244::9:") if ":" in server else (p1.ip4, "10.244.9.")
    mac = pathlib.Path(f"/sys/class/net/{p1.veth}/address").read_text().strip()
    sources = itertools.chain.from_iterable((own, f"{net}{i}") for i in range(1, 100))
    assert handshakes(p2, 2, server) == 2, "before the flood"
    with hostile(p1, PYTHON, TOOLS / "synflood.py", "eth0", mac, server, 600, 60, *sources, name="flood"):
        time.sleep(5)
        with nodens.counting() as gains:
            assert handshakes(p2, 10, server) == 10, "with the queue of half-open connections full"
        assert gains["kernel.steered"] > 0
        assert p2.conntrack_entries() == 0, "nothing of them went elsewhere"


# ---- open connections ------------------------------------------------------------------------------------

HOLD = """import socket, sys, time
query = b"\\0\\x21\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3www\\7example\\3net\\0\\0\\1\\0\\1"
def dial():
    s = socket.create_connection((sys.argv[1], 53)); s.send(query); s.setblocking(False)
    return s
def closed(s):
    try: return not s.recv(512)
    except BlockingIOError: return False
    except OSError: return True
conns = [dial() for _ in range(int(sys.argv[2]))]
print("holds", flush=True)
while True:
    for i, s in enumerate(conns):
        if closed(s): s.close(); conns[i] = dial()
    time.sleep(0.05)
"""


def test_open_connections(lab, cluster, nodens, p1, p2):
    """p1 holds 1,200 connections open, each with a query that no upstream answers, and begins those anew that are closed on
    it."""
    mute = Knot(lab, "mute")
    mute.wait()
    unanswered = block("example.net:53", f"bind {DNS4} {DNS6}", f"forward . {mute.pod.ip4}")
    nodens.start("--hook", "tc", corefile=cluster_corefile() + unanswered, probe=p1)
    mute.process.send_signal(19)  # SIGSTOP: it answered while nodens started
    try:
        with hostile(p1, PYTHON, "-c", HOLD, DNS4, 1200, name="hold", until="holds"):
            assert nodens.stat("agent.tcp_open") >= 500
            conntrack_flush()
            assert handshakes(p2, 10, DNS4) == 10, "beside 1,200 connections of p1"
            assert nodens.stat("agent.tcp_open") >= 500
            assert nodens.stat("agent.tcp_evicted") >= 600
            assert p2.conntrack_entries() == 0
    finally:
        mute.process.send_signal(18)  # SIGCONT


# ---- the receive queue -----------------------------------------------------------------------------------


def burst(pod, n):
    """So many queries at once for names of its own; the sockets that wait for the answers."""
    sock, name = pod.udp(timeout=4), unique()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    for i in range(n):
        label = f"{name}{i:06d}".encode()
        sock.send(i.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + bytes([len(label)]) + label
                  + b"\7example\3org\0\0\1\0\1")
    return sock


def answered(sock, n):
    """How many of n are answered within 4 s."""
    seen, end = set(), time.monotonic() + 4
    with sock, contextlib.suppress(socket.timeout):
        while len(seen) < n and (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            seen.add(sock.recv(4096)[:2])
    return len(seen)


def test_receive_queue(started, nodens, p1, p2):
    """While the loop does something else, one pod's burst leaves room for the others' queries. What does not fit is counted
    and shed: tests/unit/test_server, where no clock decides how much comes before the programs take the agent for hung."""
    nodens.signal("STOP")
    hostiles = burst(p1, 2000)
    others = burst(p2, 100)
    nodens.signal("CONT")
    assert answered(others, 100) == 100, "of p2's queries behind 2,000 of p1"
    hostiles.close()
    assert nodens.stat("agent.receive_drops") == 0
    assert p2.value(f"n20.{D}") == "10.100.0.20", "afterwards"


# ---- clients' addresses ----------------------------------------------------------------------------------


def claim(pod, *sources):
    """A query of each source address, whoever it belongs to."""
    for source in sources:
        with pod.entered():
            sock = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
            sock.bind((source, 0))
            sock.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\5claim\7example\3org\0\0\1\0\1",
                        (DNS6 if ":" in source else DNS4, 53))


def is_steered(nodens, pod):
    """Whether its misses went to the agent, by either family."""
    with nodens.counting() as gains:
        for server in DNS4, DNS6:
            assert pod.value(unique("wild.example.org"), server=server) == "192.0.2.99"
    return gains["kernel.steered"] == 2


def test_addresses_of_others(started, lab, nodens, p1, p2):
    """p2 has not asked yet; the next pod is not there yet."""
    number = next(lab.pod_numbers)
    others = [f"{net}{i}" for net in ("10.244.0.", "fd00:10:244::") for i in range(100, 250)]
    with nodens.counting() as gains:
        claim(p1, p2.ip4, p2.ip6, f"10.244.0.{number}", f"fd00:10:244::{number}", *others)
    assert gains["kernel.steer_conflict"] >= 2
    assert is_steered(nodens, p2)
    pod = lab.pod("next", number=number)
    wait_until(3, lambda: attached(pod.veth), "not attached")
    assert is_steered(nodens, pod)
    pod.delete()


def test_addresses_on_a_bridge(started, lab, nodens):
    """Where routes do not tell pods apart, who was there first yields when it does not use the address."""
    b1, b2 = lab.pod("b1", bridge=True), lab.pod("b2", bridge=True)
    for pod in b1, b2:
        wait_until(3, lambda: attached(pod.veth), "not attached")
    claim(b2, b1.ip4, b1.ip6)
    assert not is_steered(nodens, b1), "an address that another has just used"
    time.sleep(19)
    assert is_steered(nodens, b1), "after the other has been silent"
    claim(b2, b1.ip4, b1.ip6)
    assert is_steered(nodens, b1), "an address that it uses"


# ---- HTTP ------------------------------------------------------------------------------------------------

CONNECT = """import socket, sys
server, sources = sys.argv[1], sys.argv[2:] or ["0.0.0.0"]
open = [None] * 200
i = 0
while True:
    s = socket.socket(); s.setblocking(False); s.bind((sources[i % len(sources)], 0)); s.connect_ex((server, 8080))
    open[i % 200] = s; i += 1
    if i == 1000: print("connects", flush=True)
"""


def probes(host, address):
    """Of 20, as the kubelet makes them (1 s), those that succeed."""
    with host.entered():
        return sum(http(f"http://{address}:8080/health", timeout=1)[0] == 200 for _ in range(20))


def stays_open(host, address, n):
    """Of so many connections that ask nothing, those that are open a second later."""
    with host.entered():
        socks = [socket.create_connection((address, 8080)) for _ in range(n)]
    time.sleep(1)
    count = 0
    for sock in socks:
        with sock, contextlib.suppress(ConnectionError):
            try:
                sock.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                count += 1
    return count


def health(nodens, p1):
    """Its own address of the node is served, too: what the node sends there comes from another."""
    serve = DNS4, DNS6, LOCAL4
    corefile = cluster_corefile(serve).replace("errors", "errors\n    health :8080", 1)
    nodens.start("--hook", "tc", "-setupinterface", corefile=corefile, serve=serve, probe=p1)
    assert source_to(LOCAL4) == NODE4


def test_health_probes(lab, nodens, p1, p2):
    """p1 does nothing but connect, and holds on to 200 connections at a time."""
    health(nodens, p1)
    with hostile(p1, PYTHON, "-c", CONNECT, POD_SIDE4, name="connects", until="connects"):
        assert probes(p2, POD_SIDE4) >= 19, "of another pod"
        for address in NODE4, LOCAL4, "127.0.0.1":
            assert probes(lab.node, address) == 20, f"of the node's own, at {address}"


def test_health_probes_beside_many(lab, nodens, p1):
    """A pod with 60 addresses, more than there is room for, does nothing but connect."""
    health(nodens, p1)
    many = lab.pod("many", bridge=True)
    sources = [f"10.245.0.{i}" for i in range(100, 160)]
    ip("\n".join(f"addr add {source}/24 dev eth0" for source in sources), "many")
    with hostile(many, PYTHON, "-c", CONNECT, LOCAL4, *sources, name="many", until="connects"):
        for address in NODE4, LOCAL4, "127.0.0.1":
            assert stays_open(lab.node, address, 16) == 16, f"of the node's own, at {address}"
            assert probes(lab.node, address) == 20, f"of the node's own, at {address}"
