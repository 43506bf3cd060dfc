# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Load at fixed rates from pods (bench/dnsclient): each query's fate is known, and when it was sent. Nothing is sent
twice."""
import random
import re
import time

from cluster import D
from lab import DNS4, wait_until

NAME = f"bench-%04u.{D}"
NAMES = 100


def figures(text):
    """The numbers of a tool's line: dnsclient's are {"sent": N, "lost": N, "wrong": N, "refused": N, "p50": µs, "p99.9": µs...}"""
    return {key: float(n) if "." in n else int(n) for key, n in re.findall(r"([\w.]+)=([\d.]+)", text)}


def dnsperf(lab, cli, queries, *options, server=None):
    """What it says of so many queries: {"Queries sent": 3000, "NOERROR": 2000}"""
    (lab.dir / "queries").write_text("".join(f"{name} {rdtype}\n" for name, rdtype in queries))
    out = cli.output("dnsperf", "-s", server or cli.server, "-d", lab.dir / "queries", "-n", 1, *options)
    rcodes = re.search(r"Response codes: (.*)", out)
    return {key.strip(): int(n) for key, n in
            re.findall(r"(Queries \w+): +(\d+)", out) + re.findall(r"([A-Z]+) (\d+) ", rcodes[1] if rcodes else "")}


def warm(pod, client, names, server=DNS4):
    """Asks for the first so many of NAME until each was answered once: misses take longer on a slow machine."""
    def asked():
        return figures(pod.output(client, "-s", server, "-n", NAME, "-u", "-i", f"0-{names - 1}", "-d", "0.2"))["answered"]

    wait_until(10, lambda: asked() >= names)


class Load:
    """Hits (names in the cache) and misses (names that nobody has) of pods, until `seconds` are over."""

    def __init__(self, client, pods, seconds, hit_rate, miss_rate, server=DNS4, warm_up=1.0, options=()):
        self.dir = pods[0].lab.dir
        self.processes, self.kinds = [], {"hits": [], "misses": []}
        for pod in pods:
            warm(pod, client, NAMES, server)
            seed = random.randrange(30000) * 30000
            self.begin(pod, "hits", client, "-s", server, "-n", NAME, "-i", f"0-{NAMES - 1}", "-x", "10.101.0.0", "-m", "rate",
                       "-r", hit_rate, "-d", seconds, *options)
            self.begin(pod, "misses", client, "-s", server, "-n", f"m{seed}-%08x.wild.example.org", "-u", "-x", "192.0.2.99",
                       "-m", "rate", "-r", miss_rate, "-d", seconds, "-L", self.dir / f"{pod.name}.lost", *options)
        self.pods = pods
        time.sleep(warm_up)  # a pod has its names in the cache before anything happens to the agent

    def begin(self, pod, kind, *cmd):
        log = self.dir / f"{pod.name}.{kind}"
        self.processes.append(pod.spawn(*cmd, log=log))
        self.kinds[kind].append(log)

    def end(self):
        """Waits, and adds up; no answer was wrong or refused."""
        for process in self.processes:
            process.wait(60)
        for kind, logs in self.kinds.items():
            for log in logs:
                text = log.read_text()
                assert "wrong=0 refused=0 senderr=0" in text, f"{log.name}: {text}"
        self.hits, self.misses = (self.total(kind) for kind in ("hits", "misses"))
        lost = [(self.dir / f"{pod.name}.lost").read_text().splitlines() for pod in self.pods]
        self.lost_at = sorted(int(float(line.split()[0])) for lines in lost for line in lines if line)

    def total(self, kind):
        all_figures = [figures(log.read_text()) for log in self.kinds[kind]]
        return {key: sum(x[key] for x in all_figures) for key in ("sent", "lost")}

    @property
    def sent(self):
        return self.hits["sent"] + self.misses["sent"]

    def lost_outside(self, begin, end):
        """Misses that were lost and had not been sent in this time (lab.ms_since_boot())."""
        return sum(not begin <= at <= end for at in self.lost_at)
