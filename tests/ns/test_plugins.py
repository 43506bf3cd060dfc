# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Answers without an upstream and questions that become others: hosts, template, rewrite, dns64, whoami, bufsize,
loadbalance, loop. A pod asks; what the kernel is said to answer is held against its counters. Each plugin has zones of
its own, so that one agent serves most tests (plugins.corefile); the upstream is tests/fake-upstream."""
import os
import re
import time

import pytest

import query
from agent import SANITIZED, block, command
from cluster import FakeUpstream
from lab import DNS4, DNS6, POD_SIDE4, ROOT, hex_of, ip, note, wait_until
from query import reverse, unique

UP = "10.50.0.1"
HOSTS = """# a comment, a blank line, lines that are none

not-an-address x.hosts.test
192.0.2.300 x.hosts.test
192.0.2.7
192.0.2.10   one.hosts.test  Alias.Hosts.TEST   # and more
192.0.2.11	two.hosts.test
192.0.2.12 two.hosts.test
2001:db8::10 one.hosts.test
2001:db8::20%eth0 six.hosts.test
::ffff:192.0.2.13 mapped.hosts.test
192.0.2.66 www.example.net
"""


# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def up(lab):
    lab.uplink()
    host = lab.pod("up")
    ip(f"addr add {UP}/32 dev lo", "up")
    ip(f"route add {UP} via {host.ip4} dev {host.veth}")
    return FakeUpstream(host, UP, "--id", 1)


@pytest.fixture(scope="module")
def p1(lab, up):
    return lab.pod("p1")


@pytest.fixture(scope="module")
def p2(lab, p1):
    return lab.pod("p2")


class Way:
    """Asks, and knows who answered: the kernel, or the agent."""

    def __init__(self, nodens, pod):
        self.nodens, self.pod = nodens, pod

    def hit(self, *args, **options):
        with self.nodens.counting() as gains:
            answer = self.pod.ask(*args, **options)
        assert (gains["kernel.hits"], gains["kernel.steered"]) == (1, 0), f"answered by the kernel: {answer}"
        return answer

    def miss(self, *args, **options):
        with self.nodens.counting() as gains:
            answer = self.pod.ask(*args, **options)
        assert gains["kernel.hits"] == 0 and gains["kernel.steered"] > 0, f"answered by the agent: {answer}"
        return answer


@pytest.fixture
def hosts(lab):
    """The hosts file, replaced as an editor does."""
    path = lab.dir / "hosts"

    def write(text):
        path.with_name("hosts.new").write_text(text)
        os.rename(path.with_name("hosts.new"), path)
    return write


def serves(nodens, p1):
    before = nodens.stat("kernel.steered", missing=None)
    return (before is not None and p1.says("192.0.2.1", unique("example.net"), timeout=1)
            and nodens.stat("kernel.steered") > before)


@pytest.fixture
def way(lab, nodens, p1, hosts):
    """The agent with all plugins, or, once a test has stopped it, anew."""
    if not nodens.alive():
        hosts(HOSTS)
        text = (ROOT / "tests/ns/plugins.corefile").read_text()
        nodens.corefile.write_text(text.replace("$BIND", f"bind {DNS4} {DNS6}").replace("$FORWARD", f"forward . {UP}")
                                   .replace("$LAB", str(lab.dir)))
        nodens.spawn("run", "-conf", nodens.corefile, "-localip", f"{DNS4},{DNS6}")
        nodens.wait(lambda: serves(nodens, p1))
    return Way(nodens, p1)


def found(answer):
    """(rcode, how many answers)"""
    return answer.status, len(answer.values)


NOTHING = "NOERROR", 0


# ---- hosts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, rdtype, values", [
    ("one.hosts.test", "A", ["192.0.2.10"]),
    ("one.hosts.test", "AAAA", ["2001:db8::10"]),
    ("two.hosts.test", "A", ["192.0.2.11", "192.0.2.12"]),
    ("two.hosts.test", "AAAA", []),
    ("six.hosts.test", "A", []),
    ("mapped.hosts.test", "A", ["192.0.2.13"]),
    ("inline.hosts.test", "A", ["10.1.2.3"]),
    (reverse("192.0.2.10"), "PTR", ["alias.hosts.test.", "one.hosts.test."]),
    (reverse("2001:db8::10"), "PTR", ["one.hosts.test."]),
])
def test_hosts_are_in_the_kernel_from_the_start(way, name, rdtype, values):
    """Nobody has asked for these names before."""
    answer = way.hit(name, rdtype)
    assert answer.status == "NOERROR"
    assert sorted(value.lower() for value in answer.values) == values


def test_hosts_case_and_ttl(way):
    answer = way.hit("ALIAS.hosts.test")
    assert answer.records == ["ALIAS.hosts.test. A 192.0.2.10"]
    assert 40 <= answer.ttl <= 77


def test_hosts_over_ipv6(way):
    assert way.hit("one.hosts.test", server=DNS6).value == "192.0.2.10"


def test_hosts_other_types_and_names(way, p1, up):
    assert found(p1.ask("one.hosts.test", "MX")) == NOTHING
    assert p1.ask("x.hosts.test").status == "SERVFAIL", "a name that is not there, without fallthrough"
    assert p1.value("y.up.hosts.test") == "192.0.2.1", "fallthrough for its zone"
    assert p1.value("www.example.net") == "192.0.2.1", "a name of another zone is not taken from the file"
    p1.ask(reverse("192.0.2.7"), "PTR")
    assert up.asked("7.2.0.192.in-addr.arpa") == (1, 0), "of an address without a name"


def test_hosts_over_tcp_and_with_do(way, p1):
    assert p1.value("one.hosts.test", tcp=True) == "192.0.2.10"
    assert way.miss("one.hosts.test", dnssec=True).value == "192.0.2.10"
    way.hit("one.hosts.test", dnssec=True)


def test_hosts_zones_no_reverse_fallthrough(way, p1, up):
    assert way.hit("x.a.some.test").value == "198.51.100.1", "in its zones"
    assert p1.value("x.b.some.test") == "192.0.2.1", "not in its zones: upstream"
    assert p1.value("y.a.some.test") == "192.0.2.1", "fallthrough"
    p1.ask(reverse("198.51.100.1"), "PTR")
    assert up.asked("1.100.51.198.in-addr.arpa") == (1, 0), "no_reverse"


def test_hosts_ttl_by_default(way):
    assert way.hit("at.whole.test").ttl == 3600, "without a cache"


def test_hosts_reload(way, p1, hosts):
    assert p1.value("later.up.hosts.test") == "192.0.2.1", "as the upstream has it"
    way.hit("later.up.hosts.test")
    assert p1.value("later.up.hosts.test", "TXT") == '"1"'
    way.hit("two.hosts.test")
    without = "".join(line for line in HOSTS.splitlines(True) if "two.hosts.test" not in line)
    hosts(f"{without}192.0.2.77 later.up.hosts.test new.hosts.test\n")
    wait_until(4, lambda: p1.says("192.0.2.77", "new.hosts.test"), "the new entry")
    way.hit("new.hosts.test")
    assert way.hit("later.up.hosts.test").value == "192.0.2.77", "what was cached of a name that is now in the file"
    assert p1.values("later.up.hosts.test", "TXT") == [], "another type of it"
    assert p1.ask("two.hosts.test").status == "SERVFAIL", "what is no longer there"
    assert "two.hosts.test." not in p1.values(reverse("192.0.2.11"), "PTR")
    assert way.hit("inline.hosts.test").value == "10.1.2.3", "of the Corefile, still"


def test_hosts_file_that_is_gone(way, lab, p1, hosts):
    """Gone for a moment, as while it is replaced: what it said holds."""
    hosts(f"{HOSTS}192.0.2.78 gone.hosts.test\n")
    wait_until(4, lambda: p1.says("192.0.2.78", "gone.hosts.test"), "the new entry")
    (lab.dir / "hosts").unlink()
    time.sleep(1.5)
    assert way.hit("gone.hosts.test").value == "192.0.2.78"
    hosts(HOSTS)
    wait_until(4, lambda: p1.ask("gone.hosts.test").status == "SERVFAIL", "the file again")
    assert sorted(p1.values("two.hosts.test")) == ["192.0.2.11", "192.0.2.12"]


def test_hosts_wildcards(way, lab, p1, up):
    """One label, as CoreDNS; what it makes is cached as what is forwarded is, and nothing is put for it."""
    (lab.dir / "wild").write_text("198.51.100.13 *.file.wild.test\n")
    wait_until(4, lambda: p1.says("198.51.100.13", "x.file.wild.test"), "the file")
    assert way.hit("own.wild.test").value == "198.51.100.12", "a name of its own"
    assert way.miss(unique("wild.test")).value == "198.51.100.11", "by the wildcard"
    way.miss("some.wild.test")
    assert way.hit("some.wild.test").value == "198.51.100.11", "by the wildcard, again"
    assert found(p1.ask("some.wild.test", "AAAA")) == NOTHING
    assert p1.value("two.labels.wild.test") == "192.0.2.1", "two labels: upstream"
    assert p1.value("own.wild.test", "TXT") == '"1"', "a type that hosts does not have: upstream"
    assert up.asked("own.wild.test") == (1, 0)
    assert up.asked("some.wild.test") == (0, 0), "never for an address"


def test_hosts_a_hundred_thousand(way, nodens, p1, hosts):
    """What blocklists are: more names than the kernel holds of hosts files. None of another zone's answers goes."""
    before = nodens.rss()
    p1.ask("keep1.example.net")
    begin = time.monotonic()
    hosts(HOSTS + "".join(f"0.0.0.0 ad{i}.up.hosts.test\n" for i in range(100000)))
    wait_until(10, lambda: p1.says("0.0.0.0", "ad99999.up.hosts.test"), nodens.log_tail)
    note(f"100,000 names at work after {(time.monotonic() - begin) * 1000:.0f} ms, a reload interval of 1 s included")
    assert way.hit("keep1.example.net").value == "192.0.2.1", "another zone's answer stayed"
    for i in 0, 777, 50000, 98765:
        assert p1.value(f"ad{i}.up.hosts.test") == "0.0.0.0"
        way.hit(f"ad{i}.up.hosts.test")
        assert found(p1.ask(f"ad{i}.up.hosts.test", "AAAA")) == NOTHING
    # What is asked for besides what was put pushes out nothing that was written by hand.
    answers = p1.ask_all([f"ad{i}.up.hosts.test" for i in range(60000, 60200)], window=1)
    assert [answer.value for answer in answers.values()] == ["0.0.0.0"] * 200
    assert p1.value("one.hosts.test") == "192.0.2.10", "an entry of before"
    assert sorted(x.lower() for x in p1.values(reverse("192.0.2.10"), "PTR")) == ["alias.hosts.test.", "one.hosts.test."]
    rss = nodens.rss() - before
    note(f"{rss // 1024} MB for them")
    assert SANITIZED or rss <= 60000, "kB for 100,000 names"
    assert way.hit("x.b.a.some.test").value == "198.51.100.7", "a short list still has its place"
    assert way.hit("exact.tpl.test").value == "192.0.2.81", "what templates say still has its place"
    way.hit(unique("black.example"))
    hosts(HOSTS)
    wait_until(10, lambda: p1.says("192.0.2.1", "ad99999.up.hosts.test"), "the list is still at work")


