# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whose name a client is given: pods wired by Debian's CNI plugins, whose cache Debian's libcni wrote; files that outlived
their pods; addresses that another pod has by now; files that are none."""
import json
import os
import shutil
import time

import pytest

from agent import NODENS, block, http
from cni import Network
from lab import DNS4, UP4, ip, output, run, wait_until
from query import unique
from test_status import screen, status

LOG = 'log . "{remote} {/kubernetes/client-namespace}/{/kubernetes/client-pod-name} {name}"'


@pytest.fixture(scope="module")
def bridge(lab):
    return Network(lab, "bridge", "10.247.0.0/24")


@pytest.fixture(scope="module")
def ptp(lab):
    return Network(lab, "ptp", "10.248.0.0/24", "1.0.0")


@pytest.fixture(scope="module")
def cart(bridge):
    return bridge.pod("shop", "cart-7d9f")


@pytest.fixture(scope="module")
def pay(ptp):
    return ptp.pod("shop", "pay-0")


@pytest.fixture
def steered(lab, nodens, cluster, p1, cart, pay):
    """An agent that knows both pods by now: the directory is read within a second."""
    nodens.ensure("-cni-results", lab.dir / "cni/results", probe=p1,
                  corefile=block(".:53", "cache 30", f"bind {DNS4}", LOG, "prometheus 127.0.0.1:9253", f"forward . {UP4}"))
    wait_until(5, lambda: logged(nodens, cart) == cart.text and logged(nodens, pay) == pay.text, nodens.log_tail)


def logged(nodens, pod):
    """Who the log says asked, of a query that only the agent can answer. A pod that is new may ask the cluster's DNS first."""
    def line():
        """Lines are written within a beat."""
        name = unique("wild.example.org")
        assert pod.value(name) == "192.0.2.99"
        time.sleep(0.15)
        return nodens.said(rf"^\[INFO\] (\S+) (\S+) {name}")
    remote, who = wait_until(5, line, nodens.log_tail).groups()
    assert remote == pod.ip4
    return who


def clients(*flags):
    """{address: POD as `nodens clients` shows it}, which needs no agent."""
    lines = output(NODENS, "clients", *flags).splitlines()
    assert lines[0].split() == ["ADDRESS", "LAST(s)", "POD"]
    return {line.split()[0]: line.split(None, 2)[2] for line in lines[1:]}


def listed(lab):
    return clients("-cni-results", lab.dir / "cni/results")


def test_names_in_the_log(steered, nodens, cart, pay, p1):
    assert logged(nodens, cart) == "shop/cart-7d9f"
    assert logged(nodens, pay) == "shop/pay-0"
    assert logged(nodens, p1) == "-/-", "not wired by a CNI plugin"


def test_clients(steered, nodens, lab, cart, pay, p1):
    for pod in cart, pay, p1:
        logged(nodens, pod)
    shown = listed(lab)
    assert shown[cart.ip4] == "shop/cart-7d9f" and shown[pay.ip4] == "shop/pay-0"
    assert shown[p1.ip4] == f"{p1.ip4}@{p1.veth}"
    data = json.loads(output(NODENS, "clients", "--json", "-cni-results", lab.dir / "cni/results"))
    assert data["schema"] == 1
    by_address = {client["address"]: client for client in data["clients"]}
    assert by_address[cart.ip4] | {"last_s": 0, "ifindex": 0} == {
        "address": cart.ip4, "device": cart.veth, "namespace": "shop", "pod": "cart-7d9f", "last_s": 0, "ifindex": 0}
    assert by_address[cart.ip4]["last_s"] <= 5
    assert "pod" not in by_address[p1.ip4]
    assert clients("-cni-results", "/nonexistent")[cart.ip4] == f"{cart.ip4}@{cart.veth}"


def devices(lab):
    """{device: its pod as `nodens status` names it}"""
    return {x["name"]: x["pod"] for x in status("-cni-results", lab.dir / "cni/results")[0]["devices"]}


