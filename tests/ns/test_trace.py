# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens trace: each query of a burst once, with the right outcome, against the client's own list; several viewers at once,
one that does not read, one that is killed; packets as tshark reads them; names that were made to do harm."""
import collections
import contextlib
import functools
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import dns.message
import dns.name
import jsonschema
import pytest

from agent import NODENS, block, directive
from cluster import D
from lab import BPFFS, DNS4, ROOT, UP4, output, run, wait_until
from load import dnsperf
from query import framed, read_message, unique
from test_status import NOBODY, schema

SUMMARY = r"^-- (\d+) events, (\d+) lost \(viewer too slow\), (\d+) did not match"
COREFILE = (block("cluster.local:53", "errors", directive("cache", "success 9984 3600 1", "denial 9984 5 1"), f"bind {DNS4}",
                  f"forward . {UP4}")
            + block(".:53", "errors", directive("cache", "success 9984 2 1", "denial 9984 2 1", "serve_stale 1h immediate"),
                    f"bind {DNS4}", f"forward . {UP4}"))


# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture
def steered(nodens, cluster, p1):
    nodens.ensure(corefile=COREFILE, probe=p1)
    wait_until(4, lambda: p1.ask("www.example.org") and not observed(), "somebody looks on", step=0.2)
    return nodens


class Viewer:
    """nodens trace in the background, its output in a file."""

    def __init__(self, lab, *args, out=None, ready=None):
        Viewer.count = getattr(Viewer, "count", 0) + 1
        self.out, self.err = out or lab.dir / f"trace{Viewer.count}", lab.dir / f"trace{Viewer.count}.err"
        with open(self.out, "wb") as file, open(self.err, "wb") as errors:
            self.process = subprocess.Popen([NODENS, "trace", *map(str, args)], stdout=file, stderr=errors)
        (ready or wait_open)(self.process)

    def text(self):
        return self.out.read_text()

    def events(self):
        """What was shown, of JSON; each fits the schema."""
        validator = jsonschema.Draft7Validator(schema("trace"))
        lines = [json.loads(line) for line in self.text().splitlines()]
        for line in lines:
            validator.validate(line)
        return [line for line in lines if "kind" in line]

    def end(self, number=signal.SIGINT):
        """Of (shown, lost, did not match), as it says at its end."""
        self.process.send_signal(number)
        assert self.process.wait(5) == 0, self.err.read_text()
        return self.summary()

    def summary(self):
        both = self.out.read_bytes().decode(errors="replace") + "\n" + self.err.read_text()
        if found := re.findall(SUMMARY, both, re.M):
            return tuple(map(int, found[-1]))
        last = json.loads(self.text().splitlines()[-1])["summary"]
        return last["events"], last["lost"], last["unmatched"]


@functools.cache
def observe_at():
    """Where the control block has a byte for each session."""
    with tempfile.TemporaryDirectory() as where:
        source = '#include <stddef.h>\n#include <stdio.h>\n#include "nodens_abi.h"\n' \
                 'int main(void) { printf("%zu", offsetof(struct nodens_ctl, observe)); }'
        run("gcc", "-x", "c", "-", f"-I{ROOT}/headers", "-o", f"{where}/at", input=source)
        return int(output(f"{where}/at"))


def rows(name):
    pin = next(BPFFS.glob(f"nodens/layout-*/{name}"))
    return [bytes(int(byte, 16) for byte in row["value"]) for row in json.loads(output("bpftool", "-j", "map", "dump", "pinned", pin))]


def sessions():
    """Whether the programs serve it, of each session."""
    return rows("nodens_ctl")[0][observe_at():observe_at() + 8]


def observed():
    """How many look on."""
    return sum(map(bool, sessions()))


def wait_open(process):
    """Until the programs serve the viewer's session: struct nodens_session has its PID behind until_ns and owner."""
    def is_open():
        pids = [struct.unpack("=I", row[16:20])[0] for row in rows("nodens_sessions")]
        return process.poll() is not None or any(on and pid == process.pid for on, pid in zip(sessions(), pids))
    wait_until(5, is_open, "no session")


