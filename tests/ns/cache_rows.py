# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What may be cached, for how long, and how replies look: the table of test_cache.py.

A cached row is asked of the upstream once; its second reply leaves from the kernel, its third from the agent's own store,
and all three say the same.
"""
import dns.flags
import dns.message
import dns.name
import dns.rcode

# Each TTL of the messages is different, so that a reply shows which one counted.
A = "@ 20 IN A 192.0.2.1\n"
A2 = "@ 20 IN A 192.0.2.1\n@ 25 IN A 192.0.2.2\n"
CHAIN = "@ 25 IN CNAME b\nb 22 IN CNAME c\nc 20 IN A 192.0.2.1\n"
BACK = "c 20 IN A 192.0.2.1\nb 22 IN CNAME c\n@ 25 IN CNAME b\n"
SOA = "@ 20 IN SOA ns h 1 2 3 4 25\n"


def many(n):
    return "".join(f"@ 20 IN A 192.0.2.{i}\n" for i in range(n))


def message(answer="", authority="", additional="", rcode="NOERROR", flags="QR RD RA", question=""):
    return f"flags {flags}\nrcode {rcode}\n;QUESTION\n{question};ANSWER\n{answer};AUTHORITY\n{authority};ADDITIONAL\n{additional}"


class Row:
    """kind: "hit" (cached) or "pass" (asked each time)."""

    def __init__(self, what, upstream, kind, ttl=None, n=(0, 0, 0), zone="rows.test.", qtype="A", rcode=None, **opts):
        self.what, self.upstream, self.kind, self.ttl, self.n = what, upstream, kind, ttl, n
        self.qtype, self.opts = qtype, opts
        self.rcode = rcode or "NOERROR"
        self.zone = zone
        self.name = None  # by number in the table


ROWS = [
    # ---- rows of the table of what is cached
    Row("complete answer", message(A2), "hit", 20, (2, 0, 0)),
    Row("answer, authority, additional", message("@ 30 IN MX 1 mx\n", "@ 28 IN NS ns\n", "mx 20 IN A 192.0.2.3\nns 26 IN A 192.0.2.4\n"),
        "hit", 20, (1, 1, 2), qtype="MX"),
    Row("CNAME chain", message(CHAIN), "hit", 20, (3, 0, 0)),
    Row("CNAME chain back to front", message(BACK), "hit", 20, (3, 0, 0)),
    Row("CNAME asked for", message("@ 20 IN CNAME b\n"), "hit", 20, (1, 0, 0), qtype="CNAME"),
    Row("ANY asked for", message(A + "@ 25 IN TXT x\n"), "hit", 20, (2, 0, 0), qtype="ANY"),
    Row("HTTPS", message("@ 20 IN HTTPS 1 . alpn=h2\n"), "hit", 20, (1, 0, 0), qtype="HTTPS"),
    Row("NODATA", message("", SOA), "hit", 20, (0, 1, 0)),
    Row("NXDOMAIN", message("", SOA, rcode="NXDOMAIN"), "hit", 20, (0, 1, 0), rcode="NXDOMAIN"),
    Row("CNAME and SOA", message("@ 22 IN CNAME b\n", SOA), "hit", 20, (1, 1, 0)),
    Row("SERVFAIL", message(rcode="SERVFAIL"), "hit", None, rcode="SERVFAIL"),
    Row("SERVFAIL with records", message(A, rcode="SERVFAIL"), "hit", None, rcode="SERVFAIL"),
    Row("NOTIMP", message(rcode="NOTIMP"), "hit", None, rcode="NOTIMP"),
    Row("FORMERR", message(rcode="FORMERR"), "pass", rcode="FORMERR", each=2),  # once more without EDNS
    Row("REFUSED", message(rcode="REFUSED"), "pass", rcode="REFUSED"),
    Row("YXDOMAIN", message(rcode="YXDOMAIN"), "pass", rcode="YXDOMAIN"),
    Row("NXDOMAIN with answers", message(A, rcode="NXDOMAIN"), "pass", 20, (1, 0, 0), rcode="NXDOMAIN"),
    Row("NXDOMAIN without SOA", message(rcode="NXDOMAIN"), "pass", rcode="NXDOMAIN"),
    Row("NOERROR with nothing", message(), "hit"),
    Row("chain that dangles, no SOA", message("@ 20 IN CNAME b\n"), "pass", 20, (1, 0, 0)),
    Row("chain that ends in another type, no SOA", message("@ 20 IN CNAME b\nb 25 IN TXT x\n"), "pass", 20, (2, 0, 0)),
    Row("two targets at one owner", message("@ 22 IN CNAME b\n@ 25 IN CNAME c\nb 20 IN A 192.0.2.1\n"), "pass", 20, (3, 0, 0)),
    Row("CNAME loop", message("@ 22 IN CNAME b\nb 20 IN CNAME @\n"), "pass", 20, (2, 0, 0)),
    Row("record off the chain", message(A + "other 25 IN A 192.0.2.9\n"), "pass", 20, (1, 0, 0), handed_on=message(A)),
    Row("AXFR", message(SOA), "pass", 20, (1, 0, 0), qtype="AXFR", udp_only=True),
    Row("IXFR", message(SOA), "pass", 20, (1, 0, 0), qtype="IXFR"),
    Row("TC=1 over UDP and TCP", message(A, flags="QR TC RD RA"), "pass", 20, (1, 0, 0), tc={1: 1, 2: 1, 3: 1}, transports="both"),
    # ---- TTLs: zone rows.test. has `cache 30`, so denials too have 30 at most, 5 at least
    Row("least of all sections", message("@ 29 IN A 192.0.2.1\n", "@ 17 IN NS ns\n", "ns 19 IN A 192.0.2.4\n"), "hit", 17, (1, 1, 1)),
    Row("TTL 0 becomes 5", message("@ 0 IN A 192.0.2.1\n"), "hit", 5, (1, 0, 0)),
    Row("TTL 1 becomes 5", message("@ 1 IN A 192.0.2.1\n"), "hit", 5, (1, 0, 0)),
    Row("TTL 3600 becomes 30", message("@ 3600 IN A 192.0.2.1\n"), "hit", 30, (1, 0, 0)),
    Row("the longest TTL becomes 30", message("@ 2147483647 IN A 192.0.2.1\n"), "hit", 30, (1, 0, 0)),
    Row("RFC 2308: MINIMUM below the SOA's TTL", message("", "@ 29 IN SOA ns h 1 2 3 4 9\n"), "hit", 9, (0, 1, 0)),
    Row("RFC 2308: the SOA's TTL below MINIMUM", message("", "@ 8 IN SOA ns h 1 2 3 4 29\n", rcode="NXDOMAIN"), "hit", 8, (0, 1, 0),
        rcode="NXDOMAIN"),
    Row("negative TTL 0 becomes 5", message("", "@ 0 IN SOA ns h 1 2 3 4 0\n"), "hit", 5, (0, 1, 0)),
    Row("sides: success", message("@ 5000 IN A 192.0.2.1\n"), "hit", 300, (1, 0, 0), zone="sides.test."),
    Row("sides: success minimum", message("@ 3 IN A 192.0.2.1\n"), "hit", 40, (1, 0, 0), zone="sides.test."),
    Row("sides: denial", message("", "@ 5000 IN SOA ns h 1 2 3 4 4000\n"), "hit", 60, (0, 1, 0), zone="sides.test."),
    Row("sides: denial minimum", message("", "@ 2 IN SOA ns h 1 2 3 4 4000\n"), "hit", 20, (0, 1, 0), zone="sides.test."),
    Row("minimum 0: TTL 0 is not kept", message("@ 0 IN A 192.0.2.1\n"), "pass", 0, (1, 0, 0), zone="zero.test."),
    Row("minimum 0: TTL 1 is", message("@ 2 IN A 192.0.2.1\n"), "hit", 2, (1, 0, 0), zone="zero.test."),
    Row("minimum 0: negative TTL 0 is not kept", message("", "@ 0 IN SOA ns h 1 2 3 4 50\n"), "pass", 0, (0, 1, 0), zone="zero.test."),
    Row("servfail 0", message(rcode="SERVFAIL"), "pass", None, rcode="SERVFAIL", zone="zero.test."),
    Row("keepttl", message("@ 50 IN A 192.0.2.1\n"), "hit", 50, (1, 0, 0), zone="keep.test.", exact=True, wait=1.2),
    # ---- where there is no cache
    Row("disable success ZONE", message(A), "pass", 20, (1, 0, 0), zone="a.off.test."),
    Row("disable success ZONE, denial", message("", SOA), "hit", 20, (0, 1, 0), zone="a.off.test."),
    Row("disable success, another zone", message(A), "hit", 20, (1, 0, 0), zone="off.test."),
    Row("disable denial ZONE", message("", SOA), "pass", 20, (0, 1, 0), zone="b.off.test."),
    Row("disable denial ZONE, SERVFAIL", message(rcode="SERVFAIL"), "pass", rcode="SERVFAIL", zone="b.off.test."),
    Row("disable denial ZONE, success", message(A), "hit", 20, (1, 0, 0), zone="b.off.test."),
    Row("disable success", message(A), "pass", 20, (1, 0, 0), zone="dsuccess.test."),
    Row("disable success, denial", message("", SOA), "hit", 20, (0, 1, 0), zone="dsuccess.test."),
    Row("disable denial", message("", SOA), "pass", 20, (0, 1, 0), zone="ddenial.test."),
    Row("cache ZONES, in one", message(A), "hit", 20, (1, 0, 0), zone="in.some.test."),
    Row("cache ZONES, in none", message("@ 3600 IN A 192.0.2.1\n"), "pass", 3600, (1, 0, 0), zone="out.some.test."),
    Row("no cache", message("@ 3600 IN A 192.0.2.1\n"), "pass", 3600, (1, 0, 0), zone="none.test."),
    Row("success 0", message(A), "pass", 20, (1, 0, 0), zone="nosuccess.test."),
    # ---- the header
    Row("AA=1 upstream", message(A, flags="QR AA RD RA"), "hit", 20, (1, 0, 0)),
    Row("RA=0 upstream", message(A, flags="QR RD"), "hit", 20, (1, 0, 0)),
    Row("AD upstream", message(A, flags="QR RD RA AD"), "hit", 20, (1, 0, 0)),
    Row("AD upstream, not cached", message(rcode="REFUSED", flags="QR RD RA AD"), "pass", rcode="REFUSED"),
    Row("more than 512", message(many(40)), "hit", 20, (40, 0, 0), tc={1: 29}),
    Row("more than 1232", message(many(100)), "hit", 20, (100, 0, 0), tc={1: 29}, kernel=False),
    Row("more than 1232, not cached", message(many(100), rcode="NXDOMAIN"), "pass", 20, (100, 0, 0), rcode="NXDOMAIN", tc={1: 29}),
    Row("OPT upstream is not handed on", "edns 0\npayload 4096\n" + message(A), "hit", 20, (1, 0, 0)),
]
for i, row in enumerate(ROWS):
    row.name = dns.name.from_text(f"Row{i}.{row.zone}")


def answers():
    """The upstream's messages, for fake-upstream --answers."""
    return "".join(f"== {row.name} {row.qtype}\n{row.upstream}" for row in ROWS)


