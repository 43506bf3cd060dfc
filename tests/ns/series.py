# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the programs have counted, read from the pinned maps by bpftool, not by nodens."""
import json
import os
import re
import struct

from lab import BPFFS, ROOT, output, wait_until

# struct nodens_series (headers/nodens_series.h), in words: its arrays, and then four sums
ARRAYS = {"requests": 64, "replies": 64, "sizes": 64}
HITS = 2  # the first counters of nodens_percpu: hits, hits_truncated


def sums(pin):
    """Of a per-CPU array's entries, each added up over the CPUs: [[word, ...], ...]"""
    entries = []
    for entry in json.loads(output("bpftool", "-j", "map", "dump", "pinned", pin)):
        values = [bytes(int(octet, 16) for octet in cpu["value"]) for cpu in entry["values"]]
        entries.append([sum(words) for words in zip(*(struct.unpack(f"={len(value) // 8}Q", value) for value in values))])
    return entries


def by_series(pin):
    """[{"requests": N, "replies": N, "sizes": N}, ...]: each array added up."""
    for words in sums(pin):
        counts, at = {}, 0
        for name, length in ARRAYS.items():
            counts[name] = sum(words[at:at + length])
            at += length
        yield counts


def hits(directory):
    return sum(sums(directory / "nodens_percpu")[0][:HITS])


def hits_add_up(directory):
    """Is each hit in one cell of each of the series' arrays? They are counted there first: while queries go on, there are as
    many as hits before they were read, at least, and as hits after it and one more of each CPU, at most."""
    before, series, after = hits(directory), list(by_series(directory / "nodens_series")), hits(directory)
    most = after if after == before else after + os.cpu_count()
    return all(before <= sum(counts[name] for counts in series) <= most for name in ARRAYS)


# struct nodens_device_counts (headers/nodens_device.h): its words, nxdomain apart, and the counters that each sums up
BY_DEVICE = {
    0: ("HIT", "HIT_TC"),
    2: ("MISS", "AGENT_EDNS", "AGENT_ECS"),
    3: ("TCP",),
    4: ("STEER_OFF", "STEER_DEAD", "STEER_HUNG", "STEER_SHED", "STEER_CONFLICT", "STEER_FULL", "STEER_VLAN", "STEER_ERROR"),
    5: ("RESPONSE", "OPCODE", "QDCOUNT", "SECTIONS", "QNAME", "QCLASS", "ADDITIONAL", "LARGE", "DISARMED", "RESIZE", "BROKEN"),
}
COUNTERS = dict(re.findall(r'^\tX[(](\w+),\s+"(\w+)"', (ROOT / "headers/nodens_counters.h").read_text(), re.M))


def outcomes(directory):
    """What is to be counted by device, of the counters: {word: n}"""
    counters = dict(zip(COUNTERS, sums(directory / "nodens_percpu")[0]))
    return {word: sum(counters[name] for name in names) for word, names in BY_DEVICE.items()}


def devices_are_counted(directory):
    """Some device has a number."""
    sets = json.loads(output("bpftool", "-j", "map", "dump", "pinned", directory / "nodens_devnum"))
    return any(int(octet, 16) for entry in sets for octet in entry["value"])


def by_device(directory):
    """Of all devices that there are and were, together."""
    return [sum(words) for words in zip(*sums(directory / "nodens_devcount"))]


def devices_add_up(directory):
    """A packet's outcome is counted first, then its device."""
    before, devices, after = outcomes(directory), by_device(directory), outcomes(directory)
    return all(before[word] - os.cpu_count() <= devices[word] <= after[word] for word in BY_DEVICE)


def check():
    """Of all agents that have left maps, or run."""
    for pin in BPFFS.rglob("nodens_series"):
        wait_until(3, lambda: hits_add_up(pin.parent),
                   lambda: f"{hits(pin.parent)} hits, by series {list(by_series(pin))}")
        if devices_are_counted(pin.parent):
            wait_until(3, lambda: devices_add_up(pin.parent),
                       lambda: f"outcomes {outcomes(pin.parent)}, by device {by_device(pin.parent)}")
