# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens trace, top and report where the kernel has no rings for them: without the kernel path each query of a burst once, by
the agent's socket, and each name's count; viewers that do not read, that are killed, too many; an agent that ends or hangs.
On a kernel before 5.8 what the agent does, and that the rest is not seen."""
import collections
import contextlib
import inspect
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from agent import NODENS, block, detach, directive
from cluster import D
from dnstap import Reader
from lab import DNS4, UP4, leftovers, run, wait_until
from load import dnsperf
from nodecache import LOCAL4
from query import unique
from test_bare import CAPS, start
from test_status import NOBODY, schema
from test_top import summed
from test_trace import DNS_FIELDS, SUMMARY, Burst, Viewer, tshark, tshark_problems

COREFILE = (block("cluster.local:53", "errors", directive("cache", "success 9984 3600 1", "denial 9984 5 1"), f"bind {DNS4}",
                  f"forward . {UP4}")
            + block(".:53", "errors", directive("cache", "success 9984 30 1", "denial 9984 2 1"), f"bind {DNS4}", f"forward . {UP4}"))
SOCKETS = f"/run/nodens/netns-{os.stat('/proc/self/ns/net').st_ino}"


# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture
def bare(swapped):
    """Without the kernel path; nobody looks on."""
    if not (swapped.alive() and swapped.manifest):
        swapped.install()
        start(swapped, caps=CAPS, own_sys=True)
        swapped.manifest = True
    wait_until(3, lambda: viewers(swapped) == 0, "somebody looks on")
    return swapped


@pytest.fixture
def pre58(swapped, nodens, cluster, p1):
    """Programs in the kernel, and no rings."""
    swapped.own()
    nodens.ensure("--pretend-kernel", "5.4", corefile=COREFILE, probe=p1)
    return nodens


def counts_of(pid):
    """Counts of viewers that a process has mapped."""
    with open(f"/proc/{pid}/maps") as file:
        return file.read().count("memfd:nodens_seen")


def viewers(agent):
    return counts_of(agent.pid)


def has_session(process):
    wait_until(5, lambda: process.poll() is not None or counts_of(process.pid), "no session")


@contextlib.contextmanager
def tracing(lab, *args):
    viewer = Viewer(lab, *args, ready=has_session)
    try:
        yield viewer
    finally:
        viewer.process.kill()
        viewer.process.wait()


def looked(*words, prefix=()):
    """Of a command that ends by itself: (exit status, stdout, stderr)."""
    done = run(*prefix, NODENS, *words, check=False, timeout=20)
    return done.returncode, done.stdout, done.stderr


# ---- without the kernel path: trace ----------------------------------------------------------------------


def test_burst(lab, bare, p1):
    """6,000 queries: what the client sent and what it got is what is shown, each once."""
    cached = [f"bench-{i:04d}.{D}" for i in range(500)]
    p1.ask_all(cached, server=LOCAL4)
    asked = [(random.choice(cached), LOCAL4, "hit") for _ in range(3500)]
    asked += [(f"m{i}.{unique('wild.example.org')}", LOCAL4, "miss") for i in range(1000)]
    asked += [(unique("nil", D), LOCAL4, "none") for _ in range(1000)]
    random.shuffle(asked)
    burst = Burst(p1)
    with tracing(lab, "--json") as viewer:
        burst.run(asked)
        burst.tcp(random.sample(cached, 500), server=LOCAL4)
        assert len(burst.sent) == 6000
        wait_until(10, lambda: len(viewer.text().splitlines()) >= 6000 or None, lambda: str(len(viewer.events())))
        shown, lost, unmatched = viewer.end()
    assert (lost, unmatched) == (0, 0) and shown >= 6000
    ports = {port for port, _ in burst.sent}
    events = [x for x in viewer.events() if x.get("client") == p1.ip4 and x["client_port"] in ports]
    times = collections.Counter((x["client_port"], x["id"]) for x in events)
    assert times == collections.Counter(burst.sent.keys()), "each once, and nothing else"
    expected = {"hit": {"hit"}, "miss": {"miss"}, "tcp": {"tcp"}, "none": {"miss", "cut"}}
    wrong = []
    for event in events:
        key = event["client_port"], event["id"]
        (name, kind), (rcode, _) = burst.sent[key], burst.replies[key]
        fits = event["name"] == name + "." and event["server"] == LOCAL4 and event["kind"] == "agent"
        if (not fits or event["outcome"] not in expected[kind] or
                event["reply"]["rcode"] != {0: "NOERROR", 3: "NXDOMAIN"}[rcode]):
            wrong.append((kind, rcode, event))
    assert not wrong, wrong[:5]


def test_two_viewers(lab, bare, p1, p2):
    """Each sees what its words say, whatever the other wants."""
    names = [f"n{i}.{D}" for i in range(200)]
    p1.ask_all(names, server=LOCAL4)
    outside = [unique("wild.example.org") for _ in range(50)]
    with tracing(lab, "--json", "name", "*.example.org") as below, tracing(lab, "type", "AAAA", "client", p2.ip4, "outcome",
                                                                          "hit") as other:
        p1.ask_all(names, server=LOCAL4)
        for rdtype in "A", "AAAA", "AAAA":
            p2.ask_all(names, rdtype, server=LOCAL4)
        p2.ask_all(outside, server=LOCAL4)
        time.sleep(0.5)
        first, second = below.end(), other.end()
    assert sorted(x["name"] for x in below.events()) == sorted(f"{name}." for name in outside)
    assert first[:2] == (50, 0) and first[2] >= 800
    lines = other.text().splitlines()[1:-1]
    assert second[:2] == (200, 0) and len(lines) == 200, other.text()[-2000:]
    assert all(" AAAA n" in line and " agent cache " in line and p2.ip4 in line for line in lines)


def test_reader_that_does_not_read(lab, bare, p1):
    """It loses events and says how many; the other viewer sees all, and nobody waits for an answer."""
    names = [(f"n{i}.{D}", "A") for i in range(50)]
    p1.ask_all([name for name, _ in names], server=LOCAL4)
    queries, words = names * 600, ["name", f"*.{D}", "outcome", "hit"]
    with unread(*words) as (lazy, reader), tracing(lab, *words) as other:
        counted = dnsperf(lab, p1, queries, "-Q", 5000, server=LOCAL4)
        assert counted["Queries sent"] == counted["Queries completed"] == len(queries)
        wait_until(10, lambda: len(other.text().splitlines()) > len(queries), "the other's")
        assert other.end()[:2] == (len(queries), 0)
        text = b""
        while not (b" lost: the viewer was too slow\n" in text and not select.select([reader], [], [], 1.5)[0]):
            text += os.read(reader, 1 << 16)
        lazy.send_signal(signal.SIGTERM)
        while more := os.read(reader, 1 << 16):
            text += more
        assert lazy.wait(5) == 0
    shown, lost, _ = map(int, re.search(SUMMARY, text.decode(), re.M).groups())
    assert lost > 10000 and shown + lost == len(queries), (shown, lost)
    assert text.decode().count(f".{D}. ") == shown


@contextlib.contextmanager
def unread(*words):
    """A viewer, and the end of the pipe that it writes to."""
    reader, writer = os.pipe()
    with subprocess.Popen([NODENS, "trace", *words], stdout=writer) as process:
        os.close(writer)
        try:
            has_session(process)
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


def test_killed(lab, bare, p1):
    """Nothing is left of it in the agent, with no query in between."""
    with tracing(lab) as viewer:
        assert viewers(bare) == 1
        viewer.process.kill()
        viewer.process.wait()
        wait_until(2, lambda: viewers(bare) == 0, "it is still on")
    assert p1.value(f"n1.{D}", server=LOCAL4) == "10.100.0.1"


def test_too_many(lab, bare, p1):
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(tracing(lab, "-t", 60))
        status, _, text = looked("trace")
        assert status == 1 and "all sessions are in use" in text
        assert p1.value(f"n1.{D}", server=LOCAL4) == "10.100.0.1"
    wait_until(2, lambda: viewers(bare) == 0, "they are still on")
    assert looked("trace", "-t", 1)[0] == 0


def test_words(lab, bare, p1):
    """A number of events, a time, 1 in N."""
    p1.ask(f"n1.{D}", server=LOCAL4)
    with tracing(lab, "rcode", "!NOERROR", "-c", 2) as viewer:
        for i in range(3):
            p1.ask(f"n{i}.{D}", server=LOCAL4)
            p1.ask(f"none{i}.{D}", server=LOCAL4)
        assert viewer.process.wait(10) == 0
        assert viewer.summary()[0] == 2 and viewer.text().count("NXDOMAIN") == 2, viewer.text()
    with tracing(lab, "--sample", 4) as viewer:
        for _ in range(8):
            p1.ask_all([f"n{i}.{D}" for i in range(100)], server=LOCAL4)
        time.sleep(0.3)
        shown = viewer.end()[0]
        assert 130 <= shown <= 270, f"{shown} of 800: six standard deviations are 73"


def test_pcap(lab, bare, p1):
    """Each reply, as a capture in the pod has it."""
    names = [f"n{i}.{D}" for i in range(100)]
    new = [unique("wild.example.org") for _ in range(100)]
    p1.ask_all(names, server=LOCAL4)
    ours, theirs = lab.dir / "bare.pcap", lab.dir / "bare-tcpdump.pcap"
    with (p1.running("tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-B", 32768, "-w", theirs, "udp", "port", "53",
                     log=lab.dir / "tcpdump.log", until="listening on") as tcpdump,
          tracing(lab, "client", p1.ip4, "-w", ours) as viewer):
        p1.ask_all(names + new, server=LOCAL4)
        time.sleep(0.5)
        shown, lost, _ = viewer.end()
        tcpdump.terminate()
        tcpdump.wait()
    assert (shown, lost) == (200, 0)
    seen = collections.Counter(tshark(ours, *DNS_FIELDS))
    replies = collections.Counter(x for x in tshark(theirs, *DNS_FIELDS) if x[5] in ("1", "True"))
    assert seen == replies, (seen - replies, replies - seen)
    assert not tshark_problems(ours)


def test_dnstap(lab, bare, p1):
    """Each query and each reply once; the agent's word is all there is of either."""
    reader = Reader(lab.dir, "bare")
    names = [unique("wild.example.org") for _ in range(100)]
    with tracing(lab, "client", p1.ip4, "--dnstap", f"unix:{reader.socket}") as viewer:
        p1.ask_all(names, server=LOCAL4)
        p1.ask(names[0], server=LOCAL4, tcp=True)
        time.sleep(0.5)
        viewer.end()
    reader.end()
    seen = collections.Counter((m.type, m.question[0]) for m in reader.messages())
    times = {name: 2 if name == names[0] else 1 for name in names}
    assert seen == {(kind, f"{name}."): n for name, n in times.items() for kind in ("CLIENT_QUERY", "CLIENT_RESPONSE")}


