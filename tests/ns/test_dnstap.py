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

import watch
from agent import NODENS, block, directive
from cluster import D
from dnstap import Reader
from lab import DNS4, POD_SIDE4, POD_SIDE6, UP4, note, output, wait_until
from load import dnsperf
from query import SILENCE, make_query, unique
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


def test_trace_replies_of_others(lab, steered, p1, reader):
    """A reply that a client sends where queries go is none of its queries."""
    name = unique("wild.example.org")
    reply = bytearray(make_query(name).to_wire())
    reply[2] |= 0x80
    with tracing(lab, "client", p1.ip4, "--dnstap", f"unix:{reader.socket}") as viewer:
        with steered.counting() as gains, p1.udp() as sock:
            sock.send(reply)
            p1.ask(name)
            time.sleep(0.3)
        viewer.end()
    reader.end()
    assert gains["kernel.pass_response"] == 1
    assert sorted((m.type, m.question[0]) for m in reader.messages()) == [("CLIENT_QUERY", f"{name}."), ("CLIENT_RESPONSE", f"{name}.")]


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


# ---- the directive ---------------------------------------------------------------------------------------

SERVE = f"bind {POD_SIDE4} {POD_SIDE6}"


def tapping(reader, *options, full="full", more=()):
    where = f"tcp://127.0.0.1:{reader.tcp[1]}" if reader.tcp else reader.socket
    return block(".:53", SERVE, "cache 30", *more, directive(f"dnstap {where} {full}", *options), "forward . 10.50.0.1")


@pytest.fixture
def tapped(serve, nodens, reader):
    def start(*options, **how):
        serve(tapping(reader, *options, **how))
        nodens.wait_said("dnstap: .* takes messages")
    return start


def counted(messages, kind):
    return collections.Counter(m.question[0] for m in messages if m.type == kind)


def test_burst(tapped, nodens, cli, upstreams, reader):
    """Hits and misses, both families, UDP and TCP, with EDNS and without: each query and each reply once, with the octets that
    the client got; and what the upstream was asked, as often as it says."""
    tapped()
    names = [f"n{i}.example.org" for i in range(30)] + [f"NX.n{i}.Example.org" for i in range(10)]
    rng, sent, before = random.Random(10), {}, time.time_ns()
    with nodens.counting() as gains:
        for i in range(1000):
            ip6 = rng.random() < 0.3
            answer = cli.ask(rng.choice(names), rng.choice(["A", "A", "AAAA"]), POD_SIDE6 if ip6 else POD_SIDE4,
                             tcp=rng.random() < 0.05, ignore_tc=True, qid=i, dnssec=rng.random() < 0.2,
                             payload=rng.choice([None, 512, 1232]))
            sent[i] = answer, ip6
    assert gains["kernel.hits"] >= 500 and gains["agent.queries"] >= 100
    time.sleep(0.5)
    reader.end()
    messages = reader.messages()
    clients = [m for m in messages if m.type.startswith("CLIENT")]
    times = collections.Counter((m.type, m.id) for m in clients)
    assert times == {(kind, i): 1 for kind in ("CLIENT_QUERY", "CLIENT_RESPONSE") for i in sent}
    payload = reader.files[0].read_bytes()
    for m in clients:
        answer, ip6 = sent[m.id]
        asked = answer.message.question[0]
        assert m.question[0] == asked.name.to_text() and m.proto == ("TCP" if answer.tcp else "UDP")
        assert m.querier.startswith(f"{cli.ip6 if ip6 else cli.ip4}#") and m.responder == f"{POD_SIDE6 if ip6 else POD_SIDE4}#53"
        assert before - 10**9 < m.time_ns < time.time_ns() and m.identity == output("hostname").strip()
        assert m.type == "CLIENT_QUERY" or (m.rcode == answer.status and 0 <= m.latency_ns < 10**9 and answer.wire in payload)
    for m in messages:
        if m.type.startswith("FORWARDER"):
            assert m.responder == "10.50.0.1#53" and m.proto == "UDP" and re.match(r"10\.\d+\.\d+\.\d+#\d+$", m.querier)
    upstream = {name.lower(): sum(upstreams[1].asked(name.lower())) for name in names}
    queries, responses = counted(messages, "FORWARDER_QUERY"), counted(messages, "FORWARDER_RESPONSE")
    assert {name: queries[f"{name}."] for name in upstream} == upstream and queries == responses
    assert nodens.stat("agent.dnstap_lost") == nodens.stat("agent.log_hits_lost") == 0
    note(f"{gains['kernel.hits']} hits in the kernel of 1000, {sum(queries.values())} queries to the upstream")


def test_options(tapped, nodens, cli, reader):
    """Without `full` no message is there; who says it, and what besides, is as the Corefile has it."""
    tapped("identity node-x", "version v9", 'extra "asked {type} {name} by {remote}"', full="")
    for _ in range(2):
        cli.ask("www.example.org", qid=4242)
    time.sleep(0.3)
    reader.end()
    messages = reader.messages()
    types = collections.Counter(m.type for m in messages)
    assert types["CLIENT_QUERY"] == types["CLIENT_RESPONSE"] == 2 and types["FORWARDER_QUERY"] >= 1
    assert all(m.identity == "node-x" and m.version == "v9" and not m.dns for m in messages)
    payload = reader.files[0].read_bytes()
    assert payload.count(f"asked A www.example.org. by {cli.ip4}".encode()) == 4
    assert payload.count(b"asked A www.example.org. by -") == 2


