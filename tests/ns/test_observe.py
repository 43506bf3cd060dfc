# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Metrics and the log and errors plugins: numbers are held against what tests and dnsperf sent. In listen mode, with
upstreams that misbehave on demand (tests/fake-upstream)."""
import contextlib
import json
import os
import random
import re
import select
import time

import pytest

import query
from agent import Metrics, block, directive, fresh_page, http
from lab import POD_SIDE4, POD_SIDE6, note, run, wait_until
from load import dnsperf

# ---- metrics ---------------------------------------------------------------------------------------------

METRICS = """coredns_build_info coredns_panics_total coredns_plugin_enabled
    coredns_dns_requests_total coredns_dns_responses_total coredns_dns_request_duration_seconds_bucket
    coredns_dns_request_duration_seconds_sum coredns_dns_request_duration_seconds_count
    coredns_dns_request_size_bytes_bucket coredns_dns_response_size_bytes_bucket
    coredns_dns_do_requests_total
    coredns_cache_entries coredns_cache_hits_total coredns_cache_evictions_total coredns_cache_requests_total
    coredns_cache_misses_total coredns_cache_prefetch_total coredns_cache_drops_total
    coredns_cache_served_stale_total
    coredns_forward_healthcheck_broken_total coredns_forward_max_concurrent_rejects_total
    coredns_proxy_request_duration_seconds_bucket coredns_proxy_healthcheck_failures_total
    coredns_proxy_conn_cache_hits_total coredns_proxy_conn_cache_misses_total
    coredns_health_request_duration_seconds_bucket coredns_health_request_failures_total
    coredns_hosts_entries coredns_hosts_reload_timestamp_seconds
    coredns_template_matches_total coredns_template_template_failures_total coredns_template_rr_failures_total
    coredns_nodecache_setup_errors_total coredns_reload_failed_total coredns_reload_version_info
    coredns_forward_requests_total coredns_forward_responses_total
    coredns_forward_request_duration_seconds_bucket
    process_cpu_seconds_total process_resident_memory_bytes process_open_fds process_max_fds""".split()

# Those that count something must have counted it, after traffic that makes them.
COUNTED = """coredns_cache_hits_total coredns_cache_misses_total coredns_cache_prefetch_total coredns_cache_drops_total
    coredns_dns_do_requests_total coredns_forward_max_concurrent_rejects_total
    coredns_forward_healthcheck_broken_total coredns_proxy_healthcheck_failures_total
    coredns_proxy_conn_cache_hits_total coredns_proxy_conn_cache_misses_total
    coredns_health_request_duration_seconds_count coredns_hosts_entries coredns_template_matches_total
    coredns_template_rr_failures_total coredns_reload_failed_total coredns_forward_requests_total
    coredns_cache_entries""".split()


def all_kinds_of_traffic(nodens, cli, upstreams):
    cli.ask("www.example.org", dnssec=True)
    cli.ask("www.example.org", "MX", tcp=True)
    cli.ask("www.example.org", "AAAA", POD_SIDE6)
    for name in ("nx.example.org", "nx.example.org", "a.badq.example.org", "host.example.org", "t1.templated.example.org",
                 "elsewhere.invalid", *(f"a{i}.tcp.test" for i in (1, 2, 3)), *["popular.ttl-10.example.org"] * 6):
        cli.ask(name)
    cli.ask("broken.example.org", "TXT")
    cli.ask_all([f"c{i}.slow-300.example.org" for i in range(60)], window=60)  # more than max_concurrent at once
    upstreams[2].freeze()
    for name in "first.down.test", "second.down.test":
        with contextlib.suppress(*query.SILENCE):
            cli.ask(name, timeout=6)
    upstreams.thaw()
    good = nodens.corefile.read_text()
    nodens.corefile.write_text(good.replace("forward", "forwrad"))
    nodens.signal("HUP")
    nodens.wait_said("SIGHUP.*forwrad")
    nodens.corefile.write_text(good)


def test_every_metric_is_there(serve, full_corefile, nodens, cli, upstreams):
    serve(full_corefile)
    all_kinds_of_traffic(nodens, cli, upstreams)
    # what is prefetched, and our own check of /health, come in their own time
    wait_until(12, lambda: Metrics().total("coredns_cache_prefetch_total") > 0, "nothing is prefetched")
    page = fresh_page()
    assert [name for name in METRICS if not re.search(f"^{name}[{{ ]", page.text, re.M)] == []
    assert [name for name in COUNTED if not page.total(name)] == [], "series that have counted nothing"
    checked = run("promtool", "check", "metrics", input=page.text, check=False)
    # promtool's advice on names that CoreDNS chose is not ours to take; errors are
    advice = "should have|no help text|non-histogram|use base unit|counter metrics should|abbreviated|suffix"
    assert [x for x in (checked.stdout + checked.stderr).splitlines() if x and not re.search(advice, x)] == []


def test_labels(serve, full_corefile, cli):
    serve(full_corefile)
    cli.ask("www.example.org")
    cli.ask("x.elsewhere.invalid")
    text = fresh_page().text
    server = f'server="dns://{POD_SIDE4}:53"'
    for series in (
            f'coredns_dns_requests_total{{{server},zone="example.org.",view="",proto="udp",family="1",type="A"}} 1',
            f'coredns_dns_responses_total{{{server},zone="example.org.",view="",rcode="NOERROR",plugin="forward"}} 1',
            'zone="dropped",view="",rcode="REFUSED",plugin=""} 1',
            f'coredns_cache_misses_total{{{server},zones="example.org.,two.test.",view=""}} 1',
            f'coredns_plugin_enabled{{{server},zone="two.test.",view="",name="template"}} 1'):
        assert series in text, series
    assert re.search(r'coredns_reload_version_info\{hash="sha512",value="[0-9a-f]{128}"\} 1', text)


def test_counts_are_exact(serve, full_corefile, lab, nodens, cli):
    """Agent and kernel together have seen what was sent, no more and no less."""
    def totals(page):
        return [page.total("coredns_dns_requests_total"), page.total("coredns_dns_responses_total"),
                page.total("coredns_dns_request_duration_seconds_count"),
                page.total("coredns_cache_hits_total") + page.total("coredns_cache_misses_total")]

    serve(full_corefile)
    for seed in 1, 2:
        before, rng = totals(Metrics()), random.Random(seed)
        numbers = [rng.randrange(40) for _ in range(3000)]
        with nodens.counting() as gains:
            sent = dnsperf(lab, cli, [(f"n{n}.example.org", "A" if n % 3 else "AAAA") for n in numbers], "-q", 20)
            cli.ask("n1.example.org", tcp=True)
            cli.ask("n2.example.org")
        assert (sent["Queries sent"], sent["Queries completed"]) == (3000, 3000)
        page = fresh_page()
        assert [after - n for after, n in zip(totals(page), before)] == [3002] * 4, f"round {seed}"
        assert gains["kernel.hits"] >= 2500
    assert page.total("coredns_dns_requests_total", 'type="AAAA"') >= 500
    assert page.total("coredns_dns_requests_total", 'zone="two.test."') == 0
    assert page.total("coredns_dns_requests_total", 'proto="tcp"') == 2
    note(f"{gains['kernel.hits']} of 3002 queries of a round answered in the kernel")


def test_hosts_and_templates_in_the_kernel(serve, nodens, cli):
    """Entries that the configuration made have the names of their plugins, also when the kernel answers."""
    serve(block(".:53", f"bind {POD_SIDE4}", "prometheus :9253",
                directive("hosts", "192.0.2.200 host.example.org", "fallthrough"),
                directive("template ANY ANY", "match (^|[.])ads[.]test[.]$", "rcode NXDOMAIN", "fallthrough"),
                "forward . 10.50.0.1"))
    for _ in range(4):
        assert cli.value("host.example.org") == "192.0.2.200"
    for i in range(3):
        assert cli.ask(f"x{i}.ads.test").status == "NXDOMAIN"
    assert nodens.stat("kernel.hits") == 7
    page = fresh_page()
    assert page.total("coredns_dns_responses_total", 'rcode="NOERROR",plugin="hosts"') == 4
    assert page.total("coredns_dns_responses_total", 'rcode="NXDOMAIN",plugin="template"') == 3
    assert page.total("coredns_dns_requests_total", 'type="A"') == page.total("coredns_dns_requests_total") == 7
    assert page.total("coredns_hosts_entries") >= 1, "those of /etc/hosts included"


def test_refused_unread(serve, full_corefile, cli):
    serve(full_corefile)
    with cli.udp(timeout=5) as sock:
        sock.send(bytes.fromhex("123401000002000000000000"))
        sock.recv(512)
    assert fresh_page().total("coredns_dns_responses_total", 'zone="dropped".*rcode="FORMERR"') == 1


def metrics_status(address):
    return http(f"http://{address}/metrics")[0]


def test_metrics_of_flags(serve, full_corefile, nodens):
    without = "".join(line for line in full_corefile.splitlines(True) if "prometheus" not in line)
    serve(without, "-metrics-listen-address", "127.0.0.1:9353", "-prometheus-listen-address", ":9254")
    for address in "127.0.0.1:9353", "127.0.0.1:9254", "[::1]:9254":
        assert metrics_status(address) == 200, address
    # a reload that says where itself
    nodens.corefile.write_text(full_corefile)
    nodens.signal("HUP")
    wait_until(5, lambda: metrics_status("127.0.0.1:9253") == 200, "prometheus of the new Corefile")
    assert metrics_status("127.0.0.1:9353") == 200, "-metrics-listen-address after a reload"
    assert metrics_status("127.0.0.1:9254") == 0, "-prometheus-listen-address with prometheus"


# ---- log and errors --------------------------------------------------------------------------------------


def test_log_lines(serve, nodens, cli):
    serve(block("example.org:53", f"bind {POD_SIDE4} {POD_SIDE6}", "log", "forward . 10.50.0.1")
          + block("two.test:53", f"bind {POD_SIDE4}", directive("log quiet.two.test", "class error"),
                  'log two.test "{remote} {name} {type} {proto} {rcode} {>rflags} {size}"', "forward . 10.50.0.1"))
    ip4, ip6 = re.escape(cli.ip4), re.escape(cli.ip6)
    cli.ask("www.example.org", payload=None, qid=4242, source=(cli.ip4, 40001))
    nodens.wait_printed(rf'^\[INFO\] {ip4}:40001 - 4242 "A IN www.example.org. udp 33 false 512" NOERROR'
                        r" qr,[a-z,]*rd[a-z,]* 49 0\.[0-9]+s$")
    cli.ask("nx.WWW.example.org", "AAAA", POD_SIDE6, tcp=True, dnssec=True, cookie=False, payload=1400, qid=4243)
    nodens.wait_printed(rf'^\[INFO\] \[{ip6}\]:[0-9]+ - 4243 "AAAA IN nx.www.example.org. tcp 47 true 65535" NXDOMAIN ')
    cli.ask("a.quiet.two.test")
    cli.ask("b.two.test", payload=None)
    cli.ask("servfail.quiet.two.test", payload=None)
    nodens.wait_printed("servfail.quiet.two.test")
    nodens.wait_printed(rf"^\[INFO\] {ip4} b.two.test. A udp NOERROR qr,[a-z,]* 28$")
    printed = nodens.printed.read_text()
    assert "a.quiet" not in printed, "class error"
    assert len(printed.splitlines()) == 4


def test_errors(serve, nodens, cli):
    errors = directive("errors", "stacktrace", 'consolidate 1s "many[.]example" warning')
    serve(block("example.org:53", f"bind {POD_SIDE4}", errors, "forward . 10.50.0.1")
          + block("quiet.test:53", f"bind {POD_SIDE4}", "forward . 10.50.0.1"))
    cli.ask("only.garbage.example.org")
    nodens.wait_printed(r"^\[ERROR\] plugin/errors: 2 only.garbage.example.org. A: .")
    note(nodens.printed.read_text().strip())
    cli.ask("only.garbage.quiet.test")
    time.sleep(0.3)
    assert "quiet.test" not in nodens.printed.read_text(), "without errors nothing is said"


def test_errors_consolidated(serve, nodens, cli):
    serve(block("example.org:53", f"bind {POD_SIDE4}", directive("errors", 'consolidate 2s ".*" warning'),
                "forward . 10.50.0.1"))
    for i in range(5):
        cli.ask(f"only.garbage.many{i}.example.org")
    nodens.wait_printed(r"^\[WARNING\] plugin/errors: [0-9]+ errors like '.\*' occurred in last 2s", 10)
    assert "[ERROR]" not in nodens.printed.read_text()


def test_debug(serve, nodens):
    corefile = block(".:53", f"bind {POD_SIDE4}", "forward . 10.50.0.1")
    serve(corefile, answering=False)
    assert not nodens.said("^debug:")
    nodens.corefile.write_text(corefile.replace("{", "{\ndebug", 1))
    nodens.signal("HUP")
    nodens.wait_said("the new configuration is at work")
    assert nodens.said("^debug: SHA-512")


class Pipe:
    """What nobody reads, until a test does."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self.text = ""

    def read(self, seconds=1):
        """All that comes within this time."""
        end = time.monotonic() + seconds
        while select.select([self.read_end], [], [], max(0, end - time.monotonic()))[0]:
            self.text += os.read(self.read_end, 65536).decode()
        return self.text

    def close(self):
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture
def pipe(nodens):
    pipe = Pipe()
    yield pipe
    nodens.stop()
    pipe.close()


