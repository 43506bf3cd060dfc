# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""DNS over TLS to upstreams: unbound as the honest one, and tests/fake-upstream with certificates that openssl made, good
and bad. The agent in listen mode."""
import re
import time

import pytest

import cluster
from agent import NODENS, block, directive
from certificates import Certificates
from lab import POD_SIDE4, ip, output, run, spawn, wait_for_line, wait_until
from unbound import Unbound

NAME = "dns.test.example"


def streams():
    """The agent's over TLS that are open."""
    return output("ss", "-Htn", "state", "established", "dport", "=", ":853").splitlines()


# ---- servers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(lab):
    made = Certificates(lab.dir)
    made.make("good", f"DNS:{NAME},IP:10.50.0.1")
    made.make("client", "DNS:client")
    made.make("unbound", "IP:10.50.0.4")
    made.make("wrong", "DNS:other.example,IP:10.50.0.99")
    made.make("expired", f"DNS:{NAME},IP:10.50.0.12", days=-1)
    made.make("foreign", f"DNS:{NAME},IP:10.50.0.13", ca="other")
    return made


@pytest.fixture(scope="session")
def all_upstreams(lab, cli, certificates):
    """10.50.0.N with these certificates; 3 wants one of its clients."""
    of = {1: "good", 2: "good", 3: "good", 11: "wrong", 12: "expired", 13: "foreign", 14: "other"}

    def flags(number):
        client = ["--client-ca", certificates.pem("ca")] if number == 3 else []
        return ["--tls", certificates.pem(of[number]), certificates.key(of[number]), *client]
    return cluster.Upstreams(lab, of, flags)


@pytest.fixture(scope="module")
def unbound(lab, all_upstreams):
    ip("addr add 10.50.0.4/32 dev lo", "up")
    return Unbound(lab, "10.50.0.4")


@pytest.fixture
def in_the_clear(lab, upstreams):
    """Nothing is sent to port 53 of the upstreams, but to the one that is not there."""
    log, capture = lab.dir / "tcpdump.log", lab.dir / "clear.pcap"
    dump = spawn("tcpdump", "-Z", "root", "-i", "any", "-n", "-U", "-w", capture,
                 "dst net 10.50.0.0/24 and dst port 53 and not dst host 10.50.0.9", log=log)
    wait_for_line(dump, log, "listening on")

    def heard():
        time.sleep(0.2)
        dump.terminate()
        dump.wait(5)
        return output("tcpdump", "-nr", capture)
    yield heard
    dump.kill()


# ---- the honest one --------------------------------------------------------------------------------------


def test_unbound(forward, certificates, nodens, cli, unbound, in_the_clear):
    forward("tls://10.50.0.4", f"tls {certificates.pem('ca')}")
    assert cli.value("www.example.org") == "192.0.2.4"
    assert cli.value("www.example.org", "TXT") == '"tls"'
    assert cli.ask("nothing.example.net").status == "NXDOMAIN"
    before = unbound.stat("total.num.queries")
    answers = cli.ask_all([f"n{i}.example.org" for i in range(400)], window=400, timeout=8)
    assert {answer.value for answer in answers.values()} == {"192.0.2.4"} and len(answers) == 400
    assert unbound.stat("total.num.queries") - before >= 400
    assert unbound.stat("num.query.tls") == unbound.stat("total.num.queries"), "all of them over TLS"
    assert len(streams()) <= 16
    assert in_the_clear() == ""
    assert nodens.stat("agent.upstream_udp") == 0


# ---- certificates ----------------------------------------------------------------------------------------


GOOD = {"address": ("10.50.0.1", []), "percent": (f"10.50.0.1%{NAME}", []),
        "tls_servername": ("10.50.0.1", [f"tls_servername {NAME}"])}


@pytest.mark.parametrize("how", GOOD)
def test_good_names(forwards, certificates, cli, how):
    """An address that the certificate has, a name after %, tls_servername."""
    forwards(*(directive(f"forward {name}.example tls://{server}", f"tls {certificates.pem('ca')}", *options)
               for name, (server, options) in GOOD.items()), reuse=True)
    assert cli.value(f"a.{how}.example") == "192.0.2.1"


BAD = {
    "a": ("10.50.0.11", "IP address mismatch"),
    "b": ("10.50.0.2%other.example", "ostname mismatch"),
    "c": (f"10.50.0.12%{NAME}", "certificate has expired"),
    "d": (f"10.50.0.13%{NAME}", "unable to get local issuer certificate"),
    "e": (f"10.50.0.14%{NAME}", "self-signed certificate"),
}


