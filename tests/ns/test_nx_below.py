# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Search-path look-ups: what a pod's ndots:5 makes of an external name ends in the kernel, by NXDOMAIN-below, and what
exists is never denied. The cluster's DNS is Knot; the world outside is tests/fake-upstream, which has an address for
every name."""
import re
import time

import pytest

from agent import block, command, detach, directive
from cluster import D, FakeUpstream
from lab import DNS4, DNS6, GATEWAY4, PYTHON, UP4, note, wait_until
from query import unique

SERVE = f"bind {DNS4} {DNS6}"
SVC = "svc.cluster.local"
NAMES = 200
TLDS = "com com com com org net io"  # the more there are of one, the likelier it is asked for
DENIALS = NAMES * 3 * 2  # each name goes through three suffixes, A and AAAA, and none of them exists there


# ---- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outside(lab, cluster):
    cluster.listen()
    return FakeUpstream(cluster.wan, GATEWAY4, "--id", 7)


def corefile(denial=5, forward=f"forward . {UP4}", line="", more=""):
    """Of the blocks whose zones could be a cluster's."""
    cache = directive("cache", "success 9984 30", f"denial 9984 {denial} 1")
    return (block("cluster.local:53", "errors", cache, line, SERVE, forward)
            + block("example.org:53", "cache 30", line, SERVE, f"forward . {UP4}")
            + block(".:53", "cache 30", SERVE, f"forward . {GATEWAY4}") + more)


def other_block(zone):
    """One more, with names of the world outside; it asks nothing of its own accord."""
    return block(f"{zone}:53", "cache 30", "nxdomain_cut off", SERVE, f"forward . {GATEWAY4}")


class NxBelow:
    """nodens with NXDOMAIN-below, a pod that asks, the cluster's DNS."""

    def __init__(self, nodens, pod, cluster):
        self.nodens, self.pod, self.cluster = nodens, pod, cluster

    def start(self, *flags, text=None):
        self.nodens.stop()
        detach()
        self.nodens.start("--hook", "tc", *flags, corefile=text or corefile(), probe=self.pod)

    def start_believing(self, *flags, text=None):
        """No test before the agent believes that the zone is a cluster's: it learns no NXDOMAIN-below until then."""
        self.start(*flags, text=text)
        wait_until(10, self.believes, lambda: f"no NXDOMAIN-below at all: {self.nodens.stats()}")

    def believes(self):
        self.pod.ask(unique("example.believe", D))
        return self.nodens.stat("agent.cuts") > 0

    def denied(self, name, *args, **options):
        """(the denial, whether it was by an NXDOMAIN-below in the kernel)"""
        with self.nodens.counting() as gains:
            answer = self.pod.ask(name, *args, **options)
        assert answer.status == "NXDOMAIN", answer
        return answer, gains["kernel.hits_cut"] == 1

    def denied_below(self, name):
        """Whether a new name below it is answered by an NXDOMAIN-below."""
        with self.nodens.counting() as gains:
            self.pod.ask(unique(name))
        return gains["kernel.hits_cut"] > 0

    def wait_below(self, name):
        wait_until(5, lambda: self.denied_below(name), f"{name}: no NXDOMAIN-below")

    def never_below(self, *names):
        """Names below are denied, and no NXDOMAIN-below comes of it, however often."""
        for name in names:
            for _ in range(4):
                assert not self.denied(unique("example", name))[1], name

    def external(self):
        """New names resolved as programs do, one after the other; how many had the right addresses."""
        return int(self.pod.output(PYTHON, "-c", RESOLVE, unique(), NAMES, TLDS))


RESOLVE = """import random, socket, sys
random.seed(1)
tlds, right = sys.argv[3].split(), 0
for i in range(int(sys.argv[2])):
    name = f"{sys.argv[1]}-{i}.site{i % 17}.{random.choice(tlds)}"
    found = {a[4][0] for a in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}
    right += found == {"192.0.2.7", "2001:db8::7"}
print(right)"""


@pytest.fixture
def nx_below(nodens, p1, cluster, outside):
    """Not started; a test has a start of its own."""
    yield NxBelow(nodens, p1, cluster)
    nodens.settings = None


@pytest.fixture
def believing(nodens, p1, cluster, outside):
    """The agent with the plain Corefile, for tests whose NXDOMAIN-below are at labels which no other test uses."""
    nx_below = NxBelow(nodens, p1, cluster)
    if not nodens.alive() or nodens.settings != "believing":
        nx_below.start_believing()
        nodens.settings = "believing"
    return nx_below


