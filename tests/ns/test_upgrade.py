# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A rolling upgrade with --persist, under load: the cache stays warm, and no query is lost. Whether a name was asked for
again, its upstream says (tests/fake-upstream counts by name)."""
import time

import pytest

from agent import block, cluster_corefile, detach
from cluster import FakeUpstream
from device import PINS
from lab import DNS4, DNS6, GATEWAY4, leftovers, note, programs, wait_until
from load import Load
from query import unique

HIT_RATE, MISS_RATE = 1000, 200  # of each pod
UPGRADES, WARM = 3, 20
OLD = ["--pretend-kernel", "5.4"]


@pytest.fixture(scope="module")
def outside(cluster):
    return FakeUpstream(cluster.wan, GATEWAY4, "--id", 7)


class Warm:
    """Names that no other test asked for, and how often their upstream is asked for them."""

    def __init__(self, nodens, outside):
        self.nodens, self.outside = nodens, outside
        self.names = [unique("warm.test") for _ in range(WARM)]

    def up(self, pod, **options):
        for name in self.names:
            assert pod.value(name, **options) == "192.0.2.7"

    def asked(self):
        return sum(sum(self.outside.asked(name)) for name in self.names)

    def is_still(self, pod):
        """Asked again, they leave from the kernel, or from the agent over TCP; the upstream has no part in it."""
        with self.nodens.counting() as gains:
            self.up(pod)
        assert gains["kernel.hits"] == WARM
        self.up(pod, tcp=True)
        assert self.asked() == WARM


@pytest.fixture
def warm(nodens, outside):
    return Warm(nodens, outside)


@pytest.fixture
def start(nodens, outside, p1):
    """start(FLAG...): nodens, its cache empty."""
    def start(*flags):
        nodens.stop()
        detach()
        zone = block("warm.test", "cache 3600", f"bind {DNS4} {DNS6}", f"forward . {GATEWAY4}")
        nodens.start("--hook", "tc", *flags, corefile=cluster_corefile(ttl=3600) + zone, probe=p1)
    return start


def upgrade(nodens, p1, *flags):
    """The old agent is told to end, and when it has, the new one is started, as kubelet does."""
    nodens.stop()
    time.sleep(0.3)
    nodens.start("--hook", "tc", *flags, probe=p1)


def end_without_loss(load):
    load.end()
    assert (load.hits["lost"], load.misses["lost"]) == (0, 0)


@pytest.mark.parametrize("flags", [[], OLD], ids=["this-kernel", "pre54"])
def test_rolling_upgrade(start, warm, lab, nodens, p1, p2, flags):
    start("--persist", *flags)
    warm.up(p1)
    assert warm.asked() == WARM
    load = Load(lab.tool("dnsclient"), [p1, p2], UPGRADES * 2 + 2, HIT_RATE, MISS_RATE, warm_up=0.5)
    for _ in range(UPGRADES):
        with nodens.counting() as gains:
            upgrade(nodens, p1, "--persist", *flags)
        assert gains["kernel.steer_off"] + gains["kernel.steer_dead"] > 0, "misses that went to the cluster's DNS meanwhile"
    end_without_loss(load)
    warm.is_still(p2)
    note(f"{UPGRADES} upgrades: none of {load.sent} queries lost, none of {WARM} names asked for again")
    nodens.stop()
    assert programs() != []
    detach()
    assert leftovers() == []


def test_surge(start, warm, lab, nodens, p1, p2):
    """With a surge both run for a moment: the new one waits for the old one to end."""
    start("--persist")
    warm.up(p1)
    load = Load(lab.tool("dnsclient"), [p1, p2], 4, HIT_RATE, MISS_RATE, warm_up=0.5)
    old, nodens.process = nodens.process, None
    nodens.spawn("run", "-conf", nodens.corefile, "-localip", f"{DNS4},{DNS6}", "--hook", "tc", "--persist")
    time.sleep(0.5)
    assert nodens.alive(), f"the new one did not wait: {nodens.log_tail()}"
    old.terminate()
    nodens.wait(lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"))
    old.wait(5)
    end_without_loss(load)
    warm.is_still(p2)
    note(f"none of {load.sent} queries lost")


def test_without_persist_the_cache_is_cold(start, warm, nodens, p1):
    """What this all is about: without --persist the names are asked for anew."""
    start()
    warm.up(p1)
    upgrade(nodens, p1)
    warm.up(p1)
    assert warm.asked() == 2 * WARM


@pytest.mark.parametrize("flags", [[], OLD], ids=["here", "pre54"])
def test_maps_of_an_older_layout_go(start, nodens, p1, flags):
    """With their memory, once no device has programs over them; the new agent begins with an empty cache."""
    start("--persist", *flags)
    nodens.stop()
    assert programs()
    own, older = next(PINS.glob("layout-*")), PINS / "layout-1"
    own.rename(older)
    nodens.start("--hook", "tc", *flags, corefile=cluster_corefile(), probe=p1)
    wait_until(5, lambda: not list(older.glob("[!c]*")), lambda: f"left: {sorted(older.rglob('*'))}")
    assert own.exists() and nodens.stat("agent.devices") > 0
    nodens.stop()
    assert leftovers() == []
