# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens status: each problem made for real, seen within seconds by its code, and gone when it is; with the agent alive,
hanging and dead, with tcx and as before Linux 5.4, and without the kernel path (the image of node-cache alone)."""
import json
import os
import pathlib
import subprocess
import time

import jsonschema
import pytest

from agent import NODENS, Metrics, block, cluster_corefile, command, http
from cluster import D
from lab import BPFFS, DNS4, DNS6, ROOT, UP4, output, run, spawn, wait_until
from nodecache import ARGS
from test_bare import CAPS, start as start_bare

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


# ---- helpers ---------------------------------------------------------------------------------------------


def schema(name):
    return json.loads((ROOT / f"docs/schema/{name}.json").read_text())


def status(*flags, prefix=(), **options):
    """(the object, exit status); what does not fit the schema fails."""
    done = subprocess.run([*prefix, NODENS, "status", "--json", *flags], capture_output=True, text=True, timeout=20, **options)
    assert not done.stderr, done.stderr
    page = json.loads(done.stdout)
    jsonschema.validate(page, schema("status"), cls=jsonschema.Draft7Validator)
    return page, done.returncode


def codes():
    return [problem["code"] for problem in status()[0]["problems"]]


def wait_codes(*expected, seconds=8):
    wait_until(seconds, lambda: codes() == list(expected), lambda: f"{codes()}, not {list(expected)}", step=0.2)


def problem(code):
    return next(x for x in status()[0]["problems"] if x["code"] == code)


def screen(columns, *flags):
    done = subprocess.run([NODENS, "status", *flags], capture_output=True, text=True, timeout=20,
                          env=os.environ | {"COLUMNS": str(columns)})
    assert all(len(line) <= columns for line in done.stdout.splitlines()), done.stdout
    return done.stdout


@pytest.fixture
def well(nodens, p1):
    """The agent at work, as a test left it or anew; all is well."""
    def well(*flags, **options):
        nodens.ensure(*flags, corefile=options.pop("corefile", cluster_corefile()), probe=p1, **options)
        wait_codes()
    return well


# ---- all is well -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--pretend-kernel", "5.4"]], ids=["here", "pre55"])
def test_well(well, nodens, p1, flags):
    well(*flags)
    for i in range(200):
        p1.ask(f"n{i % 20}.{D}")
    wait_until(3, lambda: status()[0]["upstreams"][0]["queries"] >= 20, "nothing was counted", step=0.2)
    page, exit_status = status()
    assert exit_status == 0 and page["problems"] == [] and page["ready"] == {"ok": True, "why": None}
    assert (page["agent"], page["state"], page["mode"]) == ("alive", "running", "steer")
    assert page["pid"] == nodens.pid and page["beat_age_s"] < 1 and 59 <= page["lease_left_s"] <= 60
    assert page["served"] == [DNS4, DNS6]
    device = next(x for x in page["devices"] if x["name"] == p1.veth)
    assert device["state"] == "attached" and device["hook"].startswith("clsact" if flags else "tcx")
    (upstream,) = page["upstreams"]
    assert (upstream["to"], upstream["proto"], upstream["state"]) == (f"{UP4}:53", "udp", "up")
    assert upstream["zones"] == ["cluster.local.", "10.in-addr.arpa.", "."]
    assert upstream["queries"] >= 20 and 0 < upstream["rtt_us"]["p50"] <= upstream["rtt_us"]["p99"]
    assert page["rates"]["source"] == "agent" and page["cache"]["entries"] >= 20
    assert page["version"] in output(NODENS, "version")


def test_counts_what_was_asked(well, nodens, p1):
    """The rates are those of the counters, over the time that they say."""
    well()
    with nodens.counting() as gains:
        time.sleep(11)  # what was asked before is no longer in it
        for i in range(300):
            p1.ask(f"n{i % 30}.{D}")
        time.sleep(1.1)
        rates = status()[0]["rates"]
    asked = round(rates["queries_per_s"] * rates["seconds"])
    assert 300 <= asked <= 302 and gains["kernel.hits"] + gains["agent.queries"] >= 300, (asked, rates)


@pytest.mark.parametrize("columns", [80, 120])
def test_screen(well, columns):
    well()
    text = screen(columns)
    assert not [line for line in text.splitlines() if line.startswith("!")]
    assert text.startswith("nodens ") and f"served    {DNS4}  {DNS6}" in text and "steering yes" in text
    assert f"{UP4}:53 udp" in text


def test_watch(well, lab):
    well()
    log = lab.dir / "watch"
    with open(log, "w") as out:
        watching = subprocess.Popen([NODENS, "status", "--watch", "--json"], stdout=out)
    wait_until(8, lambda: len(log.read_text().splitlines()) >= 2, log.read_text)
    watching.terminate()
    watching.wait()
    for line in log.read_text().splitlines()[:2]:
        jsonschema.validate(json.loads(line), schema("status"))


# ---- who may ask, and where nothing is -------------------------------------------------------------------


def test_nobody_may_not(well):
    well()
    done = subprocess.run([*NOBODY, NODENS, "status"], capture_output=True, text=True)
    assert done.returncode == 4 and "no permission" in done.stderr and not done.stdout


def test_usage():
    assert command("status", "--frobnicate")[1] == 2
    assert command("status", "now")[1] == 2


def test_not_running(nodens):
    nodens.stop()
    text, exit_status = command("status")
    assert exit_status == 3 and "not running here" in text


# ---- devices ---------------------------------------------------------------------------------------------


def test_lost_program(well, p1):
    well("--pretend-kernel", "5.4")
    run("tc", "qdisc", "del", "dev", p1.veth, "clsact")
    wait_codes("device_lost_program")
    assert p1.veth in problem("device_lost_program")["text"] and status()[1] == 1
    device = next(x for x in status()[0]["devices"] if x["name"] == p1.veth)
    assert device["state"] == "attached" and device["lost"] == 1, "attached again"
    assert p1.value(f"n7.{D}") == "10.100.0.7"


def test_without_any_program(lab, nodens, cli):
    """Where none of the devices that should have a program has one, /ready and the metrics say so, and status."""
    theirs = lab.bpf_object("count")
    nodens.start("--hook", "xdp-generic", "--interfaces", cli.veth, "-prometheus-listen-address", "127.0.0.1:9253",
                 corefile=cluster_corefile().replace("    errors", "    errors\n    ready 127.0.0.1:8191", 1), probe=cli)
    assert http("http://127.0.0.1:8191/ready")[0] == 200 and Metrics().total("nodens_kernel_path") == 1
    devices = [Metrics().total("nodens_devices", f'state="{state}"') for state in ("wanted", "attached")]
    assert devices == [1, 1] and 0 <= Metrics().total("nodens_heartbeat_age_seconds") < 1
    assert Metrics().total("nodens_lease_seconds") == 60
    run("ip", "link", "set", "dev", cli.veth, "xdpgeneric", "off")
    run("ip", "link", "set", "dev", cli.veth, "xdpgeneric", "obj", theirs, "sec", "xdp")
    wait_until(5, lambda: http("http://127.0.0.1:8191/ready") == (503, "no kernel path"), "it is ready", step=0.1)
    time.sleep(0.2)  # a page is kept for 0.1 s
    assert Metrics().total("nodens_kernel_path") == 0 and Metrics().total("nodens_agent_devices_lost_total") == 1
    assert [Metrics().total("nodens_devices", f'state="{state}"') for state in ("wanted", "attached")] == [1, 0]
    wait_codes("not_ready", "device_not_attached")
    run("ip", "link", "set", "dev", cli.veth, "xdpgeneric", "off")
    wait_until(5, lambda: http("http://127.0.0.1:8191/ready")[0] == 200, "it is not ready", step=0.1)


def test_program_ahead(lab, nodens, well, p1):
    nodens.stop()
    pod = lab.pod("behind")
    run("tc", "qdisc", "add", "dev", pod.veth, "clsact")
    run("tc", "filter", "add", "dev", pod.veth, "ingress", "pref", 1, "protocol", "all", "u32", "match", "u32", 0, 0,
        "flowid", "1:1")
    nodens.start("--pretend-kernel", "5.4", corefile=cluster_corefile(), probe=p1)
    wait_codes("program_ahead")
    assert "u32" in problem("program_ahead")["text"] and status()[1] == 0, "no fault of anybody"
    pod.delete()
    wait_codes()


def test_not_attached(lab, nodens, well, p1):
    """Another's XDP program that does not share, where XDP is asked for."""
    theirs = lab.bpf_object("count")
    pod = lab.pod("taken")
    run("ip", "link", "set", "dev", pod.veth, "xdpgeneric", "obj", theirs, "sec", "xdp")
    nodens.start("--hook", "xdp-generic", corefile=cluster_corefile(), probe=p1)
    wait_codes("device_not_attached")
    text = problem("device_not_attached")["text"]
    assert pod.veth in text and status()[1] == 1, text
    run("ip", "link", "set", "dev", pod.veth, "xdpgeneric", "off")
    wait_codes()
    pod.delete()