# ---- template --------------------------------------------------------------------------------------------


def test_template_is_cached(way):
    assert way.miss("ip-10-1-2-3.tpl.test").records == ["ip-10-1-2-3.tpl.test. A 10.1.2.3"], "named groups"
    assert way.hit("ip-10-1-2-3.tpl.test").value == "10.1.2.3"


def test_template_parse_int(way, p1):
    assert p1.value("hx0aff.hex.tpl.test") == "10.9.10.255"


def test_template_all_sections(way, p1):
    assert p1.ask("mail.a.b.tpl.test", "MX").records == [
        "mail.a.b.tpl.test. MX 10 mail.tpl.test.", "mail.tpl.test. A 192.0.2.25", "tpl.test. NS ns.tpl.test."]


def test_template_case(way, p1):
    assert p1.ask("IP-10-1-2-4.tpl.TEST").records == ["IP-10-1-2-4.tpl.TEST. A 10.1.2.4"]


def test_template_fallthrough(way, p1, up):
    p1.ask("ip-10-1-2-5.tpl.test", "AAAA")
    assert up.asked("ip-10-1-2-5.tpl.test") == (1, 0), "another type goes upstream"
    assert p1.value("other.tpl.test") == "192.0.2.1"
    assert p1.value("www.only.tpl.test") == "192.0.2.80", "without fallthrough"
    assert p1.ask("no.only.tpl.test").status == "SERVFAIL", "no match, no fallthrough"


