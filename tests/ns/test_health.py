# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""/health and /ready, the end of the agent (lameduck, a loop), connections that take too long. In listen mode, with
upstreams that misbehave on demand (tests/fake-upstream)."""
import socket
import time

from agent import block, directive, http
from lab import POD_SIDE4, POD_SIDE6, ip, leftovers, note, wait_until
from query import framed, make_query, parse, read_message

HEALTH, READY = "http://127.0.0.1:8080/health", "http://127.0.0.1:8181/ready"
HEALTH_LINE = "health 127.0.0.1:8080"


# ---- health and readiness --------------------------------------------------------------------------------


def test_ready_names_the_zones_that_wait(serve, full_corefile, nodens, cli, upstreams):
    upstreams[2].freeze()
    serve(full_corefile, answering=False)
    wait_until(10, lambda: http(READY) == (503, "tcp.test.,down.test."), lambda: http(READY))
    assert http(HEALTH) == (200, "OK")
    assert cli.value("meanwhile.example.org") == "192.0.2.1", "a zone that is ready"
    upstreams.thaw()
    wait_until(10, lambda: http(READY)[0] == 200, lambda: http(READY))
    nodens.wait_said("upstreams of all zones answer")


def test_an_address_that_comes_later(serve, full_corefile, nodens):
    later = "http://192.0.2.77:8080/health"
    serve(full_corefile.replace(HEALTH_LINE, "health 192.0.2.77:8080"))
    assert http(later)[0] == 0, "before there is the address"
    time.sleep(2)
    assert nodens.times_said("cannot listen on 192.0.2.77:8080") == 1
    ip("addr add 192.0.2.77/32 dev lo")
    try:
        wait_until(5, lambda: http(later)[0] == 200, "it was not tried again")
        assert nodens.said("listening on 192.0.2.77:8080")
    finally:
        ip("addr del 192.0.2.77/32 dev lo")


def test_lameduck(serve, full_corefile, nodens, cli):
    serve(full_corefile.replace(HEALTH_LINE, f"{HEALTH_LINE} {{\nlameduck 3s\n}}"))
    wait_until(5, lambda: http(READY)[0] == 200, "not ready")
    nodens.signal("TERM")
    wait_until(2, lambda: http(READY)[0] == 503, "/ready while leaving")
    assert http(HEALTH)[0] == 200, "/health while leaving"
    assert cli.value("while-leaving.example.org") == "192.0.2.1"
    begin = time.monotonic()
    nodens.wait_end(20)
    assert time.monotonic() - begin >= 1, "seconds of lameduck left"
    assert leftovers() == []


def test_lameduck_twice(serve, full_corefile, nodens):
    serve(full_corefile.replace(HEALTH_LINE, f"{HEALTH_LINE} {{\nlameduck 60s\n}}"), answering=False)
    nodens.signal("TERM")
    nodens.wait_said("lameduck", 2)
    nodens.signal("TERM")
    nodens.wait_end(10)
    assert leftovers() == []


# ---- connections and loops -------------------------------------------------------------------------------


def patience(cli, octets):
    """For how many seconds a connection that sends so many octets of a query and no more is kept."""
    with cli.tcp(timeout=20) as sock:
        begin = time.monotonic()
        sock.send(framed(make_query("patience.example.org").to_wire())[:octets])
        while sock.recv(4096):
            begin = time.monotonic()
        return time.monotonic() - begin


def test_timeouts(serve, nodens, cli):
    timeouts = directive("timeouts", "read 1s", "idle 4s", "write 2s")
    corefile = block("example.org:53", f"bind {POD_SIDE4}", timeouts, "forward . 10.50.0.1")
    serve(corefile)
    silent, part, idle = (patience(cli, octets) for octets in (0, 5, 1000))
    note(f"silent {silent:.1f}, part {part:.1f}, idle {idle:.1f} s")
    assert silent >= 0.9, "without an octet"
    assert part >= 0.9, "with a part of a message"
    assert idle >= 3.9, "after an answer"
    assert part < idle, "a part of a message is waited for less than the next one"
    # a reload, for connections to come
    nodens.corefile.write_text(corefile.replace("read 1s", "read 5s").replace("idle 4s", "idle 1s"))
    nodens.signal("HUP")
    nodens.wait_said("the new configuration is at work")
    part, idle = patience(cli, 5), patience(cli, 1000)
    assert part >= 4.9
    assert idle < part


def queries_taken(cli, n, at_once):
    """(how many of n queries on one connection were answered, whether it is still open): all sent at once, or each after
    the answer before."""
    wires = [framed(make_query(f"q{i}.example.org").to_wire()) for i in range(n)]
    got = 0
    with cli.tcp(timeout=5) as sock:
        stream = sock.makefile("rb")
        try:
            if at_once:
                sock.send(b"".join(wires))
            for wire in wires:
                if not at_once:
                    sock.send(wire)
                parse(read_message(stream))
                got += 1
            sock.settimeout(0.5)
            return got, sock.recv(1) != b""
        except (EOFError, ConnectionError):
            return got, False
        except socket.timeout:
            return got, True


def test_maxtcpqueries(serve, nodens, cli):
    limit = directive("timeouts", "maxtcpqueries 3")
    corefile = block("example.org:53", f"bind {POD_SIDE4}", limit, "cache", "forward . 10.50.0.1")
    serve(corefile)
    assert queries_taken(cli, 5, at_once=True) == (3, False)
    assert queries_taken(cli, 3, at_once=True) == (3, False)
    assert queries_taken(cli, 5, at_once=False) == (3, False)
    assert queries_taken(cli, 2, at_once=False) == (2, True)
    nodens.corefile.write_text(corefile.replace("maxtcpqueries 3", "maxtcpqueries -1"))
    nodens.signal("HUP")
    nodens.wait_said("the new configuration is at work")
    assert queries_taken(cli, 40, at_once=True) == (40, True), "without a limit"


LOOPING = block("loop.test:53", f"bind {POD_SIDE4}", "loop", f"forward . {POD_SIDE4}")


def test_loop_at_start(nodens, upstreams):
    nodens.stop()
    nodens.corefile.write_text(LOOPING + block("example.org:53", f"bind {POD_SIDE4}", "loop", "forward . 10.50.0.1"))
    nodens.spawn("run", "-conf", nodens.corefile, "-mode", "listen")
    assert nodens.wait_end(20) == 1
    assert nodens.said(rf'plugin/loop: Loop \({POD_SIDE4}:[0-9]+ -> {POD_SIDE4}:53\) detected for zone "loop.test.", see'
                       r' https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO [0-9]+\.[0-9]+\.loop\.test\."')
    assert leftovers() == []


def test_loop_by_reload(serve, full_corefile, nodens):
    serve(full_corefile)
    time.sleep(2.5)  # and no loop was seen
    assert nodens.alive(), nodens.log_tail()
    nodens.corefile.write_text(LOOPING.replace(f"bind {POD_SIDE4}", f"bind {POD_SIDE4} {POD_SIDE6}"))
    nodens.signal("HUP")
    nodens.wait_end(10)
    assert nodens.said("plugin/loop: Loop .*loop.test")
