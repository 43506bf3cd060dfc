# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What `nodens dump` says is cached, held against what dig shows a pod of it."""
import json
import re
import time

import dns.rdata
import pytest

from agent import command
from lab import DNS4, wait_until

HEADING = re.compile(r"^;; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:$")

# Type: records as zone files have them, by section; @ is the name.
RECORDS = {
    "A": {"ANSWER": ["@ 300 IN A 192.0.2.1", "@ 300 IN A 192.0.2.2"]},
    "AAAA": {"ANSWER": ["@ 300 IN CNAME Alias.@", "alias.@ 300 IN CNAME x\\.y\\;z.@", "x\\.y\\;z.@ 300 IN AAAA 2001:db8::1"]},
    "MX": {"ANSWER": ["@ 300 IN MX 10 mail.@", "@ 300 IN MX 20 ."], "ADDITIONAL": ["mail.@ 300 IN A 192.0.2.3"]},
    "TXT": {"ANSWER": [r'@ 300 IN TXT "a \"b\" ; \\ c" "" "\007\255 \027[31m"']},
    "SRV": {"ANSWER": ["@ 300 IN SRV 0 5 5060 sip.@"]},
    "CAA": {"ANSWER": ['@ 300 IN CAA 128 issue "ca.example.net; x=y"']},
    "NAPTR": {"ANSWER": ['@ 300 IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .']},
    "HTTPS": {"ANSWER": ["@ 300 IN HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1"]},
    "DNSKEY": {"ANSWER": ["@ 300 IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="]},
    "LOC": {"ANSWER": ["@ 300 IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"]},
    "TYPE65280": {"ANSWER": [r"@ 300 IN TYPE65280 \# 4 c0000201", r"@ 300 IN TYPE65280 \# 0"]},
    "SOA": {"ANSWER": ["@ 300 IN SOA ns.@ host\\.master.@ 2026112801 7200 3600 1209600 60"]},
}


# ---- helpers ---------------------------------------------------------------------------------------------


def message(sections, rcode="NOERROR"):
    lines = ["flags QR RD RA", f"rcode {rcode}"]
    for section, records in sections.items():
        lines += [f";{section}", *(record.replace(".@", ".many.test.").replace("@ ", "many.test. ", 1) if record[0] == "@"
                                   else record.replace(".@", ".many.test.") for record in records)]
    return "\n".join(lines) + "\n"


def records_of(text):
    """{section: [(name, TTL, type, data)]}, sorted, whoever printed it; data as dnspython writes it."""
    sections, section = {}, None
    for line in text.splitlines():
        if heading := HEADING.match(line):
            section = heading.group(1)
        elif line and line[0] != ";":
            name, ttl, rdclass, rdtype, data = line.split(None, 4)
            assert rdclass == "IN"
            data = dns.rdata.from_text("IN", rdtype, data).to_text()
            sections.setdefault(section, []).append((name.lower(), int(ttl), rdtype, data.lower()))
    return {section: sorted(records) for section, records in sections.items()}


def dig(pod, *words):
    return records_of(pod.output("dig", "+nocmd", "+nostats", "+noquestion", "+nocookie", "+bufsize=1232", f"@{DNS4}", *words))


def blocks(*words):
    """{(type, flags): the records of that entry} of `nodens dump --answers`."""
    text, status = command("dump", "--answers", *words)
    assert status == 0
    heading, *entries = re.split(r"^; ", text, flags=re.M)[1:]
    assert heading.split() == "NAME TYPE RCODE TTL HITS KIND FLAGS".split()
    found = {}
    for entry in entries:
        line, rest = entry.split("\n", 1)
        _, rdtype, _, _, _, _, flags = line.split()
        found[rdtype, flags] = records_of(rest)
    return found


def answers(*words, status=0):
    text, given = command("dump", "--json", *words)
    assert given == status
    return json.loads(text)["answers"]


def same(ours, digs):
    """The same records; a second may have gone by."""
    assert ours.keys() == digs.keys()
    for section in digs:
        for (name, ttl, *record), (name2, ttl2, *record2) in zip(ours[section], digs[section], strict=True):
            assert (name, record) == (name2, record2) and 0 <= ttl2 - ttl <= 2, (ours, digs)


def of_json(answer):
    return records_of("\n".join(f";; {r['section'].upper()} SECTION:\n{r['name']} {r['ttl']} IN {r['type']} {r['data']}"
                                for r in answer["records"]))