def test_excluded(lab, nodens, well, p1):
    pod = lab.pod("left")
    nodens.start("--exclude", pod.veth, corefile=cluster_corefile(), probe=p1)
    wait_codes()
    states = {x["name"]: x["state"] for x in status()[0]["devices"]}
    assert states[pod.veth] == "excluded" and states[p1.veth] == "attached"
    pod.delete()
    wait_until(3, lambda: pod.veth not in [x["name"] for x in status()[0]["devices"]], "it is still shown")


def test_many_devices(lab, nodens, well, p1):
    """More than the table began with."""
    well()
    before = len(status()[0]["devices"])
    batch = "\n".join(f"link add many{i} type veth peer name eth{i} netns crowd" for i in range(100))
    run("ip", "netns", "add", "crowd")
    run("ip", "-batch", "-", input=batch + "\n")
    wait_until(20, lambda: len([x for x in status()[0]["devices"] if x["state"] == "attached"]) == before + 100,
               lambda: str(len(status()[0]["devices"])), step=0.3)
    run("ip", "netns", "del", "crowd")
    wait_until(20, lambda: len(status()[0]["devices"]) == before, lambda: str(len(status()[0]["devices"])), step=0.3)
    wait_codes()


# ---- upstreams -------------------------------------------------------------------------------------------


