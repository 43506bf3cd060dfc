# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""dnstap, as fstrm_capture and dnstap-ldns read it: each message of a burst once, with the octets that clients sent and got;
readers that are not there, go away, come back, or do not read."""
import collections
import random
import re
import signal
import subprocess
import time

import pytest

from agent import NODENS, block, directive
from cluster import D
from dnstap import Reader
from lab import DNS4, UP4, output, wait_until
from query import unique
from test_trace import Burst, observed, tracing

COREFILE = block(".:53", "errors", directive("cache", "success 9984 3600 1", "denial 9984 5 1"), f"bind {DNS4}", f"forward . {UP4}")
TAKEN = r"^-- (\d+) messages not taken by the reader$"


@pytest.fixture
def reader(lab):
    reader = Reader(lab.dir)
    yield reader
    reader.end()
    for path in reader.files:
        path.unlink(missing_ok=True)


@pytest.fixture
def steered(nodens, cluster, p1):
    nodens.ensure(corefile=COREFILE, probe=p1)
    wait_until(4, lambda: p1.ask("www.example.org") and not observed(), "somebody looks on", step=0.2)
    return nodens


def keys(messages, kind):
    """(client's port, ID) of each message of a kind."""
    return collections.Counter((int(m.querier.rpartition("#")[2]), m.id) for m in messages if m.type == kind)


# ---- nodens trace --dnstap -------------------------------------------------------------------------------


def test_trace_burst(lab, steered, cluster, p1, reader):
    """Hits, misses, what went on and what came by TCP: each query once, each reply of nodens once."""
    hits = [f"n{i}.{D}" for i in range(100)]
    p1.ask_all(hits)
    elsewhere = cluster.servers[0].pod.ip4
    asked = [(random.choice(hits), DNS4, "hit") for _ in range(600)]
    asked += [(f"m{i}.{unique('wild.example.org')}", DNS4, "miss") for i in range(300)]
    asked += [(name, elsewhere, "passed") for name in hits]
    random.shuffle(asked)
    burst = Burst(p1)
    before = time.time_ns()
    with tracing(lab, "client", p1.ip4, "--dnstap", f"unix:{reader.socket}") as viewer:
        burst.run(asked)
        burst.tcp(hits[:40])
        time.sleep(0.5)
        shown, lost, _ = viewer.end()
    assert lost == 0 and not re.search(TAKEN, viewer.err.read_text(), re.M)
    assert not viewer.text(), "nothing is shown"
    reader.end()
    messages = reader.messages()
    sent = collections.Counter(burst.sent.keys())
    replied = collections.Counter({key: 1 for key, (_, kind) in burst.sent.items() if kind != "passed"})
    queries, responses = keys(messages, "CLIENT_QUERY"), keys(messages, "CLIENT_RESPONSE")
    assert (queries - sent, sent - queries) == (collections.Counter(), collections.Counter())
    assert (responses - replied, replied - responses) == (collections.Counter(), collections.Counter())
    assert shown >= len(burst.sent)
    for m in messages:
        name, kind = burst.sent[int(m.querier.rpartition("#")[2]), m.id]
        assert m.question == (f"{name}.", "A") and m.querier.startswith(f"{p1.ip4}#")
        assert m.responder == f"{elsewhere if kind == 'passed' else DNS4}#53"
        assert m.proto == ("TCP" if kind == "tcp" else "UDP")
        assert before - 10**9 < m.time_ns < time.time_ns()
        assert m.identity == output("hostname").strip() and re.fullmatch(r"nodens-\d+\.\d+\.\d+", m.version)
        if m.type == "CLIENT_RESPONSE":
            assert m.rcode == {0: "NOERROR", 3: "NXDOMAIN"}[burst.replies[int(m.querier.rpartition("#")[2]), m.id][0]]
            assert 0 <= m.latency_ns < 5 * 10**9 and (kind != "miss" or m.latency_ns > 0) and (kind != "hit" or m.latency_ns == 0)
            assert name.startswith("m") or re.search(r"\sIN\s+A\s+10\.100\.", m.dns)


def test_trace_octets(lab, steered, p1, reader):
    """What a client sent to the agent is there as it sent it, EDNS and all; a reply is what the client got."""
    name = unique("wild.example.org")
    with tracing(lab, "client", p1.ip4, "-dnstap", f"unix://{reader.socket}") as viewer:
        answer = p1.ask(name, payload=1400, dnssec=True, qid=4711)
        time.sleep(0.3)
        viewer.end()
    reader.end()
    query, response = sorted(reader.messages(), key=lambda m: m.type)
    assert re.search(r"EDNS: version 0; flags: do ; udp: 1400", query.dns), query.dns
    assert (query.type, query.id, response.type, response.id) == ("CLIENT_QUERY", 4711, "CLIENT_RESPONSE", 4711)
    payload = reader.files[0].read_bytes()
    assert answer.wire in payload


def test_trace_in_mode_listen(lab, nodens, cluster, cli, reader):
    nodens.listen(block(".:53", f"bind {cli.server}", "cache 30", f"forward . {UP4}"))
    names = [unique("wild.example.org") for _ in range(50)]
    with tracing(lab, "name", "*.wild.example.org", "--dnstap", f"unix:{reader.socket}") as viewer:
        cli.ask_all(names)
        cli.ask_all(names)
        time.sleep(0.5)
        viewer.end()
    reader.end()
    asked = collections.Counter((m.type, m.question[0]) for m in reader.messages())
    assert asked == collections.Counter({(kind, f"{name}."): 2 for name in names for kind in ("CLIENT_QUERY", "CLIENT_RESPONSE")})


def test_trace_words(lab, steered, p1, reader):
    """-c counts what matches; words are of single messages."""
    p1.ask(f"none.{D}")
    with tracing(lab, "client", p1.ip4, "rcode", "NXDOMAIN", "-c", 2, "--dnstap", f"unix:{reader.socket}") as viewer:
        for _ in range(2):
            p1.ask(f"n1.{D}")
            p1.ask(f"none.{D}")
        assert viewer.process.wait(5) == 0 and viewer.summary()[0] == 2
    reader.end()
    assert {m.rcode for m in reader.messages() if m.type == "CLIENT_RESPONSE"} == {"NXDOMAIN"}


def test_trace_usage(lab, steered):
    def refused(*args):
        done = subprocess.run([NODENS, "trace", *args], capture_output=True, text=True, timeout=20)
        assert not done.stdout and len(done.stderr.splitlines()) == 1, done
        return done.returncode, done.stderr
    for args, text in ((["-dnstap", "tls://10.0.0.1:6000"], "is over TLS"), (["-dnstap", "tcp://name:6000"], "no address with a port"),
                       (["-dnstap", "unix:/x", "--json"], "one of the three"), (["-dnstap", "unix:/x", "slower", "5ms"], "slower")):
        status, said = refused(*args)
        assert status == 2 and text in said, said
    status, said = refused("-dnstap", f"unix:{lab.dir}/nobody.sock")
    assert status == 1 and f"unix://{lab.dir}/nobody.sock: No such file or directory" in said
    assert observed() == 0


def test_trace_reader_gone_and_back(lab, steered, p1, reader):
    """What came while it was away is counted, and what comes after that is there."""
    p1.ask(f"n1.{D}")
    with tracing(lab, "client", p1.ip4, "--dnstap", f"unix:{reader.socket}") as viewer:
        reader.kill()
        wait_until(3, lambda: "tried again each second" in viewer.err.read_text(), "it says nothing")
        for _ in range(10):
            p1.ask(f"n1.{D}")
        time.sleep(0.2)
        reader.start()
        wait_until(5, lambda: ": connected" in viewer.err.read_text(), "not connected")
        for i in range(2, 12):
            p1.ask(f"n{i}.{D}")
        time.sleep(0.3)
        viewer.end()
    reader.end()
    after = collections.Counter((m.type, m.question[0]) for m in reader.messages() if m.question[0] != f"n1.{D}.")
    assert after == collections.Counter({(kind, f"n{i}.{D}."): 1 for i in range(2, 12) for kind in ("CLIENT_QUERY", "CLIENT_RESPONSE")})
    assert re.findall(TAKEN, viewer.err.read_text(), re.M) == ["20"]


def test_trace_reader_that_does_not_read(lab, steered, p1, reader):
    """It waits for nobody, and ends when it is told to."""
    names = [f"n{i}.{D}" for i in range(50)]
    p1.ask_all(names)
    with tracing(lab, "client", p1.ip4, "--dnstap", f"unix:{reader.socket}") as viewer:
        reader.process.send_signal(signal.SIGSTOP)
        for _ in range(40):
            p1.ask_all(names)
        time.sleep(0.3)
        begin = time.monotonic()
        shown, lost, _ = viewer.end()
        assert time.monotonic() - begin < 3
        reader.process.send_signal(signal.SIGCONT)
    assert lost == 0 and shown == 2000
    time.sleep(0.5)
    reader.end()
    not_taken = int((re.findall(TAKEN, viewer.err.read_text(), re.M) or ["0"])[0])
    assert 0 < not_taken and len(reader.messages()) + not_taken == 4000
