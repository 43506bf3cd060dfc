# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""In node-cache's place: its Corefile.base (tests/data/nodelocal), its arguments, its ConfigMaps, at their own paths, in
the node's network as a hostNetwork pod is."""
import contextlib
import os
import pathlib
import re
import time

import pytest

import lab as lab_module
import query
from agent import NODENS, Metrics, command, detach, http
from cluster import D
from lab import (DNS4, DNS6, NODE4, NODE6, UP4, ip, leftovers, note, output, rules, run, source_to,
                 spawn, wait_until)
from nodecache import (ARGS, BOTH, LINK, LOCAL4, LOCAL6, OUTSIDE, STUB, link_addresses, link_gone,
                       notrack_rules)

MS = 1000
TWO_FAMILIES = ["-localip", f"{LOCAL4},{DNS4},{LOCAL6},{DNS6}", *ARGS[2:]]


# ---- helpers ---------------------------------------------------------------------------------------------


def start(cache, p1, *flags, args=ARGS):
    cache.swap(*args, *flags)
    cache.wait(lambda: cache.steering(p1))


@pytest.fixture
def installed(swapped):
    """The manifest's ConfigMaps are there, nothing runs."""
    swapped.install()
    yield swapped
    swapped.own()


@pytest.fixture
def cache(swapped, p1):
    """The manifest's own, running; tests that leave it so share it."""
    if not (swapped.alive() and swapped.manifest):
        swapped.install()
        start(swapped, p1)
        swapped.manifest = True
    return swapped


@pytest.fixture
def changed(cache):
    """The manifest's own, running, which the test changes."""
    yield cache
    cache.own()


@pytest.fixture
def node(lab):
    return lab.node


def ends(cache, regex):
    """It does not start, and says this."""
    cache.wait_end(10)
    assert cache.said(regex), cache.log_text()


def wait_link(addresses=BOTH):
    wait_until(5, lambda: link_addresses() == addresses, lambda: f"the link's addresses: {link_addresses()}")


@contextlib.contextmanager
def link(kind, name, *addresses):
    """A link of another's on the node."""
    ip(f"link add {name} type {kind}")
    try:
        ip("\n".join([f"link set {name} up", *(f"addr add {address} dev {name}" for address in addresses)]))
        yield
    finally:
        run("ip", "link", "del", name, check=False)


# ---- pods and processes ----------------------------------------------------------------------------------


def test_starts_with_its_arguments(cache):
    assert (cache.tmp / "node-cache.pid").read_text().strip() == str(cache.pid)
    assert link_addresses() == BOTH
    assert rules() == cache.rules_before
    assert cache.said("mode: steer")


@pytest.mark.parametrize("server, name, rdtype, value", [
    (DNS4, "n11", "A", "10.100.0.11"), (LOCAL4, "n12", "AAAA", "fd00:100::c")], ids=["cluster-ip", "local-ip"])
def test_pod(cache, p1, server, name, rdtype, value):
    assert p1.value(f"{name}.{D}", rdtype, server) == value
    with cache.counting() as gains:
        assert p1.value(f"{name}.{D}", rdtype, server) == value
    assert gains["kernel.hits"] == 1
    assert p1.value(f"{name}.{D}", rdtype, server, tcp=True) == value


def test_pod_by_name(cache, p2):
    with cache.counting() as gains:
        for _ in range(2):
            assert p2.getent("ahostsv4", "n13") == ["10.100.0.13"], "through the search list"
    assert gains["kernel.hits"] > 0


def test_node_by_local_ip(cache, node):
    with cache.counting() as gains:
        assert node.value(f"n21.{D}", server=LOCAL4) == "10.100.0.21"
        assert node.value(f"n21.{D}", server=LOCAL4, tcp=True) == "10.100.0.21"
        assert node.value("www.example.net", server=LOCAL4) == "192.0.2.7", "of the world outside"
    assert gains["agent.queries"] >= 3
    assert cache.stat("agent.refused") == 0


def test_node_by_cluster_ip(swapped, node, request):
    """kube-proxy takes them as ever, and from the source that they would have without the link."""
    swapped.own()
    assert source_to(DNS4) == NODE4, "without the link"
    cache = request.getfixturevalue("cache")
    assert source_to(DNS4) == NODE4
    run("conntrack", "-D", "-p", "udp", "--orig-dst", DNS4, check=False)
    with cache.counting() as gains:
        assert node.value(f"n22.{D}", server=DNS4) == "10.100.0.22"
        assert node.value(f"n22.{D}", server=DNS4, tcp=True) == "10.100.0.22"
    assert gains["agent.queries"] == 0, "kube-proxy sent them to the cluster's DNS"
    assert f"src={NODE4} dst={DNS4}" in output("conntrack", "-L", "-p", "udp", "--orig-dst", DNS4)


