# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Answers asked for anew before they end, because they are hot, and answers that are served after their end: what the
programs do with them. When and for how long: tests/scenario.
"""
import time

import pytest

from lab import DNS4, note, wait_until
from load import figures


# ---- helpers ---------------------------------------------------------------------------------------------


class Pod:
    """Asks as clients without EDNS do, and knows whether the kernel answered."""

    def __init__(self, nodens, pod, fake):
        self.nodens, self.pod, self.fake = nodens, pod, fake

    def ask(self, name, timeout=7, **options):
        return self.pod.ask(name, payload=None, timeout=timeout, **options)

    def address(self, name):
        return self.ask(name).value

    def is_stale(self, name, address, ttl=0, **options):
        answer = self.ask(name, **options)
        assert (answer.value, answer.ttl) == (address, ttl)
        return answer

    def stale_hit(self, name, address):
        """The kernel answers, TTL 0, with the address."""
        with self.nodens.counting() as gains:
            self.is_stale(name, address)
        assert gains["kernel.hits_stale"] == 1

    def wait_address(self, name, address, seconds=3):
        wait_until(seconds, lambda: self.ask(name).values == [address], f"{name}: no new one")

    def asked(self, name):
        return self.fake.asked(name)[0]


@pytest.fixture
def pod(nodens, p1, cache_fake):
    return Pod(nodens, p1, cache_fake)


# ---- refreshes of what is hot ----------------------------------------------------------------------------


def test_prefetch_hot_names_never_miss(cached, lab, nodens, p1, cache_fake, pod):
    cached("success 9984 30 5", "prefetch 2 1m 50%")
    for i, name in enumerate(("hot", "cold", "once", "other"), 1):
        cache_fake.say_a(f"{name}.test", 5, f"192.0.2.{i}")
        pod.ask(f"{name}.test")
    pod.ask("once.test")  # one hit: not two
    for _ in range(3):
        pod.ask("other.test", cd=True)
    with nodens.counting() as gains:  # 20 queries a second
        out = p1.output(lab.tool("dnsclient"), "-s", DNS4, "-n", "hot.test", "-m", "rate", "-r", 20, "-d", 10, "-T", 3000)
    note(out)
    seen = figures(out)
    assert (seen["lost"], seen["refused"]) == (0, 0)
    assert gains["kernel.misses"] == 0, "of a hot name"
    assert 3 <= pod.asked("hot.test") <= 6, "questions upstream in 10 s (TTL 5, asked again with half of it left)"
    assert pod.asked("cold.test") == 1, "a name without hits"
    assert pod.asked("once.test") == 1, "a name with one hit"
    # without CD at first, with CD at first, then at least one refresh
    assert pod.asked("other.test") >= 3, "a name that is hot with CD=1"
    assert "CD" in cache_fake.flags_of("other.test"), "flags of its refresh"


# ---- stale -----------------------------------------------------------------------------------------------


def test_stale_immediate(cached, nodens, cache_fake, pod):
    cached("success 9984 30 2", "denial 9984 30 2", "serve_stale 9s immediate")
    for name, address in (("one.test", "192.0.2.1"), ("left.test", "192.0.2.3")):
        cache_fake.say_a(name, 2, address)
    cache_fake.say_nxdomain("gone.test", 2)
    pod.ask("one.test")
    pod.ask("gone.test")
    pod.ask("left.test")
    time.sleep(2.3)
    # the upstream lives: the first gets what is stale, and then there is a new one
    cache_fake.say_a("one.test", 2, "192.0.2.11")
    cache_fake.say_a("gone.test", 2, "192.0.2.12")
    cache_fake.say_rcode("left.test", "NXDOMAIN")  # not to be kept, but the truth
    pod.stale_hit("one.test", "192.0.2.1")
    pod.stale_hit("left.test", "192.0.2.3")
    with nodens.counting() as gains:
        assert pod.ask("gone.test").status == "NXDOMAIN"
    assert gains["kernel.hits_stale"] == 1
    pod.wait_address("one.test", "192.0.2.11")
    pod.wait_address("gone.test", "192.0.2.12")
    wait_until(3, lambda: not pod.ask("left.test").values, "what went is still served")


def test_stale_verify(cached, nodens, cache_fake, pod):
    names = {"live.test": "192.0.2.1", "silent.test": "192.0.2.2", "refused.test2": "192.0.2.3", "gone.test": "192.0.2.4"}
    cached("success 9984 30 2", "serve_stale 60s verify")
    for name, address in names.items():
        cache_fake.say_a(name, 2, address)
        pod.ask(name)
    time.sleep(2.3)
    # it is asked first, and that is what the client gets
    cache_fake.say_a("live.test", 2, "192.0.2.11")
    with nodens.counting() as gains:
        assert pod.address("live.test") == "192.0.2.11"
    assert gains["kernel.hits_stale"] == 0
    cache_fake.say_rcode("gone.test", "NXDOMAIN")  # not to be kept, but the truth
    for _ in range(2):
        assert pod.ask("gone.test").status == "NXDOMAIN"
    # an answer that says nothing
    cache_fake.say_rcode("refused.test2", "REFUSED")
    pod.is_stale("refused.test2", "192.0.2.3")
    pod.stale_hit("refused.test2", "192.0.2.3")
    # silence
    cache_fake.freeze()
    pod.is_stale("silent.test", "192.0.2.2", timeout=4)  # an upstream has 5 s in all
    pod.stale_hit("silent.test", "192.0.2.2")
    # it comes back
    cache_fake.thaw()
    cache_fake.say_a("silent.test", 2, "192.0.2.22")
    pod.wait_address("silent.test", "192.0.2.22", 9)
