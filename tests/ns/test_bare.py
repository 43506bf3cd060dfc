# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The image of node-cache's DaemonSet swapped and nothing else: its arguments and Corefile.base with its capabilities and
without a bpffs. No kernel path is to be had, and the node has its DNS all the same."""
import json
import os
import re
import shutil
import time

import pytest

import query
from agent import Metrics, command, detach, http
from cluster import D
from lab import DNS4, DNS6, NODE4, UP4, ip, leftovers, output, rules, run, wait_until
from nodecache import ARGS, BOTH, LINK, LOCAL4, LOCAL6, link_addresses, link_gone

# What container runtimes give, and the one that the manifest adds.
RUNTIME = ("+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,"
           "+mknod,+audit_write,+setfcap")
CAPS = f"{RUNTIME},+net_admin"


# ---- helpers ---------------------------------------------------------------------------------------------


def with_caps(caps):
    return ["setpriv", "--no-new-privs", f"--bounding-set=-all,{caps}", "--inh-caps=-all"]


def start(cache, *flags, args=ARGS, caps=None, own_sys=False, prefix=()):
    """By the manifest, as far as its rights and its /sys go."""
    cache.swap(*args, *flags, prefix=with_caps(caps) if caps else prefix, own_sys=own_sys)
    server = LOCAL6 if any(LOCAL6 in arg for arg in args) else LOCAL4
    cache.wait(lambda: cache.lab.node.ask(query.unique("wild.example.org"), server=server, timeout=1).values)


@pytest.fixture
def bare(swapped):
    """The manifest's own, running; tests that leave it so share it."""
    if not (swapped.alive() and swapped.manifest):
        swapped.install()
        start(swapped, caps=CAPS, own_sys=True)
        swapped.manifest = True
    return swapped


def metric(name):
    return Metrics(f"http://{NODE4}:9253/metrics").total(name)


def queries():
    return metric("nodens_agent_queries_total")


# ---- as the manifest has it ------------------------------------------------------------------------------


def test_it_says_what_is_missing(bare):
    line, = bare.errors()
    assert re.search(r"no kernel path: bpf\(\) is not permitted; a network namespace cannot be made: Operation not .*;"
                     r" /sys/fs/bpf/nodens is not in a bpffs\. .*image-swap/patch.yaml adds.*SYS_ADMIN.*/sys/fs/bpf as a"
                     " volume", line)
    assert len(line) < 600
    assert link_addresses() == BOTH
    assert (bare.tmp / "node-cache.pid").read_text().strip() == str(bare.pid)


def test_it_touches_nothing(bare):
    assert leftovers() == []
    assert rules() == bare.rules_before
    assert json.loads(command("stats", "--json")[0])["agent"]["running"] == 1
    for name in "dump", "flush":
        text, status = command(name)
        assert re.search("no maps under /sys/fs/bpf/nodens, though an agent runs .*: without the kernel path .*its own memory", text)
        assert status == 1, "it does run"


def test_pod_by_local_ip(bare, p1):
    assert p1.value(f"n11.{D}", server=LOCAL4) == "10.100.0.11"
    assert p1.value(f"n11.{D}", "AAAA", LOCAL4) == "fd00:100::b"
    assert p1.value(f"n12.{D}", server=LOCAL4, tcp=True) == "10.100.0.12"


def test_cached_by_the_agent(bare, p1):
    """Over UDP and TCP; the second answer is from the agent's cache."""
    assert p1.value("a.example.net", server=LOCAL4) == "192.0.2.7"
    hits = metric("nodens_agent_cache_hits_total")
    assert p1.value("a.example.net", server=LOCAL4) == "192.0.2.7"
    assert p1.value("A.example.net", server=LOCAL4, tcp=True) == "192.0.2.7"
    assert bare.outside.asked("a.example.net")[0] == 1
    wait_until(2, lambda: metric("nodens_agent_cache_hits_total") >= hits + 2, "nodens_agent_cache_hits_total")


def test_negative_answers_are_cached(bare, p1):
    assert p1.ask(f"nil.{D}", server=LOCAL4).status == "NXDOMAIN"
    time.sleep(1.1)
    answer = p1.ask(f"nil.{D}", server=LOCAL4)
    assert answer.soa and 1 <= answer.ttl <= 4, "counted down"


