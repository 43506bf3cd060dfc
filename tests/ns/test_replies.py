# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens trace --with-replies: of what was passed on, what came back, against what dig and the client were told; at several
devices, at those that come meanwhile; and nothing of it is left, whatever becomes of the viewer."""
import collections
import contextlib
import json
import re
import signal
import time

import pytest

from agent import block
from cluster import D
from lab import DNS4, UP4, output, run, wait_until
from query import make_query, unique
from test_coexist import counted
from test_status import status
from test_trace import DNS_FIELDS, Viewer, tracing, tshark

PROGRAM = "tc_replies"


@pytest.fixture
def steered(nodens, cluster, p1, p2):
    nodens.ensure(corefile=block(".:53", "cache 30", f"bind {DNS4}", f"forward . {UP4}"), probe=p1)
    return nodens


@pytest.fixture
def elsewhere(cluster):
    """A server that nodens does not serve: what asks it is passed on."""
    return cluster.servers[0].pod.ip4


def attached():
    """How many devices the program is at, and how often it is loaded."""
    progs = [prog["id"] for prog in json.loads(output("bpftool", "-j", "prog", "show")) if prog.get("name") == PROGRAM]
    links = output("bpftool", "link", "show")
    return sum(len(re.findall(rf"^\d+: .*prog {prog}\b", links, re.M)) for prog in progs), len(progs)


@contextlib.contextmanager
def looking(lab, *args, devices=None):
    """A viewer whose program is at all devices that nodens is at, or at so many."""
    before = attached()[0]
    devices = devices or sum(device["state"] == "attached" for device in status()[0]["devices"])
    with tracing(lab, "--with-replies", *args) as viewer:
        wait_until(5, lambda: attached()[0] == before + devices, lambda: f"{attached()} {viewer.err.read_text()}", step=0.1)
        yield viewer


def dig(pod, server, name, rdtype="A"):
    """(status, answers, microseconds) as dig has them."""
    text = pod.output("dig", "+tries=1", "+noall", "+comments", "+stats", "-u", f"@{server}", name, rdtype)
    return (re.search(r"status: (\w+)", text)[1], int(re.search(r"ANSWER: (\d+)", text)[1]),
            int(re.search(r"Query time: (\d+) usec", text)[1]))


def test_against_dig(lab, steered, tcx, p1, p2, elsewhere):
    """Two devices: for each query the answer that dig had, in no more time than dig took."""
    asked = [(p1, f"n5.{D}", "A"), (p2, f"web.{D}", "AAAA"), (p2, f"none.{D}", "A"), (p1, f"fifty.{D}", "A"), (p1, f"n6.{D}", "TXT")]
    with looking(lab, "--json") as objects, looking(lab) as text:
        told = [dig(pod, elsewhere, name, rdtype) for pod, name, rdtype in asked]
        wait_until(5, lambda: len(objects.events()) >= len(asked) and len(text.text().splitlines()) > len(asked), text.text)
        objects.end()
        text.end()
    events = [x for x in objects.events() if x["outcome"] == "passed"]
    lines = [line for line in text.text().splitlines() if "not_served" in line]
    assert len(events) == len(lines) == len(asked)
    for (pod, name, rdtype), (status, answers, us), event, line in zip(asked, told, events, lines):
        assert (event["name"], event["type"], event["device"]) == (f"{name}.", rdtype, pod.veth)
        assert (event["server"], event["reason"], event["client"]) == (elsewhere, "not_served", pod.ip4)
        assert (event["reply"]["rcode"], event["reply"]["answers"]) == (status, answers)
        assert 0 < event["took_us"] <= us and "no_reply" not in event
        ttl = f" ttl {event['reply']['ttl_s']}" if answers else ""
        assert re.search(rf" {rdtype} {re.escape(name)}\. +{status} {answers}{ttl} +not_served +\d+$", line), line
        assert not answers or event["reply"]["ttl_s"] == 30


def test_each_once(lab, steered, tcx, p1, p2, elsewhere):
    """A burst of two pods, with hits and misses between: each query once, each with its own client's answer."""
    pods, names = (p1, p2), [f"n{i}.{D}" for i in range(300)]
    with looking(lab, "--json") as viewer:
        for pod in pods:
            pod.ask_all(names, server=elsewhere)
            pod.ask_all(names[:50])
        wait_until(10, lambda: len(viewer.events()) >= 700, lambda: str(len(viewer.events())))
        assert viewer.end()[1] == 0
    events = [x for x in viewer.events() if x["outcome"] == "passed"]
    assert collections.Counter((x["client"], x["name"]) for x in events) == {(pod.ip4, f"{name}."): 1 for pod in pods for name in names}
    assert all(x["reply"] == {"rcode": "NOERROR", "answers": 1, "truncated": False, "ttl_s": 30} for x in events)
    others = [x for x in viewer.events() if x["outcome"] != "passed"]
    assert others and not [x for x in others if "no_reply" in x]


