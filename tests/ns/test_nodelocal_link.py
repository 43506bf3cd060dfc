# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""In node-cache's place: the link, and others who have its name, an address or the port; a second DaemonSet beside; what a
killed node-cache left."""
import os
import pathlib
import re
import time

import pytest

import lab as lab_module
import query
from agent import Metrics, detach, http
from cluster import D
from lab import (DNS4, DNS6, NODE4, UP4, ip, leftovers, note, output, rules, run, source_to, spawn,
                 wait_until)
from nodecache import (ARGS, BOTH, LINK, LOCAL4, LOCAL6, TWO_FAMILIES, ends, link, link_addresses, link_gone,
                       notrack_rules, start, wait_link, wait_source)

MS = 1000


# ---- the link -------------------------------------------------------------------------------------------


def test_link_is_put_back(cache, node):
    ip(f"link del {LINK}")
    wait_link()
    assert node.value(f"n61.{D}", server=LOCAL4) == "10.100.0.61"
    ip(f"addr del {LOCAL4}/32 dev {LINK}")
    wait_link()
    assert node.value(f"n62.{D}", server=LOCAL4) == "10.100.0.62"
    ip(f"link set {LINK} down")
    wait_until(5, lambda: node.says("10.100.0.63", f"n63.{D}", server=LOCAL4, timeout=1), "after ip link set down")
    assert source_to(DNS4) == NODE4
    assert cache.said(f"{LINK} was changed by another program: the link was made") and cache.said(f"{LOCAL4} added")


def links_and_addresses():
    return [line for line in output("ip", "-br", "addr").splitlines() if not line.startswith("nd0")]


def test_link_goes_at_the_end(swapped, request):
    swapped.own()
    before = links_and_addresses()
    cache = request.getfixturevalue("cache")
    assert not link_gone()
    cache.own()
    assert output("ip", "-br", "addr").splitlines() == before
    assert leftovers() == []
    assert os.listdir(cache.tmp) == []


def ifindex(device):
    return pathlib.Path(f"/sys/class/net/{device}/ifindex").read_text()


def test_skipteardown_leaves_it_and_it_is_taken_over(installed, p1):
    start(installed, p1, "-skipteardown")
    index = ifindex(LINK)
    installed.own()
    assert link_addresses() == BOTH
    ip(f"addr add 169.254.20.99/32 dev {LINK}")
    start(installed, p1, "-skipteardown")
    assert ifindex(LINK) == index
    assert link_addresses() == BOTH, "others' are gone"
    installed.own()
    assert "removed the link" in detach()
    assert link_gone()


def test_persist_leaves_it(installed, p1):
    """An upgrade is to follow: what pods and the node ask meanwhile is to fail at once, not to wander off."""
    start(installed, p1, "-persist")
    installed.own()
    assert link_addresses() == BOTH
    detach()
    assert link_gone()


def test_address_comes_to_another_link(changed):
    """A switch of kube-proxy to IPVS while it runs: the address is on both links, and kube-ipvs0's route stays its own."""
    with link("bridge", "kube-ipvs0", f"{DNS4}/32"):
        local = output("ip", "route", "show", "table", "local", DNS4)
        time.sleep(2.2)
        assert output("ip", "route", "show", "table", "local", DNS4) == local
        assert link_addresses() == BOTH
        changed.own()
        assert f"{DNS4}/32" in lab_module.addresses("kube-ipvs0")


def test_interfacename(installed, p1):
    start(installed, p1, "--interfacename=dnslocal0")
    assert link_gone()
    assert f"{LOCAL4}/32" in lab_module.addresses("dnslocal0")


def test_source_follows_the_node(cache, node):
    """What the node sends from may change: then what it sends to the addresses goes from there, too."""
    ip("""addr add 192.168.77.11/24 dev uplink
        route replace default via 192.168.77.1 src 192.168.77.11""")
    wait_source("192.168.77.11")
    ip(f"""route replace default via 192.168.77.1 src {NODE4}
        addr del 192.168.77.11/24 dev uplink""")
    wait_source(NODE4)
    assert node.value(f"n66.{D}", server=LOCAL4) == "10.100.0.66"


def test_without_setupinterface(swapped, p1):
    swapped.install(LOCAL4, "")
    swapped.swap("-localip", LOCAL4, "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream",
                 "-setupinterface=false", "-mode", "steer")
    swapped.wait_said("all zones answer", 10)
    assert link_gone()
    assert p1.value(f"n64.{D}", server=LOCAL4) == "10.100.0.64", "pods are answered all the same"
    swapped.own()