def test_template_authority_alone(way):
    answer = way.miss("x.soa.tpl.test", "TXT")
    assert found(answer) == NOTHING
    assert answer.ttl == 33, "the SOA's minimum"
    assert found(way.hit("x.soa.tpl.test", "TXT")) == NOTHING


def test_template_of_a_single_name_is_in_the_kernel(way):
    assert way.hit("exact.tpl.test").value == "192.0.2.81", "before anybody asked"


def test_template_alias(way, p1, up):
    """A stub resolver does not follow aliases itself."""
    answer = p1.ask("foogle.alias.test")
    assert answer.status == "NOERROR"
    assert answer.records == ["foogle.alias.test. CNAME target.example.net.", "target.example.net. A 192.0.2.1"]
    assert (up.asked("target.example.net"), up.asked("foogle.alias.test")) == ((1, 0), (0, 0))
    assert len(way.hit("foogle.alias.test").values) == 2
    assert p1.ask("foogle.alias.test", "AAAA").records == [
        "foogle.alias.test. CNAME target.example.net.", "target.example.net. AAAA 2001:db8::1"]
    assert p1.ask("foogle.alias.test", "TXT").records == ["foogle.alias.test. CNAME target.example.net."]


def test_template_alias_to_another_blocks_template(way, p1):
    assert p1.ask("to-template.alias.test").records == [
        "exact.tpl.test. A 192.0.2.81", "to-template.alias.test. CNAME exact.tpl.test."]


