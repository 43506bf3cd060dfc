#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Prints the name (lower case, no dot at the end) of each DNS query that comes in, over UDP and TCP, as it comes.

    dns_log.py      in the network namespace of a server
"""
import socket
import struct
import sys

ETH_P_ALL, OUTGOING = 3, 4


def payload(packet):
    """Of a segment or datagram to port 53: what is in it."""
    if packet[0] >> 4 == 4:
        at, proto = (packet[0] & 15) * 4, packet[9]
        packet = packet[:struct.unpack("!H", packet[2:4])[0]]
    else:
        at, proto = 40, packet[6]
    if proto not in (6, 17) or struct.unpack("!H", packet[at + 2:at + 4])[0] != 53:
        return b""
    return packet[at + 8:] if proto == 17 else packet[at + (packet[at + 12] >> 4) * 4:][2:]


def name(message):
    if len(message) < 17 or message[2] & 0x80:
        return None
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += message[at] + 1
    return b".".join(labels).decode("ascii", "replace").lower() or "."


def main():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    print("ready.", flush=True)
    while True:
        packet, where = sock.recvfrom(65535)
        try:
            asked = name(payload(packet)) if where[2] != OUTGOING else None
        except (IndexError, struct.error):
            continue
        if asked:
            print(asked, flush=True)


if __name__ == "__main__":
    sys.exit(main())
