# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Another's tc filter and XDP program on a pod's veth: theirs still run, before, with and after nodens."""
import json
import socket
import time

import pytest

from agent import cluster_corefile
from cluster import D
from lab import POD_SIDE4, leftovers, link_info, note, output, run, wait_until
from query import unique


@pytest.fixture(scope="module")
def theirs(lab):
    """Their programs: count_tc and count_xdp."""
    return lab.bpf_object("count")


@pytest.fixture
def pod(lab, nodens, cluster):
    """Its veth is one that nothing was ever attached to."""
    nodens.stop()
    return lab.pod(unique()[:12])


@pytest.fixture
def start(nodens, p1):
    def start(hook):
        nodens.start("--hook", hook, corefile=cluster_corefile(), probe=p1)
    return start


def counted(program):
    """The counter of the program with this name."""
    programs = json.loads(output("bpftool", "-j", "prog", "show", "name", program))
    newest = programs[-1] if isinstance(programs, list) else programs
    entry = json.loads(output("bpftool", "-j", "map", "dump", "id", newest["map_ids"][0]))[0]
    return entry["formatted"]["value"]


def counts(pod, program):
    """It sees the pod's other traffic."""
    before = counted(program)
    with pod.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        for _ in range(3):
            sock.sendto(b"\n", (POD_SIDE4, 9))
            time.sleep(0.01)
    assert counted(program) >= before + 3


def answers_hits(nodens, pod, i):
    """nodens answers this pod from the kernel."""
    assert pod.value(f"n{i}.{D}") == f"10.100.0.{i}"
    with nodens.counting() as gains:
        assert pod.value(f"n{i}.{D}") == f"10.100.0.{i}"
    assert gains["kernel.hits"] == 1


def wait_hits(nodens, pod, i):
    def is_hit():
        with nodens.counting() as gains:
            pod.ask(f"n{i}.{D}")
        return gains["kernel.hits"] == 1
    wait_until(2, is_hit, f"{pod.name} is not answered from the kernel")


def add_clsact(pod):
    run("tc", "qdisc", "add", "dev", pod.veth, "clsact", check=False)


def has_clsact(pod):
    return "clsact" in output("tc", "qdisc", "show", "dev", pod.veth)


def add_filter(pod, theirs, *preference):
    run("tc", "filter", "add", "dev", pod.veth, "ingress", *preference, "bpf", "da", "obj", theirs, "sec", "tc")


def test_tc_filter_there_first(pod, nodens, start, theirs):
    add_clsact(pod)
    add_filter(pod, theirs)
    counts(pod, "count_tc")
    start("tc")
    answers_hits(nodens, pod, 1)
    counts(pod, "count_tc")
    nodens.stop()
    counts(pod, "count_tc")
    assert "count_tc" in output("tc", "filter", "show", "dev", pod.veth, "ingress"), "the other filter"
    assert leftovers() == []


def test_tc_filter_comes_later(pod, nodens, start, theirs):
    start("tc")
    wait_hits(nodens, pod, 2)
    add_clsact(pod)
    add_filter(pod, theirs)
    answers_hits(nodens, pod, 3)
    counts(pod, "count_tc")
    nodens.stop()
    counts(pod, "count_tc")


def test_tc_filter_with_the_first_preference(pod, nodens, start, theirs):
    """Behind a filter that ends the chain nodens sees nothing; then it has to say so. With tcx it comes first."""
    add_clsact(pod)
    add_filter(pod, theirs, "pref", 1)
    start("tc")
    pod.ask(f"n4.{D}")
    with nodens.counting() as gains:
        assert pod.value(f"n4.{D}") == "10.100.0.4"
    if gains["kernel.hits"] == 0:
        assert nodens.said(f"{pod.veth}.*count_tc"), "not first, and the log does not name the other"
    note("nodens comes first" if gains["kernel.hits"] else "nodens is behind the other filter and says so")
    counts(pod, "count_tc")
    nodens.stop()
    counts(pod, "count_tc")


def test_foreign_qdisc_stays(pod, nodens, start):
    add_clsact(pod)
    start("tc")
    answers_hits(nodens, pod, 5)
    nodens.stop()
    assert has_clsact(pod), "a qdisc that was there before"


def xdp_status(pod):
    return output("xdp-loader", "status", pod.veth)


def test_xdp_dispatcher_shared(pod, nodens, start, theirs):
    run("xdp-loader", "load", "-m", "skb", "-n", "count_xdp", pod.veth, theirs)
    if "xdp_dispatcher" not in xdp_status(pod):
        pytest.skip("this kernel has no libxdp dispatcher")
    counts(pod, "count_xdp")
    start("xdp-generic")
    answers_hits(nodens, pod, 6)
    counts(pod, "count_xdp")
    assert "xdp_nodens" in xdp_status(pod), "in the dispatcher"
    nodens.stop()
    counts(pod, "count_xdp")
    assert "count_xdp" in xdp_status(pod) and "nodens" not in xdp_status(pod)


def test_xdp_program_comes_later(pod, nodens, start, theirs):
    start("xdp-generic")
    wait_hits(nodens, pod, 7)
    if run("xdp-loader", "load", "-m", "skb", "-n", "count_xdp", pod.veth, theirs, check=False).returncode:
        pytest.skip("xdp-loader cannot add to what is there")
    answers_hits(nodens, pod, 8)
    counts(pod, "count_xdp")
    nodens.stop()
    counts(pod, "count_xdp")


def test_xdp_single_program_stays(pod, nodens, start, theirs):
    """A program that was attached without libxdp fills the only place: it must stay, and nodens must say so."""
    run("ip", "link", "set", "dev", pod.veth, "xdpgeneric", "obj", theirs, "sec", "xdp")
    counts(pod, "count_xdp")
    start("xdp-generic")
    assert pod.veth in nodens.log_text()
    counts(pod, "count_xdp")
    assert pod.value(f"n9.{D}") == "10.100.0.9"
    nodens.stop()
    counts(pod, "count_xdp")
    assert "xdpgeneric" in link_info(pod.veth), "the other program"
