# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the manifests and the unit say a nodens needs, by trying: the capabilities that they give are enough, and none is too
many; what systemd hears; an upgrade of the DaemonSet with pods that go on asking."""
import re
import socket
import time

import pytest

from agent import cluster_corefile, detach
from cluster import D
from deploy import CILIUM, KUBE_PROXY, read, unit, with_rights
from lab import DNS4, DNS6, UP4, leftovers, note, output, programs, run, wait_until
from load import Load, warm

STEER, LISTEN = read(KUBE_PROXY).capabilities, read(CILIUM).capabilities
UNIT = [name.removeprefix("CAP_").lower() for name in unit("CapabilityBoundingSet").split()]
WARM = 200  # names


def run_args(nodens):
    nodens.corefile.write_text(cluster_corefile(ttl=3600))
    return "run", "-conf", nodens.corefile, "-localip", f"{DNS4},{DNS6}"


class Steer:
    """On the node, for pods; answers() is a hit and a miss of a pod."""

    def __init__(self, nodens, p1):
        self.nodens, self.p1 = nodens, p1

    def spawn(self, capabilities, *flags):
        self.nodens.spawn(*run_args(self.nodens), *flags, prefix=with_rights(capabilities))

    def answers(self):
        return self.nodens.answers_new_names(self.p1, DNS4, "kernel.steered")

    def start(self, capabilities, *flags):
        """Whether it comes up and answers."""
        self.spawn(capabilities, *flags)
        end = time.monotonic() + 10
        while self.nodens.alive() and time.monotonic() < end:
            if self.answers():
                return True
            time.sleep(0.02)
        return False

    def needs(self, capabilities, name):
        """Without this one it does not come up, and says why."""
        assert not self.start([x for x in capabilities if x != name])
        assert self.nodens.errors(), self.nodens.log_text()
        note(f"without {name}: {self.nodens.errors()[0].removeprefix('error: ')}")
        self.nodens.kill()
        detach()

    def end(self):
        """Leaves nothing."""
        self.nodens.stop()
        detach()
        assert leftovers() == []


class Listen(Steer):
    """Behind a Local Redirect Policy: in a namespace of its own, asked at its own address."""

    def __init__(self, nodens, p1, pod):
        super().__init__(nodens, p1)
        self.pod = pod

    def spawn(self, capabilities, *flags):
        self.nodens.corefile.write_text(f".:53 {{\n    bind 0.0.0.0\n    forward . {UP4}\n    cache 3600\n}}\n")
        self.nodens.spawn("run", "-conf", self.nodens.corefile, *flags, netns=self.pod.name, prefix=with_rights(capabilities))

    def answers(self):
        return self.p1.says("10.100.0.3", f"n3.{D}", server=self.pod.ip4, timeout=1)

    def is_in_the_kernel(self):
        with self.nodens.counting() as gains:
            assert self.answers()
        assert gains["kernel.hits"] == 1


@pytest.fixture
def steer(nodens, p1):
    return Steer(nodens, p1)


@pytest.fixture(scope="session")
def agent_pod(lab, cluster):
    return lab.pod("agent")


@pytest.fixture
def listen(nodens, p1, agent_pod):
    return Listen(nodens, p1, agent_pod)


@pytest.mark.parametrize("flags", [[], ["--hook", "xdp-generic"], ["--pretend-kernel", "5.4"]], ids=["here", "xdp", "pre54"])
def test_capabilities_of_the_daemonset(steer, flags):
    assert steer.start(STEER, *flags)
    steer.end()


@pytest.mark.parametrize("name", STEER)
def test_daemonset_needs(steer, name):
    steer.needs(STEER, name)


def test_capabilities_behind_cilium(listen):
    assert listen.start(LISTEN)
    listen.is_in_the_kernel()
    listen.end()


@pytest.mark.parametrize("name", LISTEN)
def test_cilium_needs(listen, name):
    listen.needs(LISTEN, name)


def test_restart_behind_cilium(listen, nodens):
    """The container is killed and started again in the same pod: what is there is taken over, by a process that cannot look
    programs up by their ids."""
    assert listen.start(LISTEN)
    nodens.kill()
    assert listen.start(LISTEN)
    listen.is_in_the_kernel()
    nodens.stop()
    assert leftovers() == []
    assert not listen.answers(), "something goes on answering"


def test_sandbox_of_the_unit(steer, lab, nodens):
    """As far as it can be had without systemd: its capabilities, all but bpffs read-only."""
    assert "sys_admin" in UNIT
    assert set(UNIT) == {*STEER, *LISTEN}, "those of steer and of listen"
    root = lab.dir / "root"
    root.mkdir()
    for options, where in ((["--bind", "/"], ""), (["-o", "remount,ro,bind"], ""), (["--bind", lab.dir], str(lab.dir)),
                           (["-t", "sysfs", "-o", "ro", "sysfs"], "/sys"), (["--bind", "/sys/fs/bpf"], "/sys/fs/bpf"),
                           (["-t", "proc", "proc"], "/proc")):
        run("mount", *options, f"{root}{where}")
    nodens.spawn(*run_args(nodens), "-persist", prefix=with_rights([*UNIT, "sys_chroot"], "chroot", root))
    nodens.wait(steer.answers, 10)
    steer.end()


def filter_of(name):
    """System calls of a set of systemd's, those of the sets in it too; a system call is itself."""
    if name[0] != "@":
        return {name}
    lines = (line.strip() for line in output("systemd-analyze", "syscall-filter", name).splitlines()[1:])
    return set().union(*(filter_of(line) for line in lines if line and line[0] != "#"))


