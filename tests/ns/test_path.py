# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A query's whole way, from a pod to nodens and back, for each hook and with the fallbacks for old kernels."""
import json
import re
import socket
import statistics
import time

import pytest

import query
from agent import NODENS, Metrics, cluster_corefile, command, detach, http
from cluster import D
from lab import (BPFFS, DNS4, DNS6, NODE4, NODE6, ROOT, attached, conntrack_count, conntrack_flush, ip, leftovers,
                 link_info, note, output, programs, rules, run, running, wait_until)

VARIANTS = {
    "tc": ["--hook", "tc"],
    "xdp": ["--hook", "xdp-generic"],
    "pre54": ["--hook", "tc", "--pretend-kernel", "5.4"],
}
FAMILIES = pytest.mark.parametrize("server", [pytest.param(DNS4, id="ipv4"), pytest.param(DNS6, id="ipv6")])


# ---- helpers ---------------------------------------------------------------------------------------------


class Way:
    """Asks, and knows who answered: the kernel, or a server of the cluster's DNS that was asked."""

    def __init__(self, nodens, cluster):
        self.nodens, self.cluster = nodens, cluster

    def counted(self, pod, name, *args, **options):
        asked = self.cluster.asked(name)
        with self.nodens.counting() as gains:
            answer = pod.ask(name, *args, **options)
        return answer, gains, self.cluster.asked(name) - asked

    def hit(self, pod, name, *args, **options):
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert (gains["kernel.hits"], asked) == (1, 0), "answered by the kernel"
        return answer

    def miss(self, pod, name, *args, **options):
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert gains["kernel.hits"] == 0 and asked > 0, "answered by the cluster's DNS"
        return answer

    def cached(self, pod, name, *args, **options):
        """No upstream was asked. An answer that generic XDP cannot grow a packet to comes from the agent."""
        answer, gains, asked = self.counted(pod, name, *args, **options)
        assert (gains["kernel.hits"] + gains["kernel.pass_resize"], asked) == (1, 0)
        return answer


@pytest.fixture(scope="module")
def ground(lab, cluster, p1, p2):
    """Rules of netfilter before nodens came."""
    cluster.listen()
    return rules()


@pytest.fixture(scope="module")
def b1(lab, ground):
    return lab.pod("b1", bridge=True)


@pytest.fixture(scope="module")
def any_way(nodens, cluster, ground):
    return Way(nodens, cluster)


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


@pytest.fixture
def way(any_way, nodens, p1, variant):
    """nodens in each variant, its cache empty."""
    nodens.ensure(*variant, corefile=cluster_corefile(), probe=p1)
    return any_way


@pytest.fixture
def tc(any_way, nodens, p1):
    """nodens with tc alone, its cache empty."""
    nodens.ensure(*VARIANTS["tc"], corefile=cluster_corefile(), probe=p1)
    return any_way


@pytest.fixture
def stopped(nodens, ground):
    nodens.stop()
    nodens.corefile.write_text(cluster_corefile())


@pytest.fixture(scope="module")
def foreign(lab):
    """A program of somebody else's."""
    return lab.bpf_object("count")


# ---- for each hook: answers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def musl(lab):
    """The resolver of Alpine's images, as Debian has it."""
    run("musl-gcc", "-static", "-O1", "-o", lab.dir / "lookup", ROOT / "tests/ns/lookup.c")
    return lab.dir / "lookup"


def test_miss_then_hit(way, p1, p2):
    assert way.miss(p1, f"n1.{D}").value == "10.100.0.1"
    assert way.hit(p1, f"n1.{D}").value == "10.100.0.1"
    assert way.hit(p2, f"n1.{D}").value == "10.100.0.1", "another pod's answer"


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


# ---- for each hook: truncation ---------------------------------------------------------------------------


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


# ---- for each hook: the node -----------------------------------------------------------------------------


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


