# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the options of forward do, and what lies over TCP come to: the agent in listen mode against tests/fake-upstream.
(Lies over UDP, silence and loss: test_agent.py. TLS: test_tls.py. After how long something happens: tests/scenario.)"""
import collections
import re
import threading
import time

import pytest

from agent import block, directive
from lab import PYTHON, POD_SIDE4, ip, output, run, sysctl
from query import unique

FORCE_TCP = pytest.mark.parametrize("options", [[], ["force_tcp"]], ids=["udp", "tcp"])


@pytest.fixture(autouse=True, scope="module")
def unreachables(all_upstreams):
    """The upstreams' host says of each packet that its port is closed."""
    with all_upstreams.host.entered():
        sysctl("net/ipv4/icmp_ratelimit", 0)
        sysctl("net/ipv4/icmp_msgs_burst", 10000)  # 50 by default: when the machine is busy many come at one instant
        sysctl("net/ipv4/icmp_msgs_per_sec", 10000)


@pytest.fixture
def one(forward):
    """The agent with one upstream."""
    forward("10.50.0.1")


def streams(port):
    """The agent's to this port of the upstreams that are open, by their local ports."""
    lines = output("ss", "-Htn", "state", "established", "dport", "=", f":{port}").splitlines()
    return [line.split()[2].rpartition(":")[2] for line in lines]


# ---- lies ------------------------------------------------------------------------------------------------


def test_out_of_bailiwick_records(one, nodens, cli):
    """Nothing that an answer says of others is kept or said for an answer to their names."""
    answer = cli.ask("x.strangers.example.org")
    assert answer.status == "NOERROR"
    assert answer.records == ["x.strangers.example.org. A 192.0.2.1"], "nor handed on to whoever asked"
    cli.ask("y.strangecname.example.org")
    assert not re.search(r"^(ns\.)?victim|^example\.net", nodens.dump(), re.M)
    assert cli.value("victim.example.net") == "192.0.2.1"
    assert cli.value("victim.example.net", "AAAA") == "2001:db8::1"
    assert cli.value("ns.victim.example.net") == "192.0.2.1"
    assert cli.value("example.net", "NS") == "ns.fake."


@pytest.mark.parametrize("kind", ["badid", "badq", "response"])
def test_lies_over_tcp(forward, nodens, cli, kind):
    forward("10.50.0.1", "force_tcp", reuse=True)
    with nodens.counting() as gains:
        assert cli.value(f"a.{kind}.example.org") == "192.0.2.1"
    assert gains["agent.upstream_mismatches"] >= 1


def test_upstream_without_edns(one, cli, upstreams):
    assert cli.value("a.noedns.example.org") == "192.0.2.1"
    assert upstreams[1].asked("a.noedns.example.org") == (2, 0)
    cli.ask("c.noedns.example.org")
    assert upstreams[1].asked("c.noedns.example.org") == (1, 0), "once it is known"
    assert len(cli.values("b.noedns.big-100.example.org", tcp=True)) == 100, "over TCP since they do not fit"


def test_a_way_that_drops_what_is_large(one, cli, upstreams):
    assert cli.value("small.example.org") == "192.0.2.1"
    for i in 1, 2:
        assert len(cli.values(f"{i}.droplarge.big-100.example.org", tcp=True, timeout=8)) == 100
    assert len(cli.values("3.droplarge.big-100.example.org", tcp=True)) == 100
    assert upstreams[1].asked("3.droplarge.big-100.example.org") == (1, 1), "once it is known"


def test_an_answer_cut_without_tc(one, cli, upstreams):
    """Forwarders in home routers and hypervisors cut what is long and do not say so."""
    assert len(cli.values("cut.big-20.example.org")) == 20
    assert upstreams[1].asked("cut.big-20.example.org") == (1, 1)
    answer = cli.ask("cut.close.big-20.example.org", ignore_tc=True)
    assert answer.status == "NOERROR" and "tc" in answer.flags, "where TCP does not answer"
    assert len(answer.values) == 19, "records that came whole"


@pytest.mark.parametrize("rcode", ["refused", "servfail", "notimp", "formerr"])
def test_a_header_alone(forward, nodens, cli, rcode):
    forward("10.50.0.1", reuse=True)
    with nodens.counting() as gains:
        answer = cli.ask(f"alone.{rcode}.example.org")
    assert answer.status == rcode.upper()
    assert gains["agent.upstream_timeouts"] == 0


# ---- options ---------------------------------------------------------------------------------------------


def test_transports(forwards, cli, upstreams):
    """However the client asks, UDP comes first, and force_tcp wins."""
    forwards(directive("forward a.example.org 10.50.0.1", "prefer_udp"),
             directive("forward b.example.org 10.50.0.1", "prefer_udp", "force_tcp"))
    cli.ask("a.example.org", tcp=True)
    assert upstreams[1].asked("a.example.org") == (1, 0)
    cli.ask("b.example.org")
    assert upstreams[1].asked("b.example.org") == (0, 1)


@pytest.mark.parametrize("policy, counts", [("sequential", [21]), ("round_robin", [7, 7, 7]), ("random", None)])
def test_policies(forwards, cli, policy, counts):
    """How often each upstream was asked, of 21 queries."""
    forwards(*(directive(f"forward {name}.example 10.50.0.1 10.50.0.2 10.50.0.3", f"policy {name}")
               for name in ("sequential", "round_robin", "random")), reuse=True)
    seen = collections.Counter(cli.value(f"{i}.{policy}.example") for i in range(21))
    if counts:
        assert sorted(seen.values()) == counts
    else:
        assert len(seen) == 3


