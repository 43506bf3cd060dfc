# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How programs get onto a device and off again: beside others' tc filters and XDP programs, over an agent that was
killed, with a device that goes; and what a start that cannot succeed says and leaves.

Contract: needs attach_tool and count.bpf.o below build/tests/ns (make tests), and no packages but ip, tc and bpftool.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import socket

import pytest

from lab import BPFFS, BUILD, PYTHON, ROOT, Host, ip, link_info, note, output, run, running, wait_until

TOOL = os.environ.get("ATTACH_TOOL", BUILD / "tests/ns/attach_tool")
COUNT = os.environ.get("COUNT_OBJ", BUILD / "tests/ns/count.bpf.o")
PINS, THEIRS = BPFFS / "nodens", BPFFS / "theirs"
OLD = ["--pretend", "5.10"]  # other drivers of tc are forced on a kernel with tcx
NOBODY = ["setpriv", "--reuid", "65534", "--clear-groups"]

needs_setpriv = pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")


# ---- helpers ---------------------------------------------------------------------------------------------


def tool(*args, prefix=()):
    return run(*prefix, TOOL, *args, check=False)


def mac(text):
    return re.search(r"link.ether ([0-9a-f:]+)", text).group(1)


def map_ids(*filters):
    return {entry["id"] for entry in json.loads(output("bpftool", "-j", "map", "show")) if entry.get("name") in filters}


class Device:
    """h0, a fresh veth with a pod behind it; nodens' part of it, and the programs of others."""

    def __init__(self, lab):
        tool("detach")
        run("ip", "link", "del", "h0", check=False)
        run("ip", "netns", "del", "behind", check=False)
        THEIRS.unlink(missing_ok=True)
        self.before, self.maps = map_ids("count_packets"), set()
        self.pod = Host(lab, "behind")
        ip("""netns add behind
            link add h0 type veth peer name eth0 netns behind""")
        # Counted is what a test sends, not what IPv6 has to say when a device comes up.
        self.pod.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6", check=False)
        ip("""link set h0 up
            addr add 10.99.0.1/24 dev h0""")
        ip(f"""addr add 10.99.0.2/24 dev eth0
            link set eth0 up
            neigh replace 10.99.0.1 lladdr {mac(output('ip', '-o', 'link', 'show', 'dev', 'h0'))} dev eth0""", "behind")
        ip(f"neigh replace 10.99.0.2 lladdr {mac(output('ip', '-n', 'behind', '-o', 'link', 'show', 'dev', 'eth0'))} dev h0")

    def send(self, n):
        with self.pod.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            for _ in range(n):
                sock.sendto(b"x\n", ("10.99.0.1", 9))

    def attach(self, *args, options=()):
        """(how, note, "new" or "adopted")"""
        done = tool(*options, "attach", *args)
        assert done.returncode == 0, done.stderr
        pin = next(PINS.glob("layout-*/nodens_ctl"))
        self.maps.add(json.loads(output("bpftool", "-j", "map", "show", "pinned", pin))["id"])
        return tuple(part.strip() for part in done.stdout.split("|"))

    def fails_to_attach(self, regex, *args, options=()):
        """An error of one line; the line."""
        done = tool(*options, "attach", *args)
        assert done.returncode and re.search(regex, done.stderr), done
        return done.stderr.strip()

    @staticmethod
    def ours():
        """What nodens' programs have counted of send()'s packets."""
        found = re.search(r"^pass_not_dns (\d+)", tool("counters").stdout, re.M)
        return int(found.group(1)) if found else 0

    def theirs(self):
        """What the foreign programs of this test have counted, all together."""
        total = 0
        for map_id in map_ids("count_packets") - self.before:
            entries = json.loads(output("bpftool", "-j", "map", "dump", "id", map_id))
            total += sum(entry["formatted"]["value"] for entry in entries if "formatted" in entry)
        return total

    def both_see(self):
        """A packet meets nodens and the foreign program."""
        ours, theirs = self.ours(), self.theirs()
        self.send(5)
        assert (self.ours() - ours, self.theirs() - theirs) == (5, 5)

    def only_theirs(self):
        """It still runs, with nodens gone."""
        theirs = self.theirs()
        self.send(3)
        assert self.theirs() - theirs == 3

    def is_clean(self):
        """Nothing is pinned, and the maps of this test are gone, so no program has them."""
        assert not PINS.exists() or not os.listdir(PINS)
        for map_id in self.maps:  # the kernel frees them a moment after their last user went
            wait_until(2, lambda: run("bpftool", "map", "show", "id", map_id, check=False).returncode,
                       f"map {map_id}, and so a program, is left")


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


def pinned(pattern):
    return list(PINS.glob(f"layout-*/{pattern}"))


@pytest.fixture
def device(lab):
    assert os.path.exists(TOOL) and os.path.exists(COUNT), f"{TOOL} or {COUNT} is missing: make tests"
    return Device(lab)


def has_feature(name):
    return re.search(rf"^{name} *yes", tool("features").stdout, re.M)


@pytest.fixture
def tcx(lab):
    if not has_feature("tcx"):
        pytest.skip("no tcx on this kernel")


