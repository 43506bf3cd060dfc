# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What `nodens flush` takes out beside an agent at work stays out: nothing that the agent remembers, renews or keeps for bad
times brings it back, and the next client has what upstreams say now."""
import time

from agent import command
from lab import DNS4, wait_until


def ask(pod, name):
    return pod.ask(name, timeout=7)


def flushed(*words):
    """How many went."""
    text, status = command("flush", *words)
    assert text.startswith("flushed ")
    assert status == (text == "flushed 0\n")
    return int(text.split()[1])


# ---- what goes -------------------------------------------------------------------------------------------


def test_tree(cached, cache_fake, p1):
    cached("success 9984 30 5")
    names = ("shop.test", "cart.shop.test", "a.b.shop.test", "workshop.test", "test2")
    for i, name in enumerate(names):
        cache_fake.say_a(name, 30, f"192.0.2.{i + 1}")
        ask(p1, name)
        cache_fake.say_a(name, 30, f"192.0.2.{i + 101}")
    assert flushed("--tree", "Shop.Test") == 3
    assert [ask(p1, name).value for name in names] == [f"192.0.2.{i}" for i in (101, 102, 103, 4, 5)]
    assert flushed("*.shop.test") == 2, "below it"
    assert flushed("--tree", "nobody.test") == 0


def test_nx(cached, cache_fake, nodens, p1):
    cached("success 9984 30 5", "denial 9984 30 5")
    cache_fake.say_a("is.test", 30, "192.0.2.1")
    cache_fake.say_nxdomain("not.test", 30)
    for name in "is.test", "not.test":
        ask(p1, name)
    assert flushed("--nx", "is.test") == 0
    assert command("flush", "--nx") == ("flushed 1\n", 0)
    assert command("flush", "--nx") == ("flushed 0\n", 0), "of all there are, which is none"
    cache_fake.say_a("not.test", 30, "192.0.2.2")
    assert ask(p1, "not.test").value == "192.0.2.2", "a name that is there by now"
    with nodens.counting() as gains:
        ask(p1, "is.test")
    assert gains["kernel.hits"] == 1


# ---- beside an agent at work -----------------------------------------------------------------------------


def test_hot_name(cached, cache_fake, lab, p1, p2):
    """While it is asked for all the time, and shortly before it would be renewed."""
    cached("success 9984 30 5", "prefetch 2 1m 90%", "serve_stale 60s immediate")
    cache_fake.say_a("hot.test", 20, "192.0.2.1")
    ask(p1, "hot.test")
    load = p2.spawn(lab.tool("dnsclient"), "-s", DNS4, "-n", "hot.test", "-m", "rate", "-r", 300, "-d", 6, "-T", 3000,
                    log=lab.dir / "load.log")
    try:
        time.sleep(1)
        cache_fake.say_a("hot.test", 20, "192.0.2.2")
        time.sleep(0.2)  # what is being asked has its answer
        assert flushed("hot.test") == 1
        for _ in range(30):
            assert ask(p1, "hot.test").value == "192.0.2.2"
            time.sleep(0.1)
    finally:
        load.kill()
        load.wait()


def test_not_renewed(cached, cache_fake, p1):
    """A name that is hot, and that nobody wants any more."""
    cached("success 9984 30 5", "prefetch 1 1m 90%", "serve_stale 60s immediate")
    for name in "gone.test", "stays.test":
        cache_fake.say_a(name, 5, "192.0.2.1")
        for _ in range(3):
            ask(p1, name)
    assert flushed("gone.test") == 1
    before = cache_fake.asked("gone.test")
    wait_until(10, lambda: cache_fake.asked("stays.test")[0] > 1, "the other one is renewed")
    time.sleep(1)
    assert cache_fake.asked("gone.test") == before
    assert flushed("gone.test") == 0


def test_not_served_stale(cached, cache_fake, p1):
    """Expired, kept for upstreams that fail, and flushed."""
    cached("success 9984 30 1", "serve_stale 60s verify")
    for name in "gone.test", "kept.test":
        cache_fake.say_a(name, 1, "192.0.2.1")
        ask(p1, name)
    time.sleep(1.5)
    for name in "gone.test", "kept.test":
        cache_fake.say_rcode(name, "REFUSED")
    assert flushed("gone.test") == 1
    assert ask(p1, "kept.test").value == "192.0.2.1", "stale"
    assert ask(p1, "gone.test").values == []
