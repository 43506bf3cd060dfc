# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The servers that nodens asks: the cluster's DNS (two of Knot behind services), and tests/fake-upstream."""
import collections
import re
import signal
import socket
import struct

import lab as lab_module
from lab import DNS4, DNS6, ROOT, UP4, UP6, ip, run, wait_until
from query import SILENCE

FAKE = ROOT / "tests/fake-upstream"
D = "default.svc.cluster.local"

# n<i>.default.svc.cluster.local is 10.100.<i / 256>.<i % 256> and fd00:100::<i>, so that a client can tell one name's
# answer from another's.


def address_of(i):
    return f"10.100.{i // 256}.{i % 256}"


def cluster_zone():
    yield "$ORIGIN cluster.local.\n$TTL 30"
    yield "@ 30 SOA ns.dns hostmaster 1 7200 1800 86400 5\n@ NS ns.dns\nns.dns A 10.96.0.10"
    yield 'dns-version TXT "1.1.0"'
    yield "$ORIGIN default.svc.cluster.local."
    yield from (f"n{i} A {address_of(i)}\nn{i} AAAA fd00:100::{i:x}" for i in range(10000))
    yield from (f"bench-{i:04d} 3600 A 10.101.{i // 256}.{i % 256}" for i in range(1000))
    yield from (f"big A 10.102.0.{i}" for i in range(200))
    yield from (f"fifty A 10.103.0.{i}" for i in range(50))
    yield from (f"forty A 10.106.0.{i}\nforty AAAA fd00:106::{i + 1:x}" for i in range(40))
    yield from (f"web A 10.104.0.{i}\nweb AAAA fd00:104::{i}" for i in range(1, 5))
    yield "kubernetes A 10.96.0.1\nv4only A 10.105.0.4\nv6only AAAA fd00:105::6"
    yield "short 2 A 10.105.0.2\nttl5 5 A 10.105.0.5"
    yield "_https._tcp.kubernetes SRV 0 100 443 kubernetes"
    yield 'txt TXT "one" "two"'
    yield "alias1 CNAME alias2\nalias2 20 CNAME alias3\nalias3 CNAME web\ndangling CNAME gone"


ZONES = {
    "cluster.local": cluster_zone,
    "example.org": lambda: [
        "$ORIGIN example.org.\n$TTL 30",
        "@ SOA ns hostmaster 1 7200 1800 86400 60\n@ NS ns\nns A 192.0.2.53\n@ A 192.0.2.1",
        "www A 192.0.2.80\nwww AAAA 2001:db8::80\ncdn CNAME edge.cdn\nedge.cdn A 192.0.2.81",
        "mail MX 10 www\n*.wild A 192.0.2.99\n*.wild AAAA 2001:db8::99"],
    "10.in-addr.arpa": lambda: [
        "$ORIGIN 10.in-addr.arpa.\n$TTL 30\n@ SOA ns.dns.cluster.local. h.cluster.local. 1 7200 1800 86400 5",
        "@ NS ns.dns.cluster.local.\n1.0.96 PTR kubernetes.default.svc.cluster.local."],
}

KNOT = """server:
    rundir: {dir}/{name}
    listen: [ 0.0.0.0@53, "::@53" ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
control:
    listen: {dir}/{name}/ctl
database:
    storage: {dir}/{name}
template:
  - id: default
    storage: {dir}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
"""


class Knot:
    """One server of the cluster's DNS, in a pod of its own."""

    def __init__(self, lab, name):
        self.lab, self.name, self.pod = lab, name, lab.pod(name)
        self.log = lab.dir / f"{name}.log"
        self.start()

    def start(self):
        """With the zones whose files are there; "test" is a test's own."""
        home = self.lab.dir / self.name
        home.mkdir(exist_ok=True)
        zones = [zone for zone in (*ZONES, "test") if (self.lab.dir / f"{zone}.zone").exists()]
        config = self.lab.dir / f"{self.name}.conf"
        config.write_text(KNOT.format(dir=self.lab.dir, name=self.name)
                          + "".join(f"  - domain: {zone}\n    file: {zone}.zone\n" for zone in zones))
        self.process = self.pod.spawn("knotd", "-c", config, log=self.log)

    def wait(self):
        wait_until(20, self.alive, self.log.read_text)

    def alive(self):
        return self.lab.node.says("10.96.0.1", f"kubernetes.{D}", server=self.pod.ip4, timeout=1)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def control(self, *args):
        run("knotc", "-s", self.lab.dir / self.name / "ctl", *args)