@pytest.fixture
def zone(cluster):
    """zone(NAME, "TTL TYPE DATA"): a record of the cluster's zone, for the time of the test."""
    names = set()

    def add(name, data):
        names.add(name)
        cluster.zone(("+", f"{name}.", data))
    yield add
    if names:
        cluster.zone(*(("-", f"{name}.") for name in names))


# ---- how many --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--pretend-kernel", "5.4"], ["--hook", "xdp-generic"]], ids=["tc", "pre54", "xdp"])
def test_search_path(nx_below, nodens, cluster, flags):
    nx_below.start_believing(*flags)
    before = cluster.queries()
    with nodens.counting() as gains:
        assert nx_below.external() == NAMES, "names with their right addresses"
    by_nx_below, asked = gains["kernel.hits_cut"], cluster.queries() - before
    note(f"{by_nx_below} of {DENIALS} NXDOMAINs by NXDOMAIN-below in the kernel; the cluster's DNS was asked {asked} times")
    assert by_nx_below >= DENIALS * 0.95
    assert asked <= DENIALS * 0.05


def test_off(nx_below, nodens, cluster):
    nx_below.start(text=corefile(line="nxdomain_cut off"))
    before = cluster.queries()
    assert nx_below.external() == NAMES
    for counter in "kernel.hits_cut", "agent.cuts", "agent.cut_probes":
        assert nodens.stat(counter) == 0
    assert cluster.queries() - before >= DENIALS


# ---- what they say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rdtype", ["A", "AAAA", "TXT"])
def test_says_what_the_server_says(believing, lab, cluster, rdtype):
    """But for the TTL."""
    believing.wait_below(f"says.{D}")
    answer, by_nx_below = believing.denied(f"www.example.says.{D}", rdtype)
    assert by_nx_below
    assert answer.soa.startswith("cluster.local.")
    assert answer.soa == lab.node.ask(f"www.example.says.{D}", rdtype, cluster.servers[0].pod.ip4).soa


def test_says_it_in_the_questions_case(believing):
    believing.wait_below(f"says.{D}")
    answer, by_nx_below = believing.denied("wWw.eXample.SAYS.default.svc.cluster.local")
    assert by_nx_below and str(answer.message.question[0].name) == "wWw.eXample.SAYS.default.svc.cluster.local."
    assert believing.denied(f"says.{D}", "TXT")[1]


def test_dnssec_is_the_servers(believing):
    """Not of the agent's own making: where DNSSEC is asked for, each denial is the server's."""
    believing.wait_below(f"says.{D}")
    assert not believing.denied(f"dnssec.example.says.{D}", dnssec=True)[1]


def test_labels_are_whole(believing, zone, p1):
    """A name that ends alike, but not at a label."""
    zone(f"nolabel.{D}", "30 A 10.9.9.1")
    believing.wait_below(f"label.{D}")
    assert p1.value(f"nolabel.{D}") == "10.9.9.1"


# ---- what exists -----------------------------------------------------------------------------------------


def test_existing_name(believing, zone, p1):
    zone(f"here.{D}", "30 A 10.9.9.2")
    believing.never_below(f"here.{D}")
    assert p1.value(f"here.{D}") == "10.9.9.2"
    believing.never_below(f"here.{D}")


def test_existing_descendants(believing, zone, p1):
    zone(f"deep.ent.below.{D}", "30 A 10.9.9.3")
    zone("x.y.below.cluster.local", "30 A 10.9.9.4")
    believing.never_below(f"below.{D}", "below.cluster.local")
    assert p1.value(f"deep.ent.below.{D}") == "10.9.9.3"
    assert p1.value("x.y.below.cluster.local") == "10.9.9.4"


def test_existing_namespace(believing, zone, p1):
    """Services are below it, nothing is at it."""
    zone(f"web.shop.{SVC}", "30 A 10.9.9.5")
    believing.wait_below(f"com.shop.{SVC}")
    assert p1.value(f"web.shop.{SVC}") == "10.9.9.5"


def test_wildcards(believing, zone, p1):
    zone(f"*.wild.{D}", "30 A 10.9.9.6")
    assert p1.value(f"a.example.wild.{D}") == "10.9.9.6"
    assert p1.value(f"b.example.wild.{D}") == "10.9.9.6"
    assert p1.ask(f"c.example.wild.{D}", "AAAA").status == "NOERROR", "another type of it"
    assert p1.value(f"d.example.wild.{D}") == "10.9.9.6"


