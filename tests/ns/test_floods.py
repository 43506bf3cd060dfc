# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What one pod's flood of misses does to another pod's misses: names made to fall into one bucket, names that nobody ever
answers. The cluster's DNS is Knot; tests/fake-upstream never answers for dead.test."""
import time

import pytest

from agent import block, cluster_corefile, detach, directive
from cluster import FakeUpstream
from lab import DNS4, DNS6, GATEWAY4, PYTHON, TOOLS, note
from load import figures
from query import unique

WILD, SECONDS = "wild.example.org", 6


@pytest.fixture(scope="module")
def outside(cluster):
    return FakeUpstream(cluster.wan, GATEWAY4)


def start(nodens, p1):
    """nodens, its cache empty."""
    nodens.stop()
    detach()
    dead = block("dead.test:53", "cache 30", f"bind {DNS4} {DNS6}", directive(f"forward . {GATEWAY4}", "max_fails 0"))
    nodens.start("--hook", "tc", corefile=cluster_corefile() + dead, probe=p1)


def victim(lab, p2):
    """100 new names a second of a pod that does nothing else."""
    name = unique()[:8]
    return figures(p2.output(lab.tool("dnsclient"), "-s", DNS4, "-n", f"{name}-%u.{WILD}", "-u", "-m", "rate", "-r", 100,
                             "-d", SECONDS, "-T", 2000))


@pytest.fixture(scope="module")
def quiet(lab, cluster, nodens, outside, p1, p2):
    """The victim while nobody floods."""
    start(nodens, p1)
    return victim(lab, p2)


@pytest.mark.parametrize("rate, kind, name", [
    (1500, "collide", WILD), (3000, "collide", WILD), (2000, "one", "one.dead.test"), (2000, "new", "dead.test")],
    ids=["colliding-1500", "colliding-3000", "one-unanswered", "many-unanswered"])
def test_flood(quiet, lab, nodens, p1, p2, rate, kind, name):
    """The victim while p1 floods, after some seconds of it."""
    start(nodens, p1)
    log = lab.dir / "flood"
    flood = p1.spawn(PYTHON, TOOLS / "flood.py", DNS4, rate, SECONDS + 8, kind, name, log=log)
    time.sleep(6)  # as long as a query waits for an answer: from here on it does not get worse
    with nodens.counting() as gains:
        seen = victim(lab, p2)
    turned_away = nodens.stats().get("agent.client_full", 0)
    flood.wait(60)
    note(f"{kind} at {rate}/s ({log.read_text().strip()}): p50 {seen['p50']} us, quiet {quiet['p50']} us; lost"
         f" {seen['lost']}, refused {seen['refused']}; shed {gains['kernel.steer_shed']}; turned away of the flood"
         f" {turned_away}")
    assert (seen["lost"], seen["refused"]) == (0, 0)
    assert gains["kernel.steer_shed"] == 0, "queries that went to the cluster's DNS"
    assert seen["p50"] <= quiet["p50"] * 4 + 2000