def test_ip6(lab, steered, tcx, p1, cluster):
    with looking(lab, "--json") as viewer:
        assert p1.value(f"n7.{D}", server=cluster.servers[0].pod.ip6) == "10.100.0.7"
        wait_until(5, lambda: viewer.events(), viewer.text)
        viewer.end()
    (event,) = viewer.events()
    assert event["client"] == p1.ip6 and event["reply"]["rcode"] == "NOERROR" and event["took_us"] > 0


def test_cluster_dns(lab, steered, tcx, p1):
    """The agent is gone, and the cluster's DNS answers behind DNAT: what the pod got is what is shown."""
    steered.kill()
    with looking(lab, "--json") as viewer:
        answers = {name: p1.ask(name) for name in (unique("wild.example.org"), f"n8.{D}", unique(D))}
        wait_until(5, lambda: len(viewer.events()) == 3, viewer.text)
        viewer.end()
    for event, (name, answer) in zip(viewer.events(), answers.items()):
        # the socket of one that was killed goes a moment after it
        assert (event["name"], event["server"]) == (f"{name}.", DNS4) and event["reason"] in ("steer_dead", "steer_hung")
        assert (event["reply"]["rcode"], event["reply"]["answers"]) == (answer.status, len(answer.values))
    assert [x["reply"]["rcode"] for x in viewer.events()] == ["NOERROR", "NOERROR", "NXDOMAIN"]


def test_no_reply(lab, steered, tcx, p1, elsewhere):
    """Who is asked where nobody is, is shown once it has waited; one that still waits at the end is not said to have none."""
    with looking(lab) as text, looking(lab, "--json", "unanswered") as objects:
        with p1.udp(server="192.0.2.253") as sock:
            sock.send(make_query("nobody.example.org").to_wire())
        p1.ask(f"n9.{D}", server=elsewhere)
        assert "nobody" not in text.text()
        wait_until(10, lambda: "nobody" in text.text() and objects.events(), text.text, step=0.2)
        with p1.udp(server="192.0.2.253") as sock:
            sock.send(make_query("late.example.org").to_wire())
        time.sleep(0.3)
        text.end()
        objects.end()
    assert re.search(r"A nobody\.example\.org\. +no reply seen +not_served +-$", text.text(), re.M)
    assert re.search(r"A late\.example\.org\. +passed on +not_served +-$", text.text(), re.M)
    (event,) = objects.events()
    assert event["name"] == "nobody.example.org." and event["no_reply"] is True and "reply" not in event


def test_words(lab, steered, tcx, p1, p2, elsewhere):
    """An rcode and a time are those of the reply; a device is all that the program is at."""
    with (looking(lab, "--json", "rcode", "NXDOMAIN", "outcome", "passed") as nx, looking(lab, "--json", "slower", "1s") as slow,
          looking(lab, "--json", "dev", p2.veth, "type", "AAAA", devices=1) as one):
        for pod in p1, p2:
            for rdtype in "A", "AAAA":
                pod.ask(f"n1.{D}", rdtype, server=elsewhere)
                pod.ask(f"gone.{D}", rdtype, server=elsewhere)
        wait_until(5, lambda: len(nx.events()) == 4 and len(one.events()) == 2, lambda: nx.text() + one.text())
        for viewer in nx, slow, one:
            viewer.end()
    assert {x["reply"]["rcode"] for x in nx.events()} == {"NXDOMAIN"} and slow.events() == []
    assert [(x["device"], x["type"], x["reply"]["rcode"]) for x in one.events()] == [(p2.veth, "AAAA", x) for x in ("NOERROR", "NXDOMAIN")]


