# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How programs get onto a device and off again: beside others' tc filters and XDP programs, over an agent that was
killed, with a device that goes."""
import os
import re
import socket

import pytest

from device import COUNT, OLD, PINS, THEIRS, TOOL, Device, has_feature, pinned, tool
from lab import PYTHON, ip, link_info, note, output, run


# ---- helpers ---------------------------------------------------------------------------------------------


def filters(direction="ingress"):
    return [line for line in output("tc", "filter", "show", "dev", "h0", direction).splitlines()
            if re.search(r"handle 0x[0-9a-f]* [a-z_]*:*|fh [0-9a-f:]* order", line)]


def add_filter(*args, direction="ingress"):
    return run("tc", "filter", "add", "dev", "h0", direction, *args, check=False)


def theirs_as_filter(*args, direction="ingress"):
    run("tc", "filter", "add", "dev", "h0", direction, *args, "bpf", "da", "obj", COUNT, "sec", "tc")


def add_clsact():
    run("tc", "qdisc", "add", "dev", "h0", "clsact")


def qdiscs(kind):
    return sum(kind in line for line in output("tc", "qdisc", "show", "dev", "h0").splitlines())


def generic_xdp():
    return "xdpgeneric" in link_info("h0")


@pytest.fixture(scope="module")
def sharing(lab):
    """Skips where this libxdp and this kernel cannot put two programs onto one device."""
    device = Device(lab)
    if not has_feature("xdp_dispatcher"):
        pytest.skip("no XDP dispatcher on this kernel")
    tool("foreign-xdp", "h0", COUNT, 60)
    done = tool("attach", "h0", "xdp-generic", "pod")
    if done.returncode:
        pytest.skip(done.stderr[:200])
    return device


# ---- tcx -------------------------------------------------------------------------------------------------


def test_tcx_is_first_and_lets_go_on(tcx, device):
    run(TOOL, "foreign-tcx", "h0", COUNT, THEIRS)
    assert device.attach("h0", "tc", "pod") == ("tcx", "", "new")
    device.both_see()
    run(TOOL, "detach")
    device.only_theirs()
    THEIRS.unlink()
    device.is_clean()


def test_tcx_takes_first_place_back(tcx, device):
    device.attach("h0", "tc", "pod")
    run(TOOL, "foreign-tcx", "h0", COUNT, THEIRS)
    device.send(3)
    assert device.ours() == 0, "packets behind a program that says TC_ACT_OK"
    assert device.attach("h0", "tc", "pod") == ("tcx", "", "adopted")
    device.both_see()
    assert len(pinned("links/*")) == 1
    THEIRS.unlink()


# ---- clsact ----------------------------------------------------------------------------------------------


def test_clsact_shares_priority_1(device):
    add_clsact()
    theirs_as_filter("pref", 1)
    how, said, _ = device.attach("h0", "tc", "pod", options=OLD)
    assert how == "clsact prio 1" and "shares priority 1 with count_tc, and runs first" in said
    device.both_see()
    device.attach("h0", "tc", "pod", options=OLD)
    device.both_see()
    assert len(filters()) == 2
    run(TOOL, "detach")
    device.only_theirs()
    assert len(filters()) == 1
    device.is_clean()


def test_clsact_takes_the_lowest_priority(device):
    add_clsact()
    theirs_as_filter("pref", 5)
    assert device.attach("h0", "tc", "pod", options=OLD) == ("clsact prio 1", "", "new")
    device.both_see()
    run(TOOL, "detach")
    assert len(filters()) == 1


def test_clsact_says_who_is_first(device):
    add_clsact()
    if add_filter("pref", 1, "protocol", "ip", "u32", "match", "u32", 0, 0, "action", "pass").returncode:
        pytest.skip("no u32 on this kernel")
    how, said, _ = device.attach("h0", "tc", "pod", options=OLD)
    assert how == "clsact prio 2" and re.search("filter u32 .priority 1. runs before nodens", said)
    run(TOOL, "detach")
    assert "u32" in output("tc", "filter", "show", "dev", "h0", "ingress")


def test_clsact_moves_to_the_front(device):
    add_clsact()
    theirs_as_filter("pref", 1)
    device.attach("h0", "tc", "pod", options=OLD)
    # The CNI starts anew: its filter goes to the head of the list.
    run("tc", "filter", "del", "dev", "h0", "ingress", "pref", 1, "handle", 1, "bpf")
    theirs_as_filter("pref", 1, "handle", 9)
    device.send(3)
    assert device.ours() == 0, "packets behind a filter that says TC_ACT_OK"
    device.attach("h0", "tc", "pod", options=OLD)
    device.both_see()
    assert len(filters()) == 2


def test_clsact_qdisc_of_nodens_goes(device):
    device.attach("h0", "tc", "pod", options=OLD)
    run(TOOL, "detach")
    assert qdiscs("clsact") == 0


def test_clsact_qdisc_of_another_stays(device):
    add_clsact()
    device.attach("h0", "tc", "pod", options=OLD)
    run(TOOL, "detach")
    assert qdiscs("clsact") == 1, "though it is empty"


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_clsact_qdisc_that_another_uses_stays(device, direction):
    device.attach("h0", "tc", "pod", options=OLD)
    theirs_as_filter(direction=direction)
    run(TOOL, "detach")
    assert output("tc", "filter", "show", "dev", "h0", direction).count("count_tc") == 1
    device.is_clean()


@pytest.mark.parametrize("owner, left", [(0, 0), (65534, 1)], ids=["root", "somebody"])
def test_clsact_mark_is_roots(device, layout, owner, left):
    """The mark says that nodens made the qdisc, which then goes with its filter; but not where others may make one."""
    add_clsact()
    device.attach("h0", "tc", "pod", options=OLD)
    marks = PINS / layout / "clsact"
    (marks / f"h0-{socket.if_nametoindex('h0')}").mkdir(parents=True)
    os.chown(marks, owner, owner)
    tool("detach")
    assert qdiscs("clsact") == left
    assert filters() == []
    if marks.exists():
        os.chown(marks, 0, 0)
        tool("detach")


def test_clsact_on_an_ingress_qdisc(device):
    run("tc", "qdisc", "add", "dev", "h0", "ingress")
    device.attach("h0", "tc", "pod", options=OLD)
    device.send(3)
    assert device.ours() == 3
    run(TOOL, "detach")
    assert qdiscs("ingress") == 1


# ---- from one to another ---------------------------------------------------------------------------------

# Sends from another process, while this one attaches.
SEND = """import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    s.sendto(b"x", ("10.99.0.1", 9))
    time.sleep(0.0005)
