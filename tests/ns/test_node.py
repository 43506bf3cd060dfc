# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens on its node: the devices that it is attached to as pods come and go, what it does when others take its programs off,
what it leaves, its commands, and what it refuses."""
import json
import re
import socket
import statistics
import time

import pytest

import query
from agent import NODENS, Metrics, cluster_corefile, command, detach, http
from cluster import D
from lab import (BPFFS, DNS4, NODE4, attached, conntrack_flush, ip, leftovers, link_info, note, output, programs, rules, run,
                 running, wait_until)
from way import VARIANTS


# ---- devices --------------------------------------------------------------------------------------------


def test_attached_within_100_ms(way):
    """The start of ip itself is in this time, and so is what else the machine does."""
    times = []
    for i in range(5):
        start = time.monotonic()
        ip(f"link add vethlate{i} type veth peer name late{i} netns wan")
        wait_until(3, lambda: attached(f"vethlate{i}"), "not attached", step=0.005)
        times.append((time.monotonic() - start) * 1000)
    ip("\n".join(f"link del vethlate{i}" for i in range(5)))
    note(f"ms from `ip link add` to attached: {' '.join(f'{ms:.0f}' for ms in sorted(times))}")
    assert statistics.median(times) <= 100


@pytest.fixture
def made_pods(lab):
    """lab.pod(), with names of their own; those that are left go with the test."""
    made = []

    def make(number=None):
        made.append(lab.pod(query.unique()[:12], number=number))
        return made[-1]
    yield make
    for pod in made:
        if link_info(pod.veth):
            pod.delete()


def wait_attached(pod):
    wait_until(3, lambda: attached(pod.veth), f"{pod.veth}: not attached")


def test_a_pod_appears(way, made_pods):
    start = time.monotonic()
    pod = made_pods()
    wait_attached(pod)
    assert way.miss(pod, f"n14.{D}").value == "10.100.0.14"
    assert (time.monotonic() - start) * 1000 <= 1000, "ms from its creation to an answer"
    way.hit(pod, f"n14.{D}")
    assert pod.conntrack_entries() == 0


def way_back(pod):
    """What the programs know of the pod's IPv4 address: the keys are IPv6's."""
    pin = next(BPFFS.rglob("nodens_clients"))
    key = (b"\0" * 10 + b"\xff\xff" + socket.inet_aton(pod.ip4)).hex(" ").split()
    found = json.loads(output("bpftool", "-j", "map", "dump", "pinned", pin))
    return [client for client in found if client["key"] == [f"0x{octet}" for octet in key]]


def veths_elsewhere():
    lines = output("ip", "-o", "link", "show", "type", "veth").splitlines()
    return sum("link-netns" in line for line in lines if " nd0@" not in line)


def test_a_pod_goes(way, nodens, made_pods):
    # Every veth to another namespace is attached to, and no more; what tests before made and removed is gone.
    wait_until(3, lambda: nodens.stat("agent.devices") == veths_elsewhere(), "devices do not settle")
    devices = nodens.stat("agent.devices")
    pod = made_pods()
    wait_attached(pod)
    way.miss(pod, f"n15.{D}")
    assert way_back(pod)
    pod.delete()
    nodens.wait_stat("agent.devices", devices)
    wait_until(2, lambda: not way_back(pod), lambda: f"its way back is still there: {way_back(pod)}")


def test_an_address_is_used_again(way, nodens, made_pods):
    """The first device to claim an address keeps it, so a new pod with the address of one that went must not meet it."""
    first = made_pods()
    wait_attached(first)
    way.miss(first, f"n60.{D}")
    first.delete()
    second = made_pods(number=int(first.ip4.rpartition(".")[2]))
    assert second.ip4 == first.ip4
    wait_attached(second)
    with nodens.counting() as gains:
        assert way.miss(second, f"n61.{D}").value == "10.100.0.61"
    assert gains["kernel.steer_conflict"] == 0
    way.hit(second, f"n61.{D}")


def test_exclude(any_way, nodens, p1, p2):
    nodens.ensure("--hook", "tc", "--exclude", p2.veth, corefile=cluster_corefile(), probe=p1)
    conntrack_flush()
    any_way.miss(p1, f"n20.{D}")
    assert p2.value(f"n20.{D}") == "10.100.0.20"
    assert p2.conntrack_entries() > 0
    assert p1.conntrack_entries() == 0


def test_interfaces(any_way, nodens, p1, p2):
    nodens.ensure("--hook", "tc", "--interfaces", f"{p1.veth},lxc*,no-such", corefile=cluster_corefile(), probe=p1)
    assert attached(p1.veth) and not attached(p2.veth)
    missing = re.findall(r"^warn: -interfaces ([^:]*): no device matches", nodens.log_text(), re.M)
    assert sorted(set(missing)) == ["lxc*", "no-such"], "globs and names that lead to nothing"
    any_way.miss(p1, f"n21.{D}")
    any_way.hit(p1, f"n21.{D}")


# ---- programs that others take off ----------------------------------------------------------------------


def all_back(nodens, before):
    return programs() == before and nodens.stat("agent.devices") == nodens.stat("agent.devices_wanted")


def test_programs_taken_off(way, nodens, p1):
    """Somebody takes all programs off while the agent runs: they are there again within a second, and it says so."""
    before, lost = programs(), f"{p1.veth}: another program removed nodens' program"
    said = nodens.times_said(lost)
    text, status = command("detach")
    assert status and f"removed from {p1.veth}:" in text
    wait_until(4, lambda: nodens.times_said(lost) == said + 1, nodens.log_tail)
    wait_until(4, lambda: all_back(nodens, before), lambda: f"programs: {programs()}, want {before}")
    wait_until(3, lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"), "no misses are steered")
    run(NODENS, "flush")
    way.miss_then_hit(p1, p1)
    # Again within a minute is not worth another line for each device.
    detach()
    time.sleep(1.1)
    wait_until(4, lambda: all_back(nodens, before), lambda: f"programs: {programs()}, want {before}")
    time.sleep(1.1)
    assert nodens.times_said(lost) == said + 1
    nodens.settings = None


def test_nd0_taken_down(tc, nodens, p1):
    """Whoever takes nd0 down (a network manager): no query is lost for longer than it takes to see it."""
    ip("link set nd0 down")
    time.sleep(0.3)
    assert p1.value(f"n46.{D}") == "10.100.0.46"
    wait_until(3, lambda: "nd0" in output("ip", "link", "show", "nd0", "up"), "nd0 stayed down")
    time.sleep(0.3)
    tc.miss(p1, f"n47.{D}")
    assert nodens.stat("agent.running") == 1


def test_nd0_deleted(tc, nodens, p1):
    ip("link del nd0")
    nodens.wait_end(3)
    assert leftovers() == []
    assert p1.value(f"n48.{D}") == "10.100.0.48", "the cluster's DNS answers"
    assert "nd0 was deleted" in nodens.log_tail()


def test_clsact_deleted(any_way, nodens, p1, p2):
    """As a CNI does that makes its qdisc anew."""
    nodens.ensure(*VARIANTS["pre54"], corefile=cluster_corefile(), probe=p1)
    before = programs()
    for device in p1.veth, "nd0":
        run("tc", "qdisc", "del", "dev", device, "clsact")
        wait_until(4, lambda: all_back(nodens, before), lambda: f"{device}: {programs()}, want {before}")
        nodens.wait_said(f"{device}: another program removed nodens' program", 3)
        wait_until(3, lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"), f"{device}: no misses are steered")
    any_way.miss_then_hit(p1, p2)


@pytest.fixture(scope="module")
def foreign(lab):
    """A program of somebody else's."""
    return lab.bpf_object("count")