@contextlib.contextmanager
def tracing(lab, *args):
    viewer = Viewer(lab, *args)
    try:
        yield viewer
    finally:
        viewer.process.kill()
        viewer.process.wait()


# ---- a burst ---------------------------------------------------------------------------------------------


def wire_of(name, qid, qtype=1):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split("."))
    return struct.pack("!6H", qid, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, qtype, 1)


class Burst:
    """Queries from a few sockets of a pod, each (port, ID) once; `replies` by that are (rcode, TTL of the first answer)."""

    def __init__(self, pod):
        self.pod, self.sockets, self.sent, self.replies = pod, {}, {}, {}

    def udp(self, server):
        return self.sockets.setdefault(server, [self.pod.udp(server) for _ in range(4)])

    def run(self, asked, window=200):
        """asked: (name, server, kind) in the order in which they are sent."""
        socks = {}
        for name, server, kind in asked:
            sock = random.choice(self.udp(server))
            socks[sock.fileno()] = sock
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            key = sock.getsockname()[1], len(self.sent)
            self.sent[key] = name, kind
            sock.send(wire_of(name, key[1]))
            while len(self.sent) - len(self.replies) >= window:
                self.receive(socks.values())
        while len(self.replies) < len(self.sent):
            self.receive(socks.values())

    def receive(self, socks):
        ready = select.select(list(socks), [], [], 5)[0]
        assert ready, f"{len(self.sent) - len(self.replies)} without an answer"
        for sock in ready:
            message = sock.recv(4096)
            qid, flags, _, answers = struct.unpack("!4H", message[:8])
            at = message.index(b"\0", 12) + 5
            ttl = struct.unpack("!I", message[at + 6:at + 10])[0] if answers else None
            key = sock.getsockname()[1], qid
            assert key in self.sent and key not in self.replies
            self.replies[key] = flags & 15, ttl

    def tcp(self, names, connections=4, server=None):
        """In parts, each over one connection, all of a part sent at once."""
        for i in range(connections):
            with self.pod.tcp(*[server] if server else []) as sock:
                for name in names[i::connections]:
                    key = sock.getsockname()[1], len(self.sent)
                    self.sent[key] = name, "tcp"
                    sock.sendall(framed(wire_of(name, key[1])))
                stream = sock.makefile("rb")
                for _ in names[i::connections]:
                    qid, flags = struct.unpack("!2H", read_message(stream)[:4])
                    self.replies[sock.getsockname()[1], qid] = flags & 15, None


BENCH = [f"bench-{i:04d}.{D}" for i in range(1000)]


def warm(nodens, pod):
    """Hits, a cut and what is stale by now."""
    pod.ask_all(BENCH)
    stale = [f"s{i}.wild.example.org" for i in range(1000)]
    pod.ask_all(stale)

    def cut():
        with nodens.counting() as gains:
            pod.ask(unique("example.believe", D))
        return gains["kernel.hits_cut"] == 1
    wait_until(10, cut, "no NXDOMAIN-below")
    time.sleep(2.2)
    return stale