@pytest.mark.parametrize("name, result", [
    ("to-nx", ("NXDOMAIN", 1)), ("round", ("NOERROR", 1)), ("to-servfail", ("SERVFAIL", 0))])
def test_template_alias_to_nothing(way, p1, name, result):
    assert found(p1.ask(f"{name}.alias.test")) == result


def test_template_record_that_is_none(way, nodens, p1):
    with nodens.counting() as gains:
        assert p1.ask("ip-10-1-2-999.tpl.test").status == "SERVFAIL"
    assert gains["agent.servfail"] == 1
    assert p1.ask("ip0a0b0c0d.hex.tpl.test").status == "SERVFAIL", "a group that this expression does not have"


def test_template_ederror(way, p1):
    for name in "x.err.tpl.test", "x.err.tpl.test":
        answer = way.miss(name)
        assert answer.status == "NXDOMAIN"
        error = answer.option(15)
        assert (error.code, error.text) == (21, "Blocked on purpose")
    answer = p1.ask("x.err.tpl.test", payload=None)
    assert (answer.status, answer.edns) == ("NXDOMAIN", -1), "without EDNS"


def test_template_ederror_as_kdig_reads_it(way, p1):
    assert "Blocked on purpose" in p1.output("kdig", f"@{DNS4}", "+edns", "x.err.tpl.test")


def test_template_catastrophic_expression(way, p1):
    """Answers at once, and others are answered meanwhile. Whether it matches is not known: what it might block is not
    let through."""
    answer = p1.ask("a" * 61 + ".slow.tpl.test")
    assert answer.status == "SERVFAIL"
    assert answer.ms <= 1000
    assert p1.value("aaab.slow.tpl.test") == "192.0.2.82"


# ---- names taken off the net -----------------------------------------------------------------------------


def test_blackholes_are_in_the_kernel(way, nodens, p1, up):
    with nodens.counting() as gains:
        for name in "a.black.example", "b.c.d.black.example", "black.example", "BLACK.example", unique("black.example"):
            for rdtype in "A", "AAAA", "MX", "TXT", "HTTPS", "TYPE4711":
                assert found(p1.ask(name, rdtype)) == ("NXDOMAIN", 0), f"{name} {rdtype}"
    assert (gains["kernel.hits_cut"], gains["kernel.steered"]) == (30, 0)
    assert way.hit("z.black.example", dnssec=True).status == "NXDOMAIN"
    assert p1.ask("z.black.example", tcp=True).status == "NXDOMAIN"
    assert (up.asked("a.black.example"), up.asked("black.example")) == ((0, 0), (0, 0))


def test_blackholes_with_a_soa(way):
    answer = way.hit("q.soa.example")
    assert (answer.status, answer.ttl) == ("NXDOMAIN", 60), "its TTL the least of both"


