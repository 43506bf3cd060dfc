# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent against upstreams that are dead, lossy or lying, and clients that are no better. In listen mode, so that each
miss is a plain packet; what the labels of the names mean: tests/fake-upstream. After how long something happens:
tests/scenario."""
import contextlib
import random
import resource
import socket
import struct
import time

import pytest

from agent import block, directive
from lab import POD_SIDE4, POD_SIDE6, leftovers, output
from query import framed, make_query, parse, read_message


@pytest.fixture
def one(forward):
    """The agent with one upstream."""
    forward("10.50.0.1")


@pytest.fixture
def two(forward):
    """The agent with two upstreams, of which the first is preferred."""
    forward("10.50.0.1 10.50.0.2", "policy sequential")


# ---- a query's way ---------------------------------------------------------------------------------------


def test_miss_then_hit(one, nodens, cli):
    with nodens.counting() as gains:
        assert cli.value("www.example.org") == "192.0.2.1"
    assert gains["agent.upstream_exchanges"] == 1
    with nodens.counting() as gains:
        assert cli.value("WWW.example.org") == "192.0.2.1"
    assert gains["agent.upstream_exchanges"] == 0
    assert cli.value("www.example.org", "AAAA", POD_SIDE6) == "2001:db8::1"
    assert cli.value("www.example.org", tcp=True) == "192.0.2.1"


def test_first_reply_is_like_the_later_ones(one, cli):
    first, second = (cli.ask("cname.ttl-400.example.org") for _ in range(2))
    assert first.wire[2:] == second.wire[2:]


@pytest.mark.parametrize("name, status, ttl", [
    ("a.ttl-2", "NOERROR", 7), ("a.ttl-20", "NOERROR", 20), ("a.ttl-0", "NOERROR", 7), ("a.ttl-3600", "NOERROR", 30),
    ("nx.ttl-2", "NXDOMAIN", 4), ("nodata.ttl-300", "NOERROR", 9)])
def test_ttls_are_clamped(forward, cli, name, status, ttl):
    forward("10.50.0.1", cache=directive("cache", "success 9984 30 7", "denial 9984 9 4"), reuse=True)
    answer = cli.ask(f"{name}.example.org")
    assert (answer.status, answer.ttl) == (status, ttl)


def test_ttl_0_is_not_kept_with_minimum_0(forward, cli, upstreams):
    forward("10.50.0.1", cache=directive("cache", "success 9984 30 0"))
    for _ in range(2):
        cli.ask("b.ttl-0.example.org")
    assert upstreams[1].asked("b.ttl-0.example.org") == (2, 0)


def test_without_cache_nothing_is_kept(forward, cli, upstreams):
    forward("10.50.0.1", cache="")
    for _ in range(2):
        assert cli.ask("nocache.ttl-300.example.org").ttl == 300
    assert upstreams[1].asked("nocache.ttl-300.example.org") == (2, 0)


@pytest.mark.parametrize("rcode, asked", [("servfail", 1), ("refused", 2), ("formerr", 4)])
def test_servfail_is_kept_and_refused_is_not(forward, cli, upstreams, rcode, asked):
    """FORMERR is asked for without OPT besides."""
    forward("10.50.0.1 10.50.0.2", "policy sequential", reuse=True)
    for _ in range(2):
        assert cli.ask(f"{rcode}.kept.example.org").status == rcode.upper()
    assert upstreams[2].asked(f"{rcode}.kept.example.org") == (0, 0), "it is passed on"
    assert upstreams[1].asked(f"{rcode}.kept.example.org") == (asked, 0)


def test_do_and_cd_are_asked_apart(one, cli, upstreams):
    for flags in {}, {"dnssec": True}, {"cd": True}, {"cd": True, "dnssec": True}, {"cd": True, "dnssec": True}:
        cli.ask("docd.example.org", **flags)
    assert upstreams[1].asked("docd.example.org") == (4, 0)


def test_identical_misses_are_one_exchange(one, nodens, cli, upstreams):
    asked = []
    with nodens.counting() as gains, contextlib.ExitStack() as stack:
        for i in range(50):
            name = "".join(c.upper() if (i >> k) & 1 else c for k, c in enumerate("coalesce"))
            sent = make_query(f"{name}.slow-1000.example.org", payload=None if i % 2 else 1232, qid=1000 + i)
            sock = stack.enter_context(cli.udp())
            sock.send(sent.to_wire())
            asked.append((sock, sent, name))
        for sock, sent, name in asked:
            wire = sock.recv(4096)
            reply = parse(wire)
            assert (reply.id, reply.answer[0][0].address) == (sent.id, "192.0.2.1")
            assert wire[12:21] == b"\x08" + name.encode(), "the question as sent"
            assert (reply.edns >= 0) == (sent.edns >= 0)
    assert (gains["agent.upstream_exchanges"], gains["agent.coalesced"]) == (1, 49)
    assert upstreams[1].asked("coalesce.slow-1000.example.org")[0] < 10, "repeated, but not for each client"
    assert (nodens.stat("agent.waiting"), nodens.stat("agent.in_flight")) == (0, 0)


# ---- upstreams in trouble --------------------------------------------------------------------------------


def test_a_frozen_upstream_is_left(two, nodens, cli, upstreams):
    assert cli.value("a.frozen.example.org") == "192.0.2.1"
    upstreams[1].freeze()
    for name in "b", "c":  # the second in a row: now it counts as dead
        assert cli.value(f"{name}.frozen.example.org") == "192.0.2.2"
    nodens.wait_stat("agent.upstreams_down", 1)
    assert cli.value("d.frozen.example.org") == "192.0.2.2"
    assert upstreams[1].asked("d.frozen.example.org") == (0, 0), "once it is known to be dead"
    upstreams.thaw()
    nodens.wait_stat("agent.upstreams_down", 0, 10)
    assert cli.value("e.frozen.example.org") == "192.0.2.1"


def test_a_closed_port_is_seen(forward, nodens, cli):
    """By the ICMP message that comes back."""
    forward("10.50.0.9 10.50.0.3", "policy sequential")
    assert cli.value("closed.example.org") == "192.0.2.3"
    assert nodens.stat("agent.upstream_errors") >= 1
    assert nodens.stat("agent.upstream_timeouts") == 0


def test_a_lost_query_is_repeated(one, nodens, cli, upstreams):
    assert cli.value("a.lossy1.example.org") == "192.0.2.1"
    assert upstreams[1].asked("a.lossy1.example.org")[0] >= 2
    assert nodens.stat("agent.upstream_resent") >= 1


@pytest.mark.parametrize("kind", ["badid", "badq", "response"])
def test_lies_are_not_believed(forward, nodens, cli, upstreams, kind):
    forward("10.50.0.1", reuse=True)
    with nodens.counting() as gains:
        assert cli.value(f"a.{kind}.example.org") == "192.0.2.1"
    assert gains["agent.upstream_mismatches"] == 1
    assert upstreams[1].asked(f"a.{kind}.example.org") == (1, 0)


def test_an_answer_from_another_port_does_not_arrive(one, cli):
    assert cli.value("a.badport.example.org") == "192.0.2.1", "the socket is connected"


def test_only_lies(two, nodens, cli):
    assert cli.ask("only.badq.example.org", timeout=8).status == "SERVFAIL"
    assert nodens.stat("agent.upstream_mismatches") >= 3


def test_only_broken_answers(two, nodens, cli):
    """Ours, but broken: the next one is asked at once, and nobody is taken for dead."""
    assert cli.ask("only.garbage.example.org").status == "SERVFAIL"
    assert nodens.stat("agent.upstream_timeouts") == 0


# ---- TCP upstream ----------------------------------------------------------------------------------------


def test_truncation(one, cli, upstreams):
    answer = cli.ask("big-200.example.org")
    assert answer.retried and len(answer.values) == 200
    assert upstreams[1].asked("big-200.example.org") == (1, 1)
    assert "tc" in cli.ask("big-200.example.org", ignore_tc=True).flags
    assert cli.value("trunc.example.org") == "192.0.2.1", "truncated for no reason"
    assert len(set(cli.values("big-3500.example.org", tcp=True))) == 3500, "records of 56 kB"


def test_truncation_without_tcp(two, cli):
    answer = cli.ask("trunc.close.example.org", ignore_tc=True)
    assert answer.status == "NOERROR" and "tc" in answer.flags, "as the upstream had it"


def connections():
    return len(output("ss", "-Hnt", "state", "established", "dst", "10.50.0.1").splitlines())


def test_force_tcp(forward, nodens, cli, upstreams):
    forward("10.50.0.1", "force_tcp")
    for i in range(1, 6):
        assert cli.value(f"f{i}.example.org") == "192.0.2.1"
    assert upstreams[1].asked("f1.example.org") == (0, 1)
    assert connections() == 1
    assert cli.value("bye.once.example.org") == "192.0.2.1", "before the server closes"
    time.sleep(0.2)
    assert cli.value("f6.example.org") == "192.0.2.1", "on a new connection"
    assert nodens.stat("agent.upstream_errors") == 0


def test_force_tcp_many_at_once(forward, cli):
    forward("10.50.0.1", "force_tcp")
    answers = cli.ask_all([f"m{i}.slow-200.example.org" for i in range(200)], window=200)
    assert len(answers) == 200
    for name, answer in answers.items():
        assert (str(answer.message.question[0].name), answer.status) == (f"{name}.", "NOERROR")
    assert connections() <= 16


# ---- clients ---------------------------------------------------------------------------------------------

GOOD = make_query("bad.example.org", payload=None, ad=False, qid=0x1234).to_wire()
EDNS = make_query("bad.example.org", cookie=False, ad=False, qid=0x1234).to_wire()


def field(wire, at, value):
    return wire[:at] + struct.pack("!H", value) + wire[at + 2:]


@pytest.mark.parametrize("wire, rcode, length", [  # rcode None: silence; length None: any
    pytest.param(b"", None, None, id="empty"),
    pytest.param(GOOD[:11], None, None, id="11-bytes"),
    pytest.param(field(GOOD, 2, 0x8100), None, None, id="response"),
    pytest.param(field(GOOD[:12], 4, 0), 1, 12, id="no-question"),
    pytest.param(field(GOOD, 4, 2) + GOOD[12:], 1, 12, id="two-questions"),
    pytest.param(GOOD[:20], 1, 12, id="cut-name"),
    pytest.param(GOOD[:12] + b"\xc0\x0c" + GOOD[-4:], 1, 12, id="compressed-name"),
    pytest.param(GOOD[:12] + b"\x40" + b"a" * 64 + b"\0" + GOOD[-4:], 1, 12, id="long-label"),
    pytest.param(GOOD[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0" + GOOD[-4:], 1, 12, id="long-name"),
    pytest.param(field(GOOD, 2, 0x1100), 4, 12, id="STATUS"),
    pytest.param(field(GOOD, 2, 0x2900), 4, 12, id="UPDATE"),
    pytest.param(EDNS[:-5] + b"\x01" + EDNS[-4:], 16, None, id="EDNS-version-1"),
    pytest.param(GOOD[:-2] + b"\0\3", 5, None, id="class-CH"),
    pytest.param(EDNS[:-2] + b"\0\x10", 1, 12, id="OPT-ends-early"),
])
def test_malformed_query(forward, cli, wire, rcode, length):
    forward("10.50.0.1", reuse=True)
    with cli.udp(timeout=0.3) as sock:
        sock.send(wire)
        try:
            reply = sock.recv(4096)
        except socket.timeout:
            reply = None
        if rcode is None:
            assert reply is None
        else:
            assert reply and reply[:2] == wire[:2] and reply[2] & 0x80
            assert (parse(reply).rcode() if len(reply) > 12 else reply[3] & 15) == rcode
            assert length in (None, len(reply))
        sock.settimeout(3)
        sock.send(GOOD)
        assert parse(sock.recv(4096)).answer[0][0].address == "192.0.2.1"


def test_random_bytes(one, nodens, cli):
    rng = random.Random(7)
    good = make_query("fuzz.example.org").to_wire()
    udp, tcp = cli.udp(), cli.tcp()
    for i in range(4000):
        wire = bytearray(good + bytes(rng.randrange(20)))
        for _ in range(rng.randrange(1, 6)):
            wire[rng.randrange(len(wire))] = rng.randrange(256)
        udp.send(bytes(wire))
        if i % 20 == 0:
            try:
                tcp.send(framed(wire))
            except OSError:
                tcp = cli.tcp()
    assert cli.value("after.example.org", timeout=6) == "192.0.2.1", "after 4000 broken queries"
    assert nodens.alive()


def test_tcp_pipelining(one, nodens, cli):
    with cli.tcp() as sock:
        names = "slow-300", "fast", "also", "fast"
        out = b"".join(framed(make_query(f"{name}.pipe.example.org", qid=i).to_wire()) for i, name in enumerate(names))
        # In pieces, with the length itself torn apart.
        for at in range(0, len(out), 7):
            sock.send(out[at:at + 7])
            time.sleep(0.005)
        stream = sock.makefile("rb")
        replies = [parse(read_message(stream)) for _ in names]
        assert all(reply.answer[0][0].address == "192.0.2.1" for reply in replies)
        order = [reply.id for reply in replies]
        assert order[-1] == 0 and sorted(order) == [0, 1, 2, 3]
        # Half closed: what was asked is still answered.
        sock.send(framed(make_query("slow-200.half.example.org", qid=9).to_wire()))
        sock.shutdown(socket.SHUT_WR)
        assert parse(read_message(stream)).id == 9
        assert stream.read(1) == b""
    assert nodens.stat("agent.tcp_open") == 0


def test_tcp_clients_that_leave(one, nodens, cli):
    """Whoever leaves without waiting for the answer harms nobody."""
    for i in range(200):
        with cli.tcp() as sock:
            for k in range(5):
                sock.send(framed(make_query(f"l{i % 7}-{k}.slow-100.example.org", qid=k).to_wire()))
            if i % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.4)
    assert cli.value("stay.example.org", tcp=True) == "192.0.2.1"
    for counter in "tcp_open", "waiting":
        nodens.wait_stat(f"agent.{counter}", 0, 2)


def test_tcp_client_that_does_not_read(one, nodens, cli):
    """A client that asks for much and reads nothing: its connection is not read from, the others are served."""
    cli.ask("big-3500.example.org", tcp=True)
    wire = framed(make_query("big-3500.example.org").to_wire())
    with cli.tcp() as sock:
        sock.setblocking(False)
        for _ in range(2000):
            try:
                sock.send(wire)
            except BlockingIOError:
                time.sleep(0.001)
        assert cli.value("other.example.org", tcp=True) == "192.0.2.1"
        assert nodens.rss() <= 120000, "kB of memory"


# ---- blocks and limits -----------------------------------------------------------------------------------


def test_blocks(nodens, cli, upstreams):
    bind = f"bind {POD_SIDE4}"
    nodens.listen(block("one.test a.two.test", bind, "cache", "forward . 10.50.0.1")
                  + block("two.test", bind, "cache", directive("forward . 10.50.0.2", "except no.two.test"),
                          "forward b.two.test 10.50.0.3"))
    for name, value in (("x.one.test", 1), ("x.two.test", 2), ("a.two.test", 1), ("aa.two.test", 2), ("x.b.TWO.test", 3)):
        assert cli.value(name) == f"192.0.2.{value}", name
    assert cli.ask("no.two.test").status == "SERVFAIL", "excepted"
    assert cli.ask("elsewhere.test").status == "REFUSED", "no block"


def statuses(cli, names):
    """Of names asked at once, sorted."""
    return sorted(answer.status for answer in cli.ask_all(names, window=len(names)).values())


def test_few_descriptors(one, nodens, cli):
    """SERVFAIL for what is too much, and all is well again afterwards."""
    resource.prlimit(nodens.pid, resource.RLIMIT_NOFILE, (80, 80))
    got = statuses(cli, [f"d{i}.slow-500.example.org" for i in range(200)])
    assert len(got) == 200 and set(got) == {"NOERROR", "SERVFAIL"}
    assert cli.value("afterwards.example.org") == "192.0.2.1"


# ---- the end ---------------------------------------------------------------------------------------------


def test_sigterm_waits_for_answers(one, nodens, cli):
    finish = cli.begin("late.slow-400.example.org")
    nodens.wait_stat("agent.in_flight", 1)
    nodens.stop()
    assert finish().value == "192.0.2.1", "the answer that was on its way"
    assert leftovers() == []


@pytest.mark.parametrize("signal", ["TERM", "INT", "QUIT"])
def test_each_signal_ends_it_cleanly(one, nodens, cli, signal):
    """Whatever ends a process by default; SIGUSR2 is Caddy's and means nothing."""
    nodens.signal("USR2")
    assert cli.value("www.example.org") == "192.0.2.1", "after SIGUSR2"
    nodens.signal(signal)
    nodens.wait_end()
    assert nodens.said(f"SIG{signal}: leaving")
    assert leftovers() == []