def test_wildcard_over_all(believing, zone, p1):
    """A wildcard over a whole namespace: names below a service's own are denied, those beside it are not."""
    zone(f"*.wide.{SVC}", "30 A 10.9.9.7")
    zone(f"one.wide.{SVC}", "30 A 10.9.9.8")
    assert p1.value(f"a.example.com.wide.{SVC}") == "10.9.9.7"
    believing.never_below(f"one.wide.{SVC}")
    assert p1.value(f"one.wide.{SVC}") == "10.9.9.8"
    assert p1.value(f"b.example.com.wide.{SVC}") == "10.9.9.7"


def test_alias_to_nothing(believing, zone, p1):
    """An alias exists, though the server says NXDOMAIN of what it leads to (RFC 2308, 2.1)."""
    zone(f"alias.{D}", f"30 CNAME nothing.{D}.")
    believing.never_below(f"alias.{D}")
    assert p1.value(f"alias.{D}", "CNAME") == f"nothing.{D}."


def test_asked_elsewhere(nx_below, p1):
    """Names below one that the cluster's DNS denies, but which it is not asked for."""
    forward = (directive(f"forward . {UP4}", f"except part.except.{SVC}")
               + f"\nforward part.from.{SVC} {GATEWAY4}")
    nx_below.start_believing(text=corefile(forward=forward, more=other_block(f"part.block.{SVC}")))
    nx_below.never_below(f"from.{SVC}", f"block.{SVC}")
    assert p1.value(f"a.part.from.{SVC}") == "192.0.2.7"
    assert p1.value(f"a.part.block.{SVC}") == "192.0.2.7"
    assert p1.ask(f"a.part.except.{SVC}").status == "SERVFAIL"
    nx_below.never_below(f"except.{SVC}")


def test_block_comes(nx_below, nodens, p1):
    """While there is an NXDOMAIN-below above its zone."""
    nx_below.start_believing(text=corefile(60))
    nx_below.wait_below(f"later.{SVC}")
    nodens.corefile.write_text(corefile(60, more=other_block(f"part.later.{SVC}")))
    nodens.signal("HUP")
    wait_until(5, lambda: p1.says("192.0.2.7", f"a.part.later.{SVC}"), "hidden by an NXDOMAIN-below")
    nx_below.never_below(f"later.{SVC}")


def test_rewritten(nx_below, p1):
    """Rules may make another name of any."""
    rule = "rewrite name regex (.*)-v1[.]old[.]svc[.]cluster[.]local {1}.default.svc.cluster.local"
    nx_below.start(text=corefile(forward=f"{rule}\nforward . {UP4}"))
    time.sleep(3)  # it believes by then
    nx_below.never_below(f"old.{SVC}")
    assert p1.value(f"n5-v1.old.{SVC}") == "10.100.0.5"


def test_other_zones_are_left_alone(believing):
    """No zone of a cluster's: nothing is known of how it denies."""
    for _ in range(3):
        assert not believing.denied(unique("b.com.example.org"))[1]


# ---- when they go -----------------------------------------------------------------------------------------


def test_flush_of_a_name_that_is_covered(believing, zone, p1):
    """It would be denied by the entry above it until that ends."""
    believing.wait_below(f"late.{D}")
    zone(f"www.late.{D}", "30 A 10.9.9.7")
    assert believing.denied(f"www.late.{D}")[1]
    text, status = command("dump", "--answers", f"www.late.{D}")
    assert status == 0
    assert re.search(rf"^; late\.{D}\. +cut +NXDOMAIN .*\n;; AUTHORITY SECTION:\ncluster\.local\.\t\d+\tIN\tSOA\t", text, re.M)
    text, status = command("flush", f"www.late.{D}", "A")
    assert re.fullmatch(r"flushed [1-9]\n", text) and status == 0
    assert p1.value(f"www.late.{D}") == "10.9.9.7"


def test_goes_when_the_agent_sees_it(nx_below, zone, p1):
    """What the agent itself sees, it heeds at once: an answer above or below, of whatever type."""
    nx_below.start_believing(text=corefile(60))
    nx_below.wait_below(f"com.{D}")
    zone(f"www.example.com.{D}", "30 A 10.9.9.10")
    # DNSSEC's key is another: the NXDOMAIN-below does not answer it, the server does.
    assert p1.ask(f"www.example.com.{D}", dnssec=True).status == "NOERROR"
    assert p1.value(f"www.example.com.{D}") == "10.9.9.10"
    nx_below.never_below(f"com.{D}")