@pytest.fixture
def xdp(lab):
    if not has_feature("xdp_grow"):
        pytest.skip("no XDP that grows on this kernel")


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


# ---- refusals --------------------------------------------------------------------------------------------


def refused(device, regex, *args, prefix=()):
    """No success, one line that matches, nothing left."""
    done = tool(*args, prefix=prefix)
    lines = done.stderr.splitlines()
    assert done.returncode and len(lines) == 1 and re.search(regex, lines[0]), done
    device.is_clean()
    note(lines[0])


ATTACH = ["attach", "h0", "tc", "pod"]


@pytest.mark.parametrize("regex, args", [
    ("capacity of .* too large", ["--capacity", 400000000, *ATTACH]),
    ("not in a bpffs: mount -t bpf", ["--bpffs", "/tmp/nodens", *ATTACH]),
    ("absolute path", ["--bpffs", "nodens", *ATTACH]),
    ("no dot", ["--bpffs", "/sys/fs/bpf/a.b", *ATTACH]),
    ("no nodens maps below", ["counters"]),
], ids=["too-large", "no-bpffs", "relative", "dot", "no-maps"])
def test_refusals(device, regex, args):
    refused(device, regex, *args)


@needs_setpriv
def test_refusal_without_capabilities(device):
    refused(device, "run as root, or with CAP_BPF", *ATTACH, prefix=["setpriv", "--bounding-set", "-all"])


@pytest.fixture
def little_memory(lab):
    """The directory of a control group that has 64 MB: of the first version's hierarchy, or of the second's."""
    top = lab.dir / "memory"
    top.mkdir(exist_ok=True)
    for kind, options, limit in ("cgroup", ["-o", "memory"], "memory.limit_in_bytes"), ("cgroup2", [], "memory.max"):
        if run("mount", "-t", kind, *options, kind, top, check=False).returncode:
            continue
        group = top / "nodens-test"
        group.mkdir()
        if (group / limit).exists():
            break
        group.rmdir()
        run("umount", top)
    else:
        pytest.skip("no control group of memory")
    (group / limit).write_text(str(64 << 20))
    yield group
    group.rmdir()
    run("umount", top)


def test_refusal_without_memory(device, little_memory):
    enter = ["sh", "-c", f'echo $$ >{little_memory}/cgroup.procs && exec "$@"', "sh"]
    refused(device, "cannot create map .*: lower the capacity, or give nodens more memory", "--capacity", 1000000, *ATTACH,
            prefix=enter)


def test_refusal_where_bpffs_is_covered(device):
    run("mount", "-t", "tmpfs", "tmpfs", BPFFS)
    try:
        refused(device, "not in a bpffs: mount -t bpf", *ATTACH)
    finally:
        run("umount", BPFFS)


def test_no_locked_memory(device):
    """5.11 and later charge the cgroup; before, root raises the limit."""
    run(TOOL, *ATTACH, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0)))
    run(TOOL, "detach")


# ---- one agent at a time ---------------------------------------------------------------------------------


def test_one_agent_at_a_time(device):
    with running(TOOL, "hold", 60, log=device.pod.lab.dir / "held", until="holding") as holder:
        device.fails_to_attach("another nodens agent is running", "h0", "tc", "pod")
        done = tool("detach")
        assert done.returncode, "detach beside an agent"
        assert re.search(rf"the agent .pid {holder.pid}. is running: it attaches again.*its pins stay", done.stdout)
        assert pinned("nodens_ctl"), "a running agent's pins"
    # Killed, it holds nothing.
    device.attach("h0", "tc", "pod")
    run(TOOL, "detach")


def test_nothing_to_detach(device):
    assert output(TOOL, "detach") == "nothing was attached"
    assert tool("detach", "now").returncode
    assert tool("detach", "--nonsense").returncode


def elsewhere(device, hook, options=()):
    """What is attached in one network namespace needs its pins, whoever says detach in another."""
    device.attach("h0", hook, "pod", options=options)
    before = sorted(PINS.rglob("*"))
    done = tool("detach", prefix=["unshare", "--net"])
    assert done.returncode
    assert f"programs are attached in another network namespace: the pins below {PINS} stay" in done.stdout + done.stderr
    assert sorted(PINS.rglob("*")) == before
    device.send(3)
    assert device.ours() == 3
    run(TOOL, "detach")
    device.is_clean()


def test_detach_elsewhere_tcx(tcx, device):
    elsewhere(device, "tc")


def test_detach_elsewhere_clsact(device):
    elsewhere(device, "tc", OLD)


def test_detach_elsewhere_xdp(xdp, device):
    elsewhere(device, "xdp-generic")


# ---- places that others may write to ---------------------------------------------------------------------


@pytest.fixture
def open_bpffs(device):
    """A bpffs that anybody may write to."""
    run("mount", "-t", "bpf", "-o", "mode=1777", "bpf", BPFFS)
    yield
    run("umount", BPFFS)


@pytest.fixture
def layout():
    """The directory below PINS that maps of this layout are pinned in."""
    text = (ROOT / "headers/nodens_abi.h").read_text()
    return "layout-" + re.search(r"^#define NODENS_LAYOUT +(\d+)", text, re.M).group(1)


