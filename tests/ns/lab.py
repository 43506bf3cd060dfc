# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A node with pods, in namespaces.

Contract: command(), and main() for scripts, run a program inside network, mount and process namespaces of its own. That
network namespace IS the node (iptables, conntrack, /sys and bpffs are the node's own, and plain commands run on it);
pods are namespaces beside it. Whatever ends the program (its exit, Ctrl-C, kill -9) ends the process namespace, and
with it every process, namespace, mount and rule of the lab: there is no clean-up that could be forgotten. Two labs
never see each other.
"""
import contextlib
import ctypes
import functools
import ipaddress
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import query

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NODENS_BUILD", ROOT / "build"))
TOOLS = ROOT / "tests/tools"
PYTHON = "/usr/bin/python3"  # Debian's, which has dnspython and pytest

DNS4, DNS6 = "10.96.0.10", "fd00:10:96::a"  # kube-dns, what pods ask
UP4, UP6 = "10.96.0.11", "fd00:10:96::b"  # kube-dns-upstream, what nodens asks
NODE4, NODE6 = "192.168.77.10", "fd00:192:168:77::10"  # the node's own address
GATEWAY4, GATEWAY6 = "192.168.77.1", "fd00:192:168:77::1"  # of the world outside, in the namespace "wan"
POD_SIDE4, POD_SIDE6 = "10.244.0.1", "fd00:10:244::1"  # the node's side of each pod's veth
BPFFS = pathlib.Path("/sys/fs/bpf")

notes = []  # lines for the report of tests that pass


def note(text):
    notes.append((os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0], text))


class Failed(AssertionError):
    """Something is not as it must be; the message says what."""


# ---- running things --------------------------------------------------------------------------------------


def run(*cmd, check=True, timeout=60, **options):
    """A command that ends; its output as text. Fails with what it printed, unless check=False."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
    if "input" in options:
        del options["stdin"]
    done = subprocess.run([str(x) for x in cmd], text=True, timeout=timeout, **options)
    if check and done.returncode:
        raise Failed(f"{' '.join(map(str, cmd))}: exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done


def output(*cmd, **options):
    return run(*cmd, **options).stdout.strip()


def spawn(*cmd, log, **options):
    """A command in the background, what it prints in the file `log`."""
    with open(log, "wb") as file:
        options = {"stdout": file, "stderr": subprocess.STDOUT} | options
        return subprocess.Popen([str(x) for x in cmd], stdin=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def running(*cmd, log, until=None, **options):
    """A command that runs in the background within the block, and is killed at its end."""
    process = spawn(*cmd, log=log, **options)
    try:
        if until:
            wait_for_line(process, log, until)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_line(process, log, regex, seconds=10):
    text = pathlib.Path(log).read_text
    wait_until(seconds, lambda: re.search(regex, text(), re.M) or process.poll() is not None)
    assert re.search(regex, text(), re.M), f"{process.args} did not print {regex}: {text()}"


def wait_until(seconds, condition, otherwise="", step=0.02):
    """What condition() returned once it was true. Fails when it never was, with `otherwise` (text or callable)."""
    end = time.monotonic() + seconds
    while True:
        try:
            if value := condition():
                return value
        except query.SILENCE:
            pass
        if time.monotonic() >= end:
            raise Failed(f"not within {seconds} s: {otherwise() if callable(otherwise) else otherwise}")
        time.sleep(step)


def ip(commands, netns=None):
    """Several ip(8) commands, one a line."""
    where = ["-n", netns] if netns else []
    run("ip", *where, "-batch", "-", input="\n".join(line.strip() for line in commands.strip().splitlines()) + "\n")


def ms_since_boot():
    """Milliseconds of CLOCK_BOOTTIME, the clock that bench/dnsclient writes lost queries down with."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


# ---- namespaces ------------------------------------------------------------------------------------------


def inside():
    return "NODENS_LAB_DIR" in os.environ and os.getpid() == 1


def main(function):
    """function() on the node of a lab, where the script that calls this is run anew; ends it, with 1 if something failed."""
    if not inside():
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        with command([PYTHON, "-B", *sys.argv]) as process:
            sys.exit(process.wait())
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of a first process: nothing; it ends with the one outside
    try:
        sys.exit(function())
    except AssertionError as e:
        sys.exit(f"lab: {e}")


@contextlib.contextmanager
def command(cmd, **options):
    """cmd as the first process of a lab of its own (Popen); what is left at the end of the block is killed."""
    if os.geteuid():
        sys.exit("lab: network namespaces need root")
    with tempfile.TemporaryDirectory(prefix="nodens-lab.", ignore_cleanup_errors=True) as where:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", *cmd], env=os.environ | {"NODENS_LAB_DIR": where}, **options)
        try:
            yield process
        finally:
            process.kill()  # nothing inside is asked to stop: with its first process the namespace goes
            process.wait()


_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
_home = open("/proc/self/ns/net")


@contextlib.contextmanager
def entered(netns):
    """This thread in the network namespace of that name: sockets made in the block stay there."""
    def enter(file):
        if _libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {netns}")

    with open(f"/run/netns/{netns}") as file:
        enter(file)
    try:
        yield
    finally:
        enter(_home)


class Host(query.Asker):
    """The node itself, or a namespace beside it: where commands run and queries come from."""

    def __init__(self, lab, name=None, server=DNS4):
        super().__init__(server)
        self.lab, self.name = lab, name

    def prefix(self):
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"] if self.name else []

    def entered(self):
        return entered(self.name) if self.name else contextlib.nullcontext()

    def run(self, *cmd, **options):
        return run(*self.prefix(), *cmd, **options)

    def output(self, *cmd, **options):
        return self.run(*cmd, **options).stdout.strip()

    def spawn(self, *cmd, log, **options):
        return spawn(*self.prefix(), *cmd, log=log, **options)

    def running(self, *cmd, log, **options):
        return running(*self.prefix(), *cmd, log=log, **options)

    def getent(self, database, name):
        """The addresses that the C library finds, sorted."""
        lines = self.output("getent", database, name, check=False).splitlines()
        return sorted({line.split()[0] for line in lines})


class Pod(Host):
    """A namespace whose eth0 is a veth of the node's."""

    def __init__(self, lab, name, number, bridge, server):
        super().__init__(lab, name, server)
        net = 245 if bridge else 244
        self.ip4, self.ip6 = f"10.{net}.0.{number}", f"fd00:10:{net}::{number}"
        self.veth = "veth" + os.urandom(4).hex()
        ip(f"""netns add {name}
            link add {self.veth} type veth peer name eth0 netns {name}""")
        (self.make_bridge if bridge else self.make_ptp)()

    def prefix(self):
        return ["nsenter", f"--net=/run/netns/{self.name}", f"--mount=/proc/{self.lab.pod_mounts.pid}/ns/mnt", "--"]

    def make_ptp(self):
        """As the ptp plugin has it: a route per pod."""
        ip(f"""addr add {POD_SIDE4}/32 dev {self.veth}
            addr add {POD_SIDE6}/128 dev {self.veth} nodad
            link set {self.veth} up""")
        ip(f"""link set lo up
            link set eth0 up
            addr add {self.ip4}/32 dev eth0
            addr add {self.ip6}/128 dev eth0 nodad
            route add {POD_SIDE4} dev eth0
            route add default via {POD_SIDE4}
            route add {POD_SIDE6} dev eth0
            route add default via {POD_SIDE6}""", self.name)
        ip(f"""route add {self.ip4} dev {self.veth}
            route add {self.ip6} dev {self.veth}""")

    def make_bridge(self):
        """As the bridge plugin has it: all of them on cni0."""
        if not os.path.exists("/sys/class/net/cni0"):
            ip("""link add cni0 type bridge
                addr add 10.245.0.1/24 dev cni0
                addr add fd00:10:245::1/64 dev cni0 nodad
                link set cni0 up""")
        ip(f"link set {self.veth} master cni0 up")
        ip(f"""link set lo up
            link set eth0 up
            addr add {self.ip4}/24 dev eth0
            addr add {self.ip6}/64 dev eth0 nodad
            route add default via 10.245.0.1
            route add default via fd00:10:245::1""", self.name)

    def delete(self):
        """The namespace may live on for a while in a socket of a dead process; the veth goes at once, as with a CNI."""
        ip(f"""link del {self.veth}
            netns del {self.name}""")

    def conntrack_entries(self):
        """Entries of the node's that the pod's addresses appear in, both families."""
        regex = re.compile(rf"(src|dst)=({re.escape(self.ip4)}|{re.escape(self.ip6)}) ")
        both = (output("conntrack", "-L", "-f", family, check=False) for family in ("ipv4", "ipv6"))
        return sum(bool(regex.search(line)) for text in both for line in text.splitlines())


class Lab:
    """The node that this process is on; made once, when the process begins."""

    def __init__(self):
        assert inside()
        self.dir = pathlib.Path(os.environ["NODENS_LAB_DIR"])
        self.pod_numbers = itertools.count(2)
        self.become_node()
        self.node = Host(self)

    def become_node(self):
        # /sys shows the namespace it was mounted in, and libxdp wants its pins under /sys/fs/bpf.
        for kind, where in (("sysfs", "/sys"), ("bpf", BPFFS), ("tmpfs", "/run/netns"), ("tmpfs", "/run/nodens"), ("tmpfs", self.dir)):
            os.makedirs(where, exist_ok=True)
            run("mount", "-t", kind, kind, where)
        os.chmod("/run/nodens", 0o755)
        ip("link set lo up")
        sysctl("net/ipv4/ip_forward", 1)
        sysctl("net/ipv6/conf/all/forwarding", 1)
        for which in "default", "all":
            sysctl(f"net/ipv6/conf/{which}/accept_dad", 0)

    @functools.cached_property
    def pod_mounts(self):
        """Pods resolve with glibc as in a cluster, so they need files of their own; a process holds the mounts."""
        resolv, nsswitch = self.dir / "resolv.conf", self.dir / "nsswitch.conf"
        resolv.write_text(f"nameserver {DNS4}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\n"
                          "options ndots:5\n")
        nsswitch.write_text("hosts: files dns\n")
        log = self.dir / "podmnt.log"
        process = spawn(
            "unshare", "--mount", "sh", "-c", f"mount --bind {resolv} /etc/resolv.conf &&"
            f" mount --bind {nsswitch} /etc/nsswitch.conf && echo ready && exec sleep infinity", log=log)
        wait_for_line(process, log, "^ready")
        return process

    def uplink(self):
        """The rest of the network, the namespace "wan": a default route and an address of the node's own."""
        ip(f"""netns add wan
            link add uplink type veth peer name eth0 netns wan
            addr add {NODE4}/24 dev uplink
            addr add {NODE6}/64 dev uplink nodad
            link set uplink up""")
        ip(f"""addr add {GATEWAY4}/24 dev eth0
            addr add {GATEWAY6}/64 dev eth0 nodad
            link set lo up
            link set eth0 up""", "wan")
        ip(f"""route add default via {GATEWAY4}
            route add default via {GATEWAY6}""")
        return Host(self, "wan")

    def pod(self, name, bridge=False, number=None, server=DNS4):
        return Pod(self, name, number or next(self.pod_numbers), bridge, server)

    def port_taken(self, address):
        """Another server of the node's has port 53 of it, within the block."""
        bind = f"""import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{address}", 53))
print("bound", flush=True)
time.sleep(60)"""
        return running(PYTHON, "-c", bind, log=self.dir / "port", until="^bound")

    def tool(self, name):
        """The C helper of tests/tools or bench, built (as make does it) when it is older than its source."""
        source = next(path for folder in ("tests/tools", "bench") if (path := ROOT / folder / f"{name}.c").exists())
        program = BUILD / source.parent.relative_to(ROOT) / name
        newest = max(path.stat().st_mtime for path in (source, TOOLS / "dnsq.h"))
        if not program.exists() or program.stat().st_mtime < newest:
            program.parent.mkdir(parents=True, exist_ok=True)
            run("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2", "-pthread", f"-I{TOOLS}",
                "-o", program, source)
            run("chown", f"--reference={ROOT}", program.parent, program)
        return program

    def bpf_object(self, name, *defines):
        """tests/ns/NAME.bpf.c compiled."""
        out = self.dir / f"{name}.bpf.o"
        run("clang", "-g", "-O2", "-target", "bpf", f"-I/usr/include/{os.uname().machine}-linux-gnu", *defines, "-c",
            ROOT / f"tests/ns/{name}.bpf.c", "-o", out)
        return out


def sysctl(path, value):
    pathlib.Path("/proc/sys", path).write_text(str(value))


# ---- what the node looks like ----------------------------------------------------------------------------


def conntrack_count():
    return int(output("conntrack", "-C"))


def conntrack_clashes():
    """Entries that conntrack could not add as they were, since boot: two packets at once, and DNAT to different servers."""
    text = output("conntrack", "-S")
    return sum(int(n) for name in ("clash_resolve", "insert_failed") for n in re.findall(rf"\b{name}=(\d+)", text))


def conntrack_flush():
    run("conntrack", "-F", check=False)


def rules():
    """Every rule of both families without its counters."""
    lines = output("iptables-save").splitlines() + output("ip6tables-save").splitlines()
    return sorted(line for line in lines if line.startswith("-"))


def pins():
    return [path for path in BPFFS.rglob("*") if "nodens" in str(path)]


def attached(device):
    """Whether a program of nodens is on it. A tcx link (which older bpftools cannot show) is known by its pin."""
    return (any(path.name.startswith(f"{device}-") for path in pins())
            or "nodens" in output("tc", "filter", "show", "dev", device, "ingress", check=False)
            or re.search(r" xdp|xdpgeneric", output("ip", "link", "show", "dev", device, check=False)) is not None)


def programs():
    """What is attached to devices of this node, one line for each program or tcx link ("veth1234 tc", sorted)."""
    net = json.loads(output("bpftool", "-j", "net", "show"))[0]
    tc = [f"{x['devname']} tc" for x in net.get("tc", []) if re.search("nodens|tc_return", x["name"])]
    xdp = [f"{x['devname']} xdp" for x in net.get("xdp", [])]
    return sorted(tc + xdp + [f"{path.name} tcx" for path in pins() if path.parent.name == "links"])


def leftovers():
    """What nodens must not leave behind: programs on devices, pins, its veth."""
    left = [f"program on {line}" for line in programs()]
    left += [f"pin {path}" for path in BPFFS.rglob("*") if "nodens" in str(path) or "/xdp/" in str(path)]
    return left + [f"device {name}" for name in os.listdir("/sys/class/net") if name.startswith("nd0")]


def link_info(device, netns=None):
    where = ["-n", netns] if netns else []
    return output("ip", *where, "-d", "link", "show", "dev", device, check=False)


def addresses(device):
    lines = output("ip", "-o", "addr", "show", "dev", device, check=False).splitlines()
    return sorted(line.split()[3] for line in lines)


def source_to(address):
    """The source that the node sends from to an address."""
    found = re.search(r" src (\S+)", output("ip", "route", "get", address))
    return found.group(1) if found else ""


def hex_of(address):
    return ipaddress.ip_address(address).packed.hex()
