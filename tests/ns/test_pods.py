# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Many pods: those that are there at start and those that come and go at once are answered, and leave nothing behind."""
import os
import re

import pytest

from agent import cluster_corefile
from cluster import D
from lab import BPFFS, BUILD, leftovers, output, pins, wait_until

THERE, MORE = 60, 40  # pods at start, and at once later
HOOKS = {"tc": ["--hook", "tc"], "clsact": ["--hook", "tc", "--pretend-kernel", "6.5"], "xdp": ["--hook", "xdp-generic"]}


def held(nodens):
    """What an agent has for a device and could forget: descriptors, pins, qdiscs."""
    return len(os.listdir(f"/proc/{nodens.pid}/fd")), len(pins()), output("tc", "qdisc", "show").count("clsact")


def is_as_before(nodens, before):
    """Sockets to upstreams may have been closed meanwhile."""
    descriptors, *others = held(nodens)
    return descriptors <= before[0] and others == list(before[1:])


def filters(pod):
    return output("tc", "filter", "show", "dev", pod.veth, "ingress")


def summed_up(nodens):
    """How many came and how many left by the log's lines."""
    lines = re.findall("^info: devices: ([0-9]+) attached to, ([0-9]+) left in the last 10 s", nodens.log_text(), re.M)
    return [sum(map(int, column)) for column in zip(*lines)]


def are_answered(nodens, pods):
    """By the programs at their own devices."""
    name = f"n1.{D}"
    pods[0].says("10.100.0.1", name)
    with nodens.counting() as gains:
        for pod in pods:
            assert pod.says("10.100.0.1", name), f"{pod.name}, {pod.veth}"
    assert gains["kernel.hits"] == len(pods)


@pytest.fixture(scope="module")
def there(lab, cluster):
    return [lab.pod(f"there{i}") for i in range(THERE)]


@pytest.mark.parametrize("hook", HOOKS)
def test_many_pods(lab, nodens, p1, there, hook):
    devices = THERE + 4  # p1, the uplink and two of the cluster's DNS
    nodens.start(*HOOKS[hook], corefile=cluster_corefile(), probe=p1)
    assert nodens.stat("agent.devices") == devices
    are_answered(nodens, there)
    before = held(nodens)
    more = [lab.pod(f"more-{hook}-{i}", number=100 + i) for i in range(MORE)]
    nodens.wait_stat("agent.devices", devices + MORE)
    are_answered(nodens, more)
    output("ip", "-batch", "-", input="".join(f"link del {pod.veth}\n" for pod in more))
    nodens.wait_stat("agent.devices", devices)
    wait_until(3, lambda: is_as_before(nodens, before), lambda: f"{before} before, {held(nodens)} now")
    for pod in more:
        output("ip", "netns", "del", pod.name)
    # Each that came or went is in a line that sums up 10 s; none has a line of its own.
    nodens.wait(lambda: summed_up(nodens) == [MORE, MORE], 25)
    assert nodens.times_said("^info: devices: ") <= 2 and not nodens.said("veth.*: (attached|gone)")
    nodens.stop()
    assert leftovers() == []


@pytest.mark.parametrize("what", ["filter", "qdisc"])
def test_a_removed_program_comes_back(nodens, p1, there, what):
    nodens.start(*HOOKS["clsact"], corefile=cluster_corefile(), probe=p1)
    pod = there[THERE // 2]
    output(*{"filter": ["tc", "filter", "del", "dev", pod.veth, "ingress"],
             "qdisc": ["tc", "qdisc", "del", "dev", pod.veth, "clsact"]}[what])
    nodens.wait_said(f"{pod.veth}: another program removed nodens' program", 3)
    wait_until(3, lambda: "tc_nodens" in filters(pod), lambda: filters(pod))
    are_answered(nodens, [pod])
    nodens.stop()


def test_nodens_comes_before_a_tcx_program(lab, nodens, p1, there):
    """Of many pods that are there at start most get a filter, and tcx programs run before filters."""
    nodens.start(*HOOKS["tc"], "-log-level", "debug", corefile=cluster_corefile(), probe=p1)
    pod = there[-1]
    if not nodens.said("attached, tcx"):
        pytest.skip("no tcx on this kernel")
    assert "tc_nodens" in filters(pod)
    theirs = BPFFS / "theirs"
    output(BUILD / "tests/ns/attach_tool", "foreign-tcx", pod.veth, BUILD / "tests/ns/count.bpf.o", theirs)
    nodens.wait_said(f"{pod.veth}: another program came before nodens' by tcx", 3)
    wait_until(3, lambda: not filters(pod), lambda: filters(pod))
    are_answered(nodens, [pod])
    theirs.unlink()
    nodens.stop()
    assert leftovers() == []