# ---- whose the link, an address, the port is ------------------------------------------------------------


def setup_errors(kind):
    return Metrics(f"http://{NODE4}:9353/metrics").total("coredns_nodecache_setup_errors_total", f'errortype="{kind}"')


def foreign_link():
    """Before the agent looks, which it does each second."""
    run("ip", "link", "del", LINK, check=False)
    return run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "foreign", check=False).returncode == 0


def test_another_takes_the_name(cache, p1):
    before, said = setup_errors("interface_check"), f"link {LINK} of type veth exists"
    wait_until(5, foreign_link, "the link was back at once each time")
    try:
        cache.wait_said(said)
        time.sleep(1.2)
        assert setup_errors("interface_check") > before
        assert cache.times_said(said) == 1
        assert p1.value(f"n45.{D}") == "10.100.0.45", "pods are answered"
    finally:
        ip(f"link del {LINK}")
    wait_link()


def test_foreign_link_is_an_error(installed):
    with link("veth peer name foreign", LINK):
        installed.swap(*ARGS)
        ends(installed, f"link {LINK} of type veth exists, and nodens did not make it")
        assert not link_gone()
        assert not [address for address in link_addresses() if not address.startswith("fe80")]


PORT_TAKEN = f"cannot listen on {LOCAL4}:53 over UDP: Address already in use"


def test_port_taken_is_an_error(lab, installed):
    with lab.port_taken("0.0.0.0"):
        installed.swap(*ARGS)
        ends(installed, PORT_TAKEN)
    assert link_gone()
    assert leftovers() == []


def test_running_node_cache(lab, installed, p1):
    """A node-cache that runs: nodens does not start beside it, and leaves its link alone."""
    if run("ip", "link", "add", LINK, "type", "dummy", check=False).returncode:
        pytest.skip("no dummy links here")
    ip(f"""addr add {LOCAL4}/32 dev {LINK}
        addr add 169.254.20.11/32 dev {LINK}
        link set {LINK} up""")
    with lab.port_taken(LOCAL4):
        installed.swap(*ARGS)
        ends(installed, PORT_TAKEN)
    assert {f"{LOCAL4}/32", "169.254.20.11/32"} <= set(link_addresses())
    assert pathlib.Path(f"/sys/class/net/{LINK}/ifalias").read_text().strip() == "", "whose link it is"
    start(installed, p1)
    assert link_addresses() == BOTH, "once node-cache is gone"
    installed.own()
    assert link_gone()


def test_address_on_another_link(installed, p1):
    """kube-proxy in IPVS mode has the services' addresses on a link of its own."""
    with link("bridge", "kube-ipvs0", f"{DNS4}/32"):
        start(installed, p1)
        assert link_addresses() == [f"{LOCAL4}/32"]
        assert installed.said(f"{DNS4} is on another link and stays there")
        assert p1.value(f"n65.{D}") == "10.100.0.65"
        installed.own()
        assert f"{DNS4}/32" in lab_module.addresses("kube-ipvs0")


# ---- a second DaemonSet ---------------------------------------------------------------------------------


class Two:
    """An agent, and another with the same arguments beside it, as of a second DaemonSet."""

    def __init__(self, cache, p1, *flags):
        self.cache, self.log = cache, cache.lab.dir / "second.log"
        start(cache, p1, *flags)
        self.first, self.flags = cache.process, flags

    def add(self):
        self.second = spawn(*self.cache.image(*ARGS, *self.flags), log=self.log,
                            env=os.environ | {"KUBE_DNS_UPSTREAM_SERVICE_HOST": UP4})
        wait_until(5, lambda: "standing by" in self.text(), self.text)
        time.sleep(3)  # longer than one that is ending is waited for
        assert self.second.poll() is None, self.text()

    def text(self):
        return self.log.read_text()


def take_over_times(node):
    """In ms from now on: until queries to the link's address are refused no more, and until one is answered."""
    begin, refused = time.monotonic(), 0
    while time.monotonic() < begin + 10:
        try:
            node.ask(query.unique("example.net"), server=LOCAL4, timeout=0.05)
            return refused, (time.monotonic() - begin) * MS
        except TimeoutError:
            continue
        except OSError:
            refused = (time.monotonic() - begin) * MS
    pytest.fail("no answer within 10 s")


@pytest.mark.parametrize("signal, flags", [("KILL", []), ("TERM", []), ("TERM", ["-persist", "-skipteardown"])],
                         ids=["killed", "ended", "persist"])
