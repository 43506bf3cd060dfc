# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A and AAAA at one instant from one socket: conntrack's race with DNAT to two servers, and none with nodens."""
import os
import random

import pytest

from agent import cluster_corefile
from lab import DNS4, conntrack_clashes, conntrack_count, conntrack_flush, note
from load import figures

PAIRS = int(os.environ.get("PAIRS", 20000))


CACHED = "www.example.org"


def ask_both(p1):
    for rdtype in "A", "AAAA":
        p1.ask(CACHED, rdtype)


def send_pairs(lab, p1, *names):
    """(pairs with both answers, clashes): PAIRS in all, as many of each of the names."""
    if os.cpu_count() < 2:
        pytest.skip("the race needs two CPUs")
    conntrack_flush()
    complete, before = 0, conntrack_clashes()
    for name in names:
        seen = figures(p1.output(lab.tool("pairs"), DNS4, name, PAIRS // len(names), timeout=120))
        assert seen["wrong"] == 0
        complete += seen["complete"]
        # The names before have taken its place in the cache.
        ask_both(p1)
    return complete, conntrack_clashes() - before


def send_new_and_cached(lab, p1):
    """Half of them of names that nobody has cached, half of one that is."""
    return send_pairs(lab, p1, f"r{random.randrange(1 << 30)}-%u.wild.example.org", CACHED)


def test_plain_dnat(lab, cluster, p1):
    """That the pairs do clash without nodens is what makes the next test worth something."""
    complete, clashed = send_new_and_cached(lab, p1)
    assert clashed > 0
    entries = p1.conntrack_entries()
    assert entries >= PAIRS // 4
    note(f"DNAT: {clashed} clashes, {PAIRS - complete} of {PAIRS} pairs without both answers, {entries} conntrack entries")


@pytest.mark.parametrize("hook", ["tc", "xdp-generic"])
def test_nodens(lab, nodens, p1, hook):
    nodens.start("--hook", hook, corefile=cluster_corefile(), probe=p1)
    assert send_new_and_cached(lab, p1) == (PAIRS, 0), "pairs with both answers, clashes"
    assert p1.conntrack_entries() == 0
    assert nodens.stat("kernel.hits") >= PAIRS
    note(f"0 clashes, {PAIRS} of {PAIRS} pairs answered, 0 conntrack entries of the pod, {conntrack_count()} of the agent's"
         f" {nodens.stat('agent.upstream_exchanges')} exchanges")
    nodens.stop()


def test_agent_killed(lab, nodens, p1):
    """What was cached is answered on, and still meets no conntrack."""
    nodens.start("--hook", "tc", corefile=cluster_corefile(), probe=p1)
    ask_both(p1)
    nodens.kill()
    with nodens.counting() as gains:
        assert send_pairs(lab, p1, CACHED) == (PAIRS, 0), "pairs with both answers, clashes"
    assert gains["kernel.hits"] >= 2 * PAIRS
    note(f"agent killed: 0 clashes, {PAIRS} of {PAIRS} pairs of a cached name answered")