def test_except_and_next(nodens, cli, upstreams):
    nodens.listen(block(".:53", f"bind {POD_SIDE4}",
                        directive("forward . 10.50.0.1", "except internal.example.org", "next NXDOMAIN"),
                        "forward . 10.50.0.2"))
    assert cli.value("a.example.org") == "192.0.2.1"
    assert cli.value("a.internal.example.org") == "192.0.2.2", "a name that the first forward leaves out"
    assert cli.ask("b.nx.example.org").status == "NXDOMAIN"
    assert [upstreams[i].asked("b.nx.example.org") for i in (1, 2)] == [(1, 0), (1, 0)]
    assert upstreams[1].asked("a.internal.example.org") == (0, 0)


def test_failover_and_next_on_nodata(nodens, cli, upstreams):
    first = directive("forward . 10.50.0.1 10.50.0.2", "policy sequential", "failover SERVFAIL REFUSED", "next_on_nodata")
    nodens.listen(block(".:53", f"bind {POD_SIDE4}", first, "forward . 10.50.0.3"))
    assert cli.ask("a.servfail.example.org").status == "SERVFAIL"
    assert [upstreams[i].asked("a.servfail.example.org") for i in (1, 2, 3)] == [(1, 0), (1, 0), (0, 0)]
    cli.ask("b.nodata.example.org")
    assert [upstreams[i].asked("b.nodata.example.org") for i in (1, 2, 3)] == [(1, 0), (0, 0), (1, 0)]


def test_a_kept_connection_that_leads_nowhere(forward, cli):
    """The endpoint behind it is gone without a word, as when a pod of the cluster's DNS dies."""
    forward("10.50.0.1", "force_tcp")
    cli.ask("a.example.org")
    kept = streams(53)
    assert kept
    try:
        for port in kept:
            run("iptables", "-w", "-I", "OUTPUT", "-p", "tcp", "--sport", port, "-j", "DROP")
        for name in "b", "c":
            assert cli.value(f"{name}.example.org") == "192.0.2.1"
    finally:
        run("iptables", "-w", "-F", "OUTPUT")


# ---- refusals --------------------------------------------------------------------------------------------


def all_answered(cli, n, pace, labels):
    """Whether n new names, one each `pace` seconds and each from a socket of its own, all have an answer."""
    pending = []
    for _ in range(n):
        pending.append(cli.begin(unique(labels), timeout=7))
        time.sleep(pace)
    return all(finish().values for finish in pending)


@FORCE_TCP
def test_a_dead_endpoint_behind_a_service(forward, cli, upstreams, options):
    """Two endpoints behind a service's address; the process in one of them has ended, and it is still listed."""
    service = "10.96.0.53"
    ip(f"route replace {service} via {upstreams.host.ip4} dev {upstreams.host.veth}")
    dnat = ["iptables", "-w", "-t", "nat", "-A", "OUTPUT", "-d", service]
    run(*dnat, "-m", "statistic", "--mode", "random", "--probability", "0.5", "-j", "DNAT", "--to", "10.50.0.1")
    run(*dnat, "-j", "DNAT", "--to", "10.50.0.9")
    try:
        forward(service, *options)
        assert all_answered(cli, 200, 0.005, "example.org")
    finally:
        run("iptables", "-w", "-t", "nat", "-F", "OUTPUT")


def refuse(upstreams, action):
    for proto, how in ("udp", []), ("tcp", ["--reject-with", "tcp-reset"]):
        upstreams.host.run("iptables", "-w", action, "INPUT", "-p", proto, "--dport", 53, "-j", "REJECT", *how)


@FORCE_TCP
def test_an_upstream_away_for_a_moment(forward, cli, upstreams, options):
    """As when its process is started anew."""
    forward("10.50.0.1", *options)
    refuse(upstreams, "-I")
    back = threading.Timer(0.7, refuse, (upstreams, "-D"))
    back.start()
    try:
        assert all_answered(cli, 40, 0.02, "example.org")
    finally:
        back.join()


FORGE = """import socket, struct, sys, time
node, upstream = socket.inet_aton(sys.argv[1]), socket.inet_aton("10.50.0.1")
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
inner = bytes([0x45, 0, 0, 60, 0, 0, 64, 0, 64, 17, 0, 0]) + node + upstream
packets = []
for port in range(32768, 61000):
    body = inner + struct.pack("!HHHH", port, 53, 40, 0)
    total = sum(struct.unpack(f"!{len(body) // 2}H", body)) + 0x0303
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    packets.append(struct.pack("!BBHI", 3, 3, ~total & 0xffff, 0) + body)
end = time.time() + 4
while time.time() < end:
    for packet in packets:
        raw.sendto(packet, (sys.argv[1], 0))
"""


def test_forged_unreachables(one, nodens, cli, lab):
    """A pod tells the node that the upstream's port is unreachable, for each port that the query could have left from."""
    with cli.running(PYTHON, "-c", FORGE, POD_SIDE4, log=lab.dir / "forger"):
        time.sleep(0.5)
        assert all_answered(cli, 40, 0.02, "slow-1000.example.org")
    assert nodens.stat("agent.upstream_errors") >= 20, "refusals that were noted"