# ---- records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rdtype", RECORDS)
def test_records_as_dig_prints_them(cached, cache_fake, nodens, p1, rdtype):
    if not (nodens.alive() and nodens.said("ready") and "many.test" in cache_fake.answers.read_text()):
        cached("success 9984 300 300", "denial 9984 300 300")
    cache_fake.say("many.test", rdtype, message(RECORDS[rdtype]))
    command("flush", "many.test", rdtype)
    dig(p1, "many.test", rdtype)
    with nodens.counting() as gains:
        digs = dig(p1, "many.test", rdtype)
    assert gains["kernel.hits"] == 1
    assert sum(map(len, digs.values())) == sum(map(len, RECORDS[rdtype].values()))
    same(blocks("many.test")[rdtype, "-"], digs)
    answer, = (answer for answer in answers("--answers", "many.test") if answer["type"] == rdtype)
    same(of_json(answer), digs)


def test_denials_with_their_soa(cached, cache_fake, p1):
    cached("success 9984 30 5", "denial 9984 30 5")
    cache_fake.say_nxdomain("not.test", 30)
    cache_fake.say("empty.test", "A", "flags QR RD RA\nrcode NOERROR\n;AUTHORITY\ntest. 30 IN SOA ns. h. 1 2 3 4 30\n")
    for name in "not.test", "empty.test":
        digs = dig(p1, name, "A")
        assert list(digs) == ["AUTHORITY"]
        same(blocks(name)["A", "-"], digs)
    assert [answer["name"] for answer in answers("--nx")] == ["not.test."]
    assert answers("--nx", "empty.test", status=1) == []


def test_signatures_for_who_asks_for_them(cached, cache_fake, p1):
    cached("success 9984 30 5")
    signature = "A 13 2 30 20301231000000 20261101000000 1 test. " + "A" * 86 + "=="
    cache_fake.say("signed.test", "A", f"flags QR RD RA\nrcode NOERROR\n;ANSWER\n@ 30 IN A 192.0.2.1\n@ 30 IN RRSIG {signature}\n")
    plain, signed = dig(p1, "signed.test", "A"), dig(p1, "+dnssec", "signed.test", "A")
    assert len(signed["ANSWER"]) == 2
    found = blocks("signed.test")
    same(found["A", "-"], plain)
    same(found["A", "DO"], signed)


# ---- which, and in what order ----------------------------------------------------------------------------


def test_names_and_orders(cached, cache_fake, p1):
    cached("success 9984 300 5")
    hits = {"b.z.test": 3, "a.z.test": 9, "z.test": 0, "a.az.test": 6}
    for i, (name, n) in enumerate(hits.items()):
        cache_fake.say_a(name, 100 - 10 * i, "192.0.2.1")
        for _ in range(n + 1):
            p1.ask(name, timeout=7)
    time.sleep(1.1)

    def names(*words):
        return [answer["name"][:-1] for answer in answers(*words) if answer["name"].endswith("z.test.")]
    assert names("--sort", "name") == ["a.az.test", "z.test", "a.z.test", "b.z.test"]
    assert names("--sort", "hits") == ["a.z.test", "a.az.test", "b.z.test", "z.test"]
    assert names("--sort=ttl") == ["a.az.test", "z.test", "a.z.test", "b.z.test"]
    assert {answer["name"][:-1]: answer["hits"] for answer in answers()}.items() >= hits.items()
    assert names("*.z.test", "--sort", "name") == ["a.z.test", "b.z.test"]
    assert names("Z.test.") == ["z.test"]
    assert answers("*.nobody.test", status=1) == []
    assert command("dump", "--sort", "size")[1] == 2


def test_stale(cached, cache_fake, p1):
    cached("success 9984 30 1", "serve_stale 60s immediate")
    for name, ttl in ("old.test", 1), ("new.test", 30):
        cache_fake.say_a(name, ttl, "192.0.2.1")
        p1.ask(name, timeout=7)
    assert answers("--stale", "new.test", status=1) == []
    wait_until(5, lambda: [a["name"] for a in answers("--stale")] == ["old.test."], "it has expired")
    cache_fake.freeze()
    digs = dig(p1, "old.test", "A")
    assert digs["ANSWER"][0][1] == 0
    same(blocks("old.test")["A", "STALE"], digs)
    cache_fake.thaw()


@pytest.mark.parametrize("flags", [[], ["--pretend-kernel", "5.4"]], ids=["mapped", "pre54"])
def test_without_the_agent(nodens, cached, cache_fake, p1, flags):
    """Killed: the kernel goes on answering with what dump shows, and flush takes it out."""
    cached("success 9984 300 5", flags=flags)
    cache_fake.say_a("left.test", 100, "192.0.2.1")
    dig(p1, "left.test", "A")
    nodens.kill()
    digs = dig(p1, "left.test", "A")
    same(blocks("left.test")["A", "-"], digs)
    assert command("flush", "--tree", "test")[0] != "flushed 0\n"
    assert answers("left.test", status=1) == []