def test_status(steered, nodens, lab, cart, pay, p1):
    """Each device with its pod; of one that a tool wired nothing is known. Also without an agent."""
    named = devices(lab)
    assert (named[cart.veth], named[pay.veth], named[p1.veth]) == ("shop/cart-7d9f", "shop/pay-0", None)
    assert set(x["pod"] for x in status("-cni-results", "/nonexistent")[0]["devices"]) == {None}
    nodens.kill()
    assert devices(lab) == named


def test_status_of_a_result_without_devices(steered, lab, ptp):
    """The routes say by which device its address is reached."""
    pod = ptp.pod("shop", "old-result")
    data = json.loads(pod.file.read_text())
    del data["result"]["interfaces"]
    pod.file.write_text(json.dumps(data))
    wait_until(5, lambda: devices(lab).get(pod.veth) == "shop/old-result", lambda: devices(lab), step=0.2)
    kept = pod.file.read_text()
    pod.delete()
    pod.file.write_text(kept)
    assert "shop/old-result" not in devices(lab).values()
    pod.file.unlink()


def test_problems_name_pods(steered, nodens, lab, cart, p1):
    """A program that runs before nodens, on a device with a pod and on one without."""
    ours = f"{cart.veth} of shop/cart-7d9f (u32)"
    nodens.stop()
    other = lab.pod("behind")
    for veth in cart.veth, other.veth:
        run("tc", "qdisc", "add", "dev", veth, "clsact")
        run("tc", "filter", "add", "dev", veth, "ingress", "pref", 1, "protocol", "all", "u32", "match", "u32", 0, 0, "flowid", "1:1")
    try:
        nodens.start("--pretend-kernel", "5.4", "-cni-results", lab.dir / "cni/results", probe=p1,
                     corefile=block(".:53", "cache 30", f"bind {DNS4}", "prometheus 127.0.0.1:9253", f"forward . {UP4}"))

        def text():
            return next((x["text"] for x in status("-cni-results", lab.dir / "cni/results")[0]["problems"] if x["code"] == "program_ahead"), "")
        wait_until(5, lambda: ours in text() and f"{other.veth} (u32)" in text(), text, step=0.2)
        assert ours in " ".join(screen(100, "-cni-results", lab.dir / "cni/results").split())
        page = http("http://127.0.0.1:9253/status.json")[1]
        assert f"{cart.veth} (u32)" in page and "shop" not in page and "cart-7d9f" not in page
    finally:
        run("tc", "qdisc", "del", "dev", cart.veth, "clsact")
        other.delete()


def test_page_names_no_pod(steered, nodens, cart):
    """Though the agent knows it, and whoever asks."""
    assert logged(nodens, cart) == "shop/cart-7d9f"
    code, text = http("http://127.0.0.1:9253/status.json")
    shown = json.loads(text)["status"]["devices"]
    assert code == 200 and cart.veth in [x["name"] for x in shown] and set(x["pod"] for x in shown) == {None}
    assert "cart-7d9f" not in text


def test_clients_without_an_agent(steered, nodens, lab, cart):
    logged(nodens, cart)
    nodens.kill()
    assert listed(lab)[cart.ip4] == "shop/cart-7d9f"


def test_pods_come_and_go(steered, nodens, lab, bridge):
    pod = bridge.pod("batch", "import-x2")
    wait_until(5, lambda: logged(nodens, pod) == "batch/import-x2", nodens.log_tail)
    pod.delete()
    assert not pod.file.exists()
    assert "batch/import-x2" not in listed(lab).values()