def test_blackholes_as_a_stub_sees_them(way, p1):
    """NXDOMAIN without a SOA is an answer for stub resolvers: they do not try further."""
    begin = time.monotonic()
    assert p1.run("getent", "ahosts", "x.black.example.", check=False).returncode
    assert time.monotonic() - begin <= 2


@pytest.mark.parametrize("name", ["xblack.example", "example", "x.example", "black.example.net"])
def test_blackholes_end_at_their_borders(way, p1, name):
    assert p1.value(name) == "192.0.2.1"


def test_blackholes_give_way_to_a_block_below(way, p1):
    assert p1.value("a.inner.split.example") == "192.0.2.1"
    way.hit("a.inner.split.example")
    assert p1.ask("a.split.example").status == "NXDOMAIN", "beside it"


def test_blackholes_of_names_below_alone(way, p1, up):
    assert way.hit("a.under.example").status == "NXDOMAIN"
    assert p1.value("under.example") == "192.0.2.1", "the name itself"
    assert way.hit("under.example").value == "192.0.2.1"
    assert p1.value("under.example", "TXT") == '"1"'
    for rdtype in "A", "AAAA", "TXT":
        assert way.hit("b.a.under.example", rdtype).status == "NXDOMAIN", "below, still"
    assert up.asked("a.under.example") == (0, 0)


# ---- rewrite ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, becomes", [
    ("a.rw.test", "b.back.test"),
    ("pre-x.rw.test", "post-x.rw.test"),
    ("n.suf.rw.test", "n.back.test"),
    ("in-middle-of.rw.test", "in-centre-of.rw.test"),
    ("ftp-us-west-1.rx.rw.test", "ftp.service.us-west-1.back.test"),
    ("first.rw.test", "third.back.test"),
])
def test_rewrite_names(way, up, name, becomes):
    assert way.miss(name).records == [f"{name}. A 192.0.2.1"]
    assert (up.asked(becomes), up.asked(name)) == ((1, 0), (0, 0))
    assert way.hit(name).records == [f"{name}. A 192.0.2.1"]


def test_rewrite_leaves_others(way, p1):
    assert p1.ask("b.rw.test").records == ["b.rw.test. A 192.0.2.1"]
    assert p1.ask("bad.rw.test").status == "SERVFAIL", "what becomes no name"
    assert p1.ask("A.rw.test").records == ["A.rw.test. A 192.0.2.1"], "case"


@pytest.mark.parametrize("name", ["cname.c.suf.rw.test", "cname.c.val.rw.test"], ids=["auto", "value"])
def test_rewrite_chains(way, name):
    chain = sorted([f"{name}. CNAME target.{name}.", f"target.{name}. A 192.0.2.1"])
    assert way.miss(name).records == chain
    if "suf" in name:
        assert len(way.hit(name).values) == 2


def test_rewrite_type(way, p1):
    answer = p1.ask("type.rw.test", "HINFO")
    assert answer.records == ['type.rw.test. TXT "1"']
    assert answer.message.question[0].to_text() == "type.rw.test. IN HINFO"


def test_rewrite_ttl(way, p1):
    assert p1.ask("x.ttl.rw.test").ttl == 15
    assert way.hit("x.ttl.rw.test").ttl <= 15
    assert p1.ask("ttl-400.ttl2.rw.test").ttl == 30, "at most"


@pytest.mark.parametrize("name, status", [("q.nx.rw.test", "NOERROR"), ("servfail.fail.rw.test", "REFUSED")])
def test_rewrite_rcode(way, p1, name, status):
    assert p1.ask(name).status == status


def client_options(address, prefix):
    """As options.NAME writes the client's address and its subnet."""
    octets = hex_of(address)
    family = "0002" if ":" in address else "0001"
    return f'"65001={octets}" "8={family}{prefix:02x}00{octets[:prefix // 4]}"'


def test_rewrite_edns0_of_the_client(way, p1, p2, up):
    """What upstreams hear of the client: nothing of that is where the programs find it."""
    first = client_options(p1.ip4, 24)
    assert p1.value("options.a.asks.test", "TXT") == first
    assert way.miss("options.a.asks.test", "TXT").value == first, "again, from the agent's cache"
    assert up.asked("options.a.asks.test") == (1, 0)
    assert p2.value("options.a.asks.test", "TXT") == first, "CoreDNS' cache lies before its rewrite, and is everybody's"
    assert p1.value("options.six.asks.test", "TXT", DNS6) == client_options(p1.ip6, 56)


