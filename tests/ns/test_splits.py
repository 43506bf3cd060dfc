# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What metrics say of answers from the kernel, by zone, type, family, rcode and size, is what dnsperf sent: at any rate, with
entries that are evicted, over reloads and restarts, and with more zones than the programs can count for."""
import contextlib
import ctypes
import json
import os
import random
import re
import socket
import struct

import pytest

from agent import Metrics, block, fresh_page
from device import pinned
from lab import POD_SIDE4, POD_SIDE6, note, output
from load import dnsperf

ZONES = "example.org.", "two.test."
TYPES = "A", "AAAA", "TXT"


def zipf_load(n, seed):
    """So many queries for 120 names of two zones, a third of which do not exist: [(name, type)]"""
    rng = random.Random(seed)
    names = [f"{'nx.' if i % 3 == 2 else ''}z{i}.{ZONES[i % 2]}" for i in range(120)]
    asked = rng.choices(names, [(i + 1) ** -1.2 for i in range(len(names))], k=n)
    return [(name, rng.choices(TYPES, (6, 3, 1))[0]) for name in asked]


def counted(page):
    """What the page says of each split: {(metric, label): n}"""
    split = {("all", kind): page.total(f"coredns_dns_{kind}_total") for kind in ("requests", "responses")}
    split |= {("zone", zone): page.total("coredns_dns_requests_total", f'zone="{zone}"') for zone in ZONES}
    split |= {("type", t): page.total("coredns_dns_requests_total", f'type="{t}"') for t in TYPES}
    split |= {("family", f): page.total("coredns_dns_requests_total", f'family="{f}"') for f in (1, 2)}
    split |= {("rcode", r): page.total("coredns_dns_responses_total", f'rcode="{r}"') for r in ("NOERROR", "NXDOMAIN")}
    split |= {("count", m): page.total(f"coredns_dns_{m}_count") for m in
              ("request_duration_seconds", "request_size_bytes", "response_size_bytes")}
    return split | {("sum", "octets"): page.total("coredns_dns_request_size_bytes_sum"),
                    ("cache", "all"): page.total("coredns_cache_hits_total") + page.total("coredns_cache_misses_total")}


def wanted(loads):
    """The same of what was sent, by family: {1: [(name, type)], 2: ...}"""
    sent = [query for load in loads.values() for query in load]
    split = {("all", kind): len(sent) for kind in ("requests", "responses")}
    split |= {("zone", zone): sum(name.endswith(zone) for name, _ in sent) for zone in ZONES}
    split |= {("type", t): sum(rdtype == t for _, rdtype in sent) for t in TYPES}
    split |= {("family", f): len(load) for f, load in loads.items()}
    missing = sum(name.startswith("nx.") for name, _ in sent)
    split |= {("rcode", "NOERROR"): len(sent) - missing, ("rcode", "NXDOMAIN"): missing}
    split |= {("count", m): len(sent) for m in
              ("request_duration_seconds", "request_size_bytes", "response_size_bytes")}
    return split | {("sum", "octets"): sum(12 + len(name) + 1 + 4 for name, _ in sent), ("cache", "all"): len(sent)}


OUTCOME = re.compile(r"kernel[.](hits|hits_truncated|misses|agent_.*|tcp|pass_.*|drop_broken)$")
SERVED = f"bind {POD_SIDE4} {POD_SIDE6}"


def corefile(zones, cache="cache 3600"):
    return block(" ".join(zone.rstrip(".") + ":53" for zone in zones), SERVED, "prometheus :9253", cache, "forward . 10.50.0.1")


def ask(lab, cli, load, rate):
    """All of {family: load}, and every query is answered."""
    for family, queries in load.items():
        sent = dnsperf(lab, cli, queries, "-q", 100, "-Q", rate, server=POD_SIDE6 if family == 2 else POD_SIDE4)
        assert (sent["Queries sent"], sent["Queries completed"]) == (len(queries), len(queries))


def gained(before, after):
    return {key: after[key] - n for key, n in before.items()}


@pytest.mark.parametrize("hook", ("tc", "xdp-generic"))
@pytest.mark.parametrize("rate", (500, 5000, 50000))
def test_splits_are_exact(serve, lab, nodens, cli, rate, hook):
    """Every split of the page is what was sent, to the last query, at each rate; and every packet has one outcome."""
    serve(corefile(ZONES), "--hook", hook)
    before, loads = counted(Metrics()), {1: zipf_load(rate, 1), 2: zipf_load(rate, 2)}
    with nodens.counting() as gains:
        ask(lab, cli, loads, rate)
    page = fresh_page()
    assert gained(before, counted(page)) == wanted(loads)
    kernel = gains["kernel.hits"] + gains["kernel.hits_truncated"]
    assert kernel + gains["agent.queries"] == 2 * rate, "the programs' outcomes and the agent's queries add up"
    assert kernel >= (rate - 360 - 100) * 2, "360 questions are new, and up to 100 queries wait for them"
    assert gains["kernel.hits"] + gains["kernel.misses"] == 2 * rate
    assert page.total("coredns_dns_request_duration_seconds_sum") > 0
    note(f"{kernel} of {2 * rate} answered in the kernel")


@contextlib.contextmanager
def kernel_counts_runs():
    """The kernel counts how often each program runs (BPF_ENABLE_STATS, Linux 5.8), as long as a descriptor is open."""
    enable_stats, syscall_bpf = 32, 321
    fd = ctypes.CDLL(None).syscall(syscall_bpf, enable_stats, ctypes.c_char_p(struct.pack("=I124x", 0)), 128)
    if fd < 0:
        pytest.skip("the kernel does not count runs of programs")
    yield
    os.close(fd)


def runs(program):
    """Of this agent's alone: bpftool shows those of all network namespaces."""
    shown = json.loads(output("bpftool", "-j", "prog", "show", "name", program))
    own = json.loads(output("bpftool", "-j", "map", "show", "pinned", pinned("nodens_percpu")[0]))["id"]
    return sum(prog.get("run_cnt", 0) for prog in (shown if isinstance(shown, list) else [shown]) if own in prog["map_ids"])


