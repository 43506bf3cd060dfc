# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens report: each planted culprit is found, alone and with the numbers of what was sent; a healthy node has none."""
import contextlib
import json
import re
import shutil
import signal
import subprocess
import time

import jsonschema
import pytest

from agent import NODENS, block
from lab import POD_SIDE4, ip, note, run
from load import dnsperf
from query import make_query
from test_status import schema

SERVED = f"bind {POD_SIDE4}"
FOR_S = 6
SEARCH = ("default.svc.test", "svc.test", "test")


def corefile(*cache, forward="10.50.0.1"):
    return block(".:53", SERVED, *(cache or ["cache 3600"]), f"forward . {forward}")


class Report:
    """`nodens report` beside what a test does."""

    def __init__(self, seconds=FOR_S, flags=("--json",)):
        self.process = subprocess.Popen([NODENS, "report", "--for", f"{seconds}s", *flags], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)

    def text(self, status):
        """What it printed, with this exit status: (stdout, stderr)"""
        out, err = self.process.communicate(timeout=FOR_S + 30)
        note(out)
        assert self.process.returncode == status, err
        return out, err

    def page(self):
        out, err = self.process.communicate(timeout=FOR_S + 30)
        assert not err, err
        page = json.loads(out)
        jsonschema.validate(page, schema("report"), cls=jsonschema.Draft7Validator)
        assert self.process.returncode == bool(page["findings"]) and page["lost"] == 0 and page["not_seen"] is None
        return page

    def end(self):
        page = self.page()
        assert (page["gap_s"], page["restarted"], page["bound"]) == (0, False, {"names": 0, "clients": 0})
        for finding in page["findings"]:
            note(f"{finding['subject']}: {finding['text']} {finding['fix']}")
        return page

    def only(self, code):
        """Its findings all have this code: the first, and the seconds that it watched."""
        page = self.end()
        assert page["findings"] and {finding["code"] for finding in page["findings"]} == {code}, page["findings"]
        assert page["left_out"] == {}
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


NOTHING_IN_TEST = block("test:53", SERVED, "cache 3600", "template ANY ANY {\n    rcode NXDOMAIN\n}")


def test_search_path(serve, lab, cli):
    """Of each name three NXDOMAINs before the answer; names of one dot are not saved by ndots:2."""
    serve(NOTHING_IN_TEST + corefile())
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


@contextlib.contextmanager
def many_clients(cli, n):
    """As many addresses behind the pod's device: a socket of each."""
    addresses = [f"10.244.9.{i + 1}" for i in range(n)]
    ip("\n".join(f"addr add {x}/32 dev eth0" for x in addresses), cli.name)
    ip("\n".join(f"route add {x} dev {cli.veth}" for x in addresses))
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(cli.udp(source=(x, 0))) for x in addresses]
    finally:
        ip("\n".join(f"route del {x}" for x in addresses))
        ip("\n".join(f"addr del {x}/32 dev eth0" for x in addresses), cli.name)


def search(sockets, name, rounds):
    """Each round: all ask for the name with the first suffix, then all with the second, ...: NXDOMAINs."""
    queries = [make_query(f"{name}{suffix}", payload=None).to_wire() for suffix in (*(f".{x}." for x in SEARCH), ".")]
    for wire in queries * rounds:
        for sock in sockets:
            sock.send(wire)
            assert len(sock.recv(2048)) >= len(wire)
    return len(sockets) * len(SEARCH) * rounds


def test_search_path_of_many(serve, cli):
    """60 pods share it evenly, each below what one must have, beside one that has more: all of it is found. What came
    before anybody had asked for the name itself is known of four of them for each suffix."""
    serve(NOTHING_IN_TEST + corefile())
    with many_clients(cli, 61) as sockets:
        report = Report()
        nx = search(sockets[:60], "www.s0.example.org", 15)
        loud = search(sockets[60:], "www.s1.example.org", 60)
        page = report.end()
    assert page["left_out"] == {}
    many, one = page["findings"]
    assert (many["code"], one["code"]) == ("search_path_pods", "search_path")
    assert many["subject"] == "" and many["text"].startswith("60 other pods together: ") and one["subject"].startswith("10.244.9.61@")
    figures, seconds = many["figures"], page["seconds"]
    assert figures["pods"] == 60 and figures["nxdomain_qps"] / 60 < 10
    assert nx - 56 * len(SEARCH) - 0.5 <= figures["nxdomain_qps"] * seconds <= nx + 0.5
    near(figures["qps"] * seconds, nx * 4 / 3)
    near(figures["saved_qps"], figures["nxdomain_qps"])
    near(one["figures"]["nxdomain_qps"] * seconds, loud)