def test_nobody_may(bare):
    for words in ["trace"], ["top", "--once"]:
        status, _, text = looked(*words, prefix=NOBODY)
        assert status == 4 and "no permission" in text, (words, text)


def test_agent_that_hangs(bare):
    os.kill(bare.pid, signal.SIGSTOP)
    try:
        status, _, text = looked("trace")
        assert status == 1 and "does not answer" in text
    finally:
        os.kill(bare.pid, signal.SIGCONT)


def test_agent_ends(lab, installed_bare, p1):
    """The next one is looked on at; without one it ends, with the status for that."""
    with tracing(lab) as viewer:
        start(installed_bare, caps=CAPS, own_sys=True)
        wait_until(8, lambda: "looks on in a new session" in viewer.err.read_text(), viewer.err.read_text)
        wait_until(8, lambda: counts_of(viewer.process.pid), "no session")
        name = unique("wild.example.org")
        p1.ask(name, server=LOCAL4)
        wait_until(8, lambda: name in viewer.text(), viewer.text)
        installed_bare.own()
        assert viewer.process.wait(10) == 3 and "nodens is not running here" in viewer.err.read_text()
    assert not os.path.exists(SOCKETS)


def test_agent_is_killed(lab, installed_bare, p1):
    """Its socket stays behind: it is nobody's, and detach removes it."""
    with tracing(lab) as viewer:
        os.kill(installed_bare.pid, signal.SIGKILL)
        installed_bare.wait_end(5)
        assert viewer.process.wait(10) == 3, viewer.err.read_text()
    assert os.path.exists(f"{SOCKETS}/watch")
    assert looked("trace")[0] == 3
    detach()
    assert not os.path.exists(SOCKETS)
    start(installed_bare, caps=CAPS, own_sys=True)
    assert looked("trace", "-t", 1)[0] == 0
    installed_bare.own()