def test_rewrite_edns0_without_a_cache_each_is_asked_for(way, p1, p2, up):
    for pod in p1, p2:
        assert pod.value("options.a.each.test", "TXT") == f'"65001={hex_of(pod.ip4)}"'
    finish = p1.begin("slow-300.each.test"), p2.begin("slow-300.each.test")  # also at one time
    for end in finish:
        end()
    assert up.asked("slow-300.each.test")[0] >= 2


def test_rewrite_edns0_alike_for_all(way, p1):
    """What is alike for all who ask the same stays everybody's."""
    assert p1.value("options.a.same.test", "TXT") == '"65001=0010"', "the type"
    way.hit("options.a.same.test", "TXT")


def test_rewrite_edns0_stale(way, p1, up):
    """An expired answer goes out at once, and the client that had it is the one that a new one is asked for."""
    assert p1.value("ttl-1.asks.test") == "192.0.2.1"
    before = up.asked("ttl-1.asks.test")
    time.sleep(6.2)  # the cache's least TTL is 5
    assert p1.ask("ttl-1.asks.test").ttl == 0, "stale"
    wait_until(3, lambda: up.asked("ttl-1.asks.test") != before, "nobody asked for a new one")
    wait_until(1, lambda: p1.ask("ttl-1.asks.test").ttl >= 1, "no new one")


@pytest.mark.parametrize("name, value", [
    ("options.x.opt.test", '"65001=0102ff" "65002=74657874" "3="'), ("options.x.noopt.test", '"65001=7365636f6e64"')])
def test_rewrite_edns0(way, p1, name, value):
    assert p1.value(name, "TXT") == value
    way.hit(name, "TXT")


def test_options_of_a_client_go_no_further(way, p1):
    nsid, own = query.option(3, b""), query.option(65009, b"\xaa")
    assert p1.value("options.example.net", "TXT", options=[nsid, own]) == '"none"'


# ---- dns64 -----------------------------------------------------------------------------------------------

MADE = "64:ff9b::c000:201"  # of 192.0.2.1


def test_dns64(way, p1, up):
    answer = p1.ask("v4only.six.test", "AAAA", DNS6)
    assert answer.records == [f"v4only.six.test. AAAA {MADE}"]
    assert answer.ttl == 60, "no longer than that there is no AAAA"
    assert p1.value("v4only.six.test", "AAAA", DNS6) == MADE, "again"
    assert up.asked("v4only.six.test") == (2, 0), "AAAA and A, once"
    assert p1.value("v4only.six.test", "A", DNS6) == "192.0.2.1"


def test_dns64_leaves_what_is_there(way, p1):
    assert p1.value("both.six.test", "AAAA", DNS6) == "2001:db8::1"
    assert p1.ask("nx.six.test", "AAAA", DNS6).status == "NXDOMAIN"
    assert found(p1.ask("nodata.six.test", "AAAA", DNS6)) == NOTHING


def test_dns64_along_an_alias(way, p1):
    name = "cname.v4only.six.test"
    assert p1.ask(name, "AAAA", DNS6).records == [f"{name}. CNAME target.{name}.", f"target.{name}. AAAA {MADE}"]


def test_dns64_and_dnssec(way, p1):
    assert found(p1.ask("v4only.six.test", "AAAA", DNS6, dnssec=True, cd=True)) == NOTHING, "for who validates"
    answer = p1.ask("v4only.six.test", "AAAA", DNS6, dnssec=True)
    assert len(answer.values) == 1 and "ad" not in answer.flags, "for who only sets DO"


def test_dns64_one_cache_two_kinds_of_clients(way, p1):
    p1.ask("v4only.six.test", "AAAA", DNS6)
    assert found(p1.ask("v4only.six.test", "AAAA", DNS4)) == NOTHING
    assert found(p1.ask("v4first.v4only.six.test", "AAAA", DNS4)) == NOTHING
    assert p1.value("v4first.v4only.six.test", "AAAA", DNS6) == MADE


