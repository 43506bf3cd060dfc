# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reader of dnstap that is not nodens': Debian's fstrm_capture takes the frames, dnstap-ldns says what is in them."""
import calendar
import re
import subprocess
from typing import NamedTuple

from lab import output, wait_until

CONTENT = "protobuf:dnstap.Dnstap"


class Message(NamedTuple):
    type: str  # "CLIENT_QUERY"
    querier: str
    responder: str
    proto: str
    time_ns: int  # of itself: of a response, when it was sent
    latency_ns: int  # of a response; None: not said
    identity: str
    version: str
    extra: str
    dns: str  # as ldns prints it, "" without one
    id: int
    rcode: str
    question: tuple  # ("www.example.org.", "A"), or None


def of_time(text):
    """ldns' "2026-11-28 12:00:00.123456" in ns."""
    found = re.fullmatch(r"(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)\.(\d+)", text)
    whole = calendar.timegm(tuple(map(int, found.groups()[:6])))
    return whole * 10**9 + int(found[7].ljust(9, "0"))


def decoded(text):
    """One document of dnstap-ldns -y."""
    field = dict(re.findall(r"^ *([a-z_]+): (?!\|)(.*)$", text, re.M))
    body = "".join(re.findall(r"^ *(?:query|response)_message: \|\n((?: {4}.*\n|\n)*)", text + "\n", re.M))
    value = {name: x.strip().strip('"') for name, x in field.items()}
    response = value["type"].endswith("RESPONSE")
    at = {name: of_time(value[name].removeprefix("!!timestamp ")) for name in ("query_time", "response_time") if name in value}
    asked = re.search(r"^ *;; QUESTION SECTION:\n *;(\S+)\s+IN\s+(\S+)", body, re.M)
    head = re.search(r"opcode: \w+, (?:rcode|status): (\w+), id: (\d+)", body)
    return Message(
        type=value["type"], querier=f"{value.get('query_address')}#{value.get('query_port')}",
        responder=f"{value.get('response_address')}#{value.get('response_port')}", proto=value["socket_protocol"],
        time_ns=at["response_time" if response else "query_time"],
        latency_ns=at["response_time"] - at["query_time"] if response and "query_time" in at else None,
        identity=value.get("identity", ""), version=value.get("version", ""), extra=value.get("extra", ""), dns=body,
        id=int(head[2]) if head else None, rcode=head[1] if head else "", question=(asked[1], asked[2]) if asked else None)


class Reader:
    """fstrm_capture in the background; may be stopped and started again: each time it writes a file of its own."""

    def __init__(self, where, name="tap", tcp=None):
        self.socket, self.tcp, self.files, self.process = where / f"{name}.sock", tcp, [], None
        self.where, self.name = where, name
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.files.append(self.where / f"{self.name}{len(self.files)}.fstrm")
        listen = ("-a", self.tcp[0], "-p", self.tcp[1]) if self.tcp else ("-u", self.socket)
        self.process = subprocess.Popen(["fstrm_capture", "-t", CONTENT, *map(str, listen), "-w", self.files[-1]],
                                        stderr=subprocess.PIPE)
        if not self.tcp:
            wait_until(5, self.socket.exists, "fstrm_capture does not listen")

    def end(self):
        """What it has read by then goes to its file."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stderr.close()
            self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()
        self.process = None

    def messages(self):
        return [message for path in self.files for message in messages(path)]


def messages(path):
    if not path.exists() or not path.stat().st_size:
        return []
    documents = output("dnstap-ldns", "-r", path, "-y", timeout=120).split("---\n")
    return [decoded(text) for text in documents if text.strip()]