"""


def no_gap(device, one, other, exact):
    """A pod sends while agents come and go; each is (options, hook)."""
    sent = 2000
    device.attach("h0", one[1], "pod", options=one[0])
    sender = device.pod.spawn(PYTHON, "-c", SEND, sent, log=device.pod.lab.dir / "send")
    for options, hook in (other, one) * 3:
        device.attach("h0", hook, "pod", options=options)
    assert sender.wait(60) == 0
    assert device.ours() == sent if exact else device.ours() >= sent
    assert len(pinned("tail/*")) <= 3, "program arrays kept"


def test_no_gap_tcx(tcx, device):
    no_gap(device, ([], "tc"), ([], "tc"), True)


def test_no_gap_clsact(device):
    no_gap(device, (OLD, "tc"), (OLD, "tc"), True)


def test_no_gap_tc_to_xdp(xdp, device):
    no_gap(device, ([], "tc"), ([], "xdp-generic"), False)


def test_tcx_to_clsact_and_back(tcx, device):
    device.attach("h0", "tc", "pod")
    how, _, maps = device.attach("h0", "tc", "pod", options=OLD)
    assert how.startswith("clsact") and maps == "adopted"
    device.send(3)
    assert device.ours() == 3
    assert device.attach("h0", "tc", "pod") == ("tcx", "", "adopted")
    device.send(3)
    assert device.ours() == 6
    assert filters() == []


# ---- XDP -------------------------------------------------------------------------------------------------


def test_xdp_generic(xdp, device):
    how, _, _ = device.attach("h0", "xdp-generic", "pod")
    assert how.startswith("xdp generic")
    device.send(5)
    assert device.ours() == 5
    device.attach("h0", "xdp-generic", "pod")
    device.send(5)
    assert device.ours() == 10, "after the next start"
    assert generic_xdp()
    device.attach("h0", "tc", "pod")
    assert not generic_xdp(), "after tc took its place"
    run(TOOL, "detach")
    device.is_clean()


def test_xdp_modes_change(xdp, device):
    device.attach("h0", "xdp-native", "pod")
    device.attach("h0", "xdp-generic", "pod")
    assert generic_xdp()
    device.attach("h0", "xdp-native", "pod")
    assert not generic_xdp()
    how, _, _ = device.attach("h0", "auto", "pod", options=["--listen"])
    assert how.startswith("xdp generic"), "auto on a veth in listen mode"
    run(TOOL, "detach")
    device.is_clean()


@pytest.mark.parametrize("priority", [50, 5])
def test_xdp_shares_through_libxdp(sharing, device, priority):
    assert output(TOOL, "foreign-xdp", "h0", COUNT, priority) == "shared"
    how, _, _ = device.attach("h0", "xdp-generic", "pod")
    assert how.startswith("xdp generic, shared")
    device.both_see()
    device.attach("h0", "xdp-generic", "pod")
    device.both_see()
    run(TOOL, "detach")
    device.only_theirs()
    assert generic_xdp(), "the other XDP program"


def test_xdp_comes_after_nodens(sharing, device):
    device.attach("h0", "xdp-generic", "pod")
    assert output(TOOL, "foreign-xdp", "h0", COUNT, 50) == "shared"
    device.both_see()
    run(TOOL, "detach")
    assert generic_xdp(), "the other XDP program"


def test_xdp_single_program_of_another(xdp, device):
    """A program outside any dispatcher, as with ip(8), is nobody's to share with or to remove."""
    run("ip", "link", "set", "h0", "xdpgeneric", "obj", COUNT, "sec", "xdp")
    note(device.fails_to_attach("h0: cannot attach XDP .generic.", "h0", "xdp-generic", "pod"))
    _, said, _ = device.attach("h0", "auto", options=["--listen"])
    assert "cannot attach XDP" in said
    device.both_see()
    run(TOOL, "detach")
    assert generic_xdp(), "the other XDP program"