def upstream_packets(proto):
    """Packets to the upstream service: the first of each connection passes kube-proxy's rules."""
    lines = output("iptables", "-t", "nat", "-nvxL", "KUBE-SERVICES").splitlines()
    return sum(int(line.split()[0]) for line in lines if proto in line and UP4 in line)


def test_cluster_over_tcp_only(cache, p1):
    for i in range(31, 35):
        assert p1.value(f"n{i}.{D}") == f"10.100.0.{i}"
    assert p1.value(query.reverse("10.96.0.1"), "PTR") == f"kubernetes.{D}."
    assert upstream_packets("udp") == 0
    assert upstream_packets("tcp") > 0


def test_outside_by_resolv_conf(cache, p1):
    assert p1.value("a.example.net") == "192.0.2.7"
    assert p1.value("a.example.net", server=LOCAL4) == "192.0.2.7"
    assert cache.outside.asked("a.example.net")[0] == 1


def test_longest_zone_wins(cache, p1):
    assert p1.value(f"n41.{D}") == "10.100.0.41"
    assert p1.value(f"n41.{D}host") == "192.0.2.7"


def test_health_and_metrics(cache):
    """The liveness probe's address is one of the link, and the dashboards' metrics come from where they ever did."""
    wait_until(5, lambda: http(f"http://{LOCAL4}:8080/health") == (200, "OK"), "no /health")
    assert "coredns_cache_entries{" in http(f"http://{NODE4}:9253/metrics")[1]
    assert "coredns_nodecache_setup_errors_total{" in http(f"http://{NODE4}:9353/metrics")[1]


def setup_errors(kind):
    return Metrics(f"http://{NODE4}:9353/metrics").total("coredns_nodecache_setup_errors_total", f'errortype="{kind}"')


def foreign_link():
    """Before the agent looks, which it does each second."""
    run("ip", "link", "del", LINK, check=False)
    return run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "foreign", check=False).returncode == 0


def test_another_takes_the_name(cache, p1):
    before, said = setup_errors("interface_check"), f"link {LINK} of type veth exists"
    wait_until(5, foreign_link, "the link was back at once each time")
    cache.wait_said(said)
    time.sleep(1.2)
    assert setup_errors("interface_check") > before
    assert cache.times_said(said) == 1
    assert p1.value(f"n45.{D}") == "10.100.0.45", "pods are answered"
    ip(f"link del {LINK}")
    wait_link()


# ---- ConfigMaps while it runs ----------------------------------------------------------------------------


def wait_stub(cache, p1, seconds, value):
    """Until new names of acme.test have this value."""
    wait_until(seconds, lambda: p1.says(value, query.unique("acme.test")), cache.log_tail)


def test_stub_domain_comes_and_goes(changed, p1, node):
    assert p1.value("first.acme.test") == "192.0.2.7"
    changed.set_kube_dns("stubDomains", f'{{"acme.test": ["{STUB}"]}}')
    wait_stub(changed, p1, 14, "192.0.2.9")
    assert node.value("second.acme.test", server=LOCAL4) == "192.0.2.9"
    assert p1.value("first.acme.test") == "192.0.2.9", "what was cached of another server"
    assert p1.value("other.test") == "192.0.2.7"
    changed.clear_kube_dns()
    changed.signal("USR1")
    wait_stub(changed, p1, 5, "192.0.2.7")


def test_upstream_nameservers(installed, p1):
    installed.set_kube_dns("upstreamNameservers", f'["{STUB}"]')
    start(installed, p1)
    assert p1.value("b.example.net") == "192.0.2.9"


def test_broken_config_map_keeps_the_old(changed, p1):
    changed.set_kube_dns("stubDomains", '{"acme.test": ["192.0.')
    changed.signal("HUP")
    changed.wait_said("stubDomains: left out: it is not JSON .line 1.*stays as it was")
    changed.clear_kube_dns()
    changed.set_base(".:53 { nonsense }")
    changed.signal("USR1")
    changed.wait_said("Corefile.base:1: nonsense.*stays as it was")
    assert p1.value(f"n51.{D}") == "10.100.0.51", "with the configuration that it has"


# ---- the link --------------------------------------------------------------------------------------------


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


def wait_source(source, address=DNS4):
    wait_until(4, lambda: source_to(address) == source, lambda: f"source {source_to(address)}, not {source}")


