# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the cache keeps and for how long (the table of cache_rows.py), in steer and in listen mode, and how much."""
import contextlib
import random
import socket
import struct
import time

import dns.name
import pytest

from agent import NODENS, block, command, directive
from cache_rows import RAW, ROWS, answers, check
from cluster import D
from lab import DNS4, NODE4, UP4, output
from query import framed, make_query, parse, read_message

FAKE = "10.50.0.1"


def rows_corefile(serve):
    zones = {
        ".": "cache 30",
        "sides.test": directive("cache", "success 100 300 40", "denial 100 60 20"),
        "zero.test": directive("cache", "success 100 300 0", "denial 100 300 0", "servfail 0"),
        "keep.test": directive("cache 60", "keepttl"),
        "off.test": directive("cache 60", "disable success a.off.test", "disable denial b.off.test"),
        "dsuccess.test": directive("cache 60", "disable success"),
        "ddenial.test": directive("cache 60", "disable denial"),
        "some.test": "cache 30 in.some.test",
        "nosuccess.test": directive("cache", "success 0"),
        "none.test": "",
    }
    return "".join(block(f"{zone}:53", f"bind {serve}", f"forward . {FAKE}", cache) for zone, cache in zones.items())


# ---- the table -------------------------------------------------------------------------------------------


class Asked:
    """nodens in one of its modes, who asks it, and its only upstream."""

    def __init__(self, nodens, fake, host, server):
        self.nodens, self.fake, self.host, self.server = nodens, fake, host, server
        self.rng = random.Random(1)

    def random_case(self, name):
        labels = (bytes(c ^ 0x20 if chr(c).isalpha() and self.rng.random() < 0.5 else c for c in label)
                  for label in name.labels)
        return dns.name.Name(labels)

    def ask(self, row, tcp, edns):
        """(query, reply, when it was sent)"""
        query = make_query(self.random_case(row.name), row.qtype, payload=4096 if edns else None, cookie=False, ad=edns)
        wire, sent = query.to_wire(), time.monotonic()
        with self.host.socket(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM, self.server, timeout=8) as sock:
            sock.sendall(framed(wire) if tcp else wire)
            out = read_message(sock.makefile("rb")) if tcp else sock.recv(65535)
        reply, question = parse(out), wire[12:len(wire) - (11 if edns else 0)]
        assert out[12:12 + len(question)] == question, "the question as sent"
        assert reply.id == query.id
        return query, reply, sent

    def raw(self, wire, tcp):
        """What is answered within half a second, or None."""
        with self.host.socket(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM, self.server, timeout=0.5) as sock:
            sock.sendall(framed(wire) if tcp else wire)
            try:
                return sock.recv(65535)[2 if tcp else 0:] or None
            except socket.timeout:
                return None


@pytest.fixture(scope="module", params=["steer", "listen"])
def asked(request, nodens, cluster, cache_fake, p1):
    """Each mode has an upstream that has not been asked anything."""
    cache_fake.stop()
    cache_fake.answers.write_text(answers())
    cache_fake.start()
    if request.param == "steer":
        nodens.start("--hook", "tc", corefile=rows_corefile(DNS4), serve=[DNS4], probe=p1)
        return Asked(nodens, cache_fake, p1, DNS4)
    nodens.start("--mode", "listen", "--interfaces", "uplink", "--hook", "tc", corefile=rows_corefile(NODE4), serve=[NODE4],
                 probe=cluster.wan, ready="kernel.misses")
    return Asked(nodens, cache_fake, cluster.wan, NODE4)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what.replace(" ", "-"))
