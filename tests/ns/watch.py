# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sessions as watch_tool prints them, taken apart here; names and numbers come from headers/."""
import contextlib
import ipaddress
import json
import re
import struct
import subprocess
import tempfile

import dns.flags
import dns.message
import dns.rcode

from lab import BUILD, ROOT, output, wait_for_line

TOOL = BUILD / "tests/ns/watch_tool"
HEADER = (ROOT / "headers/nodens_sessions.h").read_text()
KINDS = re.findall(r"^\tNODENS_EVENT_(\w+),", HEADER, re.M)
FLAGS = {int(bit, 16): name for name, bit in re.findall(r"^#define NODENS_EVENT_(\w+)\s+(0x\w+)", HEADER, re.M)}
OUTCOMES = re.findall(r"X\((\w+), \"", (ROOT / "headers/nodens_counters.h").read_text())


class Event:
    """A line. message: None where it is none (a TCP segment)."""

    def __init__(self, line):
        raw = json.loads(line)
        self.__dict__.update(raw)
        packet, l3, l4 = bytes.fromhex(raw["packet"]), raw["l3"], raw["l4"]
        self.kind, self.outcome = KINDS[raw["kind"]], OUTCOMES[raw["outcome"]]
        self.flags = {name for bit, name in FLAGS.items() if raw["flags"] & bit}
        at, size = (l3 + 8, 16) if "IP6" in self.flags else (l3 + 12, 4)
        self.source, self.destination = (str(ipaddress.ip_address(packet[at + i * size:at + (i + 1) * size])) for i in (0, 1))
        self.ports = struct.unpack_from("!HH", packet, l4)
        self.message = None
        with contextlib.suppress(Exception):
            self.message = dns.message.from_wire(packet[l4 + 8:])

    @property
    def name(self):
        return self.message.question[0].name.to_text() if self.message and self.message.question else None

    @property
    def rcode(self):
        return dns.rcode.to_text(self.message.rcode())

    @property
    def reply(self):
        return bool(self.message.flags & dns.flags.QR)

    def __repr__(self):
        return f"<{self.kind} {self.outcome} {sorted(self.flags)} {self.name} {self.took_us} us, upstream {self.upstream} x{self.tries}>"


@contextlib.contextmanager
def session():
    """All events while the block runs, in a list that is filled at its end."""
    events = []
    # into a file: a pipe that is full would stop the viewer, and its session would end
    with tempfile.NamedTemporaryFile("r") as out, open(out.name, "w") as to, \
            subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=to) as process:
        wait_for_line(process, out.name, "^ready$")
        try:
            yield events
        finally:
            process.communicate(timeout=20)
        events += [Event(line) for line in out.read().splitlines()[1:]]


def sessions():
    """How many are open on the node."""
    return int(output(TOOL, "count"))