@pytest.mark.parametrize("plugin", ["bridge", "ptp"])
def test_address_reused(steered, nodens, lab, plugin, request):
    """The first pod's file stays, as after a crash or a boot; the next pod has its address."""
    network = request.getfixturevalue(plugin)
    first = network.pod("shop", "first")
    wait_until(5, lambda: logged(nodens, first) == "shop/first", nodens.log_tail)
    kept = lab.dir / "kept"
    shutil.copy2(first.file, kept)
    first.delete()
    shutil.copy2(kept, first.file)
    second = network.pod("shop", "second", IP=first.ip4)
    assert second.ip4 == first.ip4
    wait_until(5, lambda: logged(nodens, second) == "shop/second", nodens.log_tail)
    assert listed(lab)[second.ip4] == "shop/second"
    # even where the old file is the one that was written last
    os.utime(first.file)
    with open(first.file, "a"):
        pass
    wait_until(5, lambda: logged(nodens, second) == "shop/second", nodens.log_tail)
    assert listed(lab)[second.ip4] == "shop/second"
    # and where the new one says nothing
    text = second.file.read_text()
    second.file.write_text("")
    wait_until(5, lambda: logged(nodens, second) == "-/-", nodens.log_tail)
    assert listed(lab)[second.ip4] == f"{second.ip4}@{second.veth}"
    first.file.unlink()
    second.file.write_text(text)
    second.delete()


def test_no_other_pods_name(steered, nodens, lab, cart, pay):
    """Who sends with another pod's address is not shown under its name, whatever the programs make of it."""
    ip(f"addr add {cart.ip4}/32 dev eth0", pay.name)
    try:
        with pay.udp(source=(cart.ip4, 0), timeout=0.5) as sock:
            sock.send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03ttt\x07example\x03org\0\0\x01\0\x01")
            wait_until(3, lambda: nodens.stat("kernel.steered") > 0)
    finally:
        ip(f"addr del {cart.ip4}/32 dev eth0", pay.name)
    assert logged(nodens, cart) == "shop/cart-7d9f"
    assert not nodens.said(rf"{cart.ip4} shop/cart-7d9f ttt.example.org")


def test_result_without_devices(steered, nodens, lab, bridge):
    """As CNI 0.2.0 has it: the node's routes and neighbours say whether the address is alive."""
    pod = bridge.pod("shop", "old-result")
    data = json.loads(pod.file.read_text())
    del data["result"]["interfaces"]
    pod.file.write_text(json.dumps(data))
    wait_until(5, lambda: logged(nodens, pod) == "shop/old-result", nodens.log_tail)
    assert listed(lab)[pod.ip4] == "shop/old-result"
    kept = pod.file.read_text()
    pod.delete()
    pod.file.write_text(kept)
    run("ip", "neigh", "flush", "dev", "cni7")
    assert pod.ip4 not in listed(lab) or listed(lab)[pod.ip4] != "shop/old-result"
    pod.file.unlink()


def test_hostile_files(steered, nodens, lab, cart, pay):
    """The agent goes on, knows the others, and prints nothing raw."""
    results, before = lab.dir / "cni/results", nodens.rss()
    text = cart.file.read_text()
    hostile = {"empty": "", "cut": text[:100], "escape": text.replace("cart-7d9f", "\\u001b[31mcart"),
               "line": text.replace("cart-7d9f", "a\\nerror: b"), "deep": "[" * 200_000}
    for name, content in hostile.items():
        (results / name).write_text(content)
    with open(results / "large", "w") as file:
        file.write(text)
        file.truncate(100 << 20)
    os.symlink(cart.file, results / "link")
    os.mkfifo(results / "fifo")
    (results / "\x1b[2Jname").write_text("")
    try:
        for _ in range(3):
            assert logged(nodens, cart) == "shop/cart-7d9f"
            assert logged(nodens, pay) == "shop/pay-0"
        shown = listed(lab)
        assert shown[cart.ip4] == "shop/cart-7d9f"
        assert "\x1b" not in str(shown) + nodens.log_text()
        assert nodens.rss() < before + 4096
    finally:
        for path in results.iterdir():
            if path not in (cart.file, pay.file):
                path.unlink()