def test_programs_that_cannot_be_put_back(nodens, p1, foreign):
    """What cannot be put back is said once, and shown: an XDP program of another has the place."""
    pages = "errors\n    ready 127.0.0.1:8181\n    prometheus 127.0.0.1:9253"
    nodens.start("--hook", "xdp-generic", "--interfaces", p1.veth, probe=p1,
                 corefile=cluster_corefile().replace("errors", pages, 1))
    ready = "http://127.0.0.1:8181/ready"
    wait_until(5, lambda: http(ready)[0] == 200, "not ready before")
    with running(NODENS, "detach", log=nodens.lab.dir / "detach") as detaching:
        run("ip", "link", "set", p1.veth, "xdpgeneric", "off", check=False)
        detaching.wait()
    while run("ip", "link", "set", p1.veth, "xdpgeneric", "obj", foreign, "sec", "xdp", check=False).returncode:
        run("ip", "link", "set", p1.veth, "xdpgeneric", "off", check=False)
    nodens.wait_said(f"{p1.veth}: not attached", 4)
    assert nodens.alive()
    assert http(ready) == (503, "no kernel path")
    assert Metrics().total("nodens_kernel_path") == 0
    assert (nodens.stat("agent.devices"), nodens.stat("agent.devices_wanted")) == (0, 1)
    assert re.search(r"devices +0 ", output(NODENS, "stats"))
    said = nodens.times_said(f"{p1.veth}: not attached")
    time.sleep(2.2)
    assert nodens.times_said(f"{p1.veth}: not attached") == said, "lines about it, two seconds later"
    run("ip", "link", "set", p1.veth, "xdpgeneric", "off")
    wait_until(4, lambda: http(ready)[0] == 200, "not ready after")
    assert nodens.stat("agent.devices") == 1