def test_bad_certificates(forwards, certificates, nodens, cli, in_the_clear):
    """Nothing is got from them, the reason is said once, and nothing leaves in the clear."""
    ca = f"tls {certificates.pem('ca')}"
    forwards(*(directive(f"forward {name}.example.org tls://{server}", ca, "max_fails 1")
               for name, (server, _) in BAD.items()),
             "forward f.example.org tls://10.50.0.1",
             directive(f"forward g.example.org tls://10.50.0.12%{NAME} tls://10.50.0.1%{NAME}", ca, "policy sequential"))
    for name, (server, reason) in BAD.items():
        assert cli.ask(f"{name}.example.org", timeout=8).status == "SERVFAIL", server
        address = server.partition("%")[0]
        nodens.wait_said(f"upstream {address}:853 does not answer: .*tls: failed to verify certificate: .*{reason}")
    assert cli.ask("f.example.org", timeout=8).status == "SERVFAIL", "our CA is none of the system's"
    assert cli.value("g.example.org", timeout=8) == "192.0.2.1", "the good one's answer beside a bad one"
    time.sleep(1.2)  # probes go on failing
    assert nodens.times_said("10.50.0.13:853 does not answer") == 1
    assert in_the_clear() == ""


def test_client_certificates(forwards, certificates, cli, upstreams):
    ca, pem, key = certificates.pem("ca"), certificates.pem("client"), certificates.key("client")
    before = upstreams[3].streams("cert")
    forwards(directive(f"forward a.example.org tls://10.50.0.3%{NAME}", f"tls {ca}"),
             directive(f"forward b.example.org tls://10.50.0.3%{NAME}", f"tls {pem} {key} {ca}"),
             directive(f"forward c.example.org tls://10.50.0.3%{NAME}", f"tls {pem} {key}"),
             f"forward d.example.org tls://10.50.0.1%{NAME}",
             directive(f"forward e.example.org tls://10.50.0.1%{NAME}", "tls"), env={"SSL_CERT_FILE": str(ca)})
    assert cli.ask("a.example.org", timeout=8).status == "SERVFAIL", "without a certificate"
    assert cli.value("b.example.org") == "192.0.2.3"
    assert cli.value("c.example.org") == "192.0.2.3", "with one, and the system's CAs"
    assert upstreams[3].streams("cert") >= before + 2
    assert [cli.value(f"{name}.example.org") for name in "de"] == ["192.0.2.1"] * 2, "ours among the system's CAs"


@pytest.mark.parametrize("files", ["none.pem", "client.pem none.pem", "none.pem client.key ca.pem"])
def test_files_that_are_not_there(nodens, lab, certificates, files):
    nodens.stop()
    paths = " ".join(str(lab.dir / name) for name in files.split())
    nodens.corefile.write_text(block(".:53", f"bind {POD_SIDE4}", directive("forward . tls://10.50.0.1", f"tls {paths}")))
    done = run(NODENS, "run", "-conf", nodens.corefile, "-mode", "listen", check=False, timeout=5)
    assert done.returncode
    assert re.search(rf"{nodens.corefile}:3: .*none.pem.*No such file or directory", done.stdout + done.stderr)


def test_connections_are_kept(forward, certificates, cli, upstreams):
    tls, resumed = upstreams[1].streams("tls"), upstreams[1].streams("resumed")
    forward("tls://10.50.0.1", f"tls {certificates.pem('ca')}", "expire 1s")
    for i in range(1, 6):
        cli.ask(f"{i}.kept.example.org")
    assert upstreams[1].asked("3.kept.example.org") == (0, 1)
    wait_until(5, lambda: not streams(), "the idle connection stays open")
    assert cli.value("again.kept.example.org") == "192.0.2.1", "on a new connection"
    assert upstreams[1].streams("tls") - tls >= 2
    assert upstreams[1].streams("resumed") - resumed >= 1
    assert upstreams[1].streams("dot") == upstreams[1].streams("tls"), "with ALPN dot"


# ---- trouble ---------------------------------------------------------------------------------------------


@pytest.fixture
def both(forward, certificates):
    """The agent with two upstreams, of which the first is preferred."""
    forward(f"tls://10.50.0.1 tls://10.50.0.2%{NAME}", f"tls {certificates.pem('ca')}", "policy sequential", "max_fails 0",
            reuse=True)


def test_an_answer_cut_off_by_both(both, cli):
    assert cli.values("a.cutoff.example.org", timeout=8) == []


@pytest.mark.parametrize("kind", ["badid", "badq", "response", "slow-600"])
def test_an_answer_after_trouble(both, cli, kind):
    assert cli.value(f"a.{kind}.example.org").startswith("192.0.2.")


def test_an_answer_that_overtakes(both, cli):
    slow = cli.begin("slow.slow-300.example.org")
    assert cli.value("fast.example.org") == "192.0.2.1"
    assert slow().value == "192.0.2.1", "that was overtaken"


def test_a_server_that_closes(both, cli):
    assert cli.value("b.once.example.org") == "192.0.2.1", "before it does"
    assert cli.value("c.once.example.org") == "192.0.2.1", "after it has"


def test_a_large_answer(both, cli):
    assert len(cli.values("big-900.example.org", tcp=True)) == 900, "records of 14 kB"


def test_a_frozen_upstream(both, cli, upstreams):
    upstreams[1].freeze()
    answer = cli.ask("frozen.example.org")
    assert answer.value == "192.0.2.2"
    assert answer.ms <= 2000
