# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Behind a local redirect policy: the agent is a pod with a network of its own, and queries of the others carry its
address. They come by plain routing, and by a program that puts them straight into the pod (bpf_redirect_peer), as Cilium
does. Arguments and Corefile are those of node-cache's manifest for it."""
import ipaddress
import json
import pathlib
import re
import time

import pytest

from agent import block, detach, directive
from cluster import D, address_of
from lab import DNS4, UP4, leftovers, link_info, note, output, programs, run
from query import unique

COUNTED = ("kernel.hits", "agent.queries")


# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dns(lab, p2):
    """The agent's pod."""
    return lab.pod("dns")


def octets(address):
    """For a C initialiser."""
    return ",".join(map(str, ipaddress.ip_address(address).packed))


def mac(text):
    return ",".join(f"0x{part}" for part in text.strip().split(":"))


@pytest.fixture(scope="module")
def program(lab, dns):
    """Puts queries of p1 and p2 into the agent's pod, and counts them."""
    host = pathlib.Path(f"/sys/class/net/{dns.veth}")
    agent_mac = json.loads(output("ip", "-n", "dns", "-j", "link", "show", "eth0"))[0]["address"]
    return lab.bpf_object("redirect", f"-DAGENT_IP4={octets(dns.ip4)}", f"-DAGENT_IP6={octets(dns.ip6)}",
                          f"-DAGENT_IFINDEX={(host / 'ifindex').read_text().strip()}",
                          f"-DROUTER_MAC={mac((host / 'address').read_text())}", f"-DAGENT_MAC={mac(agent_mac)}")


@pytest.fixture(params=["routed", "redirected"])
def way(request, program, p1, p2):
    """How queries come to the agent; how many the program redirected."""
    def redirected():
        maps = [x["id"] for x in json.loads(output("bpftool", "-j", "map", "show")) if x.get("name") == "redirect_count"]
        dumps = (json.loads(output("bpftool", "-j", "map", "dump", "id", map_id)) for map_id in maps)
        return sum(dump[0]["formatted"]["value"] for dump in dumps)

    for pod in p1, p2:
        if request.param == "redirected":
            run("tc", "qdisc", "add", "dev", pod.veth, "clsact")
            run("tc", "filter", "add", "dev", pod.veth, "ingress", "bpf", "da", "obj", program, "sec", "tc")
    yield request.param, redirected
    for pod in p1, p2:
        run("tc", "qdisc", "del", "dev", pod.veth, "clsact", check=False)


def corefile(bind):
    cache = directive("cache", "success 9984 30", "denial 9984 5")
    return (block("cluster.local:53", "errors", cache, "reload", "loop", f"bind {bind}",
                  directive("forward . __PILLAR__CLUSTER__DNS__", "force_tcp"), "prometheus :9253", "health")
            + block(".:53", "errors", "cache 30", "reload", "loop", f"bind {bind}",
                    "forward . __PILLAR__UPSTREAM__SERVERS__", "prometheus :9253"))


@pytest.fixture
def start(lab, nodens, dns, p1):
    """start(BIND, SERVER, FLAG...): in its pod, of which it has the network and /etc/resolv.conf."""
    def start(bind, server, *flags):
        nodens.stop()
        detach()
        base = lab.dir / "Corefile.base"
        base.write_text(corefile(bind))
        nodens.spawn("-localip", f"169.254.20.10,{DNS4}", "-basecorefile", base, "-upstreamsvc", "kube-dns-upstream",
                     "-skipteardown=true", "-setupinterface=false", "-setupiptables=false", "-log-level", "debug", *flags, prefix=dns.prefix(),
                     env={"KUBE_DNS_UPSTREAM_SERVICE_HOST": UP4})
        nodens.wait(lambda: p1.says("10.96.0.1", f"kubernetes.{D}", server=server, timeout=1))
        assert nodens.said("mode: listen, because -setupinterface=false")
    return start


def clients(nodens, p1, p2, server, i):
    """What a client gets, a miss first, then hits from the kernel: UDP of both pods, TCP by the agent."""
    def counted(gained):
        time.sleep(0.2)  # an old kernel's map of the agent's counters is written each beat
        return [nodens.stats()[key] - n for key, n in zip(COUNTED, gained or (0, 0))]

    assert p1.value(f"n{i}.{D}", server=server) == address_of(i), "a miss"
    before = counted(None)
    assert p1.value(f"n{i}.{D}", server=server) == address_of(i), "a hit"
    assert p2.value(f"N{i}.{D}", server=server, payload=None) == address_of(i), "another pod's"
    assert p2.value(f"n{i}.{D}", server=server, cookie=False) == address_of(i), "with EDNS"
    assert counted(before) == [3, 0], "hits leave from the kernel"
    p1.ask(f"big.{D}", server=server, payload=512, ignore_tc=True)
    assert len(p1.values(f"big.{D}", server=server)) == 200, "by TCP"
    assert p1.ask(unique(D), server=server).status == "NXDOMAIN"


# ---- tests -----------------------------------------------------------------------------------------------

HOOKS = {"auto": ["--hook=auto"], "tc": ["--hook=tc"], "pre54": ["--hook=auto", "--pretend-kernel", "5.4"]}
NAMES = {("ipv4", "auto"): 300, ("ipv4", "tc"): 320, ("ipv4", "pre54"): 340, ("ipv6", "auto"): 360, ("ipv6", "tc"): 380}


@pytest.mark.parametrize("family, hook", NAMES)
def test_clients(start, nodens, dns, p1, p2, way, family, hook):
    bind, server = ("0.0.0.0", dns.ip4) if family == "ipv4" else ("::", dns.ip6)
    start(bind, server, *HOOKS[hook])
    how, redirected = way
    before = redirected()
    clients(nodens, p1, p2, server, NAMES[family, hook])
    assert redirected() - before >= (8 if how == "redirected" else 0)
    note(re.search(".*eth0: attached, (.*)", nodens.log_text()).group(1))


def test_leaves_nothing(start, nodens, dns):
    """Nothing of the node is touched, and nothing is left of the pod's network."""
    start("0.0.0.0", dns.ip4, "--hook=auto")
    assert not link_info("nodelocaldns") and not link_info("nodelocaldns", "dns")
    assert programs() == []
    assert nodens.said("-setupiptables: ignored: .*no rule is needed")
    nodens.stop()
    assert leftovers() == []
    assert "xdp" not in link_info("eth0", "dns")
    assert output("tc", "-n", "dns", "filter", "show", "dev", "eth0", "ingress") == ""