def test_second_agent_takes_over(installed, p1, node, signal, flags):
    two = Two(installed, p1, *flags)
    two.add()
    assert p1.value(f"n101.{D}") == "10.100.0.101", "of the first"
    installed.signal(signal)
    installed.wait_end()
    installed.process = two.second
    refused, answered = take_over_times(node)
    note(f"{signal}: at the link's address {refused:.0f} ms refused, {answered:.0f} ms until the second answered")
    assert refused < 1000
    assert node.says("192.0.2.7", query.unique("example.net"), server=LOCAL4)
    assert "taking over" in two.text()
    wait_until(10, lambda: installed.steering(p1), two.text)
    assert link_addresses() == BOTH
    assert p1.value(f"n102.{D}") == "10.100.0.102", "of the second"
    installed.own()
    assert not re.search("^error", two.text(), re.M)


def test_second_agent_shows_that_it_waits(installed, p1):
    two = Two(installed, p1)
    ready = installed.base.replace(".:53 {", f".:53 {{\n    ready {NODE4}:8191", 1)
    installed.set_base(re.sub(r"health .*:8080", f"health {NODE4}:8190", ready))
    two.add()
    assert http(f"http://{NODE4}:8190/health") == (200, "OK")
    assert http(f"http://{NODE4}:8191/ready") == (503, "standing by: another agent runs")
    two.second.send_signal(3)  # SIGQUIT
    two.second.wait(2)
    assert p1.value(f"n103.{D}") == "10.100.0.103", "of the first"
    assert link_addresses() == BOTH


def test_waiting_agent_reads_again(installed, p1):
    """SIGHUP to an agent that stands by, with a Corefile that does not ask for reloads."""
    base = re.sub(r"\n\s*reload\b.*", "", installed.base)
    installed.set_base(base)
    two = Two(installed, p1)
    two.add()
    installed.set_base(base + f"again.test:53 {{\n bind {LOCAL4} {DNS4}\n template IN A {{\n"
                              '  answer "{{ .Name }} 60 IN A 192.0.2.77"\n }\n}\n')
    two.second.send_signal(1)
    installed.signal("KILL")
    installed.wait_end()
    installed.process = two.second
    wait_until(10, lambda: p1.says("192.0.2.77", "www.again.test", server=LOCAL4), two.text)
    installed.own()


# ---- what a killed node-cache left ----------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"])
def test_notrack(installed, tool):
    """node-cache's rules for both addresses of a family, made by this tool; nodens names them, and its command removes
    them."""
    addresses, other = ([LOCAL6, DNS6], "fd00:9::9") if tool[:3] == "ip6" else ([LOCAL4, DNS4], "10.9.9.9")
    if run(tool, "-w", "-t", "raw", "-S", check=False).returncode:
        pytest.skip(f"no {tool} here")
    for address in addresses:
        for rule in notrack_rules(address):
            run(tool, "-w", "-t", "raw", "-A", *rule)
    stays = ["PREROUTING", "-d", other, "-p", "udp", "--dport", 53, "-j", "NOTRACK"]  # for no address that is served
    run(tool, "-w", "-t", "raw", "-A", *stays)
    installed.swap(*TWO_FAMILIES)
    installed.wait_said("ready: ", 30)
    for address in addresses:
        line, = re.findall(f".*NOTRACK rules for {address} in table raw.*", installed.log_text())
        assert re.search(f"^warn: 6 NOTRACK rules .* {tool}-save -t raw", line)
        run("sh", "-c", line.partition("Remove them: ")[2])
    assert installed.times_said("NOTRACK rules") == 2
    left = re.findall("^-A.*(?:NOTRACK|--notrack)", output(f"{tool}-save", "-t", "raw"), re.M)
    assert len(left) == 1, "the rule of another address"
    run(tool, "-w", "-t", "raw", "-D", *stays)
    installed.own()
    installed.swap(*TWO_FAMILIES)
    installed.wait_said("ready: ", 30)
    assert not installed.said("NOTRACK"), "of rules that are gone"


def tables():
    nft = run("nft", "list", "tables", check=False).stdout if pathlib.Path("/usr/sbin/nft").exists() else ""
    names = pathlib.Path("/proc/net/ip_tables_names")
    return rules(), names.read_text() if names.exists() else "", nft


def test_notrack_makes_nothing(installed):
    """Looking makes no table."""
    before = tables()
    installed.swap(*ARGS)
    installed.wait_said("ready: ", 30)
    assert tables() == before
