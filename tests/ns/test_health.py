# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""/health and /ready, the end of the agent (lameduck, a loop). In listen mode, with upstreams that misbehave on demand
(tests/fake-upstream)."""
import time

from agent import block, http
from lab import POD_SIDE4, POD_SIDE6, ip, leftovers, wait_until

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


# ---- loops -----------------------------------------------------------------------------------------------


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