def test_agent_is_killed_and_comes_again(lab, installed_bare, p1):
    """As a container that is started anew: the socket of the killed one is no agent, and the next one is waited for."""
    with tracing(lab) as viewer:
        os.kill(installed_bare.pid, signal.SIGKILL)
        installed_bare.wait_end(5)
        wait_until(5, lambda: "looks on in a new session" in viewer.err.read_text(), viewer.err.read_text)
        assert os.path.exists(f"{SOCKETS}/watch")
        time.sleep(0.5)
        assert viewer.process.poll() is None, viewer.err.read_text()
        start(installed_bare, caps=CAPS, own_sys=True)
        wait_until(8, lambda: counts_of(viewer.process.pid), viewer.err.read_text)
        name = unique("wild.example.org")
        p1.ask(name, server=LOCAL4)
        wait_until(8, lambda: name in viewer.text(), viewer.text)
        assert viewer.end()[1] == 0


@pytest.mark.parametrize("args, number", [((), signal.SIGINT), (("-t", 3), None)])
def test_told_to_end_while_it_waits(lab, installed_bare, args, number):
    """For the next agent: it ends as ever."""
    with tracing(lab, *args) as viewer:
        os.kill(installed_bare.pid, signal.SIGKILL)
        installed_bare.wait_end(5)
        wait_until(5, lambda: "looks on in a new session" in viewer.err.read_text(), viewer.err.read_text)
        if number:
            viewer.process.send_signal(number)
        assert viewer.process.wait(4) == 0, viewer.err.read_text()
    assert viewer.summary()[1] == 0 and "not running" not in viewer.err.read_text()


