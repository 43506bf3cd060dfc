# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What nodens takes with NodeLocal DNSCache's Corefile: of the kernel (the maps' memlock, as bpftool states it) and of the
process (its resident pages but for those of maps, which count as maps already). Linux before 6.4 states of a hash map what it
may take at most."""
import json
import pathlib
import re

from agent import block, directive
from cluster import D
from lab import DNS4, UP4, note, output

MB = 1000 * 1000
FRESH, WITH_10000 = 12 * MB, 17 * MB
ZONES = "in-addr.arpa:53", "ip6.arpa:53", ".:53"


def corefile():
    cluster = directive("cache", "success 9984 3600 3600", "denial 9984 5")
    return block("cluster.local:53", "errors", cluster, f"bind {DNS4}", f"forward . {UP4}") + "".join(
        block(zone, "errors", "cache 30", f"bind {DNS4}", f"forward . {UP4}") for zone in ZONES)


def maps(pid):
    """Bytes of the maps that it has open and of those that are pinned, each once."""
    pins = [pin for pin in pathlib.Path("/sys/fs/bpf/nodens").rglob("*") if pin.is_file() and pin.parent.name != "links"]
    ids = {json.loads(output("bpftool", "-j", "map", "show", "pinned", pin))["id"] for pin in pins}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        found = re.search(r"^map_id:\s+(\d+)", info.read_text(), re.M)
        ids |= {int(found[1])} if found else set()
    return sum(json.loads(output("bpftool", "-j", "map", "show", "id", i))["bytes_memlock"] for i in ids)


def resident(pid):
    areas = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{pid}/smaps").read_text(), flags=re.M)
    return sum(1024 * int(re.search(r"^Rss:\s+(\d+)", area, re.M)[1]) for area in areas
               if area and "bpf-map" not in area.split("\n")[0])


def taken(nodens, what):
    of_maps, of_process = maps(nodens.pid), resident(nodens.pid)
    note(f"{what}: {of_maps / MB:.1f} MB of maps, {of_process / MB:.1f} MB resident")
    return of_maps + of_process


def test_memory_follows_use(nodens, p1):
    nodens.start("--hook", "tc", serve=[DNS4], probe=p1, corefile=corefile())
    assert taken(nodens, "fresh") <= FRESH
    for rdtype in "A", "AAAA":
        assert len(p1.ask_all([f"n{i}.{D}" for i in range(5000)], rdtype)) == 5000
    assert nodens.stat("cache.entries") >= 9984
    assert taken(nodens, "with 10,000 answers") <= WITH_10000