def at_rest(nodens, program):
    """The program's runs and nodens' counters of one instant: no packet came (a neighbour's, a router's) as they were read."""
    for _ in range(50):
        before, counters = runs(program), nodens.stats()
        if runs(program) == before:
            return before, counters
    pytest.fail("packets never pause")


@pytest.mark.parametrize("hook, program", (("tc", "tc_nodens"), ("xdp-generic", "xdp_nodens")))
def test_every_packet_has_one_outcome(serve, lab, nodens, cli, hook, program):
    """As many outcomes are counted as the kernel has run the program: hits, misses, IPv6, TCP, and what is no query."""
    serve(corefile(ZONES), "--hook", hook)
    with kernel_counts_runs():
        before, counted_before = at_rest(nodens, program)
        ask(lab, cli, {1: zipf_load(2000, 7), 2: zipf_load(2000, 8)}, 5000)
        cli.ask("tcp.example.org", tcp=True)
        with cli.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            for _ in range(3):
                sock.sendto(b"no query", (POD_SIDE4, 9))
        after, counted_after = at_rest(nodens, program)
    seen = after - before
    outcomes = {key: n - counted_before[key] for key, n in counted_after.items() if OUTCOME.match(key)}
    outcomes = {key: n for key, n in outcomes.items() if n}
    assert sum(outcomes.values()) == seen
    assert outcomes["kernel.hits"] > 3000 and outcomes["kernel.pass_not_dns"] >= 3 and outcomes["kernel.tcp"] >= 3
    note(f"{seen} packets: {outcomes}")


def test_evicted_and_put_again(serve, lab, nodens, cli):
    """Slots go from one name to another all the time: 120 names of both kinds in a cache of 32 and 16."""
    serve(corefile(ZONES, "cache 3600 {\n success 32\n denial 16\n}"))
    before, loads = counted(Metrics()), {1: zipf_load(5000, 3), 2: zipf_load(5000, 4)}
    with nodens.counting() as gains:
        ask(lab, cli, loads, 5000)
    page = fresh_page()
    assert gained(before, counted(page)) == wanted(loads)
    assert page.total("coredns_cache_evictions_total") > 100
    assert gains["kernel.hits"] > 1000


def reload(nodens, zones):
    """They have these zones now."""
    reloads = nodens.stat("agent.reloads")
    nodens.corefile.write_text(corefile(zones))
    nodens.signal("HUP")
    nodens.wait_stat("agent.reloads", reloads + 1, 5)


def load_of(zone, n):
    return [(f"n{i % 7}.{zone}", "A") for i in range(n)]


def in_zones(page, zones):
    return [page.total("coredns_dns_requests_total", f'zone="{zone}"') for zone in zones]


def test_zones_come_and_go(serve, lab, nodens, cli):
    """Thirty zones in turn, three at a time: there are 16 series, so numbers are given anew; no count goes to a stranger."""
    zones, asked = [f"z{i}.example.org." for i in range(30)], {}
    serve(corefile(zones[:3]))
    for first in range(0, 30, 2):
        now = zones[first:first + 3]
        if first:
            reload(nodens, now)
        for zone in now:
            n = 100 + len(asked)
            ask(lab, cli, {1: load_of(zone, n)}, 5000)
            asked[zone] = asked.get(zone, 0) + n
    page = fresh_page()
    assert in_zones(page, zones) == [asked[zone] for zone in zones]
    assert nodens.stat("agent.series_lacking") == 0
    assert page.total("coredns_dns_requests_total") == sum(asked.values())


def test_more_zones_than_series(serve, lab, nodens, cli):
    """Fifteen have a series of their own, hits of the others count as "other"; that is said, and the sum is exact."""
    zones = [f"z{i}.example.org." for i in range(20)]
    serve(corefile(zones[:3]))
    reload(nodens, zones)
    assert nodens.stat("agent.series_lacking") == 5
    nodens.wait_said('5 zones count as zone="other"')
    with nodens.counting() as gains:
        for zone in zones:
            ask(lab, cli, {1: load_of(zone, 7)}, 5000)
            ask(lab, cli, {1: load_of(zone, 100)}, 5000)
    page = fresh_page()
    assert page.total("coredns_dns_requests_total") == 20 * 107
    assert in_zones(page, [*zones[:15], "other"]) == [107] * 15 + [5 * 100]
    assert in_zones(page, zones[15:]) == [7] * 5, "what the agent answers it knows by zone"
    assert gains["kernel.hits"] == 20 * 100
    reload(nodens, zones[:3])
    assert nodens.stat("agent.series_lacking") == 0


def test_a_new_agent_goes_on(serve, lab, nodens, cli):
    """With the entries and the series of the one before; it counts from 0, and in the right zones, if they are others too."""
    serve(corefile(ZONES), "-persist")
    first = {1: zipf_load(2000, 5), 2: zipf_load(2000, 6)}
    ask(lab, cli, first, 5000)
    serve(corefile(["third.example.org.", *reversed(ZONES)]), "-persist")
    before = counted(Metrics())
    with nodens.counting() as gains:
        ask(lab, cli, first, 5000)
    assert gained(before, counted(fresh_page())) == wanted(first)
    # a query in 65,536 has a checksum from which the programs cannot tell what the reply's must be: the agent answers
    assert gains["kernel.misses"] == gains["agent.cache_hits"] <= 3, "all were taken over"
    serve(corefile(ZONES))