def test_attached_within_100_ms(way):
    """The start of ip itself is in this time, and so is what else the machine does."""
    times = []
    for i in range(5):
        start = time.monotonic()
        ip(f"link add vethlate{i} type veth peer name late{i} netns wan")
        wait_until(3, lambda: attached(f"vethlate{i}"), "not attached", step=0.005)
        times.append((time.monotonic() - start) * 1000)
    ip("\n".join(f"link del vethlate{i}" for i in range(5)))
    note(f"ms from `ip link add` to attached: {' '.join(f'{ms:.0f}' for ms in sorted(times))}")
    assert statistics.median(times) <= 100


@pytest.fixture
def made_pods(lab):
    """lab.pod(), with names of their own; those that are left go with the test."""
    made = []

    def make(number=None):
        made.append(lab.pod(query.unique()[:12], number=number))
        return made[-1]
    yield make
    for pod in made:
        if link_info(pod.veth):
            pod.delete()


def wait_attached(pod):
    wait_until(3, lambda: attached(pod.veth), f"{pod.veth}: not attached")


def test_a_pod_appears(way, made_pods):
    start = time.monotonic()
    pod = made_pods()
    wait_attached(pod)
    assert way.miss(pod, f"n14.{D}").value == "10.100.0.14"
    assert (time.monotonic() - start) * 1000 <= 1000, "ms from its creation to an answer"
    way.hit(pod, f"n14.{D}")
    assert pod.conntrack_entries() == 0


def way_back(pod):
    """What the programs know of the pod's IPv4 address: the keys are IPv6's."""
    pin = next(BPFFS.rglob("nodens_clients"))
    key = (b"\0" * 10 + b"\xff\xff" + socket.inet_aton(pod.ip4)).hex(" ").split()
    found = json.loads(output("bpftool", "-j", "map", "dump", "pinned", pin))
    return [client for client in found if client["key"] == [f"0x{octet}" for octet in key]]


def veths_elsewhere():
    lines = output("ip", "-o", "link", "show", "type", "veth").splitlines()
    return sum("link-netns" in line for line in lines if " nd0@" not in line)


def test_a_pod_goes(way, nodens, made_pods):
    # Every veth to another namespace is attached to, and no more; what tests before made and removed is gone.
    wait_until(3, lambda: nodens.stat("agent.devices") == veths_elsewhere(), "devices do not settle")
    devices = nodens.stat("agent.devices")
    pod = made_pods()
    wait_attached(pod)
    way.miss(pod, f"n15.{D}")
    assert way_back(pod)
    pod.delete()
    nodens.wait_stat("agent.devices", devices)
    wait_until(2, lambda: not way_back(pod), lambda: f"its way back is still there: {way_back(pod)}")


def test_an_address_is_used_again(way, nodens, made_pods):
    """The first device to claim an address keeps it, so a new pod with the address of one that went must not meet it."""
    first = made_pods()
    wait_attached(first)
    way.miss(first, f"n60.{D}")
    first.delete()
    second = made_pods(number=int(first.ip4.rpartition(".")[2]))
    assert second.ip4 == first.ip4
    wait_attached(second)
    with nodens.counting() as gains:
        assert way.miss(second, f"n61.{D}").value == "10.100.0.61"
    assert gains["kernel.steer_conflict"] == 0
    way.hit(second, f"n61.{D}")


# ---- for each hook: commands -----------------------------------------------------------------------------


def test_stats_and_dump(way, nodens, p1):
    way.miss(p1, f"n16.{D}")
    way.miss(p1, f"nosuch2.{D}")
    way.hit(p1, f"n16.{D}")
    assert "hits" in output(NODENS, "stats")
    stats = nodens.stats()
    assert len(stats) > 30 and all(isinstance(n, (int, float)) for n in stats.values())
    assert {"cache.entries", "cache.capacity", "cache.bytes"} <= stats.keys()
    dump = nodens.dump()
    assert re.search(r"^n16\.default.*A.*NOERROR", dump, re.M)
    assert re.search(r"^nosuch2.*NXDOMAIN", dump, re.M)
    assert json.loads(output(NODENS, "dump", "--json"))


