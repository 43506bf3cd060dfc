# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""In node-cache's place: its Corefile.base (tests/data/nodelocal), its arguments, its ConfigMaps, at their own paths, in
the node's network as a hostNetwork pod is."""
import contextlib
import re
import time

import pytest

import query
from agent import NODENS, command, detach, http
from cluster import D
from lab import DNS4, DNS6, NODE4, NODE6, UP4, output, rules, run, source_to, wait_until
from nodecache import (ARGS, BOTH, LINK, LOCAL4, LOCAL6, OUTSIDE, STUB, TWO_FAMILIES, ends, link, link_addresses,
                       link_gone, start, wait_source)


# ---- pods and processes ----------------------------------------------------------------------------------


def test_starts_with_its_arguments(cache):
    assert (cache.tmp / "node-cache.pid").read_text().strip() == str(cache.pid)
    assert link_addresses() == BOTH
    assert rules() == cache.rules_before
    assert cache.said("mode: steer")


def test_pidfile_is_no_symbolic_link(installed):
    precious = installed.etc / "precious"
    precious.write_text("precious")
    (installed.tmp / "node-cache.pid").symlink_to("/etc/precious")
    installed.swap(*ARGS)
    ends(installed, "error: -pidfile /tmp/node-cache.pid: is a symbolic link, which is not followed")
    assert precious.read_text() == "precious"
    (installed.tmp / "node-cache.pid").unlink()


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


# ---- zones and addresses --------------------------------------------------------------------------------


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
