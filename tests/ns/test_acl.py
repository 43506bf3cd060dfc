# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""acl and any: a client that may ask opens no door for one that may not, whoever answers: agent or kernel."""
import dns.edns
import pytest

import query
from agent import block
from cluster import D
from lab import DNS4, DNS6, UP4, wait_until

BLOCKED, FILTERED = 15, 17  # RFC 8914


def corefile(*acl, cluster=()):
    """`acl` are directives of example.org's block, `cluster` those of the cluster's zone."""
    serve, forward = f"bind {DNS4} {DNS6}", f"forward . {UP4}"
    return (block("cluster.local:53", "cache 30", *cluster, serve, forward)
            + block("example.org:53", "cache 30", *acl, serve, forward)
            + block(".:53", serve, forward))


def ede(answer):
    option = answer.option(dns.edns.OptionType.EDE)
    return option.code if option else None


@pytest.fixture(scope="module")
def ground(cluster, p1, p2):
    cluster.listen()


@pytest.fixture
def rules(nodens, ground, p1):
    """Starts nodens with these rules, its cache empty."""
    def start(*acl, **options):
        nodens.ensure("--hook", "tc", corefile=corefile(*acl, **options), probe=p1)
    return start


def allow_only(pod, zones=""):
    return f"acl {zones} {{\n    allow net {pod.ip4} {pod.ip6}\n    block\n}}"


@pytest.mark.parametrize("server", [pytest.param(DNS4, id="ipv4"), pytest.param(DNS6, id="ipv6")])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_one_may_ask_another_may_not(rules, nodens, cluster, p1, p2, server, tcp):
    rules(cluster=[allow_only(p1)])
    before = cluster.asked(f"n1.{D}")
    with nodens.counting() as gains:
        for _ in range(3):
            assert p1.value(f"n1.{D}", server=server, tcp=tcp) == "10.100.0.1"
            refused = p2.ask(f"n1.{D}", server=server, tcp=tcp)
            assert (refused.status, refused.values, ede(refused)) == ("REFUSED", [], BLOCKED)
    assert cluster.asked(f"n1.{D}") - before == 1, "who may ask is answered from the cache"
    assert gains["kernel.hits"] == 0


def test_no_edns_no_extended_error(rules, p1, p2):
    rules(cluster=[allow_only(p1)])
    refused = p2.ask(f"n1.{D}", payload=None)
    assert (refused.status, refused.edns) == ("REFUSED", -1)


def test_names_outside_of_its_zones_are_the_kernels(rules, nodens, p1, p2):
    rules(cluster=[allow_only(p1, f"n1.{D}")])
    assert p1.value(f"n2.{D}") == "10.100.0.2"
    with nodens.counting() as gains:
        assert p2.value(f"n2.{D}") == "10.100.0.2"
    assert gains["kernel.hits"] == 1
    assert p1.value(f"n1.{D}") == "10.100.0.1"
    assert p2.ask(f"n1.{D}").status == "REFUSED"


def test_where_all_may_ask_the_kernel_answers(rules, nodens, p1, p2):
    rules(cluster=["acl {\n    allow\n    block net 10.0.0.0/8\n}"])
    assert p1.value(f"n3.{D}") == "10.100.0.3"
    with nodens.counting() as gains:
        assert p2.value(f"n3.{D}") == "10.100.0.3"
    assert gains["kernel.hits"] == 1


def test_filter_by_type(rules, nodens, p1, p2):
    rules(f"acl {{\n    filter type A net {p2.ip4}\n}}")
    assert p1.value("www.example.org") == "192.0.2.80"
    empty = p2.ask("www.example.org")
    assert (empty.status, empty.values, ede(empty)) == ("NOERROR", [], FILTERED)
    assert p2.value("www.example.org", "AAAA") == "2001:db8::80"
    with nodens.counting() as gains:
        assert p1.value("www.example.org", "AAAA") == "2001:db8::80", "all may ask for this type"
        assert p1.value("www.example.org") == "192.0.2.80"
    assert gains["kernel.hits"] == 1


def test_drop(rules, nodens, p1, p2):
    rules(f"acl {{\n    drop net {p2.ip4} {p2.ip6}\n}}")
    before = nodens.stat("agent.queries_dropped")
    with pytest.raises(query.SILENCE):
        p2.ask("www.example.org", timeout=0.5)
    nodens.wait_stat("agent.queries_dropped", before + 1)
    assert p1.value("www.example.org") == "192.0.2.80"
    with pytest.raises(query.SILENCE):
        p2.ask("www.example.org", timeout=0.5)


def test_denied_names(rules, nodens, p1, p2):
    """Neither the name's entry nor one for all names below it is where the programs look."""
    rules(cluster=[allow_only(p1)])
    for name in "www", "www.com", "mail.www.com":
        assert p1.ask(f"{name}.{D}").status == "NXDOMAIN"
    with nodens.counting() as gains:
        for name in "www", "www.com", "mail.www.com", "other.www.com":
            assert p2.ask(f"{name}.{D}").status == "REFUSED"
    assert gains["kernel.hits"] == 0


def test_rules_see_what_rewrites_make(rules, p1, p2):
    rules("rewrite name public.example.org www.example.org", allow_only(p1, "www.example.org"))
    for _ in range(2):
        assert p1.value("public.example.org") == "192.0.2.80"
        assert p2.ask("public.example.org").status == "REFUSED"
        assert p2.ask("www.example.org").status == "REFUSED"


def test_own_answers_are_not_put_into_the_kernel(rules, nodens, p1, p2):
    rules("hosts {\n    192.0.2.7 own.example.org\n    fallthrough\n}", allow_only(p1))
    with nodens.counting() as gains:
        assert p1.value("own.example.org") == "192.0.2.7"
        assert p2.ask("own.example.org").status == "REFUSED"
        assert p1.value("own.example.org") == "192.0.2.7"
    assert gains["kernel.hits"] == 0


@pytest.mark.parametrize("restart", [False, True], ids=["reload", "restart"])
def test_rules_that_come_later(rules, nodens, p1, p2, restart):
    rules()
    assert p1.value("www.example.org") == "192.0.2.80"
    assert p1.value("www.example.org") == "192.0.2.80"
    with nodens.counting() as gains:
        assert p2.value("www.example.org") == "192.0.2.80"
    assert gains["kernel.hits"] == 1
    nodens.settings = None
    after = corefile(allow_only(p1))
    if restart:
        nodens.kill()
        nodens.start("--hook", "tc", corefile=after, probe=p1)
    else:
        nodens.corefile.write_text(after)
        nodens.signal("HUP")
    wait_until(5, lambda: p2.ask("www.example.org").status == "REFUSED", nodens.log_tail)
    assert p1.value("www.example.org") == "192.0.2.80"
    assert p2.ask("www.example.org").status == "REFUSED"


def test_any(rules, nodens, cluster, p1):
    rules("any")
    for name in "www.example.org", query.unique("example.org"):
        before = cluster.asked(name)
        answer = p1.ask(name, "ANY")
        assert answer.records == [f'{name}. HINFO "ANY obsoleted" "See RFC 8482"']
        assert (answer.status, answer.ttl, cluster.asked(name)) == ("NOERROR", 8482, before)
    assert p1.value("www.example.org") == "192.0.2.80"
    assert len(p1.ask("www.example.org", "ANY").records) == 1