def test_burst(lab, steered, cluster, p1):
    """10,000 queries: what the client sent and what it got is what is shown, each once."""
    stale = warm(steered, p1)
    elsewhere = cluster.servers[0].pod.ip4
    asked = [(random.choice(BENCH), DNS4, "hit") for _ in range(3500)]
    asked += [(f"m{i}.{unique('wild.example.org')}", DNS4, "miss") for i in range(2000)]
    asked += [(unique("example.believe", D), DNS4, "cut") for _ in range(2000)]
    asked += [(name, DNS4, "stale") for name in stale]
    asked += [(name, elsewhere, "passed") for name in BENCH]
    random.shuffle(asked)
    burst = Burst(p1)
    with tracing(lab, "--json") as viewer:
        p1.ask(unique("example.believe", D))  # an NXDOMAIN-below that has run out is learnt anew
        with steered.counting() as gains:
            burst.run(asked)
            burst.tcp(random.sample(BENCH, 500))
        assert len(burst.sent) == 10000
        wait_until(10, lambda: len(viewer.text().splitlines()) >= 10000 or None, lambda: str(len(viewer.events())))
        shown, lost, unmatched = viewer.end()
    ports = {port for port, _ in burst.sent}
    events = [x for x in viewer.events() if x.get("client") == p1.ip4 and x["client_port"] in ports]
    assert (lost, unmatched) == (0, 0) and shown >= 10000
    times = collections.Counter((x["client_port"], x["id"]) for x in events)
    assert times == collections.Counter(burst.sent.keys()), "each once, and nothing else"
    wrong = []
    for event in events:
        key = event["client_port"], event["id"]
        (name, kind), (rcode, ttl) = burst.sent[key], burst.replies[key]
        fits = event["name"] == name + "." and event["type"] == "A" and event["device"] == p1.veth
        if kind == "passed":
            fits = fits and event["reason"] == "not_served" and event["server"] == elsewhere
        else:
            fits = fits and event["reply"]["rcode"] == {0: "NOERROR", 3: "NXDOMAIN"}[rcode]
        # a client knows what is stale by its TTL; NXDOMAIN-below ends now and then, and is learnt anew by a miss
        expected = {"stale": {"stale"} if ttl == 0 else {"hit", "miss"}, "cut": {"cut", "miss", "hit"}}.get(kind, {kind})
        if not fits or event["outcome"] not in expected:
            wrong.append((kind, ttl, event))
    assert not wrong, wrong[:5]
    outcomes = collections.Counter(event["outcome"] for event in events)
    assert outcomes["passed"] == 1000 and outcomes["tcp"] == 500 and outcomes["cut"] > 1500 and outcomes["stale"] > 900
    by_kernel = collections.Counter(event["outcome"] for event in events if event["kind"] == "kernel")
    assert by_kernel["hit"] + by_kernel["stale"] + by_kernel["cut"] == gains["kernel.hits"] + gains["kernel.hits_truncated"]
    assert by_kernel["cut"] == gains["kernel.hits_cut"] and by_kernel["stale"] == gains["kernel.hits_stale"]


# ---- viewers ---------------------------------------------------------------------------------------------


def test_two_viewers(lab, steered, p1, p2):
    """Each sees what its words say, whatever the other wants."""
    names = [f"n{i}.{D}" for i in range(300)]
    p1.ask_all(names)
    with tracing(lab, "--json", "name", "*.example.org") as below, tracing(lab, "type", "AAAA", "client", p2.ip4, "outcome",
                                                                          "hit") as other:
        p1.ask_all(names)
        p2.ask_all(names)
        p2.ask_all(names, "AAAA")
        p2.ask_all(names, "AAAA")
        outside = [unique("wild.example.org") for _ in range(50)]
        p2.ask_all(outside)
        p1.ask("example.org")  # is not below itself
        time.sleep(0.5)
        first, second = below.end(), other.end()
    events = below.events()
    assert sorted(x["name"] for x in events) == sorted(f"{name}." for name in outside)
    assert first[:2] == (50, 0) and first[2] > 1000
    lines = [line for line in other.text().splitlines()[1:-1]]
    assert second[:2] == (300, 0) and len(lines) == 300, other.text()[-2000:]
    assert all(" AAAA n" in line and " kernel " in line and p2.ip4 in line for line in lines)


