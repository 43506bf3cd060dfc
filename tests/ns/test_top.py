# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens top: names, clients and rcodes against what dnsperf sent, at rates at which all is seen and at which samples are;
beside a flood of a million names; driven in tmux, where the screen is looked at."""
import collections
import contextlib
import fcntl
import json
import os
import random
import re
import signal
import subprocess
import time

import jsonschema
import pytest

from agent import NODENS, block, cluster_corefile
from cluster import D
from cni import Network
from lab import POD_SIDE4, note, run, wait_until
from load import dnsperf
from test_status import schema
from test_trace import observed

SERVED = f"bind {POD_SIDE4}"
COREFILE = block(".:53", SERVED, "cache 3600", "forward . 10.50.0.1")
NAMES = 100


def zipf_load(n, seed):
    """So many queries for 100 names by Zipf's law, every fourth of which does not exist: [(name, type)]"""
    names = [f"{'nx.' if i % 4 == 3 else ''}z{i}.example.org." for i in range(NAMES)]
    return [(name, "A") for name in random.Random(seed).choices(names, [1 / (i + 1) for i in range(NAMES)], k=n)]


class Top:
    """`nodens top --json` beside what a test does; its objects."""
    count = 0

    def __init__(self, lab, *flags):
        Top.count += 1
        self.log, self.err = lab.dir / f"top{Top.count}.json", lab.dir / f"top{Top.count}.err"
        with open(self.log, "wb") as log, open(self.err, "wb") as err:
            self.process = subprocess.Popen([NODENS, "top", "--json", *map(str, flags)], stdout=log, stderr=err,
                                            stdin=subprocess.DEVNULL)

    def pages(self):
        return [json.loads(line) for line in self.log.read_text().splitlines(True) if line.endswith("\n")]

    def wait(self, n):
        wait_until(60, lambda: len(self.pages()) >= n, self.err.read_text)
        return self.pages()

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.err.read_text()
        validator = jsonschema.Draft7Validator(schema("top"))
        pages = self.pages()
        for page in pages:
            validator.validate(page)
        return pages


@pytest.fixture
def top(lab):
    tops = []

    def start(*flags):
        tops.append(Top(lab, *flags))
        return tops[-1]
    yield start
    for one in tops:
        one.process.kill()
        one.process.wait()


def summed(pages, what, key="name", value="qps"):
    """Over all intervals, in queries: {name: n}"""
    sums = collections.Counter()
    for page in pages:
        for row in page[what]:
            sums[row[key]] += row[value] * page["seconds"]
    return sums


def deviations(pages, what):
    """Of the same sums, two standard deviations: {name: queries}"""
    squares = collections.Counter()
    for page in pages:
        for row in page[what]:
            squares[row["name"]] += (row["error"] * page["seconds"]) ** 2
    return {name: square ** 0.5 for name, square in squares.items()}


def ask(lab, cli, queries, rate):
    sent = dnsperf(lab, cli, queries, "-q", 100, "-Q", rate)
    assert (sent["Queries sent"], sent["Queries completed"]) == (len(queries), len(queries))


