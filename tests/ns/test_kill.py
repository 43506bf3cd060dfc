# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent dies, hangs and comes back under load from two pods: what is lost."""
import time

import pytest

from agent import cluster_corefile, detach
from cluster import D
from lab import conntrack_flush, leftovers, ms_since_boot, note, output, programs
from load import Load
from query import unique

HIT_RATE, MISS_RATE = 2000, 300  # of each pod


@pytest.fixture
def start(nodens, p1):
    """start(FLAG...): nodens, its cache empty."""
    def start(*flags):
        nodens.stop()
        detach()
        nodens.start(*flags, corefile=cluster_corefile(ttl=3600), probe=p1)
    return start


@pytest.fixture
def load(lab, p1, p2):
    """load(SECONDS): begins; end() has seen enough to say something."""
    def begin(seconds):
        load = Load(lab.tool("dnsclient"), [p1, p2], seconds, HIT_RATE, MISS_RATE)
        end = load.end

        def checked_end():
            end()
            assert load.hits["sent"] >= 4000 and load.misses["sent"] >= 600
            assert load.hits["lost"] == 0
        load.end = checked_end
        return load
    return begin


def lost(load):
    return (f"{load.hits['lost']} of {load.hits['sent']} hits and {load.misses['lost']} of {load.misses['sent']} misses"
            " lost")


@pytest.mark.parametrize("flags", [["--hook", "tc"], ["--hook", "xdp-generic"], ["--hook", "tc", "--pretend-kernel", "5.4"]],
                         ids=["tc", "xdp", "pre54"])
def test_kill_9(start, load, nodens, flags):
    start(*flags)
    running = load(4)
    hits, when = nodens.stat("kernel.hits"), ms_since_boot()
    nodens.kill()
    time.sleep(1.5)
    assert nodens.stat("kernel.hits") > hits, "after the agent's death"
    running.end()
    # What a dying process still held: its queries in flight until the kernel closed its sockets.
    assert running.lost_outside(when - 50, when + 100) == 0, [at - when for at in running.lost_at]
    assert running.misses["lost"] <= MISS_RATE * 2 // 20
    assert nodens.stat("kernel.steer_dead") > 500, "misses that went to the cluster's DNS"
    note(lost(running))


def test_restart_after_kill(start, load, nodens, p1):
    start("--hook", "tc")
    before = programs()
    p1.ask(f"n1.{D}")
    running = load(5)
    nodens.kill()
    time.sleep(0.5)
    nodens.start("--hook", "tc", probe=p1)
    with nodens.counting() as gains:
        time.sleep(1)
    assert gains["kernel.steered"] > 0, "misses steered to the new agent"
    running.end()
    assert programs() == before
    assert sum(line.startswith("nd0") for line in output("ip", "-br", "link").splitlines()) == 1
    assert running.misses["lost"] <= MISS_RATE * 2 // 10
    note(lost(running))


def test_sigterm_and_start_under_load(start, load, nodens, p1):
    start("--hook", "tc")
    running = load(4)
    nodens.stop()
    time.sleep(0.3)
    nodens.start("--hook", "tc", probe=p1)
    running.end()
    assert running.misses["lost"] <= MISS_RATE * 2 // 20
    note(lost(running))


def test_hung_agent(start, load, nodens, p1):
    start("--hook", "tc")
    running = load(5)
    when = ms_since_boot()
    nodens.signal("STOP")
    time.sleep(2)
    assert nodens.stat("kernel.steer_hung") > 0, "misses that went to the cluster's DNS"
    nodens.signal("CONT")
    running.end()
    # A silent agent is given a second, and its last beat may be a beat's interval old.
    assert running.lost_outside(when - 50, when + 1300) <= 3, "misses lost when it was known to hang, or later"
    note(f"{lost(running)}, {running.lost_outside(when - 50, when + 1000)} of them later than 1 s after it")
    assert p1.value(unique("wild.example.org")) == "192.0.2.99", "after SIGCONT"
    time.sleep(0.5)
    with nodens.counting() as gains:
        p1.ask(unique("wild.example.org"))
    assert gains["kernel.steered"] > 0, "misses steered after SIGCONT"


def is_hit(nodens, p1):
    """Whether the kernel has n2."""
    with nodens.counting() as gains:
        assert p1.value(f"n2.{D}") == "10.100.0.2"
    return gains["kernel.hits"] == 1


def test_lease(start, nodens, p1):
    start("--hook", "tc", "--lease", "3")
    p1.ask(f"n2.{D}")
    nodens.kill()
    time.sleep(1)
    assert is_hit(nodens, p1), "before the lease's end"
    time.sleep(3)
    conntrack_flush()
    assert not is_hit(nodens, p1), "after the lease's end"
    assert nodens.stat("kernel.pass_disarmed") > 0
    assert p1.conntrack_entries() > 0, "the cluster's DNS answered"
    nodens.start("--hook", "tc", probe=p1)
    p1.ask(f"n2.{D}")
    assert is_hit(nodens, p1), "with a new agent"
    nodens.stop()
    assert leftovers() == []


def test_sigterm_does_not_wait_for_ever(forward, nodens, cli):
    """Here and not with the other tests in listen mode, because it measures time."""
    forward("10.50.0.1")
    cli.send_away("never.dead.example.org")
    nodens.wait_stat("agent.in_flight", 1)
    begin = time.monotonic()
    nodens.stop()
    assert time.monotonic() - begin <= 1.5
    assert leftovers() == []