def test_search_path_of_a_sixth(serve, cli):
    """Five have findings of their own; the sixth comes alone, under its own name."""
    serve(NOTHING_IN_TEST + corefile())
    with many_clients(cli, 6) as sockets:
        report = Report()
        nx = search(sockets, "www.s0.example.org", 75)
        page = report.end()
    assert [finding["code"] for finding in page["findings"]] == ["search_path"] * 5 + ["search_path_pods"] and page["left_out"] == {}
    assert {finding["subject"] for finding in page["findings"]} == {f"10.244.9.{i + 1}@{cli.veth}" for i in range(6)}
    sixth = page["findings"][5]
    assert re.fullmatch(r"\d+ q/s, \d+ % are search-path NXDOMAINs\.", sixth["text"]) and sixth["figures"]["pods"] == 1
    near(sixth["figures"]["nxdomain_qps"] * page["seconds"], nx / 6)


def test_more_than_five(serve, lab, cli):
    """Of a kind of finding the worst five, and how many more there are."""
    serve(corefile("cache {\n    success 9984 3600 0\n}"))
    page, text = Report(), Report(flags=())
    ask(lab, cli, [f"l{i}.ttl-1.example.org." for i in range(7)] * 90, 140)
    page = page.end()
    assert [finding["code"] for finding in page["findings"]] == ["short_ttl"] * 5 and page["left_out"] == {"short_ttl": 2}
    out, _ = text.text(1)
    assert out.count("MINTTL") == 5 and out.splitlines()[-1] == "Of short_ttl there are 2 more; the 5 worst are listed."


MB_AT_MOST = 8


def anonymous_mb(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1)) / 1024


def test_more_names_than_are_counted(serve, lab, cli):
    """What one that is not counted has at most is said; all that it needs memory for is there."""
    serve(block(".:53", SERVED, "template ANY ANY {\n    rcode NXDOMAIN\n}"))
    report = Report()
    ask(lab, cli, [f"n{i}.example.org." for i in range(3000)], 3000)
    time.sleep(1)
    memory = anonymous_mb(report.process)
    note(f"{memory:.1f} MB of its own")
    assert memory < MB_AT_MOST
    page = report.page()
    assert page["bound"]["clients"] == 0 and 1 <= page["bound"]["names"] * page["seconds"] <= 3000 / 1024


def test_agent_anew(serve, nodens, cli):
    """What was seen before it and after it is in the report, and for how long nothing was."""
    serve(NOTHING_IN_TEST + corefile())
    with many_clients(cli, 1) as sockets:
        page, text = Report(15), Report(15, ())
        before = search(sockets, "www.s0.example.org", 50)
        begun = time.monotonic()
        nodens.stop()
        time.sleep(1)
        serve(NOTHING_IN_TEST + corefile())
        away = time.monotonic() - begun
        time.sleep(0.5)
        after = search(sockets, "www.s0.example.org", 50)
        page, (out, _) = page.page(), text.text(1)
    assert 1 < page["gap_s"] < away + 0.8 and page["restarted"]
    (finding,) = page["findings"]
    near(finding["figures"]["nxdomain_qps"] * page["seconds"], before + after)
    lines = out.splitlines()
    assert lines[0].startswith("1 10.244.9.1@") and "s names and pods were not seen for" in lines[1]
    assert lines[2] == "The agent was started anew meanwhile: evictions were not counted." and len(lines) == 3


def test_agent_gone(serve, nodens, cli):
    """It reports what it saw of names and pods; the exit status is that there is no agent."""
    serve(NOTHING_IN_TEST + corefile())
    with many_clients(cli, 1) as sockets:
        report = Report(flags=())
        search(sockets, "www.s0.example.org", 50)
        nodens.stop()
        out, err = report.text(3)
    assert out.startswith("1 10.244.9.1@") and "were not seen for" in out and "not running" in err


def test_interrupted(serve, cli):
    """Ctrl-C: a report of the time until then, with its usual exit status."""
    serve(NOTHING_IN_TEST + corefile())
    with many_clients(cli, 1) as sockets:
        found, nothing = Report(3600, ()), Report(3600)
        nothing.process.send_signal(signal.SIGINT)
        page = nothing.page()
        assert page["findings"] == [] and page["seconds"] < 5
        search(sockets, "www.s0.example.org", 50)
        time.sleep(0.2)
        found.process.send_signal(signal.SIGINT)
        out, err = found.text(1)
    assert out.startswith("1 10.244.9.1@") and "75 % are search-path NXDOMAINs. dnsConfig ndots:2 saves" in out and not err


def test_kernel_without_sessions(serve, cli):
    """It says that it sees what the agent had alone, and that this is no clean bill: exit status 1."""
    serve(corefile(), "--pretend-kernel", "5.4")
    out, err = Report(1, ()).text(1)
    first, second = out.splitlines()
    assert first == "nothing to report of what was seen" and not err
    assert second.startswith("Not all names and pods were seen: ") and "no BPF ring buffers (Linux 5.8)" in second


def test_as_nobody(serve, lab):
    serve(corefile())
    program = lab.dir / "nodens"
    shutil.copy(NODENS, program)
    program.chmod(0o755)
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "report", "--for", "1s", check=False)
    assert (done.returncode, done.stdout) == (4, "") and "no permission: run as root" in done.stderr


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
