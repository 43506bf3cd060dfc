# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens report: each planted culprit is found, alone and with the numbers of what was sent; a healthy node has none."""
import json
import subprocess
import time

import jsonschema
import pytest

from agent import NODENS, block
from lab import POD_SIDE4, note, run
from load import dnsperf
from test_status import schema

SERVED = f"bind {POD_SIDE4}"
FOR_S = 6
SEARCH = ("default.svc.test", "svc.test", "test")


def corefile(*cache, forward="10.50.0.1"):
    return block(".:53", SERVED, *(cache or ["cache 3600"]), f"forward . {forward}")


class Report:
    """`nodens report` beside what a test does: (the object, its exit status)."""

    def __init__(self, *flags):
        self.process = subprocess.Popen([NODENS, "report", "--json", "--for", f"{FOR_S}s", *flags], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)

    def end(self):
        out, err = self.process.communicate(timeout=FOR_S + 20)
        assert not err, err
        page = json.loads(out)
        jsonschema.validate(page, schema("report"), cls=jsonschema.Draft7Validator)
        assert self.process.returncode == bool(page["findings"]) and page["lost"] == 0 and page["not_seen"] is None
        for finding in page["findings"]:
            note(f"{finding['subject']}: {finding['text']} {finding['fix']}")
        return page

    def only(self, code):
        """Its findings all have this code: the first, and the seconds that it watched."""
        page = self.end()
        assert page["findings"] and {finding["code"] for finding in page["findings"]} == {code}, page["findings"]
        return page["findings"][0], page["seconds"]


def ask(lab, cli, names, rate, rdtype="A", *flags):
    queries = [(name, rdtype) for name in names]
    sent = dnsperf(lab, cli, queries, "-Q", rate, *flags)
    assert (sent["Queries sent"], sent["Queries completed"]) == (len(queries), len(queries))


def near(value, expected, share=0.02):
    assert abs(value - expected) <= share * expected, (value, expected)


def test_healthy(serve, lab, cli):
    """Hits, misses, names that do not exist, at a rate below every threshold but not nothing."""
    serve(corefile())
    report = Report()
    ask(lab, cli, [name for i in range(40) for name in (*(f"h{k}.example.org." for k in range(10)), f"m{i}.example.org.",
                                                        "nx.h.example.org.", "www.ttl-1.example.org.")][:480], 120)
    assert report.end()["findings"] == []


def test_nothing_in_words(serve):
    serve(corefile())
    done = run(NODENS, "report", "--for", "1s")
    assert done.stdout == "nothing to report\n"


def test_search_path(serve, lab, cli):
    """Of each name three NXDOMAINs before the answer; names of one dot are not saved by ndots:2."""
    serve(block("test:53", SERVED, "cache 3600", "template ANY ANY {\n    rcode NXDOMAIN\n}") + corefile())
    names = ["www.s0.example.org", "www.s1.example.org", "example.org"]
    report = Report()
    load = [f"{name}{suffix}." for name in names for suffix in (*(f".{x}" for x in SEARCH), "")] * 40
    ask(lab, cli, load, 120)
    finding, seconds = report.only("search_path")
    figures = finding["figures"]
    assert finding["subject"] == f"{cli.ip4}@{cli.veth}" and "ndots:2" in finding["fix"]
    near(figures["qps"] * seconds, 480)
    near(figures["nxdomain_qps"] * seconds, 360)
    near(figures["saved_qps"] * seconds, 240)
    near(figures["share"], 0.75)


def test_short_ttl(serve, lab, cli, upstreams):
    """Asked again each second, by a cache that may not keep it longer."""
    serve(corefile("cache {\n    success 9984 3600 0\n}"))
    report = Report()
    ask(lab, cli, ["hot.ttl-1.example.org."] * 400, 100)
    finding, seconds = report.only("short_ttl")
    figures = finding["figures"]
    assert finding["subject"] == "hot.ttl-1.example.org. A" and figures["ttl"] == 1 and "MINTTL 5" in finding["fix"]
    near(figures["qps"] * seconds, 400)
    asked = sum(upstreams[1].asked("hot.ttl-1.example.org"))
    assert 3 <= asked <= 6 and abs(figures["miss_qps"] * seconds - asked) <= 1


def test_truncated(serve, cli):
    """210 records without EDNS: each reply is TC=1, and dig asks again over TCP. What is no text in a name stays none."""
    name = r"\027x.big-210.example.org."
    serve(corefile())
    report = Report()
    for _ in range(30):
        cli.output("dig", "+noedns", "+short", f"@{cli.server}", name)
    finding, seconds = report.only("truncated")
    figures = finding["figures"]
    assert finding["subject"] == f"{name} A" and figures["records"] == 210
    near(figures["truncated_qps"] * seconds, 30)
    near(figures["tcp_qps"] * seconds, 30)
    near(figures["share"], 1)


def test_dead_upstream(serve, lab, cli, upstreams):
    """Beside one that lives."""
    serve(corefile(forward="10.50.0.1 10.50.0.2"))
    upstreams[2].freeze()
    report = Report()
    ask(lab, cli, [f"d{i}.example.org." for i in range(60)], 20)
    page = report.end()
    assert page["findings"] and all(x["code"] in ("upstream_down", "upstream_timeouts") for x in page["findings"])
    assert len(page["findings"]) == 1 and "10.50.0.2:53" in page["findings"][0]["text"]


def test_small_cache(serve, lab, cli):
    serve(corefile("cache {\n    success 128\n    denial 128\n}"))
    report = Report()
    ask(lab, cli, [f"e{i}.example.org." for i in range(1000)] * 2, 600)
    finding, seconds = report.only("evictions")
    figures = finding["figures"]
    assert 1000 <= figures["wanted"] <= 1100 and f"-> {figures['wanted']}" in finding["fix"]
    assert figures["capacity"] == 128
    # of 2,000 answers all but those that stay; the agent writes its counters each second
    near(figures["evictions_qps"] * seconds, 2000 - 128, 1.5 / seconds)


def test_heavy_client(serve, lab, cli):
    serve(corefile())
    report = Report()
    ask(lab, cli, [f"f{i % 50}.example.org." for i in range(8000)], 2000)
    finding, seconds = report.only("heavy_client")
    assert finding["subject"] == f"{cli.ip4}@{cli.veth}" and f"top -p {cli.ip4}" in finding["fix"]
    near(finding["figures"]["qps"] * seconds, 8000)
    near(finding["figures"]["share"], 1)


@pytest.mark.parametrize("span", ["0", "2h", "x", "-1s", "61m"])
def test_usage(span):
    done = run(NODENS, "report", "--for", span, check=False)
    assert done.returncode == 2 and "--for" in done.stderr


def test_not_running(nodens):
    nodens.stop()
    done = run(NODENS, "report", "--for", "1s", check=False)
    assert done.returncode == 3 and "not running" in done.stderr and not done.stdout