def test_system_calls_of_the_unit(lab, nodens, steer, p1):
    """Every one of a start, answers over UDP and TCP, a reload and an end is one that the unit's filter lets pass."""
    log = lab.dir / "calls"
    nodens.spawn(*run_args(nodens), prefix=["strace", "-f", "-qq", "-o", log],
                 env={"NOTIFY_SOCKET": str(lab.dir / "nobody"), "WATCHDOG_USEC": "1000000"})
    nodens.wait(steer.answers, 20)
    p1.value(f"n1.{D}", tcp=True)
    pid = output("pgrep", "-P", nodens.pid)
    run("kill", "-HUP", pid)
    nodens.wait_said("new configuration is at work")
    run("kill", "-TERM", pid)
    nodens.wait_end(10)
    calls = log.read_text()
    used = set(re.findall(r"^[0-9]+ +([a-z0-9_]+)\(", calls, re.M))
    allowed = set().union(*map(filter_of, ["@default", *unit("SystemCallFilter").split()]))
    assert len(used) > 30
    assert used - allowed == set(), "system calls that the unit forbids"
    assert [x for x in re.findall(r"(?:unshare|setns)\([^)]*", calls) if "CLONE_NEWNET" not in x] == []
    assert set(re.findall(r"socket\((AF_[A-Z0-9]+)", calls)) == set(unit("RestrictAddressFamilies").split())


class Manager:
    """systemd's end of a notify socket: words are what it has heard."""

    def __init__(self, path):
        self.words, self.socket = [], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def hears(self, word, times=1, seconds=10):
        """Listens until it has; within `seconds` of each word."""
        self.socket.settimeout(seconds)
        while self.words.count(word) < times:
            self.words.append(self.socket.recv(4096).decode())

    def hears_nothing(self, seconds):
        self.socket.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.words.append(self.socket.recv(4096).decode())

    def drain(self):
        self.socket.setblocking(False)
        while True:
            try:
                self.words.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return


def test_notifies_the_service_manager(lab, nodens):
    """READY=1 once it answers, WATCHDOG=1 while it beats, nothing from a hung one, STOPPING=1 at the end."""
    assert unit("Type") == "notify" and int(unit("WatchdogSec")) >= 5
    manager = Manager(lab.dir / "notify")
    nodens.spawn(*run_args(nodens), env={"NOTIFY_SOCKET": str(lab.dir / "notify"), "WATCHDOG_USEC": "600000"})
    manager.hears("READY=1")
    assert nodens.said("ready: addresses served"), "READY=1 before it was"
    manager.hears("WATCHDOG=1", times=5, seconds=5)
    nodens.signal("STOP")
    time.sleep(0.3)
    manager.drain()
    manager.hears_nothing(1)
    nodens.signal("CONT")
    nodens.signal("TERM")
    manager.hears("STOPPING=1")
    nodens.wait_end(10)
    manager.drain()
    assert [word for word in manager.words if word != "WATCHDOG=1"] == ["READY=1", "STOPPING=1"]


def test_nobody_is_notified(nodens, steer):
    """An abstract socket, as containers' managers have them; and nobody there, which is no reason to stop."""
    nodens.spawn(*run_args(nodens), env={"NOTIFY_SOCKET": "@nodens-nobody", "WATCHDOG_USEC": "600000"})
    nodens.wait(steer.answers, 10)
    steer.end()


def test_rolling_upgrade(steer, lab, nodens, p1):
    """A DaemonSet's update: the old pod is told to end, then the new one starts, and pods go on asking meanwhile."""
    assert "-persist" in read(KUBE_PROXY).args
    assert steer.start(STEER, "-persist")
    client = lab.tool("dnsclient")
    warm(p1, client, WARM)
    wait_until(5, lambda: nodens.stat("cache.entries") >= WARM)
    load = Load(client, [p1], 6, 1000, 100)
    nodens.stop()
    kept = nodens.stat("cache.entries")
    time.sleep(1)
    assert steer.start(STEER, "-persist")
    load.end()
    assert load.hits["sent"] >= 3000 and load.hits["lost"] == 0
    assert load.misses["lost"] <= 10
    assert kept >= WARM and nodens.stat("cache.entries") >= WARM
    note(f"0 of {load.hits['sent']} hits and {load.misses['lost']} of {load.misses['sent']} misses lost")
    steer.end()


def test_uninstall_after_persist(steer, nodens):
    """An agent without -persist takes over what is there and leaves nothing."""
    assert steer.start(STEER, "-persist")
    nodens.stop()
    assert programs() != []
    assert steer.start(STEER)
    nodens.stop()
    assert leftovers() == []