def test_words(lab, steered, p1):
    """A device, a pod, an rcode, how many, how long."""
    with tracing(lab, "rcode", "!NOERROR", "dev", "veth*", "-c", 3) as viewer:
        for i in range(3):
            p1.ask(f"n{i}.{D}")
            p1.ask(f"none{i}.{D}")
            p1.ask(f"none{i}.{D}")
        viewer.process.wait(10)
        assert viewer.summary()[0] == 3 and viewer.text().count("NXDOMAIN") == 3, viewer.text()
    with tracing(lab, "dev", p1.veth, "-t", 1) as viewer:
        p1.ask(f"n1.{D}")
        assert viewer.process.wait(5) == 0 and viewer.summary()[0] >= 1
    with tracing(lab, "dev", "nosuch*", "-t", 1) as viewer:
        p1.ask(f"n1.{D}")
        assert viewer.process.wait(5) == 0 and viewer.summary()[0] == 0 and viewer.summary()[2] >= 1


def test_reader_that_does_not_read(lab, steered, p1):
    """It keeps its session, loses events and says how many; the data path loses nothing."""
    names = [(f"n{i}.{D}", "A") for i in range(50)]
    p1.ask_all([name for name, _ in names])
    reader, writer = os.pipe()
    viewer = subprocess.Popen([NODENS, "trace", "name", f"*.{D}", "outcome", "hit"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    wait_open(viewer)
    queries = names * 1200
    counted = dnsperf(lab, p1, queries)
    assert counted["Queries sent"] == counted["Queries completed"] == len(queries)
    time.sleep(3)  # longer than a session lasts that nobody renews
    assert observed() == 1
    counted = dnsperf(lab, p1, names)
    text = b""
    while not (b" lost: the viewer was too slow\n" in text and not select.select([reader], [], [], 1.5)[0]):
        text += os.read(reader, 1 << 16)
    viewer.send_signal(signal.SIGTERM)
    while more := os.read(reader, 1 << 16):
        text += more
    os.close(reader)
    assert viewer.wait(5) == 0, viewer.stderr.read()
    shown, lost, _ = map(int, re.search(SUMMARY, text.decode(), re.M).groups())
    assert lost > 10000 and shown + lost == len(queries) + len(names), (shown, lost)
    said = [int(n) for n in re.findall(r"^-- (\d+) lost: the viewer was too slow$", text.decode(), re.M)]
    assert sum(said) == lost and text.decode().count(f".{D}. ") == shown
    viewer.stderr.close()


def test_reader_that_goes(lab, steered, p1):
    p1.ask(f"n1.{D}")
    viewer = subprocess.Popen([NODENS, "trace"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_open(viewer)
    viewer.stdout.close()
    p1.ask(f"n1.{D}")
    assert viewer.wait(5) == 0 and re.search(SUMMARY, viewer.stderr.read(), re.M)
    viewer.stderr.close()
    assert observed() == 0


def test_killed(lab, steered, p1):
    """The first packet after the session's time switches it off: no agent and no viewer is needed for that."""
    with tracing(lab) as viewer:
        assert observed() == 1
        viewer.process.kill()
        viewer.process.wait()
        assert observed() == 1
        wait_until(4, lambda: p1.ask(f"n1.{D}") and observed() == 0, "it is still on", step=0.2)


def test_stopped(lab, steered, p1):
    """A viewer that is stopped says that it saw nothing, and goes on."""
    with tracing(lab) as viewer:
        before = time.monotonic()
        viewer.process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        p1.ask(f"n1.{D}")
        viewer.process.send_signal(signal.SIGCONT)
        wait_until(5, lambda: "of which" in viewer.err.read_text(), "it says nothing", step=0.1)
        said = float(re.search(r"stopped for ([\d.]+) s", viewer.err.read_text())[1])
        # the programs went on for 2 s after it had said last, at most 0.25 s before, that it is there
        assert 1.4 <= said <= time.monotonic() - before - 2 + 0.3, said
        name = unique("wild.example.org")
        p1.ask(name)
        wait_until(8, lambda: name in viewer.text(), viewer.text)
        viewer.end()


def test_session_taken(lab, steered, p1):
    """One that slept until its place was another's opens a new one."""
    with tracing(lab) as first:
        first.process.send_signal(signal.SIGSTOP)
        kept = [unique("kept.wild.example.org") for _ in range(700)]
        p1.ask_all(kept)
        time.sleep(4.5)
        with tracing(lab, "-t", 60) as second:
            p1.ask(f"n1.{D}")
            first.process.send_signal(signal.SIGCONT)
            wait_until(5, lambda: "looks on in a new session" in first.err.read_text(), first.err.read_text, step=0.1)
            wait_open(first.process)
            name = unique("wild.example.org")
            p1.ask(name)
            wait_until(8, lambda: name in first.text() and name in second.text(), lambda: first.text() + second.text())
            # of the time before that: more than it reads in one go
            assert not [each for each in kept if each not in first.text()]


def test_fifo_nobody_reads_yet(lab, steered):
    """It waits for a reader with no session open; and what is in a file is kept where there is no session."""
    fifo = lab.dir / "late.fifo"
    os.mkfifo(fifo)
    viewer = subprocess.Popen([NODENS, "trace", "-w", fifo], stderr=subprocess.PIPE)
    try:
        time.sleep(1)
        assert observed() == 0 and viewer.poll() is None
        with open(fifo, "rb") as reader:
            wait_open(viewer)
            assert len(reader.read(24)) == 24
            viewer.send_signal(signal.SIGINT)
            assert viewer.wait(5) == 0
    finally:
        viewer.kill()
        viewer.wait()


# ---- the agent's word ------------------------------------------------------------------------------------


def test_upstreams(lab, cached, cache_fake, p1):
    """Who answered, how long that took, and who did not."""
    cached("success 9984 30")
    cache_fake.say_a("new.test", 30, "192.0.2.1")
    with (tracing(lab, "--json") as viewer, tracing(lab, "slower", "1s") as slow, tracing(lab, "unanswered") as dead):
        p1.ask("new.test", payload=None)
        cache_fake.freeze()
        assert p1.ask("silent.test", payload=None, timeout=9).status == "SERVFAIL"
        time.sleep(0.3)
        for each in viewer, slow, dead:
            each.end()
    new, silent = (next(x for x in viewer.events() if x.get("name") == f"{name}.test.") for name in ("new", "silent"))
    assert (new["kind"], new["outcome"], new["upstream"], new["proto"]) == ("agent", "miss", "10.50.0.1:53", "udp")
    assert new["reply"] == {"rcode": "NOERROR", "answers": 1, "truncated": False, "ttl_s": 30}
    assert 0 < new["took_us"] < 1_000_000 and not new["timeout"]
    assert silent["timeout"] and silent["took_us"] > 4_000_000 and silent["upstream"] == "10.50.0.1:53"
    for each in slow, dead:
        (line,) = each.text().splitlines()[1:-1]
        assert re.search(r"A silent\.test\. +SERVFAIL 0 +10\.50\.0\.1( x\d)? +[4-9]\d{6}$", line), line
    cache_fake.thaw()


# ---- packets ---------------------------------------------------------------------------------------------


def tshark(path, *fields):
    out = output("tshark", "-n", "-r", path, "-T", "fields", *(x for field in fields for x in ("-e", field)), timeout=120)
    return [tuple(line.split("\t")) for line in out.splitlines()]


DNS_FIELDS = ("ip.src", "ip.dst", "udp.srcport", "udp.dstport", "dns.id", "dns.flags.response", "dns.qry.name", "dns.flags.rcode",
              "dns.count.answers")


@pytest.mark.parametrize("pipe", [False, True], ids=["file", "pipe"])
def test_pcap(lab, steered, p1, pipe):
    """Every packet once, as a capture in the pod has them: all replies, and the queries that no program answered."""
    names = [f"n{i}.{D}" for i in range(200)]
    p1.ask_all(names)
    ours, theirs = lab.dir / f"trace-{pipe}.pcap", lab.dir / f"tcpdump-{pipe}.pcap"
    with (p1.running("tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-B", 32768, "-w", theirs, "udp", "port", "53",
                     log=lab.dir / "tcpdump.log", until="listening on") as tcpdump,
          tracing(lab, "client", p1.ip4, "-w", "-" if pipe else ours) as viewer):
        new = [unique("wild.example.org") for _ in range(200)]
        p1.ask_all(names)
        p1.ask_all(new)
        p1.ask(f"n300.{D}", dnssec=True)
        time.sleep(0.5)  # it has no more than 0.2 s of output
        if pipe:
            ours = viewer.out
        size = ours.stat().st_size
        shown, lost, _ = viewer.end()
        tcpdump.terminate()
        tcpdump.wait()
    assert ours.stat().st_size == size, "it was flushed"
    assert lost == 0
    packets = tshark(ours, *DNS_FIELDS)
    seen = collections.Counter(packets)
    captured = collections.Counter(tshark(theirs, *DNS_FIELDS))
    replies = collections.Counter({x: n for x, n in captured.items() if x[5] in ("1", "True")})
    queries = collections.Counter({x: n for x, n in captured.items() if x not in replies and
                                   (x[6] in new or x[6] == f"n300.{D}")})
    assert seen == replies + queries, ((seen - replies - queries), (replies + queries - seen))
    assert shown == len(packets) == 200 + 2 * 201
    # nanoseconds, and the clock on the wall
    assert ours.read_bytes()[:4] == struct.pack("=I", 0xa1b23c4d)
    at = [float(x[0]) for x in tshark(ours, "frame.time_epoch")]
    assert at == sorted(at) or max(abs(a - b) for a, b in zip(at, sorted(at))) < 0.1
    there = [float(x[0]) for x in tshark(theirs, "frame.time_epoch")]
    assert abs(at[-1] - there[-1]) < 0.1 and abs(at[-1] - time.time()) < 60
    assert not tshark_problems(ours)


def tshark_problems(path):
    """Frames that are malformed or cut."""
    return output("tshark", "-n", "-r", path, "-Y", "_ws.malformed || frame.cap_len < frame.len", timeout=120)


def test_pcap_tcp(lab, steered, p1):
    """Segments of TCP are packets like any other: the conversation is whole."""
    ours = lab.dir / "tcp.pcap"
    with tracing(lab, "client", p1.ip4, "-w", ours) as viewer:
        answer = p1.ask(f"n7.{D}", tcp=True)
        time.sleep(0.5)
        viewer.end()
    assert answer.value == "10.100.0.7"
    assert ["10.100.0.7"] in [list(x) for x in tshark(ours, "dns.a")], "tshark puts the stream together"


def test_pcap_in_mode_listen(lab, nodens, cluster, cli):
    """There replies leave by no program: the agent's account of each stands for them, with sums that are right."""
    nodens.listen(block(".:53", f"bind {cli.server}", "cache 30", f"forward . {UP4}"))
    ours = lab.dir / "listen.pcap"
    names = [unique("wild.example.org") for _ in range(50)]
    with tracing(lab, "name", "*.wild.example.org", "-w", ours) as viewer:
        cli.ask_all(names)
        cli.ask_all(names)
        time.sleep(0.5)
        viewer.end()
    packets = tshark(ours, *DNS_FIELDS)
    replies = collections.Counter(x[6] for x in packets if x[5] in ("1", "True"))
    queries = collections.Counter(x[6] for x in packets if x[5] in ("0", "False"))
    assert replies == collections.Counter({name: 2 for name in names}), "of the agent, then of the kernel"
    assert queries == collections.Counter({name: 1 for name in names})
    bad = output("tshark", "-n", "-r", ours, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y",
                 "eth.src == 00:00:00:00:00:00 && (udp.checksum.status == 0 || ip.checksum.status == 0)", timeout=120)
    made = output("tshark", "-n", "-r", ours, "-Y", "eth.src == 00:00:00:00:00:00", timeout=120).splitlines()
    assert len(made) == 50 and not bad and not tshark_problems(ours)


def test_device_in_mode_listen(lab, nodens, cluster, cli):
    """The agent does not know there where a query came in: the packet of the query says it."""
    nodens.listen(block(".:53", f"bind {cli.server}", "cache 30", f"forward . {UP4}"))
    name = unique("wild.example.org")
    with tracing(lab, "--json") as every:
        cli.ask(name)
        wait_until(3, lambda: every.events(), every.text)
        device = next(x["device"] for x in every.events() if x.get("name") == f"{name}.")
        every.end()
    name = unique("wild.example.org")
    with tracing(lab, "--json", "dev", device) as same, tracing(lab, "--json", "dev", "lo") as other:
        cli.ask(name)
        wait_until(3, lambda: same.events(), same.text)
        other.end()
        same.end()
    (event,) = [x for x in same.events() if x.get("name") == f"{name}."]
    assert (event["kind"], event["device"]) == ("agent", device) and not other.events()


# ---- hostile names ---------------------------------------------------------------------------------------

HOSTILE = [b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"a\r\nb", b"\x00\xff\x80", b'"quoted\\"', b"dot.in.label", b"%s%n", b" "]


def test_hostile_names(lab, steered, p1):
    """No octet of a name reaches the terminal as it is, and none is lost: dnspython reads the same name."""
    names = [dns.name.Name([label, b"wild", b"example", b"org", b""]) for label in HOSTILE]
    names.append(dns.name.Name([b"\x1b" * 63, b"\x07" * 63, b"\n" * 63, b"\xfe" * 44, b"wild", b"example", b"org", b""]))
    assert len(names[-1].to_wire()) == 255
    with tracing(lab, "client", p1.ip4) as text, tracing(lab, "--json", "client", p1.ip4) as objects:
        for name in names:
            p1.ask(name, payload=None)
            p1.ask(name, payload=None)
        time.sleep(0.5)
        text.end()
        objects.end()
    raw = text.out.read_bytes().replace("µ".encode(), b"u")
    assert not [c for c in raw if c != 10 and not 0x20 <= c < 0x7f]
    assert len(raw.splitlines()) == 2 * len(names) + 2
    shown = collections.Counter(dns.name.from_text(event["name"]) for event in objects.events())
    assert shown == collections.Counter({name: 2 for name in names})
    in_text = collections.Counter(dns.name.from_text(re.search(r" A (\S+) ", line)[1]) for line in raw.decode().splitlines()[1:-1])
    assert in_text == shown


# ---- where it cannot look on -----------------------------------------------------------------------------


def refused(*args, prefix=()):
    done = subprocess.run([*prefix, NODENS, "trace", *args], capture_output=True, text=True, timeout=20)
    assert not done.stdout and len(done.stderr.splitlines()) == 1, done
    return done.returncode, done.stderr


def test_usage(steered):
    for args in (["frobnicate"], ["-c", "0"], ["name"], ["-w", "x", "--json"], ["-w", "-", "slower", "5ms"], ["rcode", "OK"]):
        assert refused(*args)[0] == 2, args


def test_nobody_may_not(steered):
    status, text = refused(prefix=NOBODY)
    assert status == 4 and "no permission" in text


def test_all_sessions_taken(lab, steered, p1):
    with contextlib.ExitStack() as stack:
        for _ in range(8 - observed()):
            stack.enter_context(tracing(lab, "-t", 60))
        status, text = refused()
        assert status == 1 and "all sessions are in use" in text
        assert p1.value(f"n1.{D}") == "10.100.0.1"


def test_not_running(nodens):
    nodens.stop()
    run(NODENS, "detach", check=False)
    status, text = refused()
    assert status == 3 and "not running here" in text