def test_unanswered(tapped, nodens, cli, upstreams, reader):
    """A query that an acl drops, and one that no upstream answers: there are queries alone."""
    tapped(more=[directive("acl", "drop type TXT net *", "allow net *")])
    with pytest.raises(SILENCE):
        cli.ask("www.example.org", "TXT", timeout=0.5)
    upstreams[1].freeze()
    assert cli.ask("silent.example.org", timeout=9).status == "SERVFAIL"
    time.sleep(0.3)
    reader.end()
    messages = reader.messages()
    types = collections.Counter((m.type, *m.question) for m in messages if m.question[0] in ("www.example.org.", "silent.example.org."))
    assert types[("CLIENT_QUERY", "www.example.org.", "TXT")] == 1 and types[("CLIENT_RESPONSE", "www.example.org.", "TXT")] == 0
    assert types[("FORWARDER_QUERY", "silent.example.org.", "A")] >= 2
    assert types[("FORWARDER_RESPONSE", "silent.example.org.", "A")] == 0
    assert [m.rcode for m in messages if m.type == "CLIENT_RESPONSE" and m.question[0] == "silent.example.org."] == ["SERVFAIL"]


def test_reader_gone_and_back(tapped, nodens, cli, reader):
    """Answers go on, each message that has no reader is counted, and those after it is back are there."""
    tapped()
    cli.ask("www.example.org")
    reader.kill()
    nodens.wait_said("dnstap: .*: its reader closed the connection; it is tried again each second")
    with nodens.counting() as gains:
        for _ in range(50):
            cli.ask("www.example.org")
        time.sleep(0.3)
    assert gains["kernel.hits"] == 50 and gains["agent.dnstap_lost"] == 100
    reader.start()
    wait_until(5, lambda: nodens.times_said("takes messages") == 2, nodens.log_tail)
    for i in range(20):
        cli.ask(f"back{i}.example.org")
    time.sleep(0.3)
    reader.end()
    back = counted(reader.messages(), "CLIENT_RESPONSE")
    assert {name: n for name, n in back.items() if name.startswith("back")} == {f"back{i}.example.org.": 1 for i in range(20)}


def test_reader_that_does_not_read(tapped, nodens, cli, lab, reader):
    """It costs its own messages and a bounded queue: not one answer, nor a reload's time."""
    tapped()
    cli.ask("www.example.org")
    before = nodens.rss()
    reader.process.send_signal(signal.SIGSTOP)
    sent = dnsperf(lab, cli, [("www.example.org", "A")] * 1000, "-l", 3, "-n", 1000000, "-q", 100)
    assert sent["Queries completed"] == sent["Queries sent"] > 20000
    wait_until(5, lambda: nodens.stat("agent.dnstap_lost") > 10000, lambda: nodens.stat("agent.dnstap_lost"))
    for i in range(20):
        begin = time.monotonic()
        assert cli.ask(f"m{i}.example.org", timeout=2).status == "NOERROR"
        assert time.monotonic() - begin < 1
    note(f"{nodens.stat('agent.dnstap_lost')} lost, {nodens.rss() - before} KB more resident")
    assert nodens.rss() - before < 12 << 10
    nodens.corefile.write_text(tapping(reader, full="").replace("dnstap", "# dnstap", 1))
    reloads, begin = nodens.stat("agent.reloads"), time.monotonic()
    nodens.signal("HUP")
    nodens.wait_stat("agent.reloads", reloads + 1)
    assert time.monotonic() - begin < 2
    wait_until(10, lambda: watch.sessions() == 0, "its session is still open")
    reader.process.send_signal(signal.SIGCONT)


def test_reload(tapped, nodens, cli, reader):
    """At a reload a message goes to one reader once, and the cache stays."""
    tapped("identity before")
    cli.ask("www.example.org")
    nodens.corefile.write_text(tapping(reader, "identity after", more=['log . "{name}"']))
    reloads = nodens.stat("agent.reloads")
    nodens.signal("HUP")
    nodens.wait_stat("agent.reloads", reloads + 1)
    wait_until(5, lambda: nodens.times_said("takes messages") == 2, nodens.log_tail)
    assert watch.sessions() == 1, "log and dnstap share it"
    with nodens.counting() as gains:
        for _ in range(10):
            cli.ask("www.example.org")
    assert gains["kernel.hits"] == 10 and gains["agent.upstream_exchanges"] == 0
    time.sleep(0.3)
    reader.end()
    said = collections.Counter(m.identity for m in reader.messages() if m.type == "CLIENT_RESPONSE")
    assert said == {"before": 1, "after": 10}
    assert nodens.printed.read_text().count("www.example.org.") == 10


def test_tcp(lab, serve, nodens, cli):
    reader = Reader(lab.dir, "tcp", ("127.0.0.1", 6053))
    serve(tapping(reader))
    nodens.wait_said("dnstap: tcp://127.0.0.1:6053 takes messages")
    cli.ask("www.example.org")
    time.sleep(0.3)
    reader.end()
    assert counted(reader.messages(), "CLIENT_RESPONSE") == {"www.example.org.": 1}