def records(sections):
    return sorted(f"{rr.name} {rr.rdtype} {rr[0]}".lower() for section in sections for rr in section)


def check(row, query, reply, nth, age):
    """The nth reply, `age` seconds after the first query was sent."""
    sections = reply.answer, reply.authority, reply.additional
    assert dns.rcode.to_text(reply.rcode()) == row.rcode
    part = row.opts.get("tc", {}).get(nth)  # so many records of the answer, and TC=1
    assert tuple(map(len, sections)) == ((part, 0, 0) if part is not None else row.n)
    upstream = dns.message.from_text(row.opts.get("handed_on", row.upstream), one_rr_per_rrset=True, origin=row.name,
                                     relativize=False)
    if any(sections):
        check_records(row, records(sections), records((upstream.answer, upstream.authority, upstream.additional)), part)
        check_ttls(row, {rr.ttl for section in sections for rr in section}, nth, age)
    check_header(row, query, reply, upstream, nth, part is not None)


def check_records(row, ours, theirs, part):
    if part is None:
        assert ours == theirs
    else:
        assert len(set(ours) & set(theirs)) == part, "whole records of upstream's, none twice"


def check_ttls(row, ttls, nth, age):
    assert len(ttls) == 1
    exact = row.opts.get("exact") or row.kind != "hit" or nth == 1
    low = row.ttl if exact else max(1, row.ttl - int(age) - 1)
    assert low <= ttls.pop() <= row.ttl


