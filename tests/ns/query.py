# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Queries as dig sends them, answers as dnspython reads them: the one place where tests do either."""
import dataclasses
import os
import random
import select
import socket
import string
import struct
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename

# What asking in vain raises.
SILENCE = (dns.exception.Timeout, ConnectionError, EOFError, socket.timeout)


def unique(*labels):
    """A name that nobody has asked for yet."""
    return ".".join(("x" + "".join(random.SystemRandom().choices(string.ascii_lowercase + string.digits, k=12)),)
                    + labels)


@dataclasses.dataclass
class Answer:
    query: dns.message.Message
    message: dns.message.Message
    wire: bytes
    ms: float  # from the query until the (last) reply
    tcp: bool
    retried: bool = False  # over TCP, because the reply over UDP was truncated

    @property
    def status(self):
        return dns.rcode.to_text(self.message.rcode())

    @property
    def values(self):
        """The answer's data in its order, as `dig +short` prints it."""
        return [rrset[0].to_text() for rrset in self.message.answer]

    @property
    def value(self):
        """The data of an answer of one record."""
        assert len(self.values) == 1, self
        return self.values[0]

    @property
    def records(self):
        """NAME TYPE DATA of all sections, sorted; the OPT is none."""
        sections = (self.message.answer, self.message.authority, self.message.additional)
        return sorted(f"{rr.name} {dns.rdatatype.to_text(rr.rdtype)} {rr[0]}" for section in sections for rr in section)

    @property
    def ttls(self):
        sections = (self.message.answer, self.message.authority, self.message.additional)
        return {rrset.ttl for section in sections for rrset in section}

    @property
    def ttl(self):
        """The one TTL of all records; None without records."""
        assert len(self.ttls) < 2, self
        return next(iter(self.ttls), None)

    @property
    def flags(self):
        """Lower case, with "do" of the OPT: {"qr", "rd", "ra"}."""
        both = dns.flags.to_text(self.message.flags) + " " + dns.flags.edns_to_text(self.message.ednsflags)
        return set(both.lower().split())

    @property
    def soa(self):
        """NAME and data of the authority's SOA, or None."""
        for rrset in self.message.authority:
            if rrset.rdtype == dns.rdatatype.SOA:
                return f"{rrset.name} {rrset[0]}"
        return None

    @property
    def edns(self):
        """The OPT's version, -1 without."""
        return self.message.edns

    def option(self, code):
        return next((x for x in self.message.options if x.otype == code), None)

    def __str__(self):
        return f"{'TCP' if self.tcp else 'UDP'}, {self.ms:.0f} ms: {self.message}"


def make_query(name, rdtype="A", *, rdclass="IN", opcode="QUERY", payload=1232, version=0, cookie=True, options=(),
               dnssec=False, cd=False, ad=True, qid=None):
    """As dig 9.18 has it: RD, AD, EDNS with 1232 octets and a cookie. payload=None: no EDNS."""
    name = dns.name.from_text(name) if isinstance(name, str) else name
    query = dns.message.make_query(name, rdtype, rdclass)
    if qid is not None:
        query.id = qid
    query.set_opcode(dns.opcode.from_text(opcode))
    query.flags |= (dns.flags.AD if ad else 0) | (dns.flags.CD if cd else 0)
    if payload is not None:
        options = list(options) + ([dns.edns.GenericOption(10, os.urandom(8))] if cookie else [])
        query.use_edns(version, dns.flags.DO if dnssec else 0, payload, options=options)
    return query


def reverse(address):
    return dns.reversename.from_address(address).to_text()


def option(code, data):
    """An EDNS option."""
    return dns.edns.GenericOption(code, data)


def subnet(net):
    address, prefix = net.split("/")
    return dns.edns.ECSOption(address, int(prefix))


def read_message(stream):
    """One message off a file of a TCP connection; EOFError at its end."""
    head = stream.read(2)
    if len(head) < 2:
        raise EOFError("the connection was closed")
    wire = stream.read(struct.unpack("!H", head)[0])
    if len(wire) < struct.unpack("!H", head)[0]:
        raise EOFError("the connection was closed within a message")
    return wire


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


