# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Answers asked for anew before they end, because they are hot, and answers that are served after their end."""
import json
import time

import pytest

from agent import NODENS
from lab import DNS4, note, output, wait_until
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
        out = p1.output(lab.tool("dnsclient"), "-s", DNS4, "-n", "hot.test", "-m", "rate", "-r", 20, "-d", 20, "-T", 3000)
    note(out)
    seen = figures(out)
    assert (seen["lost"], seen["refused"]) == (0, 0)
    assert gains["kernel.misses"] == 0, "of a hot name"
    assert 5 <= pod.asked("hot.test") <= 12, "questions upstream in 20 s (TTL 5, asked again with half of it left)"
    assert pod.asked("cold.test") == 1, "a name without hits"
    assert pod.asked("once.test") == 1, "a name with one hit"
    # without CD at first, with CD at first, then at least one refresh
    assert pod.asked("other.test") >= 3, "a name that is hot with CD=1"
    assert "CD" in cache_fake.flags_of("other.test"), "flags of its refresh"


def test_prefetch_one_at_a_time_and_flags_kept(cached, p1, cache_fake, pod):
    """Each refresh takes 300 ms, and the window is most of the time."""
    name = "plain.slow-300.test"
    cached("success 9984 30 5", "prefetch 1 1m 90%")
    cache_fake.say_a(name, 5, "192.0.2.1")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        answer = p1.ask(name, dnssec=True, ad=False, timeout=5)
        assert answer.status == "NOERROR" and "do" in answer.flags
        time.sleep(0.02)
    assert 3 <= pod.asked(name) <= 12, "one at a time and none in the first half second"
    assert cache_fake.flags_of(name).startswith('"DO'), "flags of the refresh"
    entries = json.loads(output(NODENS, "dump", "--json"))
    assert json.dumps(entries).count(f'"name": "{name}."') == 1, "DO alone"


def test_prefetch_that_fails(cached, nodens, cache_fake, pod):
    """What a refresh brings is no answer: the old one stays its time, and upstreams are left alone meanwhile."""
    kept, names = ("servfail", "refused", "truncated", "mismatch"), ("servfail", "refused", "truncated", "mismatch", "denied")
    cached("success 9984 30 8", "denial 9984 30 8", "prefetch 1 1m 90%", "servfail 1s")
    with nodens.counting() as gains:
        for name in kept:
            cache_fake.say_a(f"{name}.test", 8, "192.0.2.1")
        cache_fake.say_nxdomain("denied.test", 8)
        for name in names:
            pod.ask(f"{name}.test")
        cache_fake.say_rcode("servfail.test", "SERVFAIL")
        cache_fake.say_rcode("denied.test", "SERVFAIL")
        cache_fake.say_rcode("refused.test", "REFUSED")
        cache_fake.say("truncated.test", "A", "flags QR TC RD RA\nrcode NOERROR\n")
        cache_fake.say("mismatch.test", "A", "flags QR RD RA\nrcode NOERROR\n;QUESTION\nwrong.test. IN A\n;ANSWER\n"
                                             "wrong.test. 9 IN A 192.0.2.6\n")
        for name in names:
            pod.ask(f"{name}.test")
        for name in names:
            wait_until(4, lambda: pod.asked(f"{name}.test") > 1, f"{name}: no refresh")
        time.sleep(2)
        for name in kept:
            with nodens.counting() as hits:
                assert pod.address(f"{name}.test") == "192.0.2.1", "what there was"
            assert hits["kernel.hits"] == 1
        assert pod.ask("denied.test").status == "NXDOMAIN", "what there was"
        assert [pod.asked(f"{name}.test") for name in kept[:3]] == [2, 2, 2], "not asked again at once"
    assert gains["agent.refreshes"] == 5, "one each"


# ---- stale -----------------------------------------------------------------------------------------------