@pytest.fixture
def installed_bare(bare):
    """For tests that end it."""
    yield bare
    bare.own()
    detach()


# ---- top, report -----------------------------------------------------------------------------------------


def top_pages(seconds, load):
    """What `nodens top --json` says while load() runs, each page fits the schema."""
    with subprocess.Popen([NODENS, "top", "--json", "-n", "100"], stdout=subprocess.PIPE, text=True) as process:
        has_session(process)
        load()
        time.sleep(seconds)
        process.terminate()
        pages = [json.loads(line) for line in process.stdout]
    validator = jsonschema.Draft7Validator(schema("top"))
    for page in pages:
        validator.validate(page)
    return pages


def test_top(lab, bare, p1, p2):
    """By dnsperf's own list: names to the last query, in order, and who asked."""
    names = [f"n{i}.{D}" for i in range(5)]
    p1.ask_all(names, server=LOCAL4)
    load = [(name, "A") for i, name in enumerate(names) for _ in range(100 * 2 ** i)]
    random.shuffle(load)

    def ask():
        for pod in p1, p2:
            assert dnsperf(lab, pod, load, "-Q", 2000, server=LOCAL4)["Queries completed"] == len(load)
    pages = top_pages(2.5, ask)
    assert {page["sample"]["one_in"] for page in pages} == {1} and not any(page["sample"]["lost"] for page in pages)
    counted, clients = summed(pages, "names"), summed(pages, "clients", "client")
    assert [round(counted[f"{name}."]) for name in names] == [200 * 2 ** i for i in range(5)], counted
    assert [round(sum(n for who, n in clients.items() if pod.ip4 in who)) for pod in (p1, p2)] == [len(load)] * 2, clients
    assert all(page["rates"]["kernel"] == 0 for page in pages)


def test_top_text(bare, p1):
    p1.ask(f"n1.{D}", server=LOCAL4)
    status, text, _ = looked("top", "--once")
    assert status == 0 and "| all seen" in text, text


