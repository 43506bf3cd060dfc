# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A query's whole way, from a pod to nodens and back, for each hook and with the fallbacks for old kernels."""
import time

import pytest

import query
from agent import cluster_corefile
from cluster import D
from lab import (DNS4, DNS6, NODE4, NODE6, ROOT, attached, conntrack_count, conntrack_flush, ip, leftovers, link_info, note,
                 run)

FAMILIES = pytest.mark.parametrize("server", [pytest.param(DNS4, id="ipv4"), pytest.param(DNS6, id="ipv6")])


# ---- for each hook: answers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def b1(lab, ground):
    return lab.pod("b1", bridge=True)


@pytest.fixture(scope="module")
def musl(lab):
    """The resolver of Alpine's images, as Debian has it."""
    run("musl-gcc", "-static", "-O1", "-o", lab.dir / "lookup", ROOT / "tests/ns/lookup.c")
    return lab.dir / "lookup"


def test_miss_then_hit(way, p1, p2):
    way.miss_then_hit(p1, p2)


def test_ipv6(way, p1):
    assert way.miss(p1, f"n2.{D}", "AAAA", DNS6).value == "fd00:100::2"
    assert way.hit(p1, f"n2.{D}", "AAAA", DNS6).value == "fd00:100::2"
    assert way.hit(p1, f"n2.{D}", "AAAA", DNS4).value == "fd00:100::2"


@FAMILIES
def test_tcp(way, nodens, p1, server):
    with nodens.counting() as kernel:
        before = nodens.stat("agent.queries_tcp")
        for _ in range(2):
            assert p1.value(f"n3.{D}", server=server, tcp=True) == "10.100.0.3"
        # Where the agent's counters cannot be mapped it copies them out each second.
        nodens.wait_stat("agent.queries_tcp", before + 2, 2)
    assert kernel["kernel.tcp"] >= 4


def test_two_queries_on_one_connection(way, p1):
    with p1.tcp() as sock:
        stream, got = sock.makefile("rb"), []
        for name in "n4", "n5":
            sock.sendall(query.framed(query.make_query(f"{name}.{D}").to_wire()))
            got.append(query.parse(query.read_message(stream)).answer[0][0].address)
    assert got == ["10.100.0.4", "10.100.0.5"]


def test_edns(way, p1):
    assert way.miss(p1, f"n6.{D}", payload=None).edns == -1, "an OPT for a client without"
    answer = way.hit(p1, f"n6.{D}", payload=4096, cookie=False)
    assert (answer.edns, answer.message.payload, answer.message.ednsflags) == (0, 1232, 0)
    answer = way.hit(p1, f"n6.{D}", cookie=True)
    assert answer.edns == 0 and not answer.message.options, "no cookie comes back"
    assert way.hit(p1, f"n6.{D}", payload=None).edns == -1, "an OPT for a client without"


def test_edns_version_1(way, p1):
    assert p1.ask(f"n6.{D}", version=1).status == "BADVERS"


def test_case(way, p1):
    way.miss(p1, f"n7.{D}")
    answer = way.hit(p1, "N7.DefAULT.svc.cLUSter.LOCAL")
    assert str(answer.message.question[0].name) == "N7.DefAULT.svc.cLUSter.LOCAL."
    assert answer.records == ["N7.DefAULT.svc.cLUSter.LOCAL. A 10.100.0.7"]


def test_cname_chain(way, p1):
    first = way.miss(p1, f"alias1.{D}")
    assert len(first.values) == 7, "three CNAMEs and four addresses"
    second = way.hit(p1, f"alias1.{D}")
    assert second.records == first.records
    assert [x for x in second.records if " CNAME " in x] == [
        f"alias1.{D}. CNAME alias2.{D}.", f"alias2.{D}. CNAME alias3.{D}.", f"alias3.{D}. CNAME web.{D}."]


@pytest.mark.parametrize("name, rdtype, status", [("nosuch", "A", "NXDOMAIN"), ("v4only", "AAAA", "NOERROR")],
                         ids=["nxdomain", "nodata"])
def test_negative(way, p1, name, rdtype, status):
    for ask in way.miss, way.hit:
        answer = ask(p1, f"{name}.{D}", rdtype)
        assert (answer.status, answer.values) == (status, [])
        assert answer.soa, "the authority's SOA"


def test_ttl_counts_down(way, p1):
    way.miss(p1, f"n8.{D}")
    first = way.hit(p1, f"n8.{D}").ttl
    time.sleep(2.1)
    later = way.hit(p1, f"n8.{D}").ttl
    assert 29 <= first <= 30
    assert 2 <= first - later <= 3, "seconds counted down in 2.1 s"


def test_expiry(way, p1):
    way.miss(p1, f"short.{D}")
    way.hit(p1, f"short.{D}")
    time.sleep(2.2)
    assert way.miss(p1, f"short.{D}").value == "10.105.0.2"