# ---- what it leaves -------------------------------------------------------------------------------------


def test_no_iptables_rule(tc, ground):
    assert rules() == ground


def map_exists(map_id):
    return run("bpftool", "map", "show", "id", map_id, check=False).returncode == 0


def test_sigterm_leaves_nothing(way, nodens, p1, ground):
    pinned = [path for path in BPFFS.rglob("*") if path.is_file() and "nodens" in str(path)]
    shown = (run("bpftool", "-j", "map", "show", "pinned", path, check=False).stdout for path in pinned)
    maps = [json.loads(text)["id"] for text in shown if text.startswith("{") and "id" in json.loads(text)]
    assert maps, "pinned maps"
    nodens.stop()
    assert leftovers() == []
    for map_id in maps:
        wait_until(3, lambda: not map_exists(map_id), f"map {map_id} is still there")
    assert rules() == ground
    assert p1.value(f"n1.{D}") == "10.100.0.1", "the cluster's DNS answers"
    assert p1.conntrack_entries() > 0


def test_persist_stays(any_way, nodens, p1):
    nodens.ensure("--hook", "tc", "--persist", corefile=cluster_corefile(), probe=p1)
    any_way.miss(p1, f"n40.{D}")
    nodens.stop()
    assert leftovers() != []
    assert any_way.hit(p1, f"n40.{D}").value == "10.100.0.40", "answered without an agent"
    assert p1.value(f"n41.{D}") == "10.100.0.41", "a miss goes to the cluster's DNS"
    nodens.start("--hook", "tc", probe=p1)
    any_way.hit(p1, f"n40.{D}")
    assert len(programs()) == len(set(programs())), "no program twice on one device"
    nodens.stop()
    assert leftovers() == []


def test_unwanted_devices_are_left(tc, nodens, p1, p2):
    """What a killed agent left on a device that the next one is not to attach to."""
    nodens.kill()
    assert attached(p2.veth), "a killed agent's program"
    nodens.start("--hook", "tc", "--exclude", p2.veth, probe=p1)
    assert attached(p1.veth) and not attached(p2.veth)
    tc.miss(p1, f"n42.{D}")
    tc.hit(p1, f"n42.{D}")
    assert p2.value(f"n42.{D}") == "10.100.0.42", "p2 asks the cluster's DNS"
    nodens.stop()
    assert leftovers() == []


# ---- commands -------------------------------------------------------------------------------------------


def test_stats_and_dump(way, nodens, p1):
    way.miss(p1, f"n16.{D}")
    way.miss(p1, f"nosuch2.{D}")
    way.hit(p1, f"n16.{D}")
    assert "hits" in output(NODENS, "stats")
    stats = nodens.stats()
    assert len(stats) > 30 and all(isinstance(n, (int, float)) for n in stats.values())
    assert {"cache.entries", "cache.capacity", "cache.bytes"} <= stats.keys()
    dump = nodens.dump()
    assert re.search(r"^n16\.default.*A.*NOERROR", dump, re.M)
    assert re.search(r"^nosuch2.*NXDOMAIN", dump, re.M)
    assert json.loads(output(NODENS, "dump", "--json"))["answers"]


def test_flush(way, p1):
    way.miss(p1, f"n16.{D}")
    way.miss(p1, f"nosuch2.{D}")
    run(NODENS, "flush", f"n16.{D}", "A")
    way.miss(p1, f"n16.{D}")
    way.hit(p1, f"nosuch2.{D}")
    run(NODENS, "flush", f"n16.{D}")
    way.miss(p1, f"n16.{D}")
    run(NODENS, "flush")
    way.miss(p1, f"nosuch2.{D}")