@needs_setpriv
@pytest.mark.parametrize("which", ["top", "layout"])
def test_pins_of_somebody_else(device, open_bpffs, layout, which):
    """Somebody made our directories there before."""
    made = PINS if which == "top" else PINS / layout
    if which == "layout":
        PINS.mkdir()
        PINS.chmod(0o777)
    run(*NOBODY, "mkdir", made)
    PINS.chmod(0o755)
    error = device.fails_to_attach(
        f"{made} belongs to user 65534, mode .*somebody else made it", "h0", "tc", "pod")
    assert "\n" not in error
    assert not [path for path in PINS.rglob("*") if path.is_file()], "pins made there"
    done = tool("counters")
    assert done.returncode and re.search("belongs to user 65534|no nodens maps", done.stderr)


@needs_setpriv
def test_a_symbolic_link_is_not_followed(device, open_bpffs):
    run(*NOBODY, "mkdir", THEIRS)
    run(*NOBODY, "ln", "-s", THEIRS, PINS)
    assert tool(*ATTACH).returncode
    assert os.listdir(THEIRS) == [], "what was made behind the link"
    PINS.unlink()
    THEIRS.rmdir()


@needs_setpriv
def test_open_bpffs_is_as_good_as_another(device, open_bpffs, layout):
    """With nothing of theirs there. And no link is followed from below a directory of theirs."""
    others = BPFFS / "others"
    device.attach("h0", "tc", "pod")
    others.mkdir()
    os.rename(PINS / layout / "nodens_clients", others / "kept")
    run(TOOL, "detach")
    run(*NOBODY, "mkdir", "-p", PINS / layout)
    run(*NOBODY, "ln", "-s", others, PINS / layout / "tail")
    done = run(BUILD / "nodens", "detach", check=False)
    assert done.returncode and "nodens detach: /sys/fs/bpf/nodens: Operation not permitted" in done.stdout + done.stderr
    assert os.listdir(others) == ["kept"]


SQUAT = """import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0nodens/nd0")
print("bound", flush=True)
time.sleep(30)"""


@needs_setpriv
def test_lock_is_roots(device):
    """What an unprivileged process can take must not keep an agent from starting; and it cannot take the lock."""
    with running(*NOBODY, PYTHON, "-c", SQUAT, log=device.pod.lab.dir / "squat", until="bound"):
        run(TOOL, "steer", 0.1, "169.254.20.10")
    bind = 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.110.100.48", 1))'
    assert "PermissionError" in run(*NOBODY, PYTHON, "-c", bind, check=False).stderr


def test_lock_that_a_stranger_holds(device):
    """Where everybody may bind low ports, an agent goes on without the lock, and says so."""
    hold = ('import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
            's.bind(("127.110.100.48", 1)); print("bound", flush=True); time.sleep(60)')
    run("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0")
    corefile = device.pod.lab.dir / "Corefile"
    corefile.write_text(".:53 {\n    bind 127.0.0.1\n    forward . 127.0.0.2\n}\n")
    log = device.pod.lab.dir / "agent"
    with running(*NOBODY, PYTHON, "-c", hold, log=device.pod.lab.dir / "hold", until="bound"):
        for words in (["run"], []):
            with running(BUILD / "nodens", *words, "-conf", corefile, "-mode", "listen", "-localip", "127.0.0.1",
                         "-setupinterface=false", log=log, until="^info: ready"):
                pass
            assert "is held by a process that is no agent" in log.read_text()
    run("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=1024")


# ---- nd0 -------------------------------------------------------------------------------------------------


def nd0():
    return output("ip", "-o", "link", "show", "nd0", check=False)


def test_nd0_goes_with_its_agent(device):
    log = device.pod.lab.dir / "steer"
    with running(TOOL, "steer", 60, "169.254.20.10", "fd00::a", log=log):
        wait_until(5, lambda: pathlib.Path(log).read_text().count("ok") == 4, "no four sockets")
        assert re.search("mtu 65535.*state UP", nd0())
        done = tool("steer", 1, "10.0.0.1")
        assert done.returncode and "another nodens agent runs" in done.stderr
        assert "nothing was attached" in output(TOOL, "detach"), "detach beside a live nd0"
    run(TOOL, "steer", 0.1, "10.0.0.1")
    wait_until(1, lambda: not nd0(), "nd0 is left")


def test_nd0_of_another_stays(device):
    ip("link add nd0 type veth peer name nd1")
    done = tool("steer", 0.1, "10.0.0.1")
    assert done.returncode and "nodens did not make it" in done.stderr
    run(TOOL, "detach")
    assert nd0(), "a foreign nd0"
    ip('link set nd0 alias "nodens: private veth of the agent"')
    assert "removed nd0" in output(TOOL, "detach"), "a stale one of nodens'"


@pytest.mark.parametrize("address", ["fe80::1", "ff02::1", "224.0.0.1", "0.0.0.0", "::"])
def test_addresses_that_cannot_be_served(device, address):
    assert tool("steer", 0.1, address).returncode