class Cluster:
    """The cluster's DNS and its services: an uplink, dns1 and dns2 behind DNS4, UP4, DNS6 and UP6."""

    def __init__(self, lab):
        self.lab, self.wan = lab, lab.uplink()
        for name, lines in ZONES.items():
            (lab.dir / f"{name}.zone").write_text("\n".join(lines()) + "\n")
        self.servers = [Knot(lab, "dns1"), Knot(lab, "dns2")]
        self.log = None
        for vip in DNS4, UP4:
            self.service("iptables", vip, [f"{x.pod.ip4}:53" for x in self.servers])
        for vip in DNS6, UP6:
            self.service("ip6tables", vip, [f"[{x.pod.ip6}]:53" for x in self.servers])
        for server in self.servers:
            server.wait()

    @staticmethod
    def service(tool, vip, backends):
        """As kube-proxy's iptables mode writes it: any of two backends at random, from pods and from the node itself."""
        tail = re.split("[.:]", vip)[-1]
        rules = ["*nat"]
        if run(tool, "-w", "-t", "nat", "-L", "KUBE-SERVICES", "-n", check=False).returncode:
            rules += [":KUBE-SERVICES - [0:0]", "-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES"]
        for proto in "udp", "tcp":
            chain = f"KUBE-SVC-{proto}-{tail}"
            rules += [f":{chain} - [0:0]",
                      f"-A {chain} -m statistic --mode random --probability 0.5 -p {proto} -j DNAT"
                      f" --to-destination {backends[0]}",
                      f"-A {chain} -p {proto} -j DNAT --to-destination {backends[1]}",
                      f"-A KUBE-SERVICES -d {vip} -p {proto} --dport 53 -j {chain}"]
        run(f"{tool}-restore", "-w", "--noflush", input="\n".join([*rules, "COMMIT", ""]))

    def zone(self, *changes):
        """Records of the cluster's zone: ("+", NAME, "TTL TYPE DATA") adds one, ("-", NAME) takes a name out."""
        for server in self.servers:
            server.control("zone-begin", "cluster.local")
            for sign, name, *data in changes:
                server.control("zone-set" if sign == "+" else "zone-unset", "cluster.local", name,
                               *(data[0].split() if data else ()))
            server.control("zone-commit", "cluster.local")

    # What it is asked. A packet is in the socket's queue before the server has it: there is nothing to wait for.

    def listen(self):
        """From here on asked() and queries() know what its servers are asked."""
        self.log, self.taps = collections.Counter(), []
        for server in self.servers:
            with server.pod.entered():
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
            tap.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
            tap.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            tap.setblocking(False)
            self.taps.append(tap)

    def read_taps(self):
        for tap in self.taps:
            while True:
                try:
                    name = queried_name(tap.recv(65535))
                except BlockingIOError:
                    break
                if name:
                    self.log[name] += 1

    def asked(self, name):
        """Queries for it, whatever else they are asked (readiness probes, cut probes, health checks)."""
        self.read_taps()
        return self.log[name.lower().rstrip(".")]

    def asked_below(self, name):
        """Queries for it and names that begin with it, as the search path makes them."""
        self.read_taps()
        return sum(n for asked, n in self.log.items() if asked.startswith(name))

    def queries(self):
        self.read_taps()
        return sum(self.log.values())


def queried_name(packet):
    """Lower case, without the dot at the end, of a query to port 53 over UDP or TCP; None if it is something else."""
    try:
        at, proto = ((packet[0] & 15) * 4, packet[9]) if packet[0] >> 4 == 4 else (40, packet[6])
        if packet[0] >> 4 == 4:
            packet = packet[:struct.unpack("!H", packet[2:4])[0]]
        if proto not in (6, 17) or struct.unpack("!H", packet[at + 2:at + 4])[0] != 53:
            return None
        message = packet[at + 8:] if proto == 17 else packet[at + (packet[at + 12] >> 4) * 4:][2:]
        if len(message) < 17 or message[2] & 0x80:
            return None
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]])
            at += message[at] + 1
        return b".".join(labels).decode("ascii", "replace").lower() or "."
    except (IndexError, struct.error):
        return None