def test_words_of_flush(tc, p1):
    tc.miss(p1, f"n42.{D}")
    assert command("flush", f"n42.{D}") == ("flushed 1\n", 0)
    text, status = command("flush", f"n42.{D}")
    assert text == "flushed 0\n" and status
    assert command("flush")[1] == 0, "of all there is, which is nothing"


def test_stats_as_nobody(tc):
    done = run("setpriv", "--reuid", 65534, "--clear-groups", NODENS, "stats", check=False)
    assert done.returncode == 4 and "Permission denied: run as root" in done.stderr


def test_stats_of_a_killed_agent(tc, nodens):
    nodens.kill()
    nodens.wait_stat("agent.running", 0)
    assert "devices" not in output(NODENS, "stats")


def test_detach_command(tc, nodens):
    nodens.kill()
    assert leftovers() != [], "what a killed agent leaves (so that it goes on answering)"
    run(NODENS, "detach")
    assert leftovers() == []
    run(NODENS, "detach")


# ---- wrong use ------------------------------------------------------------------------------------------


def refused(regex, *cmd):
    """One line that matches, an exit status, and nothing attached."""
    done = run(*cmd, check=False, timeout=10)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warn: ")]
    assert 0 < done.returncode < 126, done
    assert len(lines) == 1 and re.search(regex, lines[0]), lines
    assert leftovers() == []


def test_a_kernel_that_refuses_the_programs(lab, nodens, p1):
    nodens.stop()
    nodens.corefile.write_text(cluster_corefile())
    done = run(lab.tool("refuse_progs"), "tc_dns", NODENS, "run", "-conf", nodens.corefile, "-localip", DNS4,
               check=False, timeout=20)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("warn: ", "info: nodens "))]
    assert done.returncode == 1, done
    assert len(lines) == 1 and "this kernel refuses the tc program" in lines[0], lines
    assert leftovers() == []


@pytest.mark.parametrize("regex, flags", [
    ("conf|no-such-file", ["-conf", "/no-such-file", "-localip", DNS4]),
    ("localip", ["-conf", "COREFILE", "-localip", "10.96.0"]),
    ("hook", ["-conf", "COREFILE", "-localip", DNS4, "--hook", "eth"]),
    ("bogus", ["--bogus"]),
], ids=["conf", "localip", "hook", "unknown"])
def test_wrong_flags(stopped, nodens, regex, flags):
    refused(regex, NODENS, "run", *(nodens.corefile if flag == "COREFILE" else flag for flag in flags))


@pytest.mark.parametrize("regex, text", [
    ("bad:3.*nonsense", ".:53 {\n    forward . 10.96.0.11\n    nonsense\n}\n"),
    ("bad:", ".:53 {\n    forward . 10.96.0.11\n"),
    ("bad", ""),
], ids=["directive", "unclosed", "empty"])
def test_wrong_corefile(stopped, lab, regex, text):
    bad = lab.dir / "bad"
    bad.write_text(text)
    refused(regex, NODENS, "run", "-conf", bad, "-localip", DNS4)
    if text.endswith("}\n"):
        refused(regex, NODENS, "check", "-conf", bad)


def test_check_of_a_good_corefile(stopped, nodens):
    assert command("check", "-conf", nodens.corefile)[1] == 0


@pytest.mark.parametrize("prefix", [
    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"],
    ["unshare", "--user", "--map-root-user"],
], ids=["nobody", "user-namespace"])
def test_no_permission(stopped, lab, nodens, prefix):
    lab.dir.chmod(0o755)
    refused("[Pp]ermi|root|CAP_", *prefix, NODENS, "run", "-conf", nodens.corefile, "-localip", DNS4)


def test_no_bpffs(stopped, lab, nodens):
    refused("bpf", NODENS, "run", "-conf", nodens.corefile, "-localip", DNS4, "--bpffs", lab.dir / "not-bpffs")


@pytest.mark.parametrize("name", ["stats", "dump", "flush", "clients", "top"])
def test_commands_without_nodens(stopped, name):
    refused("not running here", NODENS, name)
    assert command(name)[1] == 3


def test_listen_address_in_use(stopped, lab, nodens):
    nodens.corefile.write_text(cluster_corefile([NODE4]))
    with lab.port_taken(NODE4):
        refused(NODE4, NODENS, "run", "-conf", nodens.corefile, "-localip", NODE4, "--mode", "listen")