def test_flush(way, p1):
    way.miss(p1, f"n16.{D}")
    way.miss(p1, f"nosuch2.{D}")
    run(NODENS, "flush", f"n16.{D}", "A")
    way.miss(p1, f"n16.{D}")
    way.hit(p1, f"nosuch2.{D}")
    run(NODENS, "flush", f"n16.{D}")
    way.miss(p1, f"n16.{D}")
    run(NODENS, "flush")
    way.miss(p1, f"nosuch2.{D}")


def map_exists(map_id):
    return run("bpftool", "map", "show", "id", map_id, check=False).returncode == 0


def test_sigterm_leaves_nothing(way, nodens, p1, ground):
    pinned = [path for path in BPFFS.rglob("*") if path.is_file() and "nodens" in str(path)]
    shown = (run("bpftool", "-j", "map", "show", "pinned", path, check=False).stdout for path in pinned)
    maps = [json.loads(text)["id"] for text in shown if text.startswith("{") and "id" in json.loads(text)]
    assert maps, "pinned maps"
    nodens.stop()
    assert leftovers() == []
    for map_id in maps:
        wait_until(3, lambda: not map_exists(map_id), f"map {map_id} is still there")
    assert rules() == ground
    assert p1.value(f"n1.{D}") == "10.100.0.1", "the cluster's DNS answers"
    assert p1.conntrack_entries() > 0


def all_back(nodens, before):
    return programs() == before and nodens.stat("agent.devices") == nodens.stat("agent.devices_wanted")