def hot_and_flood(n_flood):
    """Of six queries five are for names below one that does not exist, each of them once: [(name, type)]

    Hot ones are so far apart that samples of them (bpf/store.bpf.h) are in order: the ninth and tenth by four deviations.
    """
    hot = random.Random(7).choices([f"hot{i}.example.org." for i in range(10)], [0.75 ** i for i in range(10)], k=n_flood // 5)
    for i, name in enumerate(hot):
        yield from ((f"x{i}-{k}.flood.test.", "A") for k in range(5))
        yield name, "A"


def test_flood_of_a_million_names(serve, lab, cli, top):
    """Memory stays what it is, and the ten that are asked all the time are on top, in order."""
    serve(block("flood.test:53", SERVED, "template ANY ANY {\n    rcode NXDOMAIN\n}") + COREFILE)
    watched = top("-n", 1000)
    ask(lab, cli, list(hot_and_flood(100000)), 20000)
    small = watched.rss()
    load = list(hot_and_flood(1000000))
    ask(lab, cli, load, 50000)
    large = watched.rss()
    watched.wait(len(watched.pages()) + 1)
    pages = watched.end()
    note(f"RSS {small} kB after 100,000 names, {large} after a million more; {len(pages)} intervals,"
         f" {sum(page['sample']['lost'] for page in pages)} events lost")
    assert large - small < 2048 and large < 32 << 10
    busy = [page for page in pages if page["rates"]["queries"] > 40000 and page["sample"]["one_in"] > 1]
    assert len(busy) >= 5
    for page in busy:
        assert page["names"][0]["name"] == "hot0.example.org."
        assert {row["name"] for row in page["names"][:10]} == {f"hot{i}.example.org." for i in range(10)}
    sent, seen = collections.Counter(name for name, _ in load), summed(busy, "names")
    assert [name for name, _ in seen.most_common(10)] == [name for name, _ in sent.most_common(10)]


@pytest.mark.parametrize("rate", (500, 5000, 50000))
def test_the_ten_hottest(serve, lab, cli, top, rate):
    """In their order, each within three times the error that is stated; up to 10,000 q/s there is none."""
    serve(COREFILE)
    ask(lab, cli, [(f"{'nx.' if i % 4 == 3 else ''}z{i}.example.org.", "A") for i in range(NAMES)], 500)
    watched = top("-n", 1000)
    watched.wait(1)
    # drawn, the tenth must be told from the eleventh, a tenth less: three deviations of what 40 s give
    load = zipf_load(40 * rate if rate > 10000 else 3 * rate, rate)
    ask(lab, cli, load, rate)
    watched.wait(len(watched.pages()) + 2)
    pages = watched.end()
    assert not any(page["sample"]["lost"] for page in pages)
    sent = collections.Counter(name for name, _ in load)
    seen, stated = summed(pages, "names"), deviations(pages, "names")
    hottest = [name for name, _ in seen.most_common(10)]
    assert [sent[name] for name in hottest] == [n for _, n in sent.most_common(10)]
    for name in hottest:
        assert abs(seen[name] - sent[name]) <= 1.5 * stated[name] + 0.01, name
    exact = rate <= 10000
    assert exact == all(page["sample"]["one_in"] == 1 for page in pages)
    if exact:
        assert {name: round(n) for name, n in seen.items()} == sent
    worst = max(abs(seen[name] / sent[name] - 1) for name in hottest)
    note(f"{rate}/s: {len(pages)} intervals, one in {max(p['sample']['one_in'] for p in pages)},"
         f" the ten hottest off by {100 * worst:.2f} % at most, stated for the tenth"
         f" {100 * stated[hottest[9]] / sent[hottest[9]]:.1f} %")
    heads_add_up(pages, load)


def heads_add_up(pages, load):
    """Shares and rcodes are exact at any rate."""
    asked = sum(page["rates"]["queries"] * page["seconds"] for page in pages)
    assert abs(asked - len(load)) < 1
    for page in pages:
        rates = page["rates"]
        assert abs(rates["kernel"] + rates["agent"] + rates["passed"] - rates["queries"]) < 1e-3 * (1 + rates["queries"])
    nx = sum(page["rcodes"]["NXDOMAIN"] * page["seconds"] for page in pages)
    # a query in 65,536 has a checksum from which the programs cannot tell what the reply's must be: the agent answers
    assert abs(nx - sum(name.startswith("nx.") for name, _ in load)) < 1 + len(load) / 20000
    assert abs(sum(summed(pages, "clients", "client").values()) - len(load)) <= 0.1 * len(load)


def test_pods(lab, nodens, cluster, p1, top):
    """Clients are pods by name, with the share of a name's queries that they have; -p is one pod's alone, by its
    name or its address."""
    network = Network(lab, "bridge", "10.247.0.0/24")
    cart, pay = network.pod("shop", "cart-7d9f"), network.pod("shop", "pay-0")
    nodens.ensure("-cni-results", network.results, probe=p1, corefile=cluster_corefile())
    everyone, one = top("-cni-results", network.results), top("-cni-results", network.results, "-p", cart.text)
    narrow, other = top("-f", f"n7.{D}"), top("-p", pay.ip4)
    everyone.wait(1), one.wait(1), narrow.wait(1), other.wait(1)
    for i in range(40):
        cart.ask(f"n7.{D}")
        if not i % 4:
            pay.ask(f"n7.{D}")
            pay.ask(f"none.{D}")
    pages, ones, narrows, others = [(x.wait(len(x.pages()) + 2), x.end())[1] for x in (everyone, one, narrow, other)]
    clients = summed(pages, "clients", "client")
    assert round(clients[cart.text]) == 40 and round(clients[pay.text]) == 20
    names = summed(pages, "names")
    assert round(names[f"n7.{D}."]) == 50 and round(names[f"none.{D}."]) == 10
    assert round(summed(pages, "nx")[f"none.{D}."]) == 10
    row = max((row for page in pages for row in page["names"] if row["name"] == f"n7.{D}."), key=lambda row: row["qps"])
    assert row["top_client"] == cart.text and 0.6 < row["top_client_share"] <= 1
    assert {row["client"] for page in ones for row in page["clients"]} == {cart.text}
    assert {row["name"] for page in narrows for row in page["names"]} == {f"n7.{D}."}
    assert round(sum(summed(others, "clients", "client").values())) == 20
    cart.delete(), pay.delete()


def test_what_the_agent_did(serve, cli, top):
    """Misses are counted once, with the reply that they had; what waited, for whom and how long; what met a timeout."""
    serve(COREFILE)
    watched = top("-d", 2, "-n", 1000)
    watched.wait(1)
    for i in range(20):
        assert cli.ask(f"cold{i}.example.org").status == "NOERROR"
        assert cli.ask(f"nx.cold{i}.example.org").status == "NXDOMAIN"
    for i in range(3):
        assert cli.ask(f"a{i}.slow-300.example.org", timeout=5).status == "NOERROR"
    assert cli.ask("dead.example.org", timeout=15).status == "SERVFAIL"
    watched.wait(len(watched.pages()) + 2)
    pages = watched.end()
    names, missing = summed(pages, "names"), summed(pages, "nx")
    assert {round(names[f"{nx}cold{i}.example.org."]) for i in range(20) for nx in ("", "nx.")} == {1}
    assert {name: round(n) for name, n in missing.items()} == {f"nx.cold{i}.example.org.": 1 for i in range(20)}
    rcodes = {rcode: round(sum(page["rcodes"][rcode] * page["seconds"] for page in pages))
              for rcode in ("NOERROR", "NXDOMAIN", "SERVFAIL")}
    assert rcodes == {"NOERROR": 23, "NXDOMAIN": 20, "SERVFAIL": 1}
    assert round(sum(summed(pages, "clients", "client", "nxdomain").values())) == 20
    slow = {row["name"]: row for page in pages for row in page["slow"]}
    for i in range(3):
        row = slow[f"a{i}.slow-300.example.org."]
        assert 300000 <= row["mean_us"] <= 600000 and row["upstream"] == "10.50.0.1:53" and row["tries"] >= 1
    assert slow["cold1.example.org."]["mean_us"] < 100000
    timeouts = summed(pages, "timeouts")
    assert round(timeouts["dead.example.org."]) == 1 and not any("cold" in name for name in timeouts)
    assert slow["dead.example.org."]["max_us"] > 1000000


def test_upstreams(serve, cli, top):
    """What is asked of each, as many as the agent asked."""
    serve(COREFILE)
    watched = top()
    watched.wait(1)
    for i in range(30):
        cli.ask(f"up{i}.example.org")
    watched.wait(len(watched.pages()) + 3)
    pages = watched.end()
    assert {(row["to"], row["proto"]) for row in pages[-1]["upstreams"]} == {("10.50.0.1:53", "udp")}
    assert 29 <= sum(row["qps"] * page["seconds"] for page in pages for row in page["upstreams"]) <= 35


def test_table(serve, cli):
    """Without a terminal it is a table; --once is one."""
    serve(COREFILE)
    with subprocess.Popen([NODENS, "top", "--once", "-d", "2"], stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        for _ in range(20):
            cli.ask("z0.example.org")
        text = process.communicate(timeout=20)[0]
    lines = text.splitlines()
    assert process.returncode == 0
    assert re.match(r"\S+  1[0-9] q/s  kernel .*% \| NOERROR .* \| all seen$", lines[0]), lines
    assert lines[1].split() == ["Q/S", "+-%", "NXDOMAIN%", "KERNEL%", "TTL", "NAME", "TYPE", "TOP", "CLIENT"]
    assert re.match(rf" +10.0    0 +0 +9[05] +\S+  z0[.]example[.]org[.] +A +{cli.ip4}@{cli.veth} \(100%\)$", lines[2]), lines
    assert len(lines) == 3


def test_without_ring_buffers(serve, lab, cli, top):
    """As before Linux 5.8: cached names by their slots, counters, and what is not seen of clients."""
    serve(COREFILE, "--pretend-kernel", "5.4")
    ask(lab, cli, [(f"z{i}.example.org.", "A") for i in range(4)], 500)
    watched = top("-d", 2)
    watched.wait(1)
    load = [(f"z{i}.example.org.", "A") for i in range(4) for _ in range(500 * 2 ** i)]
    random.Random(1).shuffle(load)
    ask(lab, cli, load, 2000)
    watched.wait(len(watched.pages()) + 2)
    pages = watched.end()
    assert {page["sample"]["one_in"] for page in pages} == {0} and not any(page["clients"] for page in pages)
    seen, stated = summed(pages, "names"), deviations(pages, "names")
    assert [name for name, _ in seen.most_common()] == [f"z{i}.example.org." for i in (3, 2, 1, 0)]
    for i in range(4):
        assert abs(seen[f"z{i}.example.org."] - 500 * 2 ** i) <= 1.5 * stated[f"z{i}.example.org."]
    assert abs(sum(page["rates"]["kernel"] * page["seconds"] for page in pages) - len(load)) < 2
    text = run(NODENS, "top", "--once", "-s", "clients").stdout
    assert "cached names by slots" in text and "no BPF ring buffers" in text


def asked_until_named(cli, watched, name):
    """Asks for it until a page has it."""
    def there():
        cli.ask(name)
        return any(row["name"] == f"{name}." for page in watched.pages() for row in page["names"])
    wait_until(15, there, watched.err.read_text, step=0.3)


def test_stopped(serve, cli, top):
    """Its sessions ran out and are another's when it goes on: it opens new ones, and says for how long it saw nothing."""
    serve(COREFILE)
    watched = top()
    asked_until_named(cli, watched, "z0.example.org")
    watched.process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    other = top()
    other.wait(1)
    watched.process.send_signal(signal.SIGCONT)
    asked_until_named(cli, watched, "z1.example.org")
    asked_until_named(cli, other, "z2.example.org")
    watched.wait(len(watched.pages()) + 1)
    pages = watched.end()
    gaps = [page["sample"]["gap_s"] for page in pages if page["sample"]["gap_s"]]
    assert len(gaps) == 1 and 5 < gaps[0] < 12
    assert not any(page["sample"]["lost"] for page in pages)
    assert not any(page["sample"]["gap_s"] for page in other.end())


def test_stopped_and_taken(serve, cli, top):
    """Its sessions ran out and others have all when it goes on: from there on it counts hits by their slots."""
    serve(COREFILE)
    cli.ask("z0.example.org")
    watched = top("-d", 30)
    wait_until(5, lambda: observed() == 2, watched.err.read_text)
    watched.process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    with all_taken():
        watched.process.send_signal(signal.SIGCONT)
        time.sleep(2)
        for _ in range(40):
            cli.ask("z0.example.org")
            time.sleep(0.15)  # few enough a second to be counted exactly
        page, = watched.wait(1)
    watched.end()
    assert page["sample"]["slots"] and page["sample"]["one_in"] == 1 and page["sample"]["gap_s"] > 5
    assert round(summed([page], "names")["z0.example.org."]) == 40


def test_new_agent(serve, nodens, cli, top):
    """An agent that is started anew has other maps: top goes on there, its head too, and says for how long it saw nothing."""
    serve(COREFILE)
    watched = top("-d", 3600), top()
    asked_until_named(cli, watched[1], "z0.example.org")
    begun = time.monotonic()
    nodens.stop()
    time.sleep(2)
    serve(COREFILE)
    asked_until_named(cli, watched[1], "z1.example.org")
    away = time.monotonic() - begun
    for _ in range(20):
        cli.ask("z2.example.org")
    watched[1].wait(len(watched[1].pages()) + 2)
    pages = watched[1].end()
    gap = sum(page["sample"]["gap_s"] for page in pages)
    note(f"the agent was away for at most {away:.1f} s, the gap is {gap:.1f} s")
    assert 2 < gap < away + 0.5
    assert pages[0]["sample"]["gap_s"] == 0 and pages[-1]["sample"]["gap_s"] == 0
    after = pages[-3:]
    assert round(summed(after, "names")["z2.example.org."]) == 20 and round(sum(summed(after, "clients", "client").values())) >= 20
    heads_are_sound(pages)
    assert watched[0].process.poll() is None, watched[0].err.read_text()


def heads_are_sound(pages):
    """No counter that began at 0 again is taken for a rate."""
    assert all(0 <= page["rates"][key] < 1000 for page in pages for key in page["rates"])


@contextlib.contextmanager
def all_taken():
    """Eight others look on; any of them may end before."""
    others = [subprocess.Popen([NODENS, "trace", "name", "none.test"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True) for _ in range(8)]
    try:
        for other in others:
            assert "TIME" in other.stdout.readline()
        yield others
    finally:
        for other in others:
            other.kill()
            other.communicate()


def test_sessions_taken(serve, lab, cli, top):
    """All eight are others': it says so and shows what it can; once two are free it sees clients."""
    serve(COREFILE)
    with all_taken() as others:
        watched = top()
        watched.wait(3)
        cli.ask("z0.example.org")
        text = run(NODENS, "top", "--once", "-s", "clients").stdout
        pids = re.search(r"\(their pids: ([0-9 ]+)\)", text).group(1)
        assert {int(pid) for pid in pids.split()} == {other.pid for other in others}
        assert "all sessions are in use" in text and "single queries were not seen" in text
        for other in others[:2]:
            other.terminate()
            assert other.wait(10) == 0
        asked_until_named(cli, watched, "z1.example.org")
        watched.wait(len(watched.pages()) + 2)
    pages = watched.end()
    assert pages[0]["sample"]["one_in"] == 0 and 0.9 < pages[0]["sample"]["gap_s"] / pages[0]["seconds"] <= 1.1
    assert pages[-1]["sample"]["one_in"] == 1 and pages[-1]["sample"]["gap_s"] == 0
    assert any(page["clients"] for page in pages) and not pages[0]["clients"]


def test_nobody_reads(serve, cli, top):
    """Who waits for the reader of its pipe keeps its sessions."""
    serve(COREFILE)
    out, into = os.pipe()
    full = b" " * fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
    os.write(into, full)
    with subprocess.Popen([NODENS, "top", "--json"], stdout=into, stdin=subprocess.DEVNULL) as process, \
            os.fdopen(out, encoding="ascii") as text:
        os.close(into)
        time.sleep(7)
        other = top()
        other.wait(1)
        cli.ask("z0.example.org")
        pages = [json.loads(text.readline()) for _ in range(3)]
        process.terminate()
    assert "z0.example.org." in {row["name"] for page in pages for row in page["names"]}
    assert not any(page["sample"]["gap_s"] for page in pages)


def test_refusals(serve):
    serve(COREFILE)
    for flags, why in (["-s", "all"], "is none of names"), (["-n", "0"], "from 1"), (["-f", "a..b"], "no name"), (["x"], "x"):
        done = run(NODENS, "top", *flags, check=False)
        assert done.returncode == 2 and why in done.stderr, done.stderr
    done = run(NODENS, "top", "--once", "--bpffs", "/sys/fs/bpf/none", check=False)
    assert done.returncode == 1 and "no maps" in done.stderr


# ---- the screen --------------------------------------------------------------------------------------------


class Screen:
    """nodens top in a tmux of its own."""

    def __init__(self, lab, *flags, term="screen-256color"):
        self.socket = lab.dir / "tmux"
        shell = f"TERM={term} {NODENS} top {' '.join(flags)}; echo ended $?; stty -a; exec sleep 1000"
        self.tmux("new-session", "-d", "-x", "150", "-y", "20", shell)

    def tmux(self, *args):
        return run("tmux", "-f", "/dev/null", "-S", self.socket, *args).stdout

    def lines(self, *flags):
        return self.tmux("capture-pane", "-p", *flags).rstrip("\n").splitlines()

    def shows(self, regex, seconds=10):
        wait_until(seconds, lambda: re.search(regex, "\n".join(self.lines()), re.M), lambda: "\n".join(self.lines()))
        return self.lines()

    def key(self, *keys):
        self.tmux("send-keys", *keys)

    def value(self, variable):
        return self.tmux("display-message", "-p", f"#{{{variable}}}").strip()

    def gave_back(self):
        """The terminal is as it was: lines, echo, cursor, the screen before."""
        text = "\n".join(self.shows("^ended 0"))
        assert re.search(r"(?<!-)\bicanon\b", text) and re.search(r"(?<!-)\becho\b", text)
        assert (self.value("alternate_on"), self.value("cursor_flag")) == ("0", "1")

    def end(self):
        self.tmux("kill-server")


@pytest.fixture
def screen(lab):
    screens = []

    def start(*flags, **options):
        screens.append(Screen(lab, *flags, **options))
        return screens[-1]
    yield start
    for one in screens:
        one.end()


def test_screen(serve, lab, cli, screen):
    """Keys, a filter, another size, a name with escape sequences; q gives the terminal back."""
    serve(COREFILE)
    shown = screen("-d", "2")
    shown.shows(r"^      Q/S  \+-% NXDOMAIN% KERNEL%    TTL  NAME")
    assert shown.value("alternate_on") == "1"
    evil = r"\027[31mred\027]0;title\007.example.org"

    def load():
        for name in "z0.example.org", "z0.example.org", "nx.a.example.org", "b.two.test", evil:
            cli.ask(name)
    shown_with(shown, load, re.escape(r"\027[31mred\027]0\;title\007.example.org."))
    assert not any("\033[31m" in line for line in shown.lines("-e")) and "title" not in shown.value("pane_title")
    lines = shown_with(shown, load, r"^ +\S+ +0 .* z0[.]example[.]org[.] +A ")
    assert re.match(r"\S+  [0-9]+ q/s  kernel", lines[0]) and "[1]names" in lines[1]
    note("the screen:\n" + "\n".join(lines))
    for key, heading in ("2", "nx[.]a[.]"), ("3", f"CLIENT\n.*{cli.ip4}@"), ("4", "10[.]50[.]0[.]1:53 udp +up"), \
            ("5", "MISSES/S"), ("6", "TIMEOUT/S"), ("7", f"Q/S .* DEVICE\n.*{cli.veth}"), ("6", "TIMEOUT/S"), ("s", "^UPSTREAM"), \
            ("s", "PASSED/S"), ("s", "Q/S .* TTL  NAME"):
        shown.key(key)
        shown_with(shown, load, heading)
    shown.key("r")
    shown.shows("r interval")
    shown.key("/")
    shown.key("two.test", "Enter")
    lines = shown_with(shown, load, r"b[.]two[.]test[.]")
    assert not any("example.org" in line for line in lines) and "/ filter: two.test" in lines[1]
    shown.tmux("resize-window", "-x", "70", "-y", "6")
    lines = shown.shows(r"Q/S ")
    wait_until(5, lambda: len(shown.lines()) <= 6 and all(len(line) <= 70 for line in shown.lines()))
    shown.tmux("resize-window", "-x", "150", "-y", "40")
    shown.key("q")
    shown.gave_back()


def shown_with(shown, load, regex):
    """The screen, once the regex is there; asks until then."""
    def there():
        load()
        return re.search(regex, "\n".join(shown.lines()), re.M)
    wait_until(15, there, lambda: "\n".join(shown.lines()), step=0.2)
    return shown.lines()


@pytest.mark.parametrize("number", ("TERM", "INT", "HUP"))
def test_signals_give_the_terminal_back(serve, lab, screen, number):
    serve(COREFILE)
    shown = screen()
    shown.shows("NXDOMAIN%")
    run("pkill", f"-{number}", "-P", shown.value("pane_pid"), "-x", "nodens")
    shown.gave_back()


def test_unknown_terminals(serve, screen):
    """Tables, one an interval, without any control sequence."""
    serve(COREFILE)
    shown = screen("-d", "1", term="dumb")
    shown.shows(r"(?s)NXDOMAIN%.*q/s.*NXDOMAIN%")
    assert shown.value("alternate_on") == "0"
