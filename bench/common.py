# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the benches in namespaces share: the node, servers to compare with, medians, goals.

Contract: every variant is brought up, measured and taken down in turn, round after round, so that what else the machine
does falls on all of them. Settings come from the environment.
"""
import collections
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/ns"))

from agent import NODENS, Nodens  # noqa: E402
from cluster import Cluster, D  # noqa: E402
from lab import Lab, ip, run, spawn, wait_until  # noqa: E402
from load import figures  # noqa: E402

UNBOUND, DNSMASQ = "10.96.0.20", "10.96.0.21"
MACHINE = f"{os.cpu_count()} CPUs, Linux {os.uname().release}"

UNBOUND_CONFIG = """server:
    interface: {address}
    num-threads: 1
    access-control: 0.0.0.0/0 allow
    module-config: "iterator"
    username: ""
    chroot: ""
    directory: "{dir}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    outgoing-range: 4096
    num-queries-per-thread: 2048
    so-rcvbuf: 4m
    local-zone: "10.in-addr.arpa" nodefault
forward-zone:
    name: "."
    forward-addr: {upstream}
remote-control:
    control-enable: no
"""


def setting(name, default):
    """A number from the environment."""
    number = float(os.environ.get(name, default))
    return int(number) if number.is_integer() else number


ROUNDS = setting("ROUNDS", 3)
IN_TURN = f"{MACHINE}, {ROUNDS} rounds, variants in turn; medians"


class Bench:
    """The node with the cluster's DNS and pods p1 and p2; what was measured, by variant and metric."""

    def __init__(self, variants, bare=()):
        """bare: variants that need no nodens, all that can be measured where it is not built."""
        self.has_nodens = os.path.exists(NODENS)
        self.variants = [variant for variant in variants if self.has_nodens or variant in bare]
        if not self.has_nodens:
            print(f"without nodens: {NODENS} is not there (make)")
        self.lab = Lab()
        self.client = self.lab.tool("dnsclient")
        self.cluster = Cluster(self.lab)
        self.p1, self.p2 = self.lab.pod("p1"), self.lab.pod("p2")
        self.nodens = Nodens(self.lab)
        self.measured = collections.defaultdict(list)

    # ---- servers to compare with

    def local_address(self, address):
        """On the node as NodeLocal DNSCache's: conntrack does not see its port 53."""
        ip(f"addr add {address}/32 dev lo")
        for proto in "udp", "tcp":
            run("iptables", "-w", "-t", "raw", "-A", "PREROUTING", "-d", address, "-p", proto, "--dport", 53, "-j", "CT",
                "--notrack")
            run("iptables", "-w", "-t", "raw", "-A", "OUTPUT", "-s", address, "-p", proto, "--sport", 53, "-j", "CT",
                "--notrack")

    def unbound(self, upstream):
        """One thread, cache and forwarder only."""
        config = self.lab.dir / "unbound.conf"
        config.write_text(UNBOUND_CONFIG.format(address=UNBOUND, dir=self.lab.dir, upstream=upstream))
        return self.server(UNBOUND, "unbound", "-d", "-c", config)

    def dnsmasq(self, upstream):
        return self.server(DNSMASQ, "dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", f"--server={upstream}",
                           f"--listen-address={DNSMASQ}", "--bind-interfaces", "--cache-size=10000", "--dns-forward-max=2000",
                           "--user=root", "--pid-file=", "--log-facility=-")

    def server(self, address, *cmd):
        log = self.lab.dir / f"{cmd[0]}.log"
        process = spawn(*cmd, log=log)
        wait_until(5, lambda: self.p1.says("10.96.0.1", f"kubernetes.{D}", server=address, timeout=1),
                   lambda: f"{cmd[0]}: {log.read_text()}")
        return process

    # ---- measuring

    def ask(self, what, server, name, *options):
        """dnsclient's figures, in p1. What was lost or wrong belongs beside them."""
        line = self.p1.output(self.client, "-s", server, "-n", name, *options, timeout=None)
        seen = figures(line)
        wrong = seen["wrong"] + seen["refused"]
        if seen["lost"] or wrong:
            print(f"  {what}: {seen['lost']} lost, {wrong} wrong: {line}", file=sys.stderr)
        return seen

    def warm_up(self, server, name):
        """All names into the cache."""
        self.p1.run(self.client, "-s", server, "-n", name, "-u", "-d", 0.1)

    def add(self, variant, **metrics):
        for metric, value in metrics.items():
            self.measured[variant, metric].append(value)

    def median(self, variant, metric):
        return statistics.median(self.measured[variant, metric])

    def ratio(self, metric, variant, other):
        """Of two variants' medians."""
        a, b = self.median(variant, metric), self.median(other, metric)
        return a / b if b else float("nan")

    def row(self, form, variant, *metrics):
        """Printed: the variant and its medians."""
        print(form.format(variant, *(self.median(variant, metric) for metric in metrics)))


def cpu_of(pid):
    """Hundredths of a second that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def goal(text, value, op, limit, digits=2):
    """States whether it was met, as printed."""
    value = round(value, digits)
    met = value <= limit if op == "<=" else value >= limit
    print(f"goal: {text} {op} {limit}: {value:.{digits}f}, {'met' if met else 'MISSED'}")
