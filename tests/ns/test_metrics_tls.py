# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""/metrics over TLS, as curl and openssl see it. In listen mode."""
import os
import shutil
import socket
import subprocess

import pytest

from agent import NODENS, block, http
from certificates import Certificates
from lab import POD_SIDE4, run, wait_until

METRICS, HEALTH = "127.0.0.1:9253", "127.0.0.1:8080"
NO_CONNECTION, NOT_VERIFIED, TLS_ALERT = 7, 60, 56  # curl's exit statuses


@pytest.fixture(scope="module")
def certificates(lab):
    made = Certificates(lab.dir)
    made.make("page", "IP:127.0.0.1")
    made.make("renewed", "IP:127.0.0.1")
    made.make("client", "DNS:client")
    made.make("stranger", "DNS:client", ca="other")
    return made


@pytest.fixture
def files(lab, certificates):
    """Where the agent finds certificate and key: as a Secret is mounted, behind a link that is replaced."""
    class Files:
        cert, key = lab.dir / "tls" / "tls.crt", lab.dir / "tls" / "tls.key"
        flags = ["-tls-enabled", "-tls-cert-file", cert, "-tls-private-key-file", key]

        def become(self, name):
            new = lab.dir / f"secret-{name}"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            shutil.copy(certificates.pem(name), new / "tls.crt")
            shutil.copy(certificates.key(name), new / "tls.key")
            (lab.dir / "tls.new").symlink_to(new)
            os.rename(lab.dir / "tls.new", lab.dir / "tls")
    (lab.dir / "tls").unlink(missing_ok=True)
    return Files()


@pytest.fixture
def start(lab, nodens, cli, upstreams):
    def start(*flags, metrics=METRICS, health=HEALTH):
        nodens.listen(block(".", f"bind {POD_SIDE4}", "forward . 10.50.0.1", f"prometheus {metrics}", f"health {health}"),
                      *flags)
    return start


def curl(certificates, *options, path="metrics"):
    """(exit status, what came)"""
    done = subprocess.run(["curl", "-sS", "-m", "5", "--cacert", certificates.pem("ca"), *options,
                           f"https://{METRICS}/{path}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.returncode, done.stdout


def as_client(certificates, name):
    return "--cert", certificates.pem(name), "--key", certificates.key(name)


def test_page(start, files, certificates):
    files.become("page")
    start(*files.flags)
    status, page = curl(certificates)
    assert status == 0 and "coredns_build_info" in page and page.endswith("\n")
    assert curl(certificates, path="elsewhere") == (0, "404 Not Found\n")
    assert "<title>nodens</title>" in curl(certificates, path="")[1] and '"schema":1' in curl(certificates, path="status.json")[1]
    assert http(f"http://{METRICS}/metrics")[0] == 0, "nothing in the clear"
    assert http(f"http://{HEALTH}/health") == (200, "OK"), "probes as before"
    assert curl(certificates, "--tlsv1.2", "--tls-max", "1.2")[0] == 0
    assert curl(certificates, "--cacert", certificates.pem("other"))[0] == NOT_VERIFIED


def test_close_notify(start, files, certificates):
    """The end of a page is said, so that no cut passes for one."""
    files.become("page")
    start(*files.flags)
    done = subprocess.run(["openssl", "s_client", "-connect", METRICS, "-CAfile", certificates.pem("ca"), "-ign_eof", "-msg",
                           "-verify_return_error"], input="GET /metrics HTTP/1.0\r\n\r\n", capture_output=True, text=True,
                          timeout=10)
    assert "coredns_build_info" in done.stdout
    assert "warning close_notify" in done.stdout.split("HTTP/1.1 200 OK")[1]


def test_at_least_1_3(start, files, certificates):
    files.become("page")
    start(*files.flags, "-tls-min-version", "VersionTLS13")
    assert curl(certificates)[0] == 0
    assert curl(certificates, "--tls-max", "1.2")[0] != 0


@pytest.mark.parametrize("kind, nobody, stranger", [
    ("NoClientCert", True, True),
    ("RequestClientCert", True, True),
    ("RequireAnyClientCert", False, True),
    ("VerifyClientCertIfGiven", True, False),
    ("RequireAndVerifyClientCert", False, False)])
def test_clients(start, files, certificates, kind, nobody, stranger):
    files.become("page")
    ca = ["-client-ca-file", certificates.pem("ca")] if "Verify" in kind else []
    start(*files.flags, "-client-auth-type", kind, *ca)
    assert curl(certificates, *as_client(certificates, "client"))[0] == 0
    for path in "metrics", "", "status.json":
        assert (curl(certificates, path=path)[0] == 0) == nobody
    assert (curl(certificates, *as_client(certificates, "stranger"))[0] == 0) == stranger


def test_renewed(start, files, certificates, nodens):
    """A Secret that is renewed is followed without a restart; one that cannot be used leaves the one before in use."""
    def serial():
        run("sh", "-c", f"openssl s_client -connect {METRICS} </dev/null 2>/dev/null >{files.cert}.seen")
        return run("openssl", "x509", "-noout", "-serial", "-in", f"{files.cert}.seen", stdout=subprocess.PIPE).stdout
    files.become("page")
    start(*files.flags)
    before = serial()
    files.become("renewed")
    nodens.wait_said("certificate loaded(.|\n)*certificate loaded")
    assert serial() != before
    before = serial()
    files.key.write_text("no key\n")
    nodens.wait_said("cannot use the key .*tls.key: ")
    assert serial() == before
    assert nodens.times_said("cannot use the key") == 1, "said once"


def test_certificate_comes_later(start, files, certificates, nodens, cli):
    """The agent answers DNS meanwhile."""
    start(*files.flags)
    nodens.wait_said("cannot use the certificate .*No such file")
    assert cli.ask("www.example.org").status == "NOERROR"
    assert curl(certificates)[0] != 0
    files.become("page")
    wait_until(5, lambda: curl(certificates)[0] == 0, "never served")


def test_probes_stay_in_the_clear(start, files, nodens):
    files.become("page")
    start(*files.flags, health=METRICS)
    assert nodens.said(f"/metrics is not served at {METRICS}: -tls-enabled is on")
    wait_until(5, lambda: http(f"http://{METRICS}/health") == (200, "OK"), "no probe is answered")
    assert http(f"http://{METRICS}/metrics")[0] == 404


@pytest.mark.parametrize("flags, why", [
    (["-tls-cert-file", "x"], "give -tls-enabled, or none of them"),
    (["-tls-enabled", "-tls-cert-file", "x"], "give -tls-cert-file and -tls-private-key-file"),
    (["-client-auth-type", "Any"], "is none of NoClientCert"),
    (["-tls-enabled", "-tls-cert-file", "x", "-tls-private-key-file", "y", "-client-ca-file", "z"], "no client is held"),
    (["-tls-enabled", "-tls-cert-file", "x", "-tls-private-key-file", "y", "-client-auth-type", "VerifyClientCertIfGiven"],
     "Give -client-ca-file")])
def test_wrong_flags(lab, flags, why):
    done = subprocess.run([NODENS, "check", *flags], capture_output=True, text=True)
    assert done.returncode == 2 and why in done.stderr, done.stderr


def test_slow_handshakes_shut_nobody_out(start, files, certificates):
    """Connections that say nothing hold their client's share, and no more."""
    files.become("page")
    start(*files.flags)
    silent = [socket.create_connection(METRICS.split(":")) for _ in range(40)]
    assert curl(certificates)[0] == 0
    for connection in silent:
        connection.close()