def test_programs_taken_off(way, nodens, p1):
    """Somebody takes all programs off while the agent runs: they are there again within a second, and it says so."""
    before, lost = programs(), f"{p1.veth}: another program removed nodens' program"
    said = nodens.times_said(lost)
    text, status = command("detach")
    assert status and f"removed from {p1.veth}:" in text
    wait_until(4, lambda: nodens.times_said(lost) == said + 1, nodens.log_tail)
    wait_until(4, lambda: all_back(nodens, before), lambda: f"programs: {programs()}, want {before}")
    wait_until(3, lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"), "no misses are steered")
    run(NODENS, "flush")
    test_miss_then_hit(way, p1, p1)
    # Again within a minute is not worth another line for each device.
    detach()
    time.sleep(1.1)
    wait_until(4, lambda: all_back(nodens, before), lambda: f"programs: {programs()}, want {before}")
    time.sleep(1.1)
    assert nodens.times_said(lost) == said + 1
    nodens.settings = None


# ---- once ------------------------------------------------------------------------------------------------


def test_no_iptables_rule(tc, ground):
    assert rules() == ground


def test_hook_auto_is_tc_on_pods(any_way, nodens, p1, p2):
    nodens.ensure(corefile=cluster_corefile(), probe=p1)
    assert attached(p1.veth) and "xdp" not in link_info(p1.veth)
    test_miss_then_hit(any_way, p1, p2)


def test_exclude(any_way, nodens, p1, p2):
    nodens.ensure("--hook", "tc", "--exclude", p2.veth, corefile=cluster_corefile(), probe=p1)
    conntrack_flush()
    any_way.miss(p1, f"n20.{D}")
    assert p2.value(f"n20.{D}") == "10.100.0.20"
    assert p2.conntrack_entries() > 0
    assert p1.conntrack_entries() == 0


def test_interfaces(any_way, nodens, p1, p2):
    nodens.ensure("--hook", "tc", "--interfaces", f"{p1.veth},lxc*,no-such", corefile=cluster_corefile(), probe=p1)
    assert attached(p1.veth) and not attached(p2.veth)
    missing = re.findall(r"^warn: -interfaces ([^:]*): no device matches", nodens.log_text(), re.M)
    assert sorted(set(missing)) == ["lxc*", "no-such"], "globs and names that lead to nothing"
    any_way.miss(p1, f"n21.{D}")
    any_way.hit(p1, f"n21.{D}")


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


def test_words_of_flush(tc, p1):
    tc.miss(p1, f"n42.{D}")
    assert command("flush", f"n42.{D}") == ("flushed 1\n", 0)
    text, status = command("flush", f"n42.{D}")
    assert text == "flushed 0\n" and status
    assert command("flush")[1] == 0, "of all there is, which is nothing"


def test_stats_as_nobody(tc):
    done = run("setpriv", "--reuid", 65534, "--clear-groups", NODENS, "stats", check=False)
    assert done.returncode and "Permission denied: run as root" in done.stderr


def test_stats_of_a_killed_agent(tc, nodens):
    nodens.kill()
    nodens.wait_stat("agent.running", 0)
    assert "devices" not in output(NODENS, "stats")


def test_detach_command(tc, nodens):
    nodens.kill()
    assert leftovers() != [], "what a killed agent leaves (so that it goes on answering)"
    run(NODENS, "detach")
    assert leftovers() == []
    run(NODENS, "detach")


def test_persist_stays(any_way, nodens, p1):
    nodens.ensure("--hook", "tc", "--persist", corefile=cluster_corefile(), probe=p1)
    any_way.miss(p1, f"n40.{D}")
    nodens.stop()
    assert leftovers() != []
    assert any_way.hit(p1, f"n40.{D}").value == "10.100.0.40", "answered without an agent"
    assert p1.value(f"n41.{D}") == "10.100.0.41", "a miss goes to the cluster's DNS"
    nodens.start("--hook", "tc", probe=p1)
    any_way.hit(p1, f"n40.{D}")
    assert len(programs()) == len(set(programs())), "no program twice on one device"
    nodens.stop()
    assert leftovers() == []


def test_unwanted_devices_are_left(tc, nodens, p1, p2):
    """What a killed agent left on a device that the next one is not to attach to."""
    nodens.kill()
    assert attached(p2.veth), "a killed agent's program"
    nodens.start("--hook", "tc", "--exclude", p2.veth, probe=p1)
    assert attached(p1.veth) and not attached(p2.veth)
    tc.miss(p1, f"n42.{D}")
    tc.hit(p1, f"n42.{D}")
    assert p2.value(f"n42.{D}") == "10.100.0.42", "p2 asks the cluster's DNS"
    nodens.stop()
    assert leftovers() == []


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


def test_nd0_taken_down(tc, nodens, p1):
    """Whoever takes nd0 down (a network manager): no query is lost for longer than it takes to see it."""
    ip("link set nd0 down")
    time.sleep(0.3)
    assert p1.value(f"n46.{D}") == "10.100.0.46"
    wait_until(3, lambda: "nd0" in output("ip", "link", "show", "nd0", "up"), "nd0 stayed down")
    time.sleep(0.3)
    tc.miss(p1, f"n47.{D}")
    assert nodens.stat("agent.running") == 1


def test_nd0_deleted(tc, nodens, p1):
    ip("link del nd0")
    nodens.wait_end(3)
    assert leftovers() == []
    assert p1.value(f"n48.{D}") == "10.100.0.48", "the cluster's DNS answers"
    assert "nd0 was deleted" in nodens.log_tail()


def test_clsact_deleted(any_way, nodens, p1, p2):
    """As a CNI does that makes its qdisc anew."""
    nodens.ensure(*VARIANTS["pre54"], corefile=cluster_corefile(), probe=p1)
    before = programs()
    for device in p1.veth, "nd0":
        run("tc", "qdisc", "del", "dev", device, "clsact")
        wait_until(4, lambda: all_back(nodens, before), lambda: f"{device}: {programs()}, want {before}")
        nodens.wait_said(f"{device}: another program removed nodens' program", 3)
        wait_until(3, lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"), f"{device}: no misses are steered")
    test_miss_then_hit(any_way, p1, p2)


def test_programs_that_cannot_be_put_back(nodens, p1, foreign):
    """What cannot be put back is said once, and shown: an XDP program of another has the place."""
    pages = "errors\n    ready 127.0.0.1:8181\n    prometheus 127.0.0.1:9253"
    nodens.start("--hook", "xdp-generic", "--interfaces", p1.veth, probe=p1,
                 corefile=cluster_corefile().replace("errors", pages, 1))
    ready = "http://127.0.0.1:8181/ready"
    wait_until(5, lambda: http(ready)[0] == 200, "not ready before")
    with running(NODENS, "detach", log=nodens.lab.dir / "detach") as detaching:
        run("ip", "link", "set", p1.veth, "xdpgeneric", "off", check=False)
        detaching.wait()
    while run("ip", "link", "set", p1.veth, "xdpgeneric", "obj", foreign, "sec", "xdp", check=False).returncode:
        run("ip", "link", "set", p1.veth, "xdpgeneric", "off", check=False)
    nodens.wait_said(f"{p1.veth}: not attached", 4)
    assert nodens.alive()
    assert http(ready) == (503, "no kernel path")
    assert Metrics().total("nodens_kernel_path") == 0
    assert (nodens.stat("agent.devices"), nodens.stat("agent.devices_wanted")) == (0, 1)
    assert re.search(r"devices +0 ", output(NODENS, "stats"))
    said = nodens.times_said(f"{p1.veth}: not attached")
    time.sleep(2.2)
    assert nodens.times_said(f"{p1.veth}: not attached") == said, "lines about it, two seconds later"
    run("ip", "link", "set", p1.veth, "xdpgeneric", "off")
    wait_until(4, lambda: http(ready)[0] == 200, "not ready after")
    assert nodens.stat("agent.devices") == 1


# ---- wrong use -------------------------------------------------------------------------------------------


def refused(regex, *cmd):
    """One line that matches, an exit status, and nothing attached."""
    done = run(*cmd, check=False, timeout=10)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warn: ")]
    assert 0 < done.returncode < 126, done
    assert len(lines) == 1 and re.search(regex, lines[0]), lines
    assert leftovers() == []


@pytest.mark.parametrize("regex, flags", [
    ("conf|no-such-file", ["-conf", "/no-such-file", "-localip", DNS4]),
    ("localip", ["-conf", "COREFILE", "-localip", "10.96.0"]),
    ("hook", ["-conf", "COREFILE", "-localip", DNS4, "--hook", "eth"]),
    ("bogus", ["--bogus"]),
], ids=["conf", "localip", "hook", "unknown"])
def test_wrong_flags(stopped, nodens, regex, flags):
    refused(regex, NODENS, "run", *(nodens.corefile if flag == "COREFILE" else flag for flag in flags))


@pytest.mark.parametrize("regex, text", [
    ("bad:3.*nonsense", ".:53 {\n    forward . 10.96.0.11\n    nonsense\n}\n"),
    ("bad:", ".:53 {\n    forward . 10.96.0.11\n"),
    ("bad", ""),
], ids=["directive", "unclosed", "empty"])
def test_wrong_corefile(stopped, lab, regex, text):
    bad = lab.dir / "bad"
    bad.write_text(text)
    refused(regex, NODENS, "run", "-conf", bad, "-localip", DNS4)
    if text.endswith("}\n"):
        refused(regex, NODENS, "check", "-conf", bad)


def test_check_of_a_good_corefile(stopped, nodens):
    assert command("check", "-conf", nodens.corefile)[1] == 0


@pytest.mark.parametrize("prefix", [
    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"],
    ["unshare", "--user", "--map-root-user"],
], ids=["nobody", "user-namespace"])
def test_no_permission(stopped, lab, nodens, prefix):
    lab.dir.chmod(0o755)
    refused("[Pp]ermi|root|CAP_", *prefix, NODENS, "run", "-conf", nodens.corefile, "-localip", DNS4)


def test_no_bpffs(stopped, lab, nodens):
    refused("bpf", NODENS, "run", "-conf", nodens.corefile, "-localip", DNS4, "--bpffs", lab.dir / "not-bpffs")


@pytest.mark.parametrize("name", ["stats", "dump", "flush"])
def test_commands_without_nodens(stopped, name):
    refused(".", NODENS, name)


# ---- listen ----------------------------------------------------------------------------------------------


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


def test_listen_address_in_use(stopped, lab, nodens):
    nodens.corefile.write_text(cluster_corefile([NODE4]))
    with lab.port_taken(NODE4):
        refused(NODE4, NODENS, "run", "-conf", nodens.corefile, "-localip", NODE4, "--mode", "listen")
