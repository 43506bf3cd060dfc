# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A device that programs are attached to by hand, for test_attach.py and test_pins.py.

Contract: needs attach_tool and count.bpf.o below build/tests/ns (make tests), and no packages but ip, tc and bpftool.
"""
import json
import os
import re
import socket

from lab import BPFFS, BUILD, Host, ip, output, run, wait_until

TOOL = os.environ.get("ATTACH_TOOL", BUILD / "tests/ns/attach_tool")
COUNT = os.environ.get("COUNT_OBJ", BUILD / "tests/ns/count.bpf.o")
PINS, THEIRS = BPFFS / "nodens", BPFFS / "theirs"
OLD = ["--pretend", "5.10"]  # other drivers of tc are forced on a kernel with tcx


def tool(*args, prefix=()):
    return run(*prefix, TOOL, *args, check=False)


def mac(text):
    return re.search(r"link.ether ([0-9a-f:]+)", text).group(1)


def map_ids(*filters):
    return {entry["id"] for entry in json.loads(output("bpftool", "-j", "map", "show")) if entry.get("name") in filters}


def has_feature(name):
    return re.search(rf"^{name} *yes", tool("features").stdout, re.M)


class Device:
    """h0, a fresh veth with a pod behind it; nodens' part of it, and the programs of others."""

    def __init__(self, lab):
        tool("detach")
        run("ip", "link", "del", "h0", check=False)
        run("ip", "netns", "del", "behind", check=False)
        THEIRS.unlink(missing_ok=True)
        self.before, self.maps = map_ids("count_packets"), set()
        self.pod = Host(lab, "behind")
        ip("""netns add behind
            link add h0 type veth peer name eth0 netns behind""")
        # Counted is what a test sends, not what IPv6 has to say when a device comes up.
        self.pod.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6", check=False)
        ip("""link set h0 up
            addr add 10.99.0.1/24 dev h0""")
        ip(f"""addr add 10.99.0.2/24 dev eth0
            link set eth0 up
            neigh replace 10.99.0.1 lladdr {mac(output('ip', '-o', 'link', 'show', 'dev', 'h0'))} dev eth0""", "behind")
        ip(f"neigh replace 10.99.0.2 lladdr {mac(output('ip', '-n', 'behind', '-o', 'link', 'show', 'dev', 'eth0'))} dev h0")

    def send(self, n):
        with self.pod.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            for _ in range(n):
                sock.sendto(b"x\n", ("10.99.0.1", 9))

    def attach(self, *args, options=()):
        """(how, note, "new" or "adopted")"""
        done = tool(*options, "attach", *args)
        assert done.returncode == 0, done.stderr
        pin = next(PINS.glob("layout-*/nodens_ctl"))
        self.maps.add(json.loads(output("bpftool", "-j", "map", "show", "pinned", pin))["id"])
        return tuple(part.strip() for part in done.stdout.split("|"))

    def fails_to_attach(self, regex, *args, options=()):
        """An error of one line; the line."""
        done = tool(*options, "attach", *args)
        assert done.returncode and re.search(regex, done.stderr), done
        return done.stderr.strip()

    @staticmethod
    def ours():
        """What nodens' programs have counted of send()'s packets."""
        found = re.search(r"^pass_not_dns (\d+)", tool("counters").stdout, re.M)
        return int(found.group(1)) if found else 0

    def theirs(self):
        """What the foreign programs of this test have counted, all together."""
        total = 0
        for map_id in map_ids("count_packets") - self.before:
            entries = json.loads(output("bpftool", "-j", "map", "dump", "id", map_id))
            total += sum(entry["formatted"]["value"] for entry in entries if "formatted" in entry)
        return total

    def both_see(self):
        """A packet meets nodens and the foreign program."""
        ours, theirs = self.ours(), self.theirs()
        self.send(5)
        assert (self.ours() - ours, self.theirs() - theirs) == (5, 5)

    def only_theirs(self):
        """It still runs, with nodens gone."""
        theirs = self.theirs()
        self.send(3)
        assert self.theirs() - theirs == 3

    def is_clean(self):
        """Nothing is pinned, and the maps of this test are gone, so no program has them."""
        assert not PINS.exists() or not os.listdir(PINS)
        for map_id in self.maps:  # the kernel frees them a moment after their last user went
            wait_until(2, lambda: run("bpftool", "map", "show", "id", map_id, check=False).returncode,
                       f"map {map_id}, and so a program, is left")


def pinned(pattern):
    return list(PINS.glob(f"layout-*/{pattern}"))