def test_pod_by_cluster_ip(bare, p1, p2):
    """The address is on the link, and yet kube-proxy has it first, as without nodens."""
    run("conntrack", "-D", "-p", "udp", "--orig-dst", DNS4, check=False)
    before = queries()
    assert p1.value(f"n13.{D}") == "10.100.0.13"
    assert p1.value(f"n14.{D}", tcp=True) == "10.100.0.14"
    assert p2.getent("ahostsv4", "n15") == ["10.100.0.15"], "through the search list"
    time.sleep(0.2)
    assert queries() == before
    assert f"src={p1.ip4} dst={DNS4}" in output("conntrack", "-L", "-p", "udp", "--orig-dst", DNS4)


def test_pod_by_cluster_ip_past_kube_proxy(bare, p1):
    """A node-cache that was killed leaves its NOTRACK rules: then the agent has these queries, too."""
    notrack = (["PREROUTING", "-d", DNS4, "-p", "udp", "--dport", 53], ["OUTPUT", "-s", DNS4, "-p", "udp", "--sport", 53])
    for rule in notrack:
        run("iptables", "-w", "-t", "raw", "-I", *rule, "-j", "NOTRACK")
    before = queries()
    try:
        assert p1.value(f"n16.{D}") == "10.100.0.16"
    finally:
        for rule in notrack:
            run("iptables", "-w", "-t", "raw", "-D", *rule, "-j", "NOTRACK")
    wait_until(2, lambda: queries() > before, "queries that came to the agent")


def test_node(bare, node):
    assert node.value(f"n21.{D}", server=LOCAL4) == "10.100.0.21"
    assert node.value(f"n21.{D}", server=LOCAL4, tcp=True) == "10.100.0.21"
    assert node.value(f"n22.{D}", server=DNS4) == "10.100.0.22", "by the cluster DNS' address"


def test_health_and_metrics(bare):
    assert http(f"http://{LOCAL4}:8080/health") == (200, "OK")
    for name in "nodens_kernel_path", "nodens_agent_devices", "nodens_kernel_hits_total":
        assert metric(name) == 0
    page = http(f"http://{NODE4}:9253/metrics")[1]
    checked = run("promtool", "check", "metrics", input=page, check=False)
    assert "nodens_kernel_path" not in checked.stdout + checked.stderr
    assert "coredns_nodecache_setup_errors_total{" in http(f"http://{NODE4}:9353/metrics")[1]


READY = f"http://{LOCAL4}:8181/ready"


def with_ready(cache, address=LOCAL4):
    cache.set_base(cache.base.replace(".:53 {", f".:53 {{\n    ready {address}:8181", 1))


def test_reload_brings_ready(bare, p1):
    with_ready(bare)
    bare.signal("USR1")
    wait_until(5, lambda: http(READY)[0] == 200, bare.log_tail)
    bare.set_base(".:53 { nonsense }")
    bare.signal("USR1")
    bare.wait_said("Corefile.base:1: nonsense.*stays as it was")
    assert p1.value(f"n23.{D}", server=LOCAL4) == "10.100.0.23"
    bare.own()


def test_link_is_put_back(bare, p1):
    ip(f"link del {LINK}")
    wait_until(5, lambda: link_addresses() == BOTH, link_addresses)
    assert p1.value(f"n24.{D}", server=LOCAL4) == "10.100.0.24"


def test_end_leaves_nothing(swapped, request):
    swapped.own()
    before = output("ip", "-br", "addr")
    bare = request.getfixturevalue("bare")
    assert not link_gone()
    bare.own()
    assert output("ip", "-br", "addr") == before
    assert leftovers() == []
    assert rules() == bare.rules_before
    assert os.listdir(bare.tmp) == []


def test_detach_leaves_it_alone(bare):
    detach()
    assert link_addresses() == BOTH


NO_NETNS = "a network namespace cannot be made: Operation not permitted"


@pytest.mark.parametrize("caps, own_sys, missing", [
    ("+sys_admin", True, "/sys/fs/bpf/nodens is not in a bpffs"),
    ("+bpf,+perfmon", False, NO_NETNS),
    (None, False, f"bpf\\(\\) is not permitted; {NO_NETNS}"),
], ids=["bpffs", "sys_admin", "all-but-bpffs"])
def test_one_is_missing(installed, p1, caps, own_sys, missing):
    """What this tree's DaemonSet would make of a forgotten capability or volume: each is named, and it alone."""
    start(installed, caps=f"{CAPS},{caps}" if caps else CAPS, own_sys=own_sys)
    assert re.search(rf"no kernel path: {missing}\. DNS", "\n".join(installed.errors()))
    assert p1.value(f"n31.{D}", server=LOCAL4) == "10.100.0.31"
    assert leftovers() == []


