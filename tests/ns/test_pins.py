# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pins, the lock and nd0: one agent has them at a time, also where others may write; and what a start that cannot have them
says and leaves."""
import os
import pathlib
import re
import resource
import shutil

import pytest

from device import OLD, PINS, THEIRS, TOOL, pinned, tool
from lab import BPFFS, BUILD, PYTHON, ip, note, output, run, running, wait_until

NOBODY = ["setpriv", "--reuid", "65534", "--clear-groups"]
needs_setpriv = pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")


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
    refused(device, "cannot create map .*: lower the capacity, or give nodens more memory", "--capacity", 10000000, *ATTACH,
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