def test_upstream_down(nodens, cli, upstreams, forward):
    forward("10.50.0.1 10.50.0.2", "policy sequential", cache="")
    wait_until(5, lambda: {x["state"] for x in status()[0]["upstreams"]} == {"up"} or cli.ask("www.example.org"), "not up")
    cli.ask("www.example.org")
    upstreams[1].freeze()
    for i in range(4):
        cli.ask(f"d{i}.example.org", timeout=6)
    wait_until(12, lambda: "upstream_down" in codes(), lambda: str(status()), step=0.3)
    text = problem("upstream_down")["text"]
    assert "10.50.0.1:53" in text and status()[1] == 1, text
    states = {x["to"]: x for x in status()[0]["upstreams"]}
    assert states["10.50.0.1:53"]["state"] == "down" and states["10.50.0.1:53"]["timeouts"] >= 2
    assert "10.50.0.1:53 udp" in screen(80) and "DOWN" in screen(80)
    upstreams.thaw()
    wait_until(12, lambda: "upstream_down" not in codes(), lambda: str(status()), step=0.3)


def test_upstream_unheard(nodens, cli):
    nodens.listen(block(".:53", f"bind {cli.server}", "forward . 10.50.0.77"))
    wait_until(8, lambda: "not_ready" in codes(), lambda: str(codes()))
    page, exit_status = status()
    assert page["upstreams"][0]["state"] in ("unheard", "down") and exit_status == 1
    assert page["ready"]["ok"] is False and "." in page["ready"]["why"]


def test_upstream_unheard_beside_another(upstreams, forward):
    """Which the policy asks alone. It is heard all the same when it answers, though nobody has a question for it."""
    def states():
        return {x["to"]: x["state"] for x in status()[0]["upstreams"]}
    upstreams[2].freeze()
    forward("10.50.0.1 10.50.0.2", "policy sequential", "max_fails 0", cache="")
    wait_until(8, lambda: states() == {"10.50.0.1:53": "up", "10.50.0.2:53": "unheard"}, lambda: str(status()), step=0.3)
    assert "10.50.0.2:53" in problem("upstream_unheard")["text"]
    upstreams.thaw()
    wait_until(15, lambda: set(states().values()) == {"up"}, lambda: str(status()), step=0.3)
    assert "upstream_unheard" not in codes()


# ---- the agent -------------------------------------------------------------------------------------------


def test_hangs(well, nodens, p1):
    well()
    p1.ask(f"n1.{D}")
    nodens.signal("STOP")
    try:
        wait_codes("agent_hung")
        page, exit_status = status()
        assert page["agent"] == "hung" and exit_status == 1 and page["rates"]["source"] == "readings"
        assert 1 < page["beat_age_s"] < 20 and 40 < page["lease_left_s"] < 60
        assert p1.value(f"n1.{D}") == "10.100.0.1", "what the kernel still answers"
        assert "the kernel answers cached names" in " ".join(screen(120).split())
    finally:
        nodens.signal("CONT")
    wait_codes()


