# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The probe directive against real servers: dnsmasq in the clear, unbound over TLS with a certificate that ends in three days,
and one that never answers. What /metrics says is held against what dnsmasq logged. The agent in listen mode."""
import re
import time

import pytest

from agent import Metrics, block, directive
from certificates import Certificates
from lab import POD_SIDE4, PYTHON, ip, spawn, wait_for_line, wait_until
from unbound import Unbound

DNSMASQ, UNBOUND, DEAD = "10.50.0.3", "10.50.0.4", "10.50.0.9"


@pytest.fixture(scope="module")
def servers(lab):
    """dnsmasq's log."""
    up = lab.pod("up")
    for address in DNSMASQ, UNBOUND, DEAD:
        ip(f"addr add {address}/32 dev lo", "up")
        ip(f"route add {address} via {up.ip4} dev {up.veth}")
    certificates = Certificates(lab.dir)
    certificates.make("unbound", f"IP:{UNBOUND}", days=3)
    Unbound(lab, UNBOUND)
    inside = ["nsenter", "--net=/run/netns/up"]
    silent = f'import socket, time; s = socket.socket(type=2); s.bind(("{DEAD}", 53)); print("bound", flush=True); time.sleep(600)'
    log = lab.dir / "silent.log"
    wait_for_line(spawn(*inside, PYTHON, "-c", silent, log=log), log, "bound")
    log = lab.dir / "dnsmasq.log"
    wait_for_line(spawn(*inside, "dnsmasq", "-k", "-C", "/dev/null", "-a", DNSMASQ, "-z", "--no-resolv", "--no-hosts",
                        "--log-queries", "--log-facility=-", "--local-ttl=300", "--address=/example.org/192.0.2.3", log=log),
                  log, "started")
    return log


@pytest.fixture
def probed(lab, nodens, cli, servers):
    """probed(DIRECTIVE, SERVER..., cache=): the agent with it, started anew."""
    def start(probe, *servers, cache=""):
        tls = directive("tls " + str(lab.dir / "ca.pem")) if any("tls" in x for x in servers) else ""
        nodens.listen(block(".:53", f"bind {POD_SIDE4}", "prometheus :9253", cache, probe,
                            directive(f"forward . {' '.join(servers)}", "policy sequential", tls)))
    return start


def fresh_page():
    """Pages are not made anew within 100 ms."""
    time.sleep(0.2)
    return Metrics()


def total(page, name, via, result):
    return page.total("nodens_probe_total", f'name="{re.escape(name)}",via="{re.escape(via)}",result="{result}"')


def asked(log, name):
    return len(re.findall(rf"query\[A\] {re.escape(name)} from", log.read_text()))


def test_each_upstream(probed, servers, nodens):
    before = asked(servers, "www.example.org")
    probed(directive("probe www.example.org", "interval 1s", "timeout 300ms", "upstreams"), DNSMASQ, f"tls://{UNBOUND}", DEAD)
    wait_until(15, lambda: total(fresh_page(), "www.example.org.", f"{DEAD}:53", "timeout") >= 4, nodens.log_tail)
    page = fresh_page()
    name = "www.example.org."
    good, tls, node = (total(page, name, via, "success") for via in (f"{DNSMASQ}:53", f"{UNBOUND}:853", "node"))
    assert good >= 4 and tls >= 4 and node >= 4
    assert total(page, name, f"{DEAD}:53", "success") == 0
    # every probe of dnsmasq and of the node is a line of its log; one of each may have come since the page
    assert good + node <= asked(servers, "www.example.org") - before <= good + node + 2
    for via, success in ((f"{DNSMASQ}:53", 1), (f"{UNBOUND}:853", 1), (f"{DEAD}:53", 0), ("node", 1)):
        assert page.total("nodens_probe_success", f'via="{re.escape(via)}"') == success
    assert page.total("nodens_probe_duration_seconds_count", f'via="{re.escape(DNSMASQ)}:53"') == good
    assert page.total("nodens_probe_duration_seconds_count", f'via="{re.escape(DEAD)}:53"') == 0
    days = page.total("nodens_probe_certificate_days", f'to="{re.escape(UNBOUND)}:853"')
    assert 2.9 < days <= 3
    # nobody's queries
    assert page.total("coredns_dns_requests_total") == 0
    assert nodens.stat("agent.queries") == nodens.stat("agent.cache_hits") == 0


def test_what_is_expected(probed, nodens):
    probed(directive("probe www.example.org", "interval 1s", "timeout 500ms", "expect 192.0.2.3"), DNSMASQ)
    wait_until(10, lambda: total(fresh_page(), "www.example.org.", "node", "success") >= 2, nodens.log_tail)
    probed(directive("probe www.example.org", "interval 1s", "timeout 500ms", "expect 192.0.2.99"), DNSMASQ)
    wait_until(10, lambda: total(fresh_page(), "www.example.org.", "node", "unexpected") >= 2, nodens.log_tail)


def test_age(probed, servers, nodens):
    before = asked(servers, "www.example.org")
    probed(directive("probe www.example.org", "interval 1s", "timeout 500ms"), DNSMASQ, cache="cache 300")
    wait_until(15, lambda: total(fresh_page(), "www.example.org.", "node", "success") >= 5, nodens.log_tail)
    assert 2 < fresh_page().total("nodens_probe_answer_age_seconds") < 20
    assert asked(servers, "www.example.org") - before == 1


def test_file_that_changes(probed, lab, nodens):
    names = lab.dir / "names"
    names.write_text("one.example.org\ntwo.example.org # both\n")

    def good(name):
        return total(fresh_page(), f"{name}.example.org.", "node", "success")
    probed(directive(f"probe {names}", "interval 1s", "timeout 500ms"), DNSMASQ)
    wait_until(10, lambda: good("one") >= 1 and good("two") >= 1, nodens.log_tail)
    before = good("one")
    names.write_text("one.example.org\nthree.example.org\n")
    wait_until(10, lambda: good("three") >= 1, nodens.log_tail)
    page = fresh_page()
    assert page.total("nodens_probe_total", "two") == 0 and total(page, "one.example.org.", "node", "success") >= before
    wait_until(10, lambda: good("one") > before, nodens.log_tail)
    names.write_text("".join(f"n{i}.example.org\n" for i in range(10_000)))
    nodens.wait_said(rf"^warn: probe {re.escape(str(names))}: 10000 names; the first 64 are probed", 10)
    time.sleep(2)
    seen = set(re.findall(r'nodens_probe_success\{[^}]*name="(n\d+)\.', fresh_page().text))
    assert 1 <= len(seen) <= 64 and max(int(name[1:]) for name in seen) < 64


def test_reload_while_one_is_out(probed, nodens):
    """Upstreams that hang, and a configuration that goes: each reload leaves nothing behind."""
    probed(directive("probe www.example.org", "interval 1s", "timeout 900ms", "upstreams"), DEAD)
    text = nodens.corefile.read_text()
    for number in range(4):
        time.sleep(0.7)
        nodens.corefile.write_text(text.replace("www", f"w{number}"))
        nodens.signal("HUP")
    nodens.corefile.write_text(text.replace(DEAD, DNSMASQ))
    nodens.signal("HUP")
    wait_until(15, lambda: total(fresh_page(), "www.example.org.", "node", "success") >= 1, nodens.log_tail)
    time.sleep(7)  # the old ones have drained
    assert nodens.alive() and not nodens.errors()