def test_source_follows_the_node(cache, node):
    """What the node sends from may change: then what it sends to the addresses goes from there, too."""
    ip("""addr add 192.168.77.11/24 dev uplink
        route replace default via 192.168.77.1 src 192.168.77.11""")
    wait_source("192.168.77.11")
    ip(f"""route replace default via 192.168.77.1 src {NODE4}
        addr del 192.168.77.11/24 dev uplink""")
    wait_source(NODE4)
    assert node.value(f"n66.{D}", server=LOCAL4) == "10.100.0.66"


def test_interfacename(installed, p1):
    start(installed, p1, "--interfacename=dnslocal0")
    assert link_gone()
    assert f"{LOCAL4}/32" in lab_module.addresses("dnslocal0")


def test_without_setupinterface(swapped, p1):
    swapped.install(LOCAL4, "")
    swapped.swap("-localip", LOCAL4, "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream",
                 "-setupinterface=false", "-mode", "steer")
    swapped.wait_said("all zones answer", 10)
    assert link_gone()
    assert p1.value(f"n64.{D}", server=LOCAL4) == "10.100.0.64", "pods are answered all the same"
    swapped.own()


def test_pidfile_is_no_symbolic_link(installed):
    precious = installed.etc / "precious"
    precious.write_text("precious")
    (installed.tmp / "node-cache.pid").symlink_to("/etc/precious")
    installed.swap(*ARGS)
    ends(installed, "error: -pidfile /tmp/node-cache.pid: is a symbolic link, which is not followed")
    assert precious.read_text() == "precious"
    (installed.tmp / "node-cache.pid").unlink()


# ---- what a killed node-cache left -----------------------------------------------------------------------


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


# ---- a second DaemonSet ----------------------------------------------------------------------------------


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


def test_foreign_link_is_an_error(installed):
    with link("veth peer name foreign", LINK):
        installed.swap(*ARGS)
        ends(installed, f"link {LINK} of type veth exists, and nodens did not make it")
        assert not link_gone()
        assert not [address for address in link_addresses() if not address.startswith("fe80")]


def test_zones_with_ports(installed, p1, node):
    """As kubespray's sample has them: zones of ports of their own, and of a transport that is not served."""
    zones = "".join(f"{zone} {{\n errors\n cache 5\n bind {LOCAL4} {DNS4}\n forward . {STUB}\n}}\n"
                    for zone in ("example.com example.io:1053", "https://mycompany.local:4453"))
    installed.set_base(installed.base + zones)
    start(installed, p1)
    assert p1.value("www.example.com", server=LOCAL4) == "192.0.2.9", "a zone of port 53"
    assert p1.value("www.example.io", server=LOCAL4) == "192.0.2.7", "the other zone's name on port 53"
    assert p1.value("www.example.io", server=LOCAL4, port=1053) == "192.0.2.9", "and on its own port"
    assert p1.value("www.example.io", server=LOCAL4) == "192.0.2.7", "neither is taken for the other"
    assert p1.value("www.example.io", server=LOCAL4, port=1053, tcp=True) == "192.0.2.9"
    assert node.value("www.example.io", server=LOCAL4, port=1053) == "192.0.2.9"
    assert p1.value("www.mycompany.local", server=LOCAL4) == "192.0.2.7", "a zone that is for https alone"
    assert installed.said("'https://mycompany.local:4453' is left out")
    assert installed.said("port 1053: the cache belongs to port 53 alone")


EVERYWHERE = {"wildcard": lambda base: re.sub(".*bind.*", " bind 0.0.0.0", base),
              "no-bind": lambda base: re.sub(".*bind.*\n", "", base)}


@pytest.mark.parametrize("how", EVERYWHERE)
def test_every_address_of_the_node(installed, p1, node, how):
    """bind 0.0.0.0, or none, in the node's network: node-cache answers at every address of the node."""
    address = source_to(OUTSIDE)
    installed.set_base(EVERYWHERE[how](installed.base))
    start(installed, p1)
    assert p1.value(f"n21.{D}", server=LOCAL4) == "10.100.0.21"
    assert p1.value(f"n21.{D}", server=DNS4) == "10.100.0.21"
    assert node.value(f"n21.{D}", server="127.0.0.1") == "10.100.0.21"
    assert node.value(f"n22.{D}", server=address) == "10.100.0.22"
    assert p1.value(f"n22.{D}", server=address, tcp=True) == "10.100.0.22"


def test_every_address_but_the_one_that_is_taken(lab, installed, p1, node):
    """Where another server has the port, those of the link are left."""
    installed.set_base(EVERYWHERE["no-bind"](installed.base))
    with lab.port_taken("127.0.0.1"):
        start(installed, p1)
        assert node.value(f"n23.{D}", server=LOCAL4) == "10.100.0.23"
        assert installed.said("warn: cannot listen on 0.0.0.0:53: Address already in use")


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