@pytest.mark.parametrize("flags", [[], ["--pretend-kernel", "5.4"]], ids=["here", "pre55"])
def test_killed(nodens, p1, flags):
    nodens.start("--lease", 8, *flags, corefile=cluster_corefile(), probe=p1)
    p1.ask(f"n2.{D}")
    time.sleep(1.2)
    nodens.kill()
    page, exit_status = status()
    assert exit_status == 3 and page["agent"] == "dead" and [x["code"] for x in page["problems"]] == ["agent_dead"]
    assert page["version"] and page["cache"]["entries"] >= 1 and page["upstreams"] and page["devices"]
    assert p1.value(f"n2.{D}") == "10.100.0.2"
    wait_codes("agent_dead", "lease_ending", seconds=10)
    wait_codes("agent_dead", "lease_lapsed", seconds=10)
    assert status()[0]["lease_left_s"] == 0 and "dead" in screen(80)
    command("detach")
    assert command("status")[1] == 3


def test_ends_and_persists(nodens, p1):
    nodens.start("--persist", corefile=cluster_corefile(), probe=p1)
    nodens.stop()
    page, exit_status = status()
    assert [x["code"] for x in page["problems"]] == ["agent_ended"] and exit_status == 3
    nodens.start(corefile=cluster_corefile(), probe=p1)
    wait_codes()


@pytest.mark.parametrize("before", [None, "--persist"], ids=["first", "again"])
def test_starts(lab, nodens, p1, before):
    """While the verifier reads the programs, with nothing there, or with what an agent before left."""
    if before:
        nodens.start(before, "--lease", 2, corefile=cluster_corefile(), probe=p1)
        nodens.stop()
        time.sleep(2.2)
    else:
        nodens.stop()
        command("detach")
    slow = lab.dir / "slow"
    slow.touch()
    nodens.corefile.write_text(cluster_corefile())
    nodens.spawn("run", "-conf", nodens.corefile, "-localip", f"{DNS4},{DNS6}",
                 prefix=[lab.tool("refuse_progs"), "--while", slow, "tc_nodens"])
    try:
        wait_until(10, lambda: "starting" in command("status")[0], lambda: str(command("status")), step=0.1)
        time.sleep(1.5)  # longer than a beat may be away
        page, exit_status = status()
        assert [x["code"] for x in page["problems"]] == ["starting"] and exit_status == 1, page["problems"]
        assert (page["agent"], page["state"], page["pid"]) == ("alive", "starting", nodens.pid)
        assert 1 < page["beat_age_s"] < 30 and page["lease_left_s"] == 0 and page["version"]
    finally:
        slow.unlink()
    nodens.wait(lambda: nodens.said("^info: ready"))
    wait_codes(seconds=15)


def test_unpublished(nodens, p1):
    """Somebody's directory is where its row should be."""
    nodens.start(corefile=cluster_corefile(), probe=p1)
    (info,) = BPFFS.glob("nodens/layout-*/nodens_info")
    nodens.stop()
    command("detach")
    info.mkdir(parents=True, mode=0o700)
    nodens.start(corefile=cluster_corefile(), probe=p1)
    wait_codes("unpublished")
    page, exit_status = status()
    assert exit_status == 1 and page["state"] is None and page["pid"] == nodens.pid and page["beat_age_s"] < 1
    assert nodens.said("nodens status will know little of this agent")
    nodens.stop()
    command("detach")


def test_not_steering_yet(nodens):
    """No upstream has answered since the start: pods' misses go to the cluster's DNS."""
    nodens.corefile.write_text(cluster_corefile(forward="10.50.0.77"))
    nodens.spawn("run", "-conf", nodens.corefile, "-localip", f"{DNS4},{DNS6}")
    nodens.wait_said("steering begins when an upstream answers")
    wait_until(8, lambda: "not_steering" in codes(), lambda: str(codes()))
    assert "no upstream has answered yet for cluster.local." in problem("not_steering")["text"] and status()[1] == 1
    assert nodens.stat("kernel.steered") == 0


