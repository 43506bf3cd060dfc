# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the agent says to those who look on: each client's query that it was done with is one event, with who was asked
for it, how often and how long it took."""
import json

import pytest

import watch
from agent import NODENS, block, cluster_corefile, directive
from lab import DNS4, DNS6, POD_SIDE4, POD_SIDE6, output, run, wait_until
from query import SILENCE, unique

SERVE = f"bind {POD_SIDE4} {POD_SIDE6}"


def of_agent(events, name):
    """The one event."""
    mine = [event for event in events if event.kind == "AGENT" and event.name == name + "."]
    assert len(mine) == 1, events
    return mine[0]


def upstream_of(event):
    """As `nodens status` names the row; it exits with 1 where something is wrong with an upstream."""
    rows = json.loads(run(NODENS, "status", "--json", check=False).stdout)["upstreams"]
    return rows[event.upstream - 1]["to"] if event.upstream else None


@pytest.fixture
def steered(nodens, p1):
    nodens.ensure(corefile=cluster_corefile(), probe=p1)


def test_misses_in_mode_steer(steered, nodens, p1, cluster):
    names = [unique("wild.example.org") for _ in range(4)]
    with watch.session() as events:
        p1.value(names[0])
        p1.value(names[0])  # a hit
        p1.value(names[1], server=DNS6)
        p1.value(names[2], tcp=True)
        p1.value(names[2], tcp=True)
    veth = int(output("cat", f"/sys/class/net/{p1.veth}/ifindex"))
    first = of_agent(events, names[0])
    assert (first.outcome, first.flags, first.tries, first.reply, first.rcode) == ("MISS", set(), 1, True, "NOERROR")
    assert (first.source, first.destination, first.ports[0]) == (DNS4, p1.ip4, 53)
    assert first.ifindex == veth
    assert upstream_of(first) == "10.96.0.11:53"
    assert 0 < first.took_us < 3_000_000
    assert [e.kind for e in events if e.name == names[0] + "."].count("ANSWERED") == 1, "the hit is the kernel's event"
    second = of_agent(events, names[1])
    assert (second.flags, second.source, second.destination) == ({"IP6"}, DNS6, p1.ip6)
    over_tcp = [e for e in events if e.kind == "AGENT" and e.name == names[2] + "."]
    assert [(e.outcome, e.flags, e.tries) for e in over_tcp] == [("TCP", {"TCP"}, 1), ("TCP", {"TCP", "CACHED"}, 0)]
    assert [e.upstream > 0 for e in over_tcp] == [True, False]


def test_exactly_once(steered, nodens, p1, cluster):
    """Also where many wait for one answer."""
    names = [unique("wild.example.org") for _ in range(150)]
    with nodens.counting() as gains, watch.session() as events:
        p1.ask_all(names, window=20)
        p1.ask_all([names[0].replace("x", "y", 1)] * 20, window=20)
    counted = [e for e in events if e.kind == "AGENT"]
    assert len(counted) == gains["agent.queries"] >= 151
    assert sorted({e.name for e in counted}) == sorted({f"{n}." for n in names} | {names[0].replace("x", "y", 1) + "."})


def test_a_timeout(nodens, cli, upstreams):
    nodens.listen(block(".:53", SERVE, "cache 30", directive("forward . 10.50.0.1", "max_connect_attempts 2")))
    name = unique("example.org")
    upstreams[1].freeze()
    with watch.session() as events:
        assert cli.ask(name, timeout=8).status == "SERVFAIL"
    event = of_agent(events, name)
    assert (event.rcode, event.flags, event.tries) == ("SERVFAIL", {"TIMEOUT"}, 2)
    assert upstream_of(event) == "10.50.0.1:53"
    assert 2_000_000 <= event.took_us < 5_000_000


def test_what_nobody_else_is_asked_for(nodens, cli, upstreams):
    # not for everybody: else the answer of hosts is in the kernel, and in the agent's cache
    nodens.listen(block(".:53", SERVE, directive("hosts", "192.0.2.200 host.example.org", "fallthrough"),
                        directive("acl host.example.org", "block net 203.0.113.0/24"), directive("acl refused.test", "block"), directive("acl silent.test", "drop"), "forward . 10.50.0.1"))
    with watch.session() as events:
        cli.value("host.example.org")
        cli.ask("a.refused.test")
        with pytest.raises(SILENCE):
            cli.ask("b.silent.test", timeout=0.5)
        with cli.udp(timeout=5) as sock:
            sock.send(bytes.fromhex("123401000002000000000000"))
            sock.recv(512)
    hosts = of_agent(events, "host.example.org")
    assert (hosts.flags, hosts.upstream, hosts.tries) == ({"LOCAL"}, 0, 0)
    refused = of_agent(events, "a.refused.test")
    assert (refused.flags, refused.rcode) == ({"LOCAL"}, "REFUSED")
    silent = of_agent(events, "b.silent.test")
    assert (silent.flags, silent.reply, silent.destination) == ({"LOCAL"}, False, cli.ip4), "the query: there is no reply"
    unread = [e for e in events if e.kind == "AGENT" and e.message and not e.message.question]
    assert [e.rcode for e in unread] == ["FORMERR"]


def test_probes_and_refreshes_are_no_clients(nodens, cli, upstreams):
    nodens.listen(block(".:53", SERVE, "cache 30", directive("probe watched.example.org", "interval 1s", "timeout 500ms"), "forward . 10.50.0.1"))
    with watch.session() as events:
        wait_until(10, lambda: upstreams[1].asked("watched.example.org") != (0, 0), "it is not probed")
        cli.value("www.example.org", tcp=True)
    assert [e.name for e in events if e.kind == "AGENT"] == ["www.example.org."]