def test_bpffs_read_only(installed, p1):
    """As the profile of a container runtime has it: the bpffs is there, and nothing may be written to it."""
    run("mount", "-o", "remount,ro,bind", "/sys/fs/bpf")
    try:
        test_one_is_missing(installed, p1, "+sys_admin", False, "cannot make /sys/fs/bpf/nodens: Read-only file system")
    finally:
        run("mount", "-o", "remount,rw,bind", "/sys/fs/bpf")


# ---- a kernel that refuses the programs ------------------------------------------------------------------


@pytest.fixture(scope="module")
def refuse(lab, swapped):
    """All rights, but a verifier that takes no program of the names that follow. In the container, as nodens is: this tree
    may lie below the /tmp that it does not see."""
    shutil.copy(lab.tool("refuse_progs"), swapped.etc)
    return "/etc/refuse_progs"


def serves_without_programs(cache, p1, program):
    line, = cache.errors()
    assert re.search(rf"no kernel path: this kernel refuses the {program} program.*: Permission denied: R7 unbounded memory"
                     r" access, make sure to bounds check any such access\. DNS is answered without it", line)
    assert "capabilit" not in line, "advice that does not help"
    assert re.search("verifier:.*R7 unbounded memory", cache.log_text())
    assert re.search("verifier:.*processed 1234 insns", cache.log_text())
    assert cache.times_said("verifier:") <= 8
    assert cache.said("ready: .*without the kernel path")
    assert metric("nodens_kernel_path") == 0
    wait_until(5, lambda: http(READY)[0] == 200, "/ready")
    assert p1.value(f"n32.{D}", server=LOCAL4) == "10.100.0.32"
    assert p1.value(f"n33.{D}") == "10.100.0.33", "by the cluster DNS' address"
    assert leftovers() == []


@pytest.mark.parametrize("names, flags, program", [
    ("tc_dns,xdp_nodens", [], "tc"),
    ("tc_return", [], "tc"),
    # A device that was named is no reason to end and to be started again for ever.
    ("tc_dns,xdp_nodens", ["-interfaces", "P1"], "tc"),
    ("xdp_nodens", ["-interfaces", "P1", "-hook", "xdp-generic"], "XDP"),
    ("tc_dns,xdp_nodens", ["-mode", "listen", "-interfaces", "uplink"], "tc"),
], ids=["both", "nd0", "named-device", "xdp", "listen"])
def test_refused_by_the_verifier(installed, p1, refuse, names, flags, program):
    with_ready(installed)
    start(installed, *(p1.veth if flag == "P1" else flag for flag in flags), prefix=[refuse, names])
    serves_without_programs(installed, p1, program)


def test_refused_who_look_on(installed, layout, refuse):
    """Then nobody can look at single packets; the answers still come out of the kernel."""
    with_ready(installed)
    start(installed, prefix=[refuse, "tc_observe"])
    assert installed.errors() == []
    assert installed.said("single packets cannot be looked at")
    wait_until(10, lambda: metric("nodens_kernel_path") == 1, "the kernel path")
    assert os.path.exists(f"/sys/fs/bpf/nodens/{layout}/nodens_seen")
    assert not os.path.exists(f"/sys/fs/bpf/nodens/{layout}/nodens_rings")


def test_refused_by_the_verifier_debug(installed, refuse):
    """All that libbpf and the verifier say, for who asks for it."""
    start(installed, "-log-level", "debug", prefix=[refuse, "tc_dns"])
    assert installed.said("debug: .*BEGIN PROG LOAD LOG"), "of libbpf"
    assert installed.said("debug: 3: .b7. r0 = 3"), "the whole log of the verifier"