@pytest.mark.parametrize("rdtype", ["A", "AAAA"])
def test_rotation(way, p1, rdtype):
    assert len(way.miss(p1, f"web.{D}", rdtype).values) == 4
    first = [p1.ask(f"web.{D}", rdtype, payload=None).values[0] for _ in range(40)]
    assert len(set(first)) == 4, "different records in front"


@pytest.mark.parametrize("name, rdtype, value", [
    (f"_https._tcp.kubernetes.{D}", "SRV", f"0 100 443 kubernetes.{D}."),
    (f"txt.{D}", "TXT", '"one" "two"'),
    ("mail.example.org", "MX", "10 www.example.org."),
    ("1.0.96.10.in-addr.arpa", "PTR", f"kubernetes.{D}."),
    (f"alias1.{D}", "CNAME", f"alias2.{D}."),
    ("example.org", "NS", "ns.example.org."),
], ids=["srv", "txt", "mx", "ptr", "cname", "ns"])
def test_other_types(way, p1, name, rdtype, value):
    assert way.miss(p1, name, rdtype).value == value
    assert way.hit(p1, name, rdtype).value == value


def test_any_and_a_type_that_is_not_there(way, p1):
    assert p1.ask(f"n9.{D}", "ANY", ignore_tc=True).status == "NOERROR"
    answer = p1.ask(f"n9.{D}", "TYPE65")
    assert (answer.status, answer.values) == ("NOERROR", [])


def test_do_and_cd_are_kept_apart(way, p1):
    way.miss(p1, f"n10.{D}")
    way.miss(p1, f"n10.{D}", dnssec=True)
    way.miss(p1, f"n10.{D}", cd=True)
    assert "do" in way.hit(p1, f"n10.{D}", dnssec=True).flags
    assert "cd" in way.hit(p1, f"n10.{D}", cd=True).flags
    assert "cd" not in way.hit(p1, f"n10.{D}").flags


@pytest.mark.parametrize("counter, options", [
    ("pass_qclass", {"name": "version.bind", "rdtype": "TXT", "rdclass": "CH"}),
    ("pass_opcode", {"name": f"n11.{D}", "opcode": "STATUS"}),
], ids=["class", "opcode"])
def test_passed_on(way, nodens, p1, counter, options):
    with nodens.counting() as gains:
        p1.ask(**options)
    assert gains[f"kernel.{counter}"] == 1


def test_client_subnet(way, nodens, p1):
    with nodens.counting() as gains:
        assert p1.value(f"n11.{D}", options=[query.subnet("192.0.2.0/24")]) == "10.100.0.11"
    assert gains["kernel.agent_ecs"] == 1


def test_glibc(way, nodens, cluster, p1):
    both = ["192.0.2.80", "2001:db8::80"]
    assert len(p1.getent("ahostsv4", "web")) == 4
    assert p1.getent("ahosts", "www.example.org") == both
    asked = cluster.asked_below("www.example.org")
    with nodens.counting() as gains:
        assert p1.getent("ahosts", "www.example.org") == both
    assert gains["kernel.hits"] == 8, "three search domains and the name itself, A and AAAA each"
    assert cluster.asked_below("www.example.org") == asked


def test_bridge_pod(way, b1):
    assert way.miss(b1, f"n12.{D}").value == "10.100.0.12"
    assert way.hit(b1, f"n12.{D}").value == "10.100.0.12"
    assert way.hit(b1, f"n12.{D}", server=DNS6).value == "10.100.0.12"
    assert b1.value(f"n13.{D}", tcp=True) == "10.100.0.13"


def test_no_conntrack(way, lab, cluster, p1, p2, b1):
    client = lab.tool("dnsclient")
    conntrack_flush()
    before = cluster.queries()
    for server in DNS4, DNS6:
        for pod in p1, p2, b1:
            out = pod.output(client, "-s", server, "-n", f"n%u.{D}", "-i", "0-300", "-x", "10.100.0.0", "-d", "0.2", "-S")
            assert "lost=0 wrong=0 refused=0" in out
        assert p1.value(f"n3.{D}", server=server, tcp=True) == "10.100.0.3"
    assert [pod.conntrack_entries() for pod in (p1, p2, b1)] == [0, 0, 0]
    note(f"conntrack entries: 0 of pods, {conntrack_count()} of the agent's {cluster.queries() - before} exchanges")


# ---- for each hook: truncation --------------------------------------------------------------------------


def truncated(answer, records):
    """Whether TC is set and so many different records are beside it."""
    return "tc" in answer.flags and len(answer.values) == len(set(answer.values)) == records


def test_truncation(way, nodens, p1):
    """As many whole records as fit: 200 addresses of 16 octets behind 12 + 31 + 4, and 11 of OPT."""
    assert truncated(way.miss(p1, f"big.{D}", ignore_tc=True), 73), "from the agent"
    with nodens.counting() as gains:
        assert truncated(way.cached(p1, f"big.{D}", ignore_tc=True), 73), "from the cache"
        assert truncated(way.cached(p1, f"big.{D}", ignore_tc=True, payload=None), 29), "without EDNS"
    # Generic XDP cannot grow a packet so much, and the agent answers.
    assert gains["kernel.hits_truncated"] + gains["kernel.pass_resize"] == 2


