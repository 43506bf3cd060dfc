# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What nodens counts by device is what each pod sent, as dnsperf counted it, to the last packet: while pods come and go, over
restarts, and together what the programs counted at all (series.py, which looks after every test of this folder)."""
import json
import re
import socket
import time

import jsonschema
import pytest

from agent import NODENS, cluster_corefile, detach
from cluster import D
from lab import DNS4, DNS6, ip, output, running, wait_until
from load import dnsperf
from query import unique
from series import BY_DEVICE, COUNTERS
from test_status import schema, screen, status
from way import VARIANTS

KINDS = "hits", "nxdomain", "misses", "tcp", "unsteered", "passed"
FOUND = [(f"bench-{i:04d}.{D}", "A") for i in range(50)]
GONE = [(f"gone{i}.example.org", "A") for i in range(25)]


def by_name(page):
    return {device["name"]: device["counts"] for device in page["devices"]}


def counts():
    """Of each device: {NAME: {"hits": N, ...}}"""
    return by_name(status()[0])


def less(after, before):
    return {kind: after[kind] - before[kind] for kind in KINDS}


def gained(pod, before):
    """By what the pod's device gained since; a device that is new since then from 0."""
    return less(counts()[pod.veth], before.get(pod.veth) or dict.fromkeys(KINDS, 0))


def some(**kinds):
    return dict.fromkeys(KINDS, 0) | kinds


def ask(lab, pod, queries, server=None):
    """All of them are answered; so many of these are NXDOMAIN."""
    sent = dnsperf(lab, pod, queries, "-q", 20, "-Q", 5000, server=server)
    assert sent["Queries completed"] == len(queries)
    return sent.get("NXDOMAIN", 0)


def new_names(n):
    return [(unique("wild.example.org"), "A") for _ in range(n)]


@pytest.fixture(scope="module")
def p3(lab):
    return lab.pod("p3")


@pytest.fixture
def at_work(nodens, lab, cluster, p1, p3):
    """at_work(FLAG...): the agent, with FOUND and GONE in its cache for longer than a test takes."""
    def start(*flags):
        nodens.start(*flags, corefile=cluster_corefile(), probe=p1)
        wait_until(5, lambda: counts_of_kernel(nodens, lab, p3) == 75, "not all is cached")
    return start


def counts_of_kernel(nodens, lab, pod):
    """Hits of one round over all that is to be cached."""
    with nodens.counting() as gains:
        ask(lab, pod, FOUND + GONE)
    return gains["kernel.hits"]


def load(lab, p1, p2):
    """Hits, a third of them NXDOMAIN, of p1; of p2 hits, misses, a query over TCP, and what is no query."""
    missing = ask(lab, p1, (FOUND + GONE) * 20) + ask(lab, p1, (FOUND + GONE) * 8, server=DNS6)
    assert missing == 28 * 25
    ask(lab, p2, FOUND * 7)
    ask(lab, p2, new_names(90))
    assert p2.value(f"n1.{D}", tcp=True) == "10.100.0.1"
    with p2.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        for _ in range(3):  # QR=1
            sock.sendto(b"\0\1\x81\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\1\0\1", (DNS4, 53))
        sock.sendto(b"another port", (DNS4, 5353))


@pytest.mark.parametrize("by", VARIANTS)
def test_each_pod_has_its_own(at_work, nodens, lab, p1, p2, p3, by):
    """Hits, NXDOMAIN, misses and packets of TCP of three pods with loads of their own, IPv6 among them; and their sums."""
    at_work(*VARIANTS[by])
    page = status()[0]
    before = by_name(page)
    with nodens.counting() as outcomes:
        load(lab, p1, p2)
    after = status()[0]
    gains = {name: less(has, before[name]) for name, has in by_name(after).items()}
    sums = less(after["other_devices"], page["other_devices"])
    for gain in gains.values():
        sums = {kind: sums[kind] + gain[kind] for kind in KINDS}
    for word, names in BY_DEVICE.items():
        assert sums[KINDS[word]] == sum(outcomes[f"kernel.{COUNTERS[name]}"] for name in names), KINDS[word]
    first, second = gains[p1.veth], gains[p2.veth]
    if by == "xdp":
        # a query in 65,536 has a checksum from which the programs cannot tell what the reply's must be: the agent answers
        strays = first["misses"] + second["misses"] - 90
        assert 0 <= strays <= 3
        first |= {"hits": first["hits"] + first["misses"], "misses": 0}
        second |= {"hits": second["hits"] + second["misses"] - 90, "misses": 90}
    assert first == some(hits=28 * 75, nxdomain=28 * 25)
    assert second | {"tcp": 0} == some(hits=350, misses=90, passed=3)
    assert 5 <= second["tcp"] <= 12, "a handshake, a query, an end"
    assert gains[p3.veth] == some()


