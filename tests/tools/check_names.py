#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Asks a resolver for names of the lab's zones and compares every answer with the zone files.

Contract: an implementation of its own (dnspython) decides what is right: rcode, each RRset of the answer, SOA in
negative answers, the question's case, a TTL of at most the zone's. Prints queries= and wrong=; exit status 1
when anything was wrong or lost.

        check_names.py SECONDS ZONEDIR SERVER...
"""

import random
import sys
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone

ZONES = ("cluster.local", "example.org")
TYPES = ("A", "AAAA", "TXT", "SRV", "MX", "CNAME", "NS", "HTTPS")


def load(directory):
    return [dns.zone.from_file(f"{directory}/{z}.zone", origin=z + ".", relativize=False) for z in ZONES]


def expected(zone, name, rdtype):
    """The RRsets of the answer and the rcode, by RFC 1034's algorithm within one zone."""
    rrsets = []
    for _ in range(10):
        node = zone.nodes.get(name)
        if node is None and not any(n.is_subdomain(name) for n in zone.nodes):
            wild = next((zone.nodes[w] for w in wildcards(name, zone)), None)
            if wild is None:
                return rrsets, dns.rcode.NXDOMAIN
            node = wild
        if node is None:
            return rrsets, dns.rcode.NOERROR
        rdataset = node.get_rdataset(dns.rdataclass.IN, rdtype)
        if rdataset:
            return rrsets + [(name, rdataset)], dns.rcode.NOERROR
        cname = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME)
        if not cname:
            return rrsets, dns.rcode.NOERROR
        rrsets.append((name, cname))
        name = cname[0].target
    raise ValueError("CNAME loop in the zone")


def wildcards(name, zone):
    parent = name.parent()
    while parent.is_subdomain(zone.origin):
        wild = dns.name.Name((b"*",) + parent.labels)
        if wild in zone.nodes:
            yield wild
            return
        if parent in zone.nodes:
            return
        parent = parent.parent()


def pick(zones):
    zone = random.choice(zones)
    name = random.choice(zone.names)
    kind = random.random()
    if kind < 0.1:
        name = dns.name.from_text("nosuch%d" % random.randrange(20), zone.origin)
    elif kind < 0.15 and str(zone.origin).startswith("example"):
        name = dns.name.from_text("w%d.wild" % random.randrange(1000), zone.origin)
    if name.is_wild():
        name = dns.name.from_text("star.wild", zone.origin)
    rdtype = dns.rdatatype.from_text(random.choice(TYPES[:2] if random.random() < 0.7 else TYPES))
    return zone, name, rdtype


def mixed_case(name):
    return dns.name.Name(bytes(random.choice((c, c ^ 0x20)) if chr(c).isalpha() else c for c in label)
                         for label in name.labels)


def differences(query, reply, zone, name, rdtype):
    rrsets, rcode = expected(zone, name, rdtype)
    if reply.rcode() != rcode:
        yield f"rcode {dns.rcode.to_text(reply.rcode())}, want {dns.rcode.to_text(rcode)}"
    if reply.question[0].name.labels != query.question[0].name.labels:
        yield f"the question's case: {reply.question[0].name}"
    if reply.flags & dns.flags.TC:
        return
    want = {(n, r.rdtype): r for n, r in rrsets}
    got = {(r.name, r.rdtype): r for r in reply.answer}
    if set(want) != set(got):
        yield f"RRsets {sorted(map(str, got))}, want {sorted(map(str, want))}"
    for key, rdataset in want.items():
        if key in got and set(got[key]) != set(rdataset):
            yield f"{key}: {got[key]}, want {rdataset}"
        if key in got and not 0 <= got[key].ttl <= max(rdataset.ttl, 1):
            yield f"{key}: TTL {got[key].ttl}, the zone's is {rdataset.ttl}"
    if not any(n == name and r.rdtype == rdtype for n, r in rrsets) and not reply.answer:
        if not any(r.rdtype == dns.rdatatype.SOA for r in reply.authority):
            yield "a negative answer without SOA"


def ask(server, query):
    kind = random.random()
    if kind < 0.03:
        return dns.query.tcp(query, server, timeout=3)
    reply = dns.query.udp(query, server, timeout=3)
    if reply.flags & dns.flags.TC:
        return dns.query.tcp(query, server, timeout=3)
    return reply


def main():
    seconds, directory, servers = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    zones = load(directory)
    for zone in zones:
        # Few enough that most are asked for again, and all of the odd ones.
        names = sorted(zone.nodes)
        odd = [n for n in names if not n.labels[0][1:].isdigit() and not n.labels[0].startswith(b"bench-")]
        zone.names = odd * 10 + random.sample(names, min(200, len(names)))
    queries = wrong = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        zone, name, rdtype = pick(zones)
        edns = random.choice((False, 0))
        query = dns.message.make_query(mixed_case(name), rdtype, use_edns=edns)
        queries += 1
        try:
            found = list(differences(query, ask(random.choice(servers), query), zone, name, rdtype))
        except dns.exception.DNSException as error:
            found = [repr(error)]
        if found:
            wrong += 1
            print(f"{name} {dns.rdatatype.to_text(rdtype)}: {'; '.join(found)}")
    print(f"queries={queries} wrong={wrong}")
    return 1 if wrong or not queries else 0


sys.exit(main())
