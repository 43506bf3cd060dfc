# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Seconds of mixed load from two pods with a small cache and short lives, so that answers are evicted, expire and are
fetched again all the time: not one wrong answer, not one lost."""
import os
import re

import pytest

from agent import cluster_corefile
from cluster import D
from lab import DNS4, DNS6, PYTHON, TOOLS, leftovers, note
from load import figures

DURATION = int(os.environ.get("DURATION", 6))
WINDOW = 64  # of each of four clients
CAPACITY = 2048


def begin_load(lab, p1, p2):
    """dnspython checks whole answers against the zone files, the C clients many of them, dnsperf its own way."""
    client = lab.tool("dnsclient")
    # as many under way as no share of a client is for: a machine with no CPU to spare is slower then, and sheds nothing
    steady = ["-m", "window", "-w", WINDOW, "-d", DURATION, "-T", 3000]
    queries = [f"n{i}.{D} A" for i in range(500)] + [f"web.{D} AAAA", f"alias1.{D} A"]
    (lab.dir / "queries").write_text("\n".join(queries) + "\n")
    for pod in p1, p2:
        # The first answer for a name is the zone's, over either family, so the checkers need no warm-up.
        yield pod.spawn(PYTHON, TOOLS / "check_names.py", DURATION, lab.dir, DNS4, DNS6, log=lab.dir / f"{pod.name}.names")
        yield pod.spawn(client, "-s", DNS4, "-n", f"n%u.{D}", "-i", "0-9999", "-x", "10.100.0.0", *steady,
                        log=lab.dir / f"{pod.name}.a")
        yield pod.spawn(client, "-s", DNS6, "-n", f"n%u.{D}", "-i", "0-999", "-t", "AAAA", "-x", "fd00:100::", *steady,
                        log=lab.dir / f"{pod.name}.aaaa")
    yield p2.spawn("dnsperf", "-s", DNS4, "-d", lab.dir / "queries", "-l", DURATION, "-Q", 1000, "-t", 3,
                   log=lab.dir / "dnsperf")


@pytest.mark.parametrize("flags", [["--hook", "tc"], ["--hook", "xdp-generic"], ["--hook", "tc", "--pretend-kernel", "5.4"]],
                         ids=["tc", "xdp", "pre54"])
def test_steady(lab, cluster, nodens, p1, p2, flags):
    nodens.start("--capacity", CAPACITY, *flags, corefile=cluster_corefile(ttl=3), probe=p1)
    for process in list(begin_load(lab, p1, p2)):
        process.wait(DURATION + 60)

    def said(name):
        return (lab.dir / name).read_text().strip()

    checked, total = [], 0
    for pod in "p1", "p2":
        checked.append(said(f"{pod}.names").splitlines()[-1])
        assert re.search("^queries=[0-9]+ wrong=0$", checked[-1]), said(f"{pod}.names")[-500:]
        for kind in "a", "aaaa":
            assert "lost=0 wrong=0 refused=0 senderr=0" in said(f"{pod}.{kind}")
            total += figures(said(f"{pod}.{kind}"))["answered"]
    assert total >= 5 * CAPACITY, "too few for answers to come and go"
    assert re.search("Queries lost: *0 ", said("dnsperf")), said("dnsperf")
    assert re.search(r"Response codes.*NOERROR [0-9]+ \(100.00%\)", said("dnsperf"))
    stats = nodens.stats()
    assert stats["kernel.hits"] > 1000 and stats["kernel.steer_shed"] + stats["agent.client_full"] == 0
    note(f"{total} answers checked by address, {' '.join(checked)} by dnspython, {stats['kernel.hits']} hits,"
         f" {stats['kernel.misses']} misses; none wrong, none lost")
    nodens.stop()
    assert leftovers() == []


def test_the_checkers(lab, cluster, p1):
    """Against the cluster's DNS itself: what they call right is right."""
    note(p1.output(PYTHON, TOOLS / "check_names.py", 2, lab.dir, DNS4, DNS6).splitlines()[-1])
    out = p1.run(lab.tool("dnsclient"), "-s", DNS4, "-n", f"n%u.{D}", "-i", "0-999", "-x", "10.100.0.1", "-d", "0.2",
                 check=False).stdout
    seen = figures(out)
    assert seen["answered"] == 0 and seen["wrong"] > 0, "a wrong address is seen"