def check_header(row, query, reply, upstream, nth, truncated):
    def has(message, flag):
        return bool(message.flags & getattr(dns.flags, flag))

    assert has(reply, "QR") and has(reply, "RD")
    assert has(reply, "TC") == truncated
    if row.kind == "hit" and nth > 1:
        assert has(reply, "AA")
    assert has(reply, "RA") == has(upstream, "RA")
    assert has(reply, "AD") == (has(upstream, "AD") and has(query, "AD"))
    assert reply.edns == query.edns
    if query.edns >= 0:
        assert (reply.payload, len(reply.options)) == (1232, 0)


# ---- queries that are none

QUERY = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x03www\x04rows\x04test\x00\x00\x01\x00\x01"


def refusal(flags, length):
    def check_refusal(out):
        assert (out[:4].hex(), len(out)) == (f"1234{flags}", length)
    return check_refusal


def badvers(out):
    reply = dns.message.from_wire(out)
    assert (dns.rcode.to_text(reply.rcode()), reply.edns, len(reply.question)) == ("BADVERS", 0, 1)


# What a query that is none is answered; None: nothing.
RAW = [
    ("EDNS version 1", QUERY[:8] + b"\x00\x01" + QUERY[10:] + b"\x00\x00\x29\x10\x00\x00\x01\x00\x00\x00\x00", badvers),
    ("QDCOUNT 0", b"\x01\x00" + bytes(8), refusal("8101", 12)),
    ("QDCOUNT 2", b"\x01\x00\x00\x02" + bytes(6) + QUERY[10:] * 2, refusal("8101", 12)),
    ("a name that ends early", QUERY[:-6], refusal("8101", 12)),
    ("a label of 64 octets", QUERY[:10] + b"\x40" + bytes(64) + b"\x00\x00\x01\x00\x01", refusal("8101", 12)),
    ("a compressed name", QUERY[:10] + b"\xc0\x0c\x00\x01\x00\x01", refusal("8101", 12)),
    ("STATUS", b"\x10\x00" + QUERY[2:], refusal("9004", 12)),
    ("NOTIFY", b"\x20\x00" + QUERY[2:], refusal("a004", 12)),
    ("UPDATE", b"\x28\x00" + QUERY[2:], refusal("a804", 12)),
    ("QR=1", b"\x81\x00" + QUERY[2:], None),
    ("11 octets", QUERY[:9], None),
]