def test_refused_by_the_verifier_and_nothing_to_listen_on(swapped, p1, refuse):
    """With kube-ipvs0 there is nothing to listen on: alive, not ready, and pods have kube-proxy."""
    swapped.install(DNS4, "")
    with_ready(swapped, NODE4)
    swapped.swap("-localip", DNS4, "-mode", "steer", "-setupinterface=false", "-upstreamsvc", "kube-dns-upstream",
                 prefix=[refuse, "tc_dns"])
    swapped.wait_said("no kernel path:.*Nothing is answered here: pods have the cluster's DNS")
    time.sleep(1)
    assert swapped.alive(), swapped.log_tail()
    assert http(f"http://{NODE4}:8181/ready") == (503, "no kernel path")
    assert metric("nodens_kernel_path") == 0
    assert p1.value(f"n34.{D}") == "10.100.0.34"
    swapped.own()


def swap_run(cache, **options):
    cache.swap("run", *ARGS, "-setupinterface", "-basecorefile", "/etc/coredns/Corefile.base", **options)
    cache.wait_end()


def test_run_fails_when_refused(installed, refuse):
    """Who runs it by name gets the reason and the end."""
    swap_run(installed, prefix=[refuse, "tc_dns"])
    line, = installed.errors()
    assert re.search("this kernel refuses the tc program .*R7 unbounded", line)
    assert leftovers() == []


# ---- rights ----------------------------------------------------------------------------------------------


def test_run_fails(installed):
    """Who asks for the kernel path by name is told that there is none."""
    swap_run(installed, prefix=with_caps(CAPS), own_sys=True)
    line, = installed.errors()
    assert "bpf() is refused: Operation not permitted" in line
    assert link_gone()


def test_patched_and_back(installed, p1):
    """The manifest is patched, and rolled back: each time the new pod takes over what the old one left."""
    start(installed, caps=CAPS, own_sys=True)
    start(installed, "-persist")
    wait_until(10, lambda: installed.steering(p1), installed.log_tail)
    assert installed.errors() == []
    assert metric("nodens_kernel_path") == 1
    assert p1.value(f"n41.{D}", server=LOCAL4) == "10.100.0.41", "with the kernel path"
    installed.stop()
    assert leftovers() != [], "what -persist leaves"
    start(installed, caps=CAPS, own_sys=True)
    assert p1.value(f"n42.{D}", server=LOCAL4) == "10.100.0.42", "a miss, with programs of the one before there"
    assert p1.value(f"n43.{D}") == "10.100.0.43", "by the cluster DNS' address"
    assert metric("nodens_kernel_path") == 0
    installed.own()
    detach()
    assert leftovers() == []


def test_dual_stack(swapped, p1, node):
    swapped.install("__PILLAR__LOCAL__DNS__", "__PILLAR__DNS__SERVER__")
    start(swapped, caps=CAPS, own_sys=True, args=["-localip", f"{LOCAL4},{DNS4},{LOCAL6},{DNS6}", "-conf",
                                                  "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream"])
    for server in LOCAL4, DNS4, LOCAL6, DNS6:
        assert p1.value(f"n51.{D}", "AAAA", server) == "fd00:100::33"
        assert node.value(f"n52.{D}", "AAAA", server) == "fd00:100::34"
    swapped.own()
    assert link_gone()


def test_behind_a_local_redirect(swapped, lab, p1):
    """node-cache's arguments behind a Local Redirect Policy, in a pod without a capability of its own."""
    agent = lab.pod("agent")
    swapped.own()
    os.rename(swapped.etc / "coredns", swapped.etc / "coredns.away")  # else Corefile.base is read
    (swapped.etc / "Corefile").write_text(f".:53 {{\n    bind 0.0.0.0\n    cache 30\n    forward . {UP4}\n}}\n")
    try:
        swapped.swap("-setupinterface=false", "-skipteardown=true", "-conf", "/etc/Corefile", own_sys=True,
                     prefix=["nsenter", f"--net=/run/netns/{agent.name}", *with_caps(RUNTIME)])
        swapped.wait_said("ready: ", 10)
        assert re.search(r"no kernel path: bpf\(\) is not permitted; /sys/fs/bpf/nodens is not.*cilium-lrp.yaml has: .*BPF,"
                         " PERFMON", "\n".join(swapped.errors()))
        assert p1.value(f"n61.{D}", server=agent.ip4) == "10.100.0.61"
        swapped.own()
    finally:
        (swapped.etc / "Corefile").unlink()
        os.rename(swapped.etc / "coredns.away", swapped.etc / "coredns")