def parse(wire):
    return dns.message.from_wire(wire, one_rr_per_rrset=True)


class Asker:
    """Whoever asks: a Host is one. Each query has a socket of its own."""

    def __init__(self, server):
        self.server = server

    def socket(self, kind, server=None, port=53, source=None, timeout=3.0):
        """Connected to the server, from this host; source is (address, port)."""
        server = server or self.server
        with self.entered():
            sock = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind)
        sock.settimeout(timeout)
        if source:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(source)
        try:
            sock.connect((server, port))
        except OSError:
            sock.close()
            raise
        return sock

    def udp(self, server=None, **options):
        return self.socket(socket.SOCK_DGRAM, server, **options)

    def tcp(self, server=None, **options):
        return self.socket(socket.SOCK_STREAM, server, **options)

    def exchange(self, query, server=None, *, tcp=False, ignore_tc=False, timeout=3.0, port=53, source=None):
        """Sends once. A truncated reply is asked for over TCP, unless ignore_tc. Raises one of SILENCE."""
        start, wire = time.monotonic(), query.to_wire()
        with self.socket(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM, server, port, source, timeout) as sock:
            if tcp:
                sock.sendall(framed(wire))
                reply = read_message(sock.makefile("rb"))
            else:
                sock.send(wire)
                reply = sock.recv(65535)
        message = parse(reply)
        assert query.is_response(message), f"not the answer to {query}: {message}"
        ms = (time.monotonic() - start) * 1000
        if message.flags & dns.flags.TC and not tcp and not ignore_tc:
            answer = self.exchange(query, server, tcp=True, timeout=timeout, port=port)
            return dataclasses.replace(answer, ms=answer.ms + ms, retried=True)
        return Answer(query, message, reply, ms, tcp)

    def ask(self, name, rdtype="A", server=None, *, tcp=False, ignore_tc=False, timeout=3.0, port=53, source=None,
            **options):
        """The answer to a query by make_query()."""
        return self.exchange(make_query(name, rdtype, **options), server, tcp=tcp, ignore_tc=ignore_tc,
                             timeout=timeout, port=port, source=source)

    def values(self, *args, **options):
        return self.ask(*args, **options).values

    def value(self, *args, **options):
        return self.ask(*args, **options).value

    def says(self, value, *args, **options):
        """Whether the answer is this one value; False too where there is none. For wait_until()."""
        try:
            return self.ask(*args, **options).values == [value]
        except SILENCE:
            return False

    def send_away(self, *args, **options):
        """A query whose answer nobody waits for."""
        with self.udp(options.pop("server", None)) as sock:
            sock.send(make_query(*args, **options).to_wire())

    def begin(self, name, rdtype="A", server=None, *, timeout=8.0, **options):
        """A query under way; the answer is had by calling what this returns."""
        query, start = make_query(name, rdtype, **options), time.monotonic()
        sock = self.udp(server, timeout=timeout)
        sock.send(query.to_wire())

        def finish():
            with sock:
                wire = sock.recv(65535)
            return Answer(query, parse(wire), wire, (time.monotonic() - start) * 1000, False)
        return finish

    def ask_all(self, names, rdtype="A", server=None, *, timeout=4.0, pace=0.0, window=64, **options):
        """Many names, `window` of them under way at a time, each with an ID of its own on one socket; {name: Answer}."""
        answers, waiting, rest = {}, {}, iter(list(names))
        with self.udp(server, timeout=timeout) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            for qid in range(65536):
                name = next(rest, None)
                if name is not None:
                    query = make_query(name, rdtype, qid=qid, **options)
                    waiting[qid] = name, query, time.monotonic()
                    sock.send(query.to_wire())
                    time.sleep(pace)
                elif not waiting:
                    break
                while waiting and (name is None or len(waiting) >= window):
                    if not select.select([sock], [], [], timeout)[0]:
                        return answers
                    wire = sock.recv(65535)
                    message = parse(wire)
                    asked, query, sent = waiting.pop(message.id)
                    answers[asked] = Answer(query, message, wire, (time.monotonic() - sent) * 1000, False)
        return answers
