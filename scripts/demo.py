#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What scripts/demo shows, once there are packages and a build: the same look-ups without and with nodens, kill -9, the end."""
import os
import pathlib
import random
import sys
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/ns"))

from agent import Nodens, cluster_corefile, command  # noqa: E402
from cluster import Cluster, D  # noqa: E402
from lab import DNS4, Lab, conntrack_clashes, conntrack_flush, leftovers, main, programs, rules  # noqa: E402
from load import NAME, NAMES, figures  # noqa: E402

WEB = "www.example.org"
PAIRS = 2000
CACHED = ["-s", DNS4, "-n", NAME, "-i", f"0-{NAMES - 1}", "-x", "10.101.0.0"]  # dnsclient's flags
LINUX = f"Linux {os.uname().release}"


def row(what, text):
    print(f"   {what:42} {text}")


def new_names(prefix):
    """That nobody has asked for, of a zone that has an answer to each."""
    return f"{prefix}-{random.randrange(32768)}-%u.wild.example.org"


class Demo:
    def __init__(self):
        self.lab = Lab()
        self.client, self.gaitime, self.pairs = (self.lab.tool(name) for name in ("dnsclient", "gaitime", "pairs"))
        Cluster(self.lab)
        self.p1, self.p2 = self.lab.pod("p1"), self.lab.pod("p2")
        self.nodens = Nodens(self.lab)
        self.nodens.corefile.write_text(cluster_corefile(ttl=3600))
        self.broken = False

    def claim(self, what, holds):
        """The last column of truth."""
        print(f"   {'[holds]    ' if holds else '[DOES NOT] '} {what}")
        self.broken |= not holds

    def dig(self, name):
        return " ".join(self.p1.output("dig", "+short", f"@{DNS4}", name).split())

    def look_up(self):
        """What pods see, and what it leaves in conntrack."""
        row("pod p1: dig +short web.default.svc...", self.dig(f"web.{D}"))
        seen = figures(self.p1.output(self.gaitime, WEB, 101))
        row(f'getaddrinfo("{WEB}"), 8 queries', f"first {seen['first']} µs, then {seen['then']} µs")
        self.p1.run(self.client, "-s", DNS4, "-n", NAME, "-u", "-d", 0.05)
        cached = figures(self.p1.output(self.client, *CACHED))
        assert cached["lost"] == cached["wrong"] == cached["refused"] == 0, f"lost answers: {cached}"
        row("one query for a name asked before, p50", f"{cached['p50']:.2f} µs ({cached['qps']}/s, one after the other)")
        conntrack_flush()
        before = conntrack_clashes()
        complete = figures(self.p1.output(self.pairs, DNS4, new_names("pair"), PAIRS))["complete"]
        entries, clashes = self.p1.conntrack_entries() + self.p2.conntrack_entries(), conntrack_clashes() - before
        row(f"{PAIRS} pairs of A and AAAA at one instant",
            f"{complete} answered, {clashes} conntrack clashes, {entries} entries of pods")
        return types.SimpleNamespace(getaddrinfo=seen["then"], p50=cached["p50"], pairs=(complete, clashes, entries))

    def without(self):
        print(f"1. Without nodens: {DNS4} is a service; conntrack and DNAT choose one of two servers")
        return self.look_up()

    def start(self):
        self.nodens.start("--hook", "tc", probe=self.p1)

    def with_nodens(self, without):
        print("2. With nodens on the node (nothing in the pods changes)")
        before = rules()
        self.start()
        command("flush")
        seen = self.look_up()
        stats = self.nodens.stats()
        row("nodens stats", f"{stats['kernel.hits']} hits in the kernel, {stats['kernel.misses']} misses,"
            f" {stats['agent.upstream_exchanges']} upstream exchanges")
        self.claim(f"a cached answer takes {without.p50 / seen.p50:.1f} times less than DNAT's", seen.p50 < without.p50)
        self.claim(f"getaddrinfo takes {without.getaddrinfo / seen.getaddrinfo:.1f} times less, search path and all",
                   seen.getaddrinfo < without.getaddrinfo)
        self.claim("no conntrack entry of a pod, no clash, no pair without its answers", seen.pairs == (PAIRS, 0, 0))
        self.claim("no iptables rule was added", rules() == before)

    def kill(self):
        print("3. The agent is killed with -9 while both pods ask")
        logs = self.lab.dir / "hits", self.lab.dir / "misses"
        begun = [self.p1.spawn(self.client, *CACHED, "-m", "rate", "-r", 2000, "-d", 3, log=logs[0]),
                 self.p2.spawn(self.client, "-s", DNS4, "-n", new_names("new"), "-u", "-x", "192.0.2.99", "-m", "rate",
                               "-r", 200, "-d", 3, log=logs[1])]
        time.sleep(1)
        self.nodens.kill()
        kernel = self.nodens.stat("kernel.hits")
        for process in begun:
            process.wait()
        hits, misses = (figures(log.read_text()) for log in logs)
        row("p1: names in the cache", f"{hits['sent']} asked, {hits['lost']} lost")
        row("p2: names that nobody has asked for",
            f"{misses['sent']} asked, {misses['lost']} lost; after the kill the cluster's DNS answers")
        self.claim("the kernel went on answering without an agent", kernel < self.nodens.stat("kernel.hits"))
        self.claim("no cached name was lost, no answer was wrong", hits["lost"] == hits["wrong"] == misses["wrong"] == 0)
        self.claim("no new name was lost but what the agent held (at most 5)", misses["lost"] <= 5)

    def end(self):
        print("4. A new agent, and the end of it")
        self.start()
        row("started again; programs on devices", f"{len(programs())}, none twice")
        self.claim("one program a device", len(programs()) == len(set(programs())))
        self.nodens.stop()
        self.claim("SIGTERM leaves no program, no pin, no device", not leftovers())
        self.claim("DNS still works", self.dig(f"n7.{D}") == "10.100.0.7")


def run():
    sys.stdout.reconfigure(line_buffering=True)
    demo = Demo()
    print(f"A node in namespaces: pods p1 and p2, two DNS servers behind {DNS4} with kube-proxy's rules, and nodens.")
    without = demo.without()
    demo.with_nodens(without)
    demo.kill()
    demo.end()
    if demo.broken:
        print(f"Not everything holds on this machine ({LINUX}).")
        return 1
    print(f"Everything claimed holds here ({LINUX}, {os.cpu_count()} CPUs). Nothing of it is left on this machine.")
    return 0


main(run)