def uncached(full_corefile):
    return full_corefile.replace("cache {", "cache {\ndisable success")


def many(n):
    return [(f"n{i % 10}.example.org", "A") for i in range(n)]


def test_a_log_that_nobody_reads(full_corefile, lab, nodens, cli, upstreams, pipe):
    """Nobody reads stdout: lines are lost, answers are not."""
    nodens.corefile.write_text(uncached(full_corefile))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen", printed=pipe.write_end)
    nodens.wait_said("upstreams of all zones answer", 10)
    assert dnsperf(lab, cli, many(6000), "-q", 20, "-t", 8)["Queries completed"] == 6000
    pipe.read()
    cli.ask("last.example.org")
    lines = pipe.read().splitlines()
    assert sum(bool(re.search(r"^\[INFO\] .* 0[.0-9]*s$", line)) for line in lines) >= 500, "whole lines"
    assert [line for line in lines if not re.search(r"^\[(INFO|WARNING)\] .*(s|enough)$", line)] == [], "torn lines"
    assert nodens.stat("agent.log_dropped") >= 1
    assert "lines of this log were dropped" in pipe.text


def test_json_that_nobody_reads(full_corefile, lab, nodens, cli, upstreams, pipe):
    """What is left are whole objects, and one says how many are not."""
    nodens.corefile.write_text(uncached(full_corefile))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen", "-log-format", "json", printed=pipe.write_end)
    nodens.wait_said("upstreams of all zones answer", 10)
    assert dnsperf(lab, cli, many(6000), "-q", 20, "-t", 8)["Queries completed"] == 6000
    pipe.read()
    cli.ask("last.example.org")
    lines = [json.loads(line) for line in pipe.read().splitlines()]
    assert sum(line["source"] == "log" and line["rcode"] == "NOERROR" for line in lines if "rcode" in line) >= 500
    assert [line["level"] for line in lines if "lines of this log were dropped" in line["msg"]] == ["warn"]


def test_nobody_reads_the_agent(full_corefile, lab, nodens, cli, upstreams, pipe):
    """Nor stderr, in the same pipe, as under systemd: what the agent has to say does not stop it either."""
    nodens.corefile.write_text(uncached(full_corefile))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen", printed=pipe.write_end,
                 prefix=["sh", "-c", 'exec "$@" 2>&1', "sh"])
    wait_until(10, lambda: cli.ask("first.example.org", timeout=1), "it does not answer")
    dnsperf(lab, cli, many(3000), "-q", 20, "-t", 8)
    nodens.signal("HUP")
    nodens.wait_stat("agent.reloads", 1, 5)
    cli.ask("after.example.org")
    pipe.read()
    nodens.signal("HUP")
    nodens.wait_stat("agent.reloads", 2, 5)
    assert re.search("^(info|debug): .*lines before this were dropped", pipe.read(), re.M)
    dnsperf(lab, cli, many(3000), "-q", 20, "-t", 8)
    nodens.signal("TERM")
    nodens.wait_end()
