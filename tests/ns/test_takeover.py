# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A new configuration takes over while queries are answered: what of it is taken, what stays, and that no query is lost.
With steering, and upstreams that say which of them answered (tests/fake-upstream)."""
import re
import time

from agent import Metrics
from lab import note, wait_until
from query import SILENCE, unique
from reload import SERVE, corefile

METRICS = "prometheus 127.0.0.1:9253"


def test_other_addresses(steered, nodens):
    steered.configure(("one.test.", 1))
    steered.start(localip=())
    steered.write(corefile(("one.test.", 2)).replace(f"bind {SERVE}", "bind 10.96.0.13"))
    nodens.wait_said("other addresses .* need a restart", 8)
    time.sleep(4.5)  # longer than an interval and its jitter
    assert nodens.times_said("need a restart") == 1
    assert steered.value("a.one.test") == "192.0.2.1", "what is at work"


def test_order_of_addresses_means_nothing(steered):
    steered.write(corefile(("one.test.", 1)).replace(f"bind {SERVE}", f"bind {SERVE} 10.96.0.12"))
    steered.start()
    steered.write(corefile(("one.test.", 2)).replace(f"bind {SERVE}", f"bind 10.96.0.12 {SERVE}"))
    steered.wait_value("a.one.test", "192.0.2.2")


def test_cache_of_unchanged_blocks_stays(steered, upstreams):
    steered.configure(("same.test.", 1), ("said.test.", 1), ("new.test.", 1))
    steered.start()
    for name in "same", "said", "new":
        assert steered.value(f"a.{name}.test") == "192.0.2.1"
    # one block moves, one only says more, one has another upstream
    steered.configure(("new.test.", 2), ("said.test.", 1, "log"), ("same.test.", 1, "errors", METRICS))
    steered.wait_value("b.new.test", "192.0.2.2")
    for name, upstream in ("same", 1), ("said", 1), ("new", 2):
        assert steered.value(f"a.{name}.test") == f"192.0.2.{upstream}"
    assert upstreams[1].asked("a.same.test") == (1, 0)
    assert upstreams[1].asked("a.said.test") == (1, 0)


def test_late_answers_are_not_kept(steered, nodens, upstreams):
    """What an old configuration's upstream still says goes to who asked, and nowhere else."""
    steered.configure(("one.test.", 1), reload="")
    steered.start()
    late = steered.pod.begin("a.slow-1500.one.test")
    wait_until(2, lambda: upstreams[1].asked("a.slow-1500.one.test") != (0, 0), "not asked")
    steered.configure(("one.test.", 2), reload="")
    nodens.signal("HUP")
    nodens.wait_said("the new configuration is at work", 2)
    assert late().value == "192.0.2.1", "the answer that was on its way"
    assert steered.value("a.slow-1500.one.test") == "192.0.2.2", "the next one"


def test_counters_go_on(steered, nodens):
    def requests():
        return Metrics().total("coredns_dns_requests_total", "one.test")

    steered.configure(("one.test.", 1, METRICS), reload="")
    steered.start()
    for _ in range(2):
        steered.pod.ask("a.one.test")
    assert requests() == 2
    steered.configure(("two.test.", 1, METRICS), ("one.test.", 2), reload="")
    nodens.signal("HUP")
    nodens.wait_said("the new configuration is at work")
    steered.pod.ask("b.one.test")
    time.sleep(0.2)
    assert requests() == 3


def test_dead_upstreams_go(steered, nodens, upstreams):
    """What is no longer asked is no longer counted as dead."""
    steered.configure(("one.test.", 1), ("two.test.", 2), reload="")
    steered.start()
    upstreams[2].freeze()

    def down():
        try:
            steered.pod.ask(unique("two.test"), timeout=1)
        except SILENCE:
            pass
        return nodens.stat("agent.upstreams_down") == 1
    wait_until(20, down, "agent.upstreams_down")
    steered.configure(("one.test.", 1), reload="")
    nodens.signal("HUP")
    nodens.wait_stat("agent.upstreams_down", 0, 10)


def test_no_query_is_lost(steered, lab, nodens):
    """20 reloads, each with another upstream and one zone more or less, while misses and hits come in."""
    steered.configure(("one.test.", 1), reload="")
    steered.start()
    queries, log = lab.dir / "queries", lab.dir / "dnsperf"
    queries.write_text("".join(f"{f'n{i}' if i % 3 else 'same'}.one.test A\n" for i in range(3000)))
    perf = steered.pod.spawn("dnsperf", "-s", SERVE, "-d", queries, "-Q", 300, "-q", 100, "-n", 1, "-t", 6, log=log)
    for i in range(1, 21):
        more = [("two.test.", 1)] if i % 3 else []
        steered.configure(("one.test.", i % 2 + 1), *more, reload="")
        nodens.signal("HUP")
        time.sleep(0.4)
    perf.wait(60)
    assert nodens.times_said("the new configuration is at work") == 20
    said = log.read_text()
    assert re.search("Queries sent: +3000", said) and re.search("Queries completed: +3000", said), said
    assert re.search("Response codes: +NOERROR 3000 ", said), said
    assert (nodens.stat("agent.in_flight"), nodens.stat("agent.waiting")) == (0, 0)
    assert nodens.alive(), nodens.log_tail()
    note(f"3000 queries, {nodens.stat('kernel.hits')} answered in the kernel, {nodens.stat('agent.queries')} by the agent")
