# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The log plugin and what the kernel answers: each query is one line, whoever answered it."""
import collections
import json
import os
import random
import re
import time

import dns.rdatatype
import pytest

import watch
from agent import NODENS, block, directive
from lab import POD_SIDE4, POD_SIDE6, note, run, wait_until
from load import dnsperf
from query import make_query

SERVE = f"bind {POD_SIDE4} {POD_SIDE6}"
FORMAT = "{remote} {>id} {name} {type} {proto} {rcode} {rsize} {>do} {>rflags}"


@pytest.fixture
def serve(nodens, cli, upstreams):
    def start(corefile, *flags):
        nodens.listen(corefile, *flags, split=True)
        nodens.wait_said("upstreams of all zones answer")
    return start


def lines(nodens):
    return nodens.printed.read_text().splitlines()


def hit_of(nodens, qid):
    """Hits are read from their ring a moment later, so lines of misses may come before."""
    hit, = [line for line in lines(nodens) if f" {qid} " in line and line.endswith(" 0s")]
    return hit


def line_of(answer, client):
    question = answer.message.question[0]
    flags = [flag for flag in ("qr", "aa", "tc", "rd", "ra", "ad", "cd") if flag in answer.flags]
    return (f"[INFO] {client} {answer.message.id} {question.name.to_text().lower()} {dns.rdatatype.to_text(question.rdtype)} "
            f"{'tcp' if answer.tcp else 'udp'} {answer.status} {len(answer.wire)} {'true' if 'do' in answer.flags else 'false'} "
            f"{','.join(flags)}")


def test_each_query_is_logged_once(serve, nodens, cli):
    """1,000 hits and misses, over both families and TCP, with and without EDNS: the lines are what clients have seen."""
    serve(block("example.org:53", SERVE, "cache 30", f'log . "{FORMAT}"', "forward . 10.50.0.1"))
    rng = random.Random(10)
    names = [f"n{i}.example.org" for i in range(30)] + [f"NX.n{i}.Example.org" for i in range(10)] + ["big-100.example.org"]
    want = []
    with nodens.counting() as gains:
        for i in range(1000):
            ip6 = rng.random() < 0.3
            answer = cli.ask(rng.choice(names), rng.choice(["A", "A", "AAAA"]), POD_SIDE6 if ip6 else POD_SIDE4,
                             tcp=rng.random() < 0.05, ignore_tc=True, qid=i, dnssec=rng.random() < 0.2,
                             payload=rng.choice([None, 512, 1232]))
            want.append(line_of(answer, f"[{cli.ip6}]" if ip6 else cli.ip4))
    wait_until(5, lambda: len(lines(nodens)) >= 1000, lambda: f"{len(lines(nodens))} lines")
    note(f"{gains['kernel.hits']} of 1000 queries answered in the kernel")
    assert 500 <= gains["kernel.hits"] and 100 <= gains["agent.queries"]
    assert gains["kernel.hits"] + gains["agent.queries"] == 1000
    more, less = collections.Counter(lines(nodens)), collections.Counter(want)
    assert (more - less, less - more) == (collections.Counter(), collections.Counter())
    assert nodens.stat("agent.log_hits_lost") == 0


def test_what_is_known_of_a_hit(serve, nodens, cli):
    """The query's own size and bufsize where it had no EDNS; no duration."""
    serve(block("example.org:53", SERVE, "cache 30", "log", "forward . 10.50.0.1"))
    for _ in range(2):
        cli.ask("www.example.org", payload=None, qid=4242, source=(cli.ip4, 40001))
    cli.ask("www.example.org", dnssec=True)
    cli.ask("www.example.org", dnssec=True, qid=4243)
    wait_until(3, lambda: len(lines(nodens)) == 4, lambda: lines(nodens))
    ip4 = re.escape(cli.ip4)
    assert re.fullmatch(rf'\[INFO\] {ip4}:40001 - 4242 "A IN www.example.org. udp 33 false 512" NOERROR'
                        r" qr,[a-z,]*rd[a-z,]* 49 0s", hit_of(nodens, 4242))
    assert [re.search(r'"A IN www.example.org. udp (.*)" NOERROR \S+ \d+ (\S+)$', line).groups() for line in lines(nodens)
            if " 4243 " in line] == [("- true -", "0s")]


def test_json(serve, nodens, cli):
    serve(block("example.org:53", SERVE, "cache 30", "log", "forward . 10.50.0.1"), "-log-format", "json")
    for _ in range(2):
        cli.ask("www.example.org", qid=4242)
    wait_until(3, lambda: len(lines(nodens)) == 2, lambda: lines(nodens))
    hit = json.loads(lines(nodens)[1])
    want = {"id": 4242, "name": "www.example.org.", "proto": "udp", "size": None, "bufsize": None, "duration_s": 0.0}
    assert {key: hit[key] for key in want} == want