def test_dns64_options(way, p1):
    """allow_ipv4, translate_all, a prefix of 48 bits."""
    assert p1.value("v4only.all.test", "AAAA") == "2001:db8:64:c000:2:100::"
    assert way.hit("v4only.all.test", "AAAA").value == "2001:db8:64:c000:2:100::"
    assert p1.value("both.all.test", "AAAA") == "2001:db8:64:c000:2:100::"
    assert p1.value("host.all.test", "AAAA") == "2001:db8:64:c000:2:2100::", "of a hosts entry"
    assert way.hit("host.all.test").value == "192.0.2.33", "its A"


# ---- small ones ------------------------------------------------------------------------------------------


def test_bufsize(way, p1):
    for name in "big-40.small.test", "big-40.small.test":
        assert "tc" in p1.ask(name, payload=4096, ignore_tc=True).flags, "with bufsize 512"
        assert len(p1.values("big-40.example.net", payload=4096, ignore_tc=True)) == 40, "without"
    assert len(p1.values("big-40.small.test")) == 40, "over TCP"


def test_whoami(way, p1, p2):
    answer = p1.ask("some.who.test", source=(p1.ip4, 5353))
    assert found(answer) == NOTHING
    assert answer.records == ["_udp.some.who.test. SRV 0 0 5353 .", f"some.who.test. A {p1.ip4}"]
    answer = p1.ask("some.who.test", server=DNS6, source=(p1.ip6, 5354), tcp=True)
    assert answer.records == ["_tcp.some.who.test. SRV 0 0 5354 .", f"some.who.test. AAAA {p1.ip6}"]
    assert f"some.who.test. A {p2.ip4}" in p2.ask("some.who.test").records, "to each its own"


def test_loadbalance(way, p1):
    p1.ask("big-4.example.net")
    assert len({p1.values("big-4.example.net", payload=None)[0] for _ in range(40)}) == 4


def test_loadbalance_prefer(way, p1):
    """Those of the preferred subnets in front, and in turn; from the kernel and from the agent."""
    assert {p1.values("two.near.test", payload=None)[0] for _ in range(40)} == {"10.0.0.2", "10.0.0.4"}
    others = ["203.0.113.1", "203.0.113.3"]
    assert way.hit("two.near.test").values[2:] == others
    assert p1.values("two.near.test", tcp=True)[2:] == others, "of the agent"
    assert p1.values("two.near.test", "AAAA")[0] == "2001:db8:2::2"


def test_loop(nodens, up):
    """A block that forwards to its own agent notices, and ends."""
    nodens.corefile.write_text(block(".:53", f"bind {POD_SIDE4}", "loop", f"forward . {POD_SIDE4}"))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen")
    assert nodens.wait_end(8) != 0
    assert re.search("loop", nodens.log_text(), re.I)


def test_loop_is_not_looked_for_unless_told(nodens, up):
    nodens.corefile.write_text(block(".:53", f"bind {POD_SIDE4}", f"forward . {POD_SIDE4}"))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen")
    nodens.wait_said("ready", 10)
    time.sleep(1.5)
    assert nodens.alive(), nodens.log_tail()
    nodens.stop()


# ---- configurations that are refused ---------------------------------------------------------------------


@pytest.mark.parametrize("text, regex", [
    ('template IN A {\n answer "{{ .Remote }} 60 IN A 192.0.2.1"\n}', "Remote"),
    ('template IN A {\n answer "{{ .Meta \\"a\\" }} 60 IN A 192.0.2.1"\n}', "Meta"),
    ('template IN A {\n match "("\n answer "a. 60 IN A 192.0.2.1"\n}', "regular expression"),
    ('template IN A {\n answer "{{ range .Match }} x 60 IN A 192.0.2.1"\n}', "range"),
    ("rewrite edns0 local set 0xffee {geoip/city}", "metadata"),
    ("rewrite cname exact a.test b.test", "cname"),
    ("loadbalance weighted /etc/weights", "weighted"),
], ids=["remote", "meta", "expression", "range", "metadata", "cname", "weighted"])
def test_refused(lab, text, regex):
    (lab.dir / "bad").write_text(f". {{\n{text}\n}}\n")
    said, status = command("check", "-conf", lab.dir / "bad")
    assert status and re.search(f"bad:[0-9]+.*{regex}", said), said