def test_row(asked, row):
    hit = row.kind == "hit"
    with asked.nodens.counting() as first:
        query, reply, begin = asked.ask(row, tcp=False, edns=False)
        check(row, query, reply, 1, 0)
        time.sleep(row.opts.get("wait", 0))
    with asked.nodens.counting() as second:
        query, reply, _ = asked.ask(row, tcp=False, edns=True)
        check(row, query, reply, 2, time.monotonic() - begin)
    assert first["kernel.hits"] == 0
    assert second["kernel.hits"] == int(hit and row.opts.get("kernel", True))
    name = row.name.to_text().rstrip(".")
    if row.opts.get("udp_only"):
        assert asked.fake.asked(name)[0] == 2
        return
    query, reply, _ = asked.ask(row, tcp=True, edns=False)
    check(row, query, reply, 3, time.monotonic() - begin)
    over_tcp = 3 if row.opts.get("transports") == "both" else 0
    assert asked.fake.asked(name) == ((1, 0) if hit else (3 * row.opts.get("each", 1), over_tcp)), "questions upstream"


@pytest.mark.parametrize("what, wire, checked", RAW, ids=lambda x: x.replace(" ", "-") if isinstance(x, str) else "")
@pytest.mark.parametrize("asked, proto", [("steer", "tcp"), ("listen", "udp"), ("listen", "tcp")], indirect=["asked"])
def test_queries_that_are_none(asked, proto, what, wire, checked):
    """Over UDP those of pods go to the cluster's DNS."""
    out = asked.raw(b"\x12\x34" + wire, proto == "tcp")
    if checked:
        assert out, "an answer"
        checked(out)
    else:
        assert out is None


# ---- capacity --------------------------------------------------------------------------------------------


def walk(p1, low, high):
    """Each of n<low>..n<high-1> once, one after the other, answers checked; sent again where one is lost."""
    tail = make_query(f"n.{D}", payload=None, ad=False).to_wire()[14:]
    with p1.udp(timeout=2) as sock:
        for i in range(low, high):
            name = f"n{i}".encode()
            query = struct.pack("!6H", i, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name + tail
            reply = b""
            while reply[:2] != query[:2]:
                sock.send(query)
                with contextlib.suppress(socket.timeout):
                    reply = sock.recv(4096)
            assert reply[-4:] == bytes([10, 100, i // 256, i % 256])


def positive_names():
    return {line.split()[0] for line in output(NODENS, "dump").splitlines() if "positive" in line}


def test_capacity_is_what_it_says(nodens, cluster, p1):
    # 3,600 s: the names have 30 s, and this may take longer on a busy machine
    cache = directive("cache", "success 9984 3600 3600")
    nodens.start("--hook", "tc", serve=[DNS4], probe=p1,
                 corefile=block(".:53", f"bind {DNS4}", f"forward . {FAKE}")
                 + block("cluster.local:53", f"bind {DNS4}", f"forward . {UP4}", "nxdomain_cut off", cache))
    walk(p1, 0, 9984)
    with nodens.counting() as gains:
        walk(p1, 0, 9984)
    assert gains["kernel.misses"] == 0, "when 9,984 names are asked again"
    with nodens.counting() as gains:
        walk(p1, 0, 9984)
    assert (gains["kernel.hits"], gains["agent.upstream_exchanges"]) == (9984, 0)
    before = positive_names()
    assert len(before) == 9984
    walk(p1, 9984, 9985)
    after = positive_names()
    assert after - before == {f"n9984.{D}."}, "names that came with the 9,985th"
    assert len(before - after) == 1, "names that went for it"


# ---- servfail, reload ------------------------------------------------------------------------------------


def test_success_beats_servfail(cached, cache_fake, nodens, p1):
    cached("success 9984 30 2", "servfail 20s")
    cache_fake.say_rcode("late.test", "SERVFAIL")
    assert p1.ask("late.test").status == "SERVFAIL"
    with nodens.counting() as gains:
        assert p1.ask("late.test").status == "SERVFAIL"
    assert gains["kernel.hits"] == 1
    command("flush", "late.test")
    cache_fake.say_a("late.test", 2, "192.0.2.1")
    assert p1.value("late.test") == "192.0.2.1"