def test_pods_come_and_go(at_work, lab, p1):
    """A pod is counted from its first query on, also one whose device has the index of one that went."""
    at_work("--hook", "tc")
    before = counts()
    late = lab.pod("late")
    wait_until(5, lambda: late.veth in counts(), "its device is not attached to")
    ask(lab, late, FOUND * 3)
    ask(lab, p1, FOUND)
    assert counts()[late.veth] == some(hits=150)
    index = output("cat", f"/sys/class/net/{late.veth}/ifindex")
    late.delete()
    wait_until(5, lambda: late.veth not in counts(), "its device is still there")
    ip(f"""netns add later
        link add vethlater index {index} type veth peer name eth0 netns later
        link set vethlater up""")
    wait_until(5, lambda: "vethlater" in counts(), "its device is not attached to")
    device = next(x for x in status()[0]["devices"] if x["name"] == "vethlater")
    assert (device["ifindex"], device["counts"]) == (int(index), some())
    assert gained(p1, before) == some(hits=50), "the others go on"
    ip("""link del vethlater
        netns del later""")


@pytest.mark.parametrize("end", ("stop", "kill"))
def test_a_new_agent_goes_on(at_work, nodens, lab, p1, p2, end):
    """With the counts of the one before, and what came while there was none; pods that went meanwhile are forgotten."""
    at_work("--hook", "tc", "-persist")
    gone = lab.pod(f"gone-{end}")
    wait_until(5, lambda: gone.veth in counts(), "its device is not attached to")
    before = counts()
    ask(lab, p1, FOUND)
    getattr(nodens, end)()
    ask(lab, p1, FOUND * 2)
    assert p1.value(new_names(1)[0][0]) == "192.0.2.99"
    gone.delete()
    if end == "kill":
        assert gained(p1, before) == some(hits=150, misses=1, unsteered=1), "status knows without an agent"
    nodens.start("--hook", "tc", "-persist", corefile=cluster_corefile(), probe=p2)
    ask(lab, p1, FOUND)
    assert gained(p1, before) == some(hits=200, misses=1, unsteered=1)
    assert gone.veth not in counts()


def test_views(at_work, nodens, lab, p1, p2):
    """Who is the busiest: nodens top, once as JSON and once as a table, and nodens status."""
    at_work("--hook", "tc")
    for flags in ("--json",), ():
        log = lab.dir / "top"
        with running(NODENS, "top", "-s", "devices", "-d", "6", "--once", *flags, log=log) as top:
            time.sleep(1)
            ask(lab, p1, (FOUND + GONE) * 20)
            ask(lab, p2, FOUND * 6)
            assert top.wait(20) == 0
        if flags:
            page = json.loads(log.read_text())
            jsonschema.validate(page, schema("top"), cls=jsonschema.Draft7Validator)
            shown = [(device["name"], *(round(device[kind] * 6) for kind in ("qps", "kernel", "nxdomain", "passed")))
                     for device in page["devices"][:2]]
            assert [name for name, *_ in shown] == [p1.veth, p2.veth]
            # of 6 s and what the reading took
            assert all(got <= sent <= got * 1.1 for (_, *gots), sents in zip(shown, ((1500, 1500, 500, 0), (300, 300, 0, 0)))
                       for got, sent in zip(gots, sents)), shown
        else:
            lines = log.read_text().splitlines()
            heading = next(i for i, line in enumerate(lines) if line.split()[:1] == ["Q/S"])
            first, second = (line.split() for line in lines[heading + 1:heading + 3])
            assert (first[-1], first[1:4]) == (p1.veth, ["33", "100", "0.0"])
            assert (second[-1], second[1:4]) == (p2.veth, ["0", "100", "0.0"])
    assert re.search(rf"^busiest   {p1.veth} \d+/s [(]NXDOMAIN 33 %[)]   {p2.veth} \d+/s$", screen(120), re.M), screen(120)
    rates = {device["name"]: device["rates"] for device in status()[0]["devices"]}
    assert rates[p1.veth]["queries_per_s"] > rates[p2.veth]["queries_per_s"] > 0 == rates[p2.veth]["nxdomain_per_s"]


def test_off(at_work, nodens, lab, p1):
    """-device-counts=false: nothing is counted, and what was counted before is not shown."""
    at_work("--hook", "tc", "-persist")
    ask(lab, p1, FOUND)
    nodens.start("--hook", "tc", "-device-counts=false", "-persist", corefile=cluster_corefile(), probe=p1)
    ask(lab, p1, FOUND)
    page = status()[0]
    assert set(map(str, by_name(page).values())) == {"None"} and page["other_devices"] is None
    nodens.stop()
    detach()  # an agent that counted on over these maps would have counted less than the programs did