def test_report(lab, bare, p1):
    """The search-path flood of a pod."""
    with subprocess.Popen([NODENS, "report", "--for", "6s", "--json"], stdout=subprocess.PIPE, text=True) as process:
        has_session(process)
        load = [(f"www.s{i}.example.org.{suffix}", "A") for _ in range(150) for i in range(2)
                for suffix in ("default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.", "")]
        dnsperf(lab, p1, load, "-Q", 300, server=LOCAL4)
        page = json.load(process.stdout)
    jsonschema.Draft7Validator(schema("report")).validate(page)
    assert page["not_seen"] is None and page["lost"] == 0
    assert "search_path" in {finding["code"] for finding in page["findings"]}, page


# ---- what there is not -----------------------------------------------------------------------------------


def test_not_to_be_had(bare):
    """Each says so, and nothing says that nodens does not run."""
    for words, said in ((["clients"], "keeps no list of clients: `nodens top -s clients`"), (["dump"], "in its own memory"),
                        (["flush", "a.example.org"], "in its own memory")):
        status, out, text = looked(*words)
        assert (status, out) == (1, "") and said in text and "not running" not in text, (words, text)
    text = looked("explain", f"n1.{D}")[1]
    assert "no kernel path. What it has cached" in text, text


# ---- programs, and no rings ------------------------------------------------------------------------------


NOT_SEEN = "answers from the kernel are not seen one by one, the agent's are: this kernel has no BPF ring buffers"


def test_pre58_trace(lab, pre58, p1):
    """What the agent does, and that there is more."""
    p1.ask_all([f"n{i}.{D}" for i in range(20)])
    with tracing(lab, "--json") as viewer:
        new = [unique("wild.example.org") for _ in range(50)]
        p1.ask_all([f"n{i}.{D}" for i in range(20)])
        p1.ask_all(new)
        wait_until(5, lambda: len(viewer.text().splitlines()) >= 50 or None, viewer.text)
        assert viewer.end()[1] == 0
    events = [x for x in viewer.events() if x["client"] == p1.ip4]
    assert sorted(x["name"] for x in events) == sorted(f"{name}." for name in new)
    assert {(x["outcome"], x["device"]) for x in events} == {("miss", p1.veth)}
    assert NOT_SEEN in viewer.err.read_text()


def test_pre58_top(lab, pre58, p1):
    """Cached names by their slots, the others by what the agent says, in one list."""
    names = [f"n{i}.{D}" for i in range(3)]
    p1.ask_all(names)
    new = [unique("wild.example.org") for _ in range(30)]
    load = [(name, "A") for name in names for _ in range(10)] + [(name, "A") for name in new]

    def ask():
        time.sleep(1)
        dnsperf(lab, p1, load, "-Q", 200)
    counted = summed(top_pages(2.5, ask), "names")
    assert all(round(counted[f"{name}."]) == 1 for name in new), counted
    # the first 16 of a second count one each
    assert all(abs(counted[f"{name}."] - 10) <= 1 for name in names), counted
    text = looked("top", "--once", "-s", "clients")[1]
    assert "cached names by slots" in text and NOT_SEEN in text


def test_pre58_directory_of_somebody_else(pre58, p1):
    """Anybody may make the agent's directory in /dev/shm, and listen there: that is no agent."""
    pre58.kill()
    script = f"""
        mount -t tmpfs none /run && mount -t tmpfs -o mode=1777 none /dev/shm
        theirs=/dev/shm/nodens/{os.path.basename(SOCKETS)}
        {' '.join(NOBODY)} {sys.executable} - $theirs <<END &
        if True:
            import os, socket, sys, time
            os.makedirs(sys.argv[1])
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.bind(sys.argv[1] + "/watch")
            s.listen()
            time.sleep(20)
        END
        until test -S $theirs/watch || ! kill -0 $!; do sleep 0.1; done
        "$@"
        status=$?
        kill $!
        exit $status
    """
    status, _, text = looked("trace", prefix=["unshare", "--mount", "sh", "-c", inspect.cleandoc(script), "sh"])
    assert status == 1 and "the agent that would tell of them is not there" in text, text


def test_pre58_without_an_agent(pre58, p1):
    """There are the maps, and nobody who tells of what is not in them."""
    pre58.kill()
    status, _, text = looked("trace")
    assert status == 1 and "the agent that would tell of them is not there" in text
    text = looked("top", "--once", "-s", "clients")[1]
    assert "cached names alone" in text and "the agent that would tell" in text
    detach()
    assert leftovers() == [] and not os.path.exists(SOCKETS)