# ---- devices and kernels ---------------------------------------------------------------------------------


def test_device_goes(device):
    device.attach("h0", "tc", "pod")
    ip("""link del h0
        link add h1.5 type veth peer name h2.5
        link set h1.5 up""")
    device.attach("h1.5", "tc", "pod")
    assert not [path for path in (*pinned("links/*"), *pinned("clsact/*")) if "h0" in path.name], "pins of the device"
    assert len(pinned("tail/*")) <= 2, "program arrays"
    device.attach("h1.5", "tc", "pod", options=OLD)
    ip("link del h1.5")
    device.fails_to_attach("h1.5: no such device", "h1.5", "tc", "pod", options=OLD)
    run(TOOL, "detach")
    device.is_clean()


def test_bridge_port_and_vlan(device):
    if run("ip", "link", "add", "link", "h0", "name", "h0.100", "type", "vlan", "id", 100, check=False).returncode:
        pytest.skip("no VLAN devices on this kernel")
    device.attach("h0.100", "tc")
    device.attach("h0.100", "tc")
    ip("link del h0.100")


def test_pretend_5_4(device):
    old = ["--pretend", "5.4"]
    how, _, _ = device.attach("h0", "auto", "pod", options=old)
    assert how == "clsact prio 1"
    device.send(5)
    assert device.ours() == 5
    device.fails_to_attach("XDP cannot grow packets on this kernel", "h0", "xdp", "pod", options=old)
    assert device.attach("h0", "auto", "pod", options=old)[2] == "adopted"
    device.send(5)
    assert device.ours() == 10, "after the next start"
    # Another kind of maps is not adopted, and its pins take the place of these.
    assert device.attach("h0", "auto", "pod")[2] == "new"
    run(TOOL, "detach")
    device.is_clean()


@pytest.mark.parametrize("version", ["4.19", "5", "5.4; reboot"])
def test_pretend_nonsense(device, version):
    assert tool("--pretend", version, "features").returncode


def test_other_capacity_starts_anew(device):
    device.attach("h0", "tc", "pod")
    device.send(5)
    assert device.attach("h0", "tc", "pod", options=["--capacity", 3000])[2] == "new"
    assert device.ours() == 0, "packets in the new maps"
    assert device.attach("h0", "tc", "pod", options=["--capacity", 3000, "--new"])[2] == "new"