# ---- without the agent -----------------------------------------------------------------------------------


def left_alone(cache):
    """Misses that found no agent; after a second without a beat they count as hung."""
    return cache.stat("kernel.steer_dead") + cache.stat("kernel.steer_hung")


def known_dead(cache, p1):
    before = left_alone(cache)
    with contextlib.suppress(*query.SILENCE):
        p1.ask(query.unique("example.net"), timeout=1)
    return left_alone(cache) > before


def kill_agent(cache, p1):
    """Its sockets go with the last of its threads, a moment later perhaps."""
    cache.kill()
    wait_until(3, lambda: known_dead(cache, p1), "the programs do not notice")


def test_killed_agent_leaves_pods_their_dns(changed, p1, node):
    """The cluster DNS' address is on a link of the node now: kube-proxy comes first all the same."""
    assert p1.value(f"n71.{D}") == "10.100.0.71"
    kill_agent(changed, p1)
    assert link_addresses() == BOTH
    dead = left_alone(changed)
    assert p1.value(f"n72.{D}") == "10.100.0.72"
    assert p1.value(f"n73.{D}", tcp=True) == "10.100.0.73"
    assert left_alone(changed) > dead
    assert node.value(f"n74.{D}", server=DNS4) == "10.100.0.74"
    start(changed, p1)
    assert link_addresses() == BOTH, "the link taken over"
    changed.own()
    assert link_gone()


def test_link_without_programs(changed, p1):
    """A miss of a pod without programs on its device: as if nodens had been killed and its lease were over."""
    kill_agent(changed, p1)
    detach()
    assert link_gone()
    with link("bridge", LINK, f"{DNS4}/32"):
        assert p1.value(f"n75.{D}") == "10.100.0.75"


# ---- the race at install ---------------------------------------------------------------------------------


def backends(there):
    """Has kube-dns-upstream any? Without, kube-proxy refuses what is sent to it."""
    for proto in "udp", "tcp":
        to = ["-d", UP4, "-p", proto, "--dport", 53, "-j"]
        run("iptables", "-w", "-D" if there else "-I", "OUTPUT", *to, "REJECT")
        run("iptables", "-w", "-t", "nat", "-A" if there else "-D", "KUBE-SERVICES", *to, f"KUBE-SVC-{proto}-11")


def test_service_without_backends(installed, p1):
    backends(False)
    try:
        installed.swap(*ARGS)
        installed.wait_said("ready: addresses served: 2")
        time.sleep(2)
        assert p1.value(f"n81.{D}") == "10.100.0.81", "the cluster's DNS answers pods"
        assert installed.stat("kernel.steered") == 0
        assert installed.stat("kernel.steer_off") > 0
    finally:
        backends(True)
    wait_until(5, lambda: installed.steering(p1), installed.log_tail)


# ---- both families ---------------------------------------------------------------------------------------


def test_dual_stack(swapped, p1, node):
    """node-cache refuses this list. The base's own placeholders are left for the agent to fill in."""
    swapped.install("__PILLAR__LOCAL__DNS__", "__PILLAR__DNS__SERVER__")
    start(swapped, p1, args=TWO_FAMILIES)
    assert link_addresses() == [*BOTH, f"{DNS6}/128", f"{LOCAL6}/128"]
    for server in DNS4, LOCAL4, DNS6, LOCAL6:
        assert p1.value(f"n91.{D}", "AAAA", server) == "fd00:100::5b"
        with swapped.counting() as gains:
            assert p1.value(f"n91.{D}", "AAAA", server) == "fd00:100::5b"
        assert gains["kernel.hits"] == 1
        assert node.value(f"n92.{D}", "AAAA", server) == "fd00:100::5c"
    wait_source(NODE6, DNS6)
    kill_agent(swapped, p1)
    assert p1.value(f"n93.{D}", "AAAA", DNS6) == "fd00:100::5d", "a miss of a pod without the agent"
    detach()
    assert link_gone()


# ---- what it says of itself ------------------------------------------------------------------------------


def test_plugins_are_what_it_says(lab):
    names = re.findall(r"^  dns\.(\S+)", output(NODENS, "-plugins"), re.M)
    assert len(names) >= 19
    for name in names:
        (lab.dir / "one").write_text(f". {{\n {name}\n}}\n")
        assert f"{name}: unknown" not in command("check", "-conf", lab.dir / "one", "-localip", LOCAL4)[0]


def test_version():
    assert re.search("^nodens [0-9]", output(NODENS, "-version"))
    assert output(NODENS, "-conf", "/x", "-version") == output(NODENS, "-version")