class FakeUpstream:
    """tests/fake-upstream at an address of a host's; what the labels of names mean is said there."""

    def __init__(self, host, address, *flags, answers=None):
        self.host, self.address, self.flags, self.answers = host, address, list(flags), answers
        self.log = host.lab.dir / f"fake-{address}.log"
        self.start()

    def start(self):
        """Its counts begin anew."""
        if self.answers:
            self.flags = [x for x in self.flags if x not in ("--answers", str(self.answers))]
            self.flags += ["--answers", str(self.answers)]
        self.process = self.host.spawn(FAKE, self.address, *self.flags, log=self.log)
        lab_module.wait_for_line(self.process, self.log, "^ready")
        self.frozen = False

    def stop(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        """Nothing is answered from here on, but what texts() asks."""
        self.process.send_signal(signal.SIGUSR1)
        wait_until(5, lambda: not self.answers_queries(), "it is not frozen")
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self.process.send_signal(signal.SIGUSR2)
            wait_until(5, self.answers_queries, "it is still frozen")
            self.frozen = False

    def answers_queries(self):
        try:
            return bool(self.host.ask("frozen.invalid", server=self.address, timeout=0.2))
        except SILENCE:
            return False

    def texts(self, name):
        """{KEY: N} of what it says in TXT records as "KEY=N"."""
        values = self.host.values(name, "TXT", server=self.address, timeout=5)[0].replace('"', "").split()
        return {key: int(n) for key, n in (value.split("=") for value in values)}

    def asked(self, name):
        """How often it was asked for a name: (over UDP, over TCP)."""
        counts = self.texts(f"queries.{name}")
        return counts["udp"], counts["tcp"]

    def streams(self, kind):
        """So many streams so far: kind is tcp, tls, resumed, dot, cert or open."""
        return self.texts("connections.x")[kind]

    def flags_of(self, name):
        """The flags that the last query for a name had."""
        return self.host.value(f"flags.{name}", "TXT", server=self.address)

    # Messages of the test's own, with `answers`.

    def say(self, name, rdtype, message=None):
        """From now on this message (the text of dnspython, @ is the name); None: no answer."""
        with open(self.answers, "a") as file:
            file.write(f"== {name}. {rdtype}{'' if message else ' dead'}\n{message or ''}")

    def say_a(self, name, ttl, address):
        self.say(name, "A", f"flags QR RD RA\nrcode NOERROR\n;ANSWER\n@ {ttl} IN A {address}\n")

    def say_nxdomain(self, name, ttl):
        self.say(name, "A", f"flags QR RD RA\nrcode NXDOMAIN\n;AUTHORITY\ntest. {ttl} IN SOA ns. h. 1 2 3 4 {ttl}\n")

    def say_rcode(self, name, rcode):
        self.say(name, "A", f"flags QR RD RA\nrcode {rcode}\n")


class Upstreams:
    """10.50.0.N in the namespace "up", each of which answers 192.0.2.N; nobody listens at 10.50.0.9."""

    def __init__(self, lab, numbers=(1, 2, 3), flags=lambda number: ()):
        self.host = lab.pod("up")
        ip("addr add 10.50.0.9/32 dev lo", "up")
        self.servers = {}
        for number in numbers:
            self.add(number, *flags(number))
        ip(f"route add 10.50.0.0/24 via {self.host.ip4} dev {self.host.veth}")

    def add(self, number, *flags):
        ip(f"addr add 10.50.0.{number}/32 dev lo", "up")
        self.servers[number] = FakeUpstream(self.host, f"10.50.0.{number}", "--id", number, *flags)

    def __getitem__(self, number):
        return self.servers[number]

    def thaw(self):
        for server in self.servers.values():
            server.thaw()