def test_config_refused(well, nodens):
    well()
    good = nodens.corefile.read_text()
    for bad in good.replace("forward", "forwrad"), None:
        nodens.corefile.unlink()
        if bad:
            nodens.corefile.write_text(bad)
        nodens.signal("HUP")
        wait_codes("config_refused")
        text, page = problem("config_refused")["text"], status()[0]
        assert ("forwrad" if bad else "Corefile") in text and page["config"]["refused"], text
        assert status()[1] == 1
        nodens.corefile.write_text(good)
        nodens.signal("HUP")
        wait_codes()


def test_notrack(well):
    well()
    rule = ["PREROUTING", "-t", "raw", "-d", DNS4, "-p", "udp", "--dport", 53, "-j", "NOTRACK"]
    run("iptables", "-A", *rule)
    wait_codes("notrack_rules")
    run("iptables", "-D", *rule)
    wait_codes()


# ---- without the kernel path -----------------------------------------------------------------------------


@pytest.fixture
def bare(swapped, nodens):
    nodens.stop()
    if not (swapped.alive() and swapped.manifest):
        swapped.install()
        start_bare(swapped, caps=CAPS, own_sys=True)
        swapped.manifest = True
    return swapped


def test_bare(bare, p1):
    wait_codes("no_kernel_path")
    page, exit_status = status()
    assert exit_status == 1 and not page["kernel_path"] and page["agent"] == "alive" and page["lease_left_s"] is None
    assert "bpf() is not permitted" in page["problems"][0]["text"]
    assert page["ready"]["ok"] and page["devices"] == [] and page["upstreams"]
    assert bare.lab.node.ask(f"n5.{D}", server="169.254.20.10").values
    stats = json.loads(output(NODENS, "stats", "--json"))
    assert stats["agent"]["running"] == 1 and stats["agent"]["queries"] >= 1 and "kernel" not in stats
    nobody = subprocess.run([*NOBODY, NODENS, "status"], capture_output=True, text=True)
    assert nobody.returncode == 4, nobody


def test_bare_of_another_version(bare):
    """Whose rows are larger, and mean something else."""
    wait_codes("no_kernel_path")
    (info,) = pathlib.Path("/run/nodens").glob("netns-*/nodens_info")
    kept = info.read_bytes()
    info.write_bytes(kept[:-8] + bytes(64) + (len(kept) + 56).to_bytes(8, "little"))
    text, exit_status = command("status")
    assert exit_status == 1 and "another version runs here" in text, text
    info.write_bytes(kept)
    wait_codes("no_kernel_path")


def test_bare_hangs_and_dies(bare):
    bare.signal("STOP")
    wait_codes("agent_hung")
    bare.signal("CONT")
    wait_codes("no_kernel_path")
    bare.kill()
    page, exit_status = status()
    assert [x["code"] for x in page["problems"]] == ["agent_dead"] and exit_status == 3
    assert "nothing is answered" in page["problems"][0]["text"]
    assert "left below /run/nodens" in command("detach")[0]
    assert command("status")[1] == 3


def standby(agent, log):
    return spawn(*agent.image(*ARGS), log=agent.lab.dir / log, env=os.environ | {"KUBE_DNS_UPSTREAM_SERVICE_HOST": UP4})


def test_standbys_end(bare):
    """Neither the counters of the agent that they wait for go with them, nor what the other says."""
    wait_codes("no_kernel_path")
    first = standby(bare, "first.log")
    wait_codes("no_kernel_path", "standby")
    second = standby(bare, "second.log")
    wait_until(5, lambda: str(second.pid) in problem("standby")["text"], lambda: str(codes()))
    first.terminate()
    first.wait(10)
    assert str(second.pid) in problem("standby")["text"]
    second.terminate()
    second.wait(10)
    wait_codes("no_kernel_path")
    before = json.loads(output(NODENS, "stats", "--json"))["agent"]["queries"]
    assert bare.lab.node.ask(f"n6.{D}", server="169.254.20.10").values
    wait_until(3, lambda: json.loads(output(NODENS, "stats", "--json"))["agent"]["queries"] > before, "not counted")


def test_standby(swapped, p1, nodens):
    nodens.stop()
    swapped.install()
    swapped.swap(*ARGS)
    swapped.wait(lambda: swapped.steering(p1))
    wait_codes()
    second = standby(swapped, "second.log")
    wait_codes("standby")
    assert status()[1] == 0 and str(second.pid) in problem("standby")["text"]
    second.terminate()
    second.wait(10)
    wait_codes()
    swapped.stop()
    assert list(pathlib.Path("/run/nodens").iterdir()) == []