def test_truncation_of_what_is_larger_than_programs_send(way, p1):
    way.miss(p1, f"big.{D}", ignore_tc=True)
    assert truncated(p1.ask(f"big.{D}", payload=2048, ignore_tc=True), 124)
    answer = p1.ask(f"big.{D}", payload=4096, ignore_tc=True)
    assert "tc" not in answer.flags and len(answer.values) == 200, "in fragments"


def test_truncation_leads_to_tcp(way, p1):
    answer = p1.ask(f"big.{D}")
    assert answer.retried and len(set(answer.values)) == 200
    assert len(set(p1.values(f"big.{D}"))) == 200


def test_truncation_depends_on_the_client(way, p1):
    assert len(way.miss(p1, f"fifty.{D}", ignore_tc=True).values) == 50
    assert len(way.cached(p1, f"fifty.{D}", ignore_tc=True).values) == 50
    assert truncated(way.cached(p1, f"fifty.{D}", payload=None, ignore_tc=True), 28)
    assert truncated(way.cached(p1, f"fifty.{D}", payload=600, ignore_tc=True), 33)


def test_truncation_rotates(way, p1):
    """Of each rotation's 28 another 28: all 40 come to be used."""
    p1.ask(f"forty.{D}", payload=None)
    seen = {value for _ in range(30) for value in p1.values(f"forty.{D}", payload=None, ignore_tc=True)}
    assert len(seen) == 40 and all(value.startswith("10.106.") for value in seen)


def test_musl(way, p1, musl):
    """musl asks without EDNS and takes what is beside TC; it knows no TCP."""
    for who in "agent", "kernel":
        assert len(set(p1.output(musl, f"forty.{D}").split())) == 28, f"of 40 addresses, from the {who}"
        assert len(set(p1.output(musl, f"big.{D}").split())) == 29, f"of 200 addresses, from the {who}"
        assert len(set(p1.output(musl, f"forty.{D}", "6").split())) == 16, f"of 40 of IPv6, from the {who}"


# ---- once -----------------------------------------------------------------------------------------------


def test_hook_auto_is_tc_on_pods(any_way, nodens, p1, p2):
    nodens.ensure(corefile=cluster_corefile(), probe=p1)
    assert attached(p1.veth) and "xdp" not in link_info(p1.veth)
    any_way.miss_then_hit(p1, p2)


def test_an_upstream_hangs(nodens, cluster, p1):
    """One server stops: the other answers, and a client sees no error."""
    servers = cluster.servers
    nodens.start("--hook", "tc", probe=p1, corefile=cluster_corefile(forward=" ".join(x.pod.ip4 for x in servers)))
    servers[0].process.send_signal(19)  # SIGSTOP
    try:
        for i in range(30, 36):
            assert p1.value(f"n{i}.{D}", timeout=6) == f"10.100.0.{i}"
    finally:
        servers[0].process.send_signal(18)  # SIGCONT


def test_a_stolen_address(tc, nodens, p1, p2):
    """A pod that sends with another's address gets none of its answers, and the other keeps getting them."""
    tc.miss(p1, f"n43.{D}")  # p1 has its address
    ip(f"addr add {p1.ip4}/32 dev lo", p2.name)
    with nodens.counting() as gains, pytest.raises(query.SILENCE):
        p2.ask(f"n44.{D}", source=(p1.ip4, 0), timeout=1)
    ip(f"addr del {p1.ip4}/32 dev lo", p2.name)
    assert gains["kernel.steer_conflict"] > 0
    assert tc.miss(p1, f"n45.{D}").value == "10.100.0.45"
    tc.hit(p1, f"n45.{D}")


@pytest.mark.parametrize("hook", ["tc", "xdp-generic"])
def test_listen(any_way, nodens, cluster, hook):
    wan, serve = cluster.wan, (NODE4, NODE6)
    nodens.ensure("--mode", "listen", "--interfaces", "uplink", "--hook", hook, corefile=cluster_corefile(serve),
                  serve=serve, probe=wan, ready="kernel.misses")
    assert any_way.miss(wan, f"n50.{D}", server=NODE4).value == "10.100.0.50"
    assert any_way.hit(wan, f"n50.{D}", server=NODE4).value == "10.100.0.50"
    any_way.hit(wan, f"n50.{D}", server=NODE6)
    any_way.miss(wan, f"n51.{D}", "AAAA", NODE6)
    assert any_way.hit(wan, f"n51.{D}", "AAAA", NODE6).value == "fd00:100::33"
    large = {"server": NODE4, "ignore_tc": True}
    assert len(wan.values(f"big.{D}", server=NODE4)) == 200, "over TCP"
    assert truncated(wan.ask(f"forty.{D}", payload=None, **large), 28), "from the agent"
    assert truncated(any_way.cached(wan, f"forty.{D}", payload=None, **large), 28), "from the kernel"
    assert len(wan.values(f"big.{D}", payload=4096, **large)) == 200, "in fragments"
    nodens.stop()
    assert leftovers() == []