def test_stale_immediate(cached, nodens, cache_fake, pod):
    cached("success 9984 30 2", "denial 9984 30 2", "serve_stale 9s immediate")
    for name, address in (("one.test", "192.0.2.1"), ("two.test", "192.0.2.2"), ("left.test", "192.0.2.3")):
        cache_fake.say_a(name, 2, address)
    cache_fake.say_nxdomain("gone.test", 2)
    pod.ask("one.test")
    pod.ask("two.test")
    begin = time.monotonic()
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
    # it is dead: stale for as long as it says, also after a refresh has failed, not longer
    cache_fake.stop()
    try:
        while time.monotonic() - begin < 9.5:
            pod.stale_hit("two.test", "192.0.2.2")
            time.sleep(0.05)
        wait_until(4, lambda: pod.ask("two.test", timeout=2).values != ["192.0.2.2"], "still served")
        assert time.monotonic() - begin >= 10.5, "TTL and serve_stale"
        with nodens.counting() as gains:
            assert pod.ask("two.test").status == "SERVFAIL"
        assert gains["kernel.hits_stale"] == 0
    finally:
        cache_fake.start()


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
    time.sleep(8)  # the window is longer than this, and what is used is asked about again
    pod.stale_hit("silent.test", "192.0.2.2")
    # it comes back
    cache_fake.thaw()
    cache_fake.say_a("silent.test", 2, "192.0.2.22")
    pod.wait_address("silent.test", "192.0.2.22", 9)


def test_stale_verify_timeout(cached, cache_fake, pod):
    """TIMEOUT, TTL and RECHECK of CoreDNS 1.14.7."""
    cached("success 9984 30 2", "serve_stale 60s verify 600ms 7s 9s")
    for name, address in (("silent.test", "192.0.2.1"), ("refused.test", "192.0.2.2")):
        cache_fake.say_a(name, 2, address)
        pod.ask(name)
    time.sleep(2.3)
    cache_fake.say_rcode("refused.test", "REFUSED")
    pod.is_stale("refused.test", "192.0.2.2", ttl=7)
    before = pod.asked("refused.test")
    for _ in range(4):
        pod.is_stale("refused.test", "192.0.2.2", ttl=7)
        time.sleep(0.5)
    assert pod.asked("refused.test") == before, "questions within RECHECK"
    cache_fake.freeze()
    answer = pod.is_stale("silent.test", "192.0.2.1", ttl=7)
    assert 550 <= answer.ms <= 1500, "a silent upstream"
    answer = pod.is_stale("silent.test", "192.0.2.1", ttl=7)
    assert answer.ms <= 400, "while it is being asked"
    cache_fake.thaw()
    time.sleep(7)
    cache_fake.say_a("refused.test", 2, "192.0.2.22")
    assert pod.address("refused.test") == "192.0.2.22", "after RECHECK"


def test_stale_immediate_ttl_and_recheck(cached, cache_fake, pod):
    cached("success 9984 30 2", "serve_stale 60s immediate 5s 9s")
    cache_fake.say_a("some.test", 2, "192.0.2.1")
    pod.ask("some.test")
    time.sleep(2.3)
    cache_fake.say_rcode("some.test", "REFUSED")
    before = pod.asked("some.test")
    pod.is_stale("some.test", "192.0.2.1", ttl=5)
    wait_until(3, lambda: pod.asked("some.test") > before, "nobody asked for a new one")
    before = pod.asked("some.test")
    for _ in range(7):
        pod.is_stale("some.test", "192.0.2.1", ttl=5)
        time.sleep(1)
    assert pod.asked("some.test") == before, "questions within RECHECK"
    cache_fake.say_a("some.test", 2, "192.0.2.11")
    pod.wait_address("some.test", "192.0.2.11", 9)


def test_stale_prefer_positive(cached, cache_fake, pod):
    """What had addresses is not given up for what denies it, while it is kept."""
    cached("success 9984 30 2", "denial 9984 30 2", "serve_stale 8s verify", "serve_stale_policy prefer_positive")
    for name, address in (("gone.test", "192.0.2.1"), ("back.test", "192.0.2.2")):
        cache_fake.say_a(name, 2, address)
        pod.ask(name)
    time.sleep(2.3)
    for name, address in (("gone.test", "192.0.2.1"), ("back.test", "192.0.2.2")):
        cache_fake.say_nxdomain(name, 2)
    for name, address in (("gone.test", "192.0.2.1"), ("back.test", "192.0.2.2")):
        assert pod.is_stale(name, address).status == "NOERROR", "denied"
    cache_fake.say_a("back.test", 30, "192.0.2.22")
    pod.wait_address("back.test", "192.0.2.22", 7)
    wait_until(9, lambda: not pod.ask("gone.test").values, "it is kept for ever")
    assert pod.ask("gone.test").status == "NXDOMAIN", "when its time is over"
    cache_fake.say_nxdomain("never.test", 2)
    assert pod.ask("never.test").status == "NXDOMAIN", "what had none"
