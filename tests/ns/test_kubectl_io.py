# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kubectl nodens: words, bytes and exit statuses arrive as they are, and what watches ends with whoever looks on."""
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

import kube_api
from kube_cluster import NAMED, SHELLS, STAND_IN, agent_a, kubectl, kubectls, only, second_node, whole_cluster  # noqa: F401
from lab import run, wait_until


# ---- words, bytes, exit statuses -------------------------------------------------------------------------

ODD = ["a b", "it's", '"q"', "$HOME", "$(touch /tmp/x)", "`id`", "; exit 9", "*", "\\", "", "-x", "ü", "a\nb", "%s",
       "--all", "-n", "--"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("where", [["--pod", "shop/mail"], ["--node", "node-c", "--node", "node-d"]])
def test_words_arrive_as_they_are(kubectl, where, shell):
    kubectl.use(shell)
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    before = [word for word in ODD if word not in ("--all", "-n", "--")]
    done = kubectl("dump", *before, *where, "--", *ODD)
    assert done.returncode == 0, done.stderr
    assert kubectl.calls("node-c") == [["dump", *before, *ODD]]


@pytest.mark.parametrize("name", ["a b", "x;y", "$(id)", "a,b=c", "", "-x", "../y", "a/b"])
def test_names_that_are_none(kubectl, name):
    for where in ["--node", name], ["-n", name, "x"], ["-n", "x", name], ["--pod", f"{name}/x"]:
        assert kubectl("status", *where).returncode == 2
    assert not kubectl.api.requests


@pytest.mark.parametrize("args", [
    [], ["--all"], ["-x"], ["status", "-n", "shop"], ["status", "-n"], ["status", "--node"],
    ["status", "--all", "--node", "node-c"],
    ["status", "--pod", "a/b", "-n", "c", "d"], ["status", "--pod", "mail"], ["stats"], ["status", "--timeout", "x"],
    ["status", "--timeout", "0"], ["status", "--parallel", "08"], ["trace", "--all", "-w", "-"],
    ["trace", "--all", "--parallel", "2"]])
def test_wrong_usage(kubectl, args):
    done = kubectl(*args)
    assert done.returncode == 2 and done.stderr and not done.stdout
    assert not any(x[1] == "pods/exec" for x in kubectl.api.requests)


def test_help(kubectl):
    done = kubectl("--help")
    assert done.returncode == 0 and "--agent-namespace" in done.stdout and not kubectl.api.requests
    assert kubectl("status", "--node", "node-c", "--", "--help").returncode == 0
    assert kubectl.calls("node-c") == [["status", "--help"]]


@pytest.mark.parametrize("shell", SHELLS)
def test_exit_statuses(kubectl, shell):
    kubectl.use(shell)
    for status in 0, 1, 4, 77:
        done = kubectl("ends", str(status), "--node", "node-c")
        assert (done.returncode, done.stderr, done.stdout) == (status, "a word\n", "")
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    (kubectl.lab.dir / "node-d/nodens").write_text(STAND_IN.replace("int(args[1])", "1"))
    done = kubectl("ends", "4", "--node", "node-c", "--node", "node-d")
    kubectl.stand_in("node-d")
    assert done.returncode == 4 and sorted(done.stderr.splitlines()) == ["node-c: a word", "node-d: a word"]


@pytest.mark.parametrize("shell", SHELLS)
def test_bytes_arrive_as_they_are(kubectl, shell):
    kubectl.use(shell)
    done = kubectl("bytes", "-w", "-", "-n", "shop", "mail", text=False)
    assert done.returncode == 0 and done.stdout == bytes(range(256)) * 5000


@pytest.mark.parametrize("shell", SHELLS)
def test_lines_of_three_that_watch(kubectl, shell):
    """Each is whole, and begins with its node."""
    kubectl.use(shell)
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cde"]
    done = kubectl("lines", "200", "y", "--all")
    lines = done.stdout.splitlines()
    for name in "cde":
        assert [line for line in lines if line.startswith(f"node-{name}: ")] == \
            [f"node-{name}: {'y' * 1000} {i}" for i in range(200)]
    assert len(lines) == 600 and done.returncode == 0
    pages = [json.loads(line) for line in kubectl("events", "60", "--json", "--all").stdout.splitlines()]
    for name in "cde":
        assert [page["n"] for page in pages if page["node"] == f"node-{name}"] == list(range(60))
    assert len(pages) == 180


def test_no_json(kubectl):
    done = kubectl("lines", "1", "x", "--json", "--node", "node-c")
    assert done.returncode == 5 and "node-c: what it printed is no JSON" in done.stderr


def test_few_at_a_time(kubectl):
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cde"]
    assert kubectl("stats", "--all", "--parallel", "1").returncode == 0
    assert [kubectl.calls(f"node-{x}") for x in "cde"] == [[["stats"]]] * 3


# ---- the end of what watches -----------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("nodes", [["--node", "node-c"], ["--node", "node-c", "--node", "node-d"]])
def test_ctrl_c(kubectl, nodes, shell):
    kubectl.use(shell)
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    process = kubectl.spawn("wait", *nodes, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().endswith("begun\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert not kubectls() and not list(kubectl.temporary().iterdir())


@pytest.mark.parametrize("shell", SHELLS)
def test_nobody_reads_any_more(kubectl, shell):
    """As with `| head -1`; node-d has nothing to say and ends too."""
    kubectl.use(shell)
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cd"]
    (kubectl.lab.dir / "node-d/nodens").write_text(STAND_IN.replace('["lines"]', '["none"]').replace('["wait"]', '["lines"]'))
    process = kubectl.spawn("lines", "100000", "x", "--all", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 141
    kubectl.stand_in("node-d")
    assert not kubectls() and not list(kubectl.temporary().iterdir())


def wait_gone(kubectl, node):
    process = kubectl.api.nodes[node].processes[-1]
    wait_until(10, lambda: process.poll() is not None, f"{process.args} goes on")
    return process.returncode


@pytest.mark.parametrize("killed", ["plugin", "kubectl"])
def test_killed(kubectl, agent_a, killed):
    """A laptop that is closed: what ran on the node ends, though a container runtime ends nothing."""
    process = kubectl.spawn("status", "--watch", "--json", "--node", "node-a", stdout=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["node"] == "node-a"
    if killed == "plugin":
        process.kill()
    else:
        run("kill", "-KILL", *kubectls())
    assert wait_gone(kubectl, "node-a") == -signal.SIGTERM
    wait_until(5, lambda: not kubectls())
    process.communicate(timeout=10)
    shutil.rmtree(kubectl.temporary())  # nobody is left to do it where the plugin was killed


class Terminal:
    """`kubectl nodens ARGS` on a terminal: what is on its screen, and keys."""

    def __init__(self, kubectl, *args):
        self.ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 20, 150, 0, 0))
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", "kubectl", "nodens", *args], stdin=its, stdout=its,
                                        stderr=its, env=kubectl.environment(TERM="xterm"))
        os.close(its)
        self.text = b""

    def read(self, seconds):
        """Whether there was something before the terminal's end."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return True
        with contextlib.suppress(OSError):  # nobody has the other side any more
            data = os.read(self.ours, 4096)
            self.text += data
            return bool(data)
        return False

    def frame(self):
        """What was drawn last as a whole, from the upper left corner on, without control sequences."""
        whole = [x for x in self.text.split(b"\x1b[H") if x.endswith(b"\x1b[J")]
        return re.sub("\x1b\\[[0-9]*[a-zA-Z]|\r", "", whole[-1].decode()) if whole else ""

    def shows(self, regex, seconds=15):
        end = time.monotonic() + seconds
        while not re.search(regex, self.frame(), re.M):
            assert self.read(0.2) and time.monotonic() < end, f"{regex} is not in\n{self.frame()}"

    def key(self, keys):
        os.write(self.ours, keys)

    def end(self):
        """Its exit status, once all that it printed was read."""
        while self.read(10):
            pass
        os.close(self.ours)
        return self.process.wait(10)


def test_screen(kubectl, agent_a):
    """On a terminal what draws a screen has one, and Ctrl-C ends it there."""
    terminal = Terminal(kubectl, "status", "--watch", "-n", "shop", "cart")
    while terminal.text.count(b"\x1b[H\x1b[2J") < 2:
        assert terminal.read(10)
    assert b"nodens " in terminal.text
    terminal.key(b"\x03")
    assert wait_gone(kubectl, "node-a") in (-signal.SIGINT, 128 + signal.SIGINT)
    assert terminal.end() == 130
    assert not list(kubectl.temporary().iterdir())


def test_keys(kubectl, agent_a, p1):
    """Those of `top` arrive, one by one and a word; q ends it on the node, with the exit status of a command that is done."""
    only(kubectl, "node-a")
    terminal = Terminal(kubectl, "top")
    terminal.shows(r"^      Q/S .* NXDOMAIN% .* NAME")
    for key, heading in (b"3", "CLIENT"), (b"4", "UPSTREAM"), (b"s", "DEVICE"), (b"s", "Q/S .* NAME"), (b"r", "r interval"):
        terminal.key(key)
        terminal.shows(heading)
    terminal.key(b"/")
    terminal.shows("names below: _")
    terminal.key(b"two.tesx\x7ft\r")
    terminal.shows("filter: two.test ")
    terminal.key(b"q")
    assert wait_gone(kubectl, "node-a") == 0
    assert terminal.end() == 0
    assert terminal.text.rstrip().endswith(b"\x1b[?1049l")
    assert not kubectls() and not list(kubectl.temporary().iterdir())
