#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Queries at a rate, whose answers nobody waits for.

    flood.py SERVER RATE SECONDS one NAME        that name
    flood.py SERVER RATE SECONDS new SUFFIX      a new one below SUFFIX each time
    flood.py SERVER RATE SECONDS collide SUFFIX  likewise, and all differ in octets 6 and 7 of words of eight alone

Says how many it sent.
"""
import itertools
import os
import socket
import struct
import sys
import time

DIGITS = b"abcdefghijklmnopqrstuvwxyz0123456789"


def wire_name(text):
    return b"".join(bytes([len(x)]) + x.encode() for x in text.split(".") if x) + b"\0"


def names(kind, text):
    suffix = wire_name(text)
    if kind == "one":
        yield from itertools.repeat(suffix)
    elif kind == "new":
        prefix = os.urandom(4).hex()
        for n in itertools.count():
            label = b"%s-%d" % (prefix.encode(), n)
            yield bytes([len(label)]) + label + suffix
    else:
        # the label's length is octet 0 of the first word; three words
        label = bytearray(b"a" * 23)
        for digits in itertools.product(DIGITS, repeat=6):
            label[5:7], label[13:15], label[21:23] = (bytes(digits[i:i + 2]) for i in (0, 2, 4))
            yield bytes([len(label)]) + bytes(label) + suffix


def main():
    server, rate, seconds, kind, text = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((server, 53))
    start, sent = time.monotonic(), 0
    for name in names(kind, text):
        now = time.monotonic() - start
        if now >= seconds:
            break
        if sent > now * rate:
            time.sleep(sent / rate - now)
        try:
            sock.send(struct.pack("!HHHHHH", sent & 0xffff, 0x100, 1, 0, 0, 0) + name + b"\0\1\0\1")
        except OSError: # what the other side refuses is sent all the same
            continue
        sent += 1
    print(f"sent={sent}")


main()