def test_device_that_comes(lab, steered, tcx, elsewhere):
    with looking(lab, "--json") as viewer:
        before = attached()[0]
        pod = lab.pod("late")
        wait_until(5, lambda: attached()[0] == before + 1, attached, step=0.1)
        pod.ask(f"n1.{D}", server=elsewhere)
        wait_until(5, lambda: [x for x in viewer.events() if x.get("device") == pod.veth], viewer.text)
        pod.delete()
        wait_until(5, lambda: attached()[0] == before, attached, step=0.1)
        viewer.end()
    assert viewer.events()[-1]["reply"]["rcode"] == "NOERROR"
    assert not viewer.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ended", "killed"])
def test_nothing_is_left(lab, steered, tcx, p1, elsewhere, number):
    assert attached() == (0, 0)
    with looking(lab) as first, looking(lab) as second:
        assert attached()[1] == 2
        first.process.send_signal(number)
        first.process.wait(5)
        wait_until(3, lambda: attached()[1] == 1, attached, step=0.1)
        p1.ask(f"n1.{D}", server=elsewhere)
        wait_until(5, lambda: "NOERROR 1" in second.text(), second.text)
        second.process.send_signal(number)
        second.process.wait(5)
    wait_until(3, lambda: attached() == (0, 0), attached, step=0.1)
    assert p1.ask(f"n1.{D}", server=elsewhere).status == "NOERROR"


def test_packets_are_the_same(lab, steered, tcx, p1, elsewhere):
    """What a pod receives with the program is, octet for octet, what it receives without; and TCP goes on."""
    query = make_query(f"fifty.{D}", payload=4096, cookie=False, qid=4242).to_wire()

    def received():
        with p1.udp(server=elsewhere) as sock:
            sock.send(query)
            return sock.recv(65535)
    before = received()
    with looking(lab) as viewer:
        with steered.counting() as gains:
            assert len(before) > 800 and sorted(received()[50:]) == sorted(before[50:]) and received()[:50] == before[:50]
            assert p1.ask(f"big.{D}", tcp=True, server=elsewhere).tcp
        assert gains["kernel.pass_not_served"] >= 2
        viewer.end()


def test_other_programs_run(lab, steered, tcx, p1, elsewhere):
    """A filter at the same egress has each packet, as before, and the viewer is not behind it."""
    run("tc", "qdisc", "add", "dev", p1.veth, "clsact")
    try:
        run("tc", "filter", "add", "dev", p1.veth, "egress", "pref", 7, "bpf", "direct-action", "obj", lab.bpf_object("count"), "sec", "tc")
        with looking(lab) as viewer:
            before = counted("count_tc")
            for i in range(20):
                p1.ask(f"n{i}.{D}", server=elsewhere)
            assert counted("count_tc") >= before + 20
            wait_until(5, lambda: viewer.text().count("NOERROR 1") == 20, viewer.text)
            viewer.end()
    finally:
        run("tc", "qdisc", "del", "dev", p1.veth, "clsact")


def test_pcap(lab, steered, tcx, p1, elsewhere):
    """Queries that were passed on, and their replies, each once."""
    ours, names = lab.dir / "replies.pcap", [f"n{i}.{D}" for i in range(50)]
    with looking(lab, "client", p1.ip4, "outcome", "passed", "-w", ours) as viewer:
        p1.ask_all(names, server=elsewhere)
        p1.ask_all(names)
        time.sleep(0.5)
        viewer.end()
    packets = tshark(ours, *DNS_FIELDS)
    assert len(packets) == 100 and set(collections.Counter(packets).values()) == {1}
    replies = [x for x in packets if x[5] in ("1", "True")]
    assert sorted(x[6] for x in replies) == sorted(names) and {x[0] for x in replies} == {elsewhere}