def test_zones_and_classes(serve, nodens, cli):
    serve(block("example.org:53", SERVE, "cache 30", directive("log", "class denial"), "forward . 10.50.0.1")
          + block("two.test:53", SERVE, "cache 30", "forward . 10.50.0.1"))
    with nodens.counting() as gains:
        for _ in range(3):
            for name in "www.example.org", "nx.example.org", "nx.two.test", "www.two.test":
                cli.ask(name)
    assert gains["kernel.hits"] >= 6
    wait_until(3, lambda: len(lines(nodens)) == 3, lambda: lines(nodens))
    assert all(" nx.example.org. " in line for line in lines(nodens))


def test_the_session_is_there_for_log_alone(serve, nodens, cli):
    """It comes and goes with `log` at reloads; other viewers see misses all the same."""
    without = block(".:53", SERVE, "cache 30", "forward . 10.50.0.1")
    serve(without)
    assert watch.sessions() == 0
    for corefile, count in (without.replace("cache 30", "log\ncache 30"), 1), (without, 0):
        nodens.corefile.write_text(corefile)
        before = nodens.stat("agent.reloads")
        nodens.signal("HUP")
        nodens.wait_stat("agent.reloads", before + 1)
        wait_until(3, lambda: watch.sessions() == count, "the session")
        for _ in range(2):
            cli.ask(f"s{count}.example.org")
    wait_until(3, lambda: len(lines(nodens)) == 2, lambda: lines(nodens))
    assert all(" s1.example.org. " in line for line in lines(nodens))


def test_hits_of_others_are_no_notes(serve, nodens, cli):
    serve(block(".:53", SERVE, "cache 30", "log", "forward . 10.50.0.1"))
    with watch.session() as events:
        cli.ask("m.example.org")
        cli.ask("m.example.org")
    assert [e.kind for e in events if e.name == "m.example.org." and e.kind in ("AGENT", "ANSWERED")] == ["AGENT", "ANSWERED"]


def test_what_is_lost_is_counted(serve, nodens, cli):
    """The agent stands still: the ring fills, clients have their answers, and the log says how many lines are missing."""
    serve(block(".:53", SERVE, "cache 30", f'log . "{FORMAT}"', "forward . 10.50.0.1"))
    cli.ask("www.example.org")
    cli.ask("www.example.org")
    wait_until(3, lambda: len(lines(nodens)) == 2, lambda: lines(nodens))
    wire = make_query("www.example.org").to_wire()
    with nodens.counting() as gains:
        nodens.signal("STOP")
        try:
            with cli.udp() as sock:
                for _ in range(14000):
                    sock.send(wire)
        finally:
            nodens.signal("CONT")
        wait_until(5, lambda: nodens.said("are not in the log: they came faster"), nodens.log_tail)
        wait_until(5, lambda: len(lines(nodens)) - 2 + nodens.stat("agent.log_hits_lost") >= 14000, "lines")
    assert gains["kernel.hits"] == 14000
    assert gains["agent.log_hits_lost"] > 1000
    problems = lambda: [x["code"] for x in json.loads(run(NODENS, "status", "--json", check=False).stdout)["problems"]]  # noqa: E731
    wait_until(5, lambda: "log_hits_lost" in problems(), problems)
    assert len(lines(nodens)) - 2 + gains["agent.log_hits_lost"] == 14000
    assert nodens.times_said("are not in the log") == 1
    note(f"{gains['agent.log_hits_lost']} of 14000 lost")


def agent_cpu(nodens):
    """Seconds that it has used."""
    with open(f"/proc/{nodens.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(nodens):
    before = nodens.printed.stat().st_size
    time.sleep(1.2)
    return nodens.printed.stat().st_size == before


def hits_per_second(lab, cli):
    sent = dnsperf(lab, cli, [("www.example.org", "A")] * 1000, "-l", 5, "-n", 1000000, "-q", 100)
    assert sent["Queries completed"] == sent["Queries sent"]
    return sent["Queries completed"], sent["Queries completed"] / 5


def test_what_it_costs(serve, nodens, cli, lab):
    """As fast as one client can: nothing that was asked is without its answer, and each hit is a line or counted as lost."""
    corefile = block(".:53", SERVE, "cache 3600", "forward . 10.50.0.1")
    serve(corefile)
    cli.ask("www.example.org")
    _, without = hits_per_second(lab, cli)
    serve(corefile.replace("cache", "log\ncache", 1))
    cli.ask("www.example.org")
    cpu = agent_cpu(nodens)
    with nodens.counting() as gains:
        completed, with_log = hits_per_second(lab, cli)
        wait_until(10, lambda: settled(nodens), "the log does not come to an end")
    spent = agent_cpu(nodens) - cpu
    said = len(lines(nodens)) - 1
    assert said + gains["agent.log_hits_lost"] + gains["agent.log_dropped"] == completed
    assert gains["kernel.hits"] + gains["agent.queries"] == completed, "each of them is one or the other"
    note(f"{without:.0f} hits/s without log, {with_log:.0f} with it; of {completed} {gains['agent.log_hits_lost']} are not in the "
         f"log; {1e6 * spent / said:.1f} us of the agent's CPU a line")
