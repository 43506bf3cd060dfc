# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kubectl nodens: which agents it asks, what it shows of their answers, and what it says of those that do not answer."""
import json
import re
import shutil
import time

import jsonschema
import pytest
import yaml

import kube_api
from agent import NODENS
from cluster import D
from kube_cluster import AS_NODE_CACHE, NAMED, SHELLS, agent_a, kubectl, only, second_node, whole_cluster  # noqa: F401
from lab import DNS4, ROOT, note, run
from test_status import schema


# ---- the real agent --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_one_node_from_end_to_end(kubectl, agent_a, p1, shell):
    kubectl.use(shell)
    done = kubectl("status", "-n", "shop", "cart")
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.startswith("nodens ") and f"served    {DNS4}" in done.stdout
    assert kubectl("stats", "--node", "node-a").stdout.split()[0] == run(NODENS, "stats").stdout.split()[0]
    p1.ask(f"n5.{D}")
    assert f"n5.{D}" in kubectl("dump", "--node=node-a").stdout
    records = kubectl("dump", "*.svc.cluster.local", "--answers", "-n", "shop", "cart").stdout
    assert re.search(rf"^n5\.{D}\.\t\d+\tIN\tA\t10\.100\.0\.5$", records, re.M)
    assert [kubectl("flush", "--tree", f"n5.{D}", "--node", "node-a").returncode for _ in range(2)] == [0, 1]


def test_status_of_all(kubectl, agent_a, p1):
    only(kubectl, "node-a", "node-b")
    for i in range(300):
        p1.ask(f"n{i % 20}.{D}")
    time.sleep(1.2)
    done = kubectl("status")
    assert done.returncode == 1, "node-b's upstream is down"
    head, a, b, total = (line.split() for line in done.stdout.splitlines())
    assert head[:4] == ["NODE", "AGENT", "READY", "Q/S"] and (a[0], a[1], a[2]) == ("node-a", "alive", "yes")
    assert (b[0], b[1], b[2]) == ("node-b", "alive", "no") and "upstream_unheard" in b
    assert total[:3] == ["total", "2/2", "1/2"] and int(a[3]) > 5, done.stdout
    assert abs(int(a[3]) + int(b[3]) - int(total[3])) <= 1 and a[4].endswith("%")
    note(done.stdout)


def test_json_of_all(kubectl, agent_a):
    only(kubectl, "node-a", "node-b")
    done = kubectl("status", "--all", "--json")
    assert done.returncode == 1
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [page["node"] for page in pages] == ["node-a", "node-b"]
    for page in pages:
        jsonschema.validate(page, schema("status"), cls=jsonschema.Draft7Validator)
    assert pages[0]["pid"] == agent_a.pid and pages[1]["mode"] == "listen"
    (page,) = map(json.loads, kubectl("stats", "--json", "--node", "node-a").stdout.splitlines())
    assert page.pop("node") == "node-a"
    jsonschema.validate(page, schema("stats"), cls=jsonschema.Draft7Validator)


def test_explain_for_a_pod(kubectl, agent_a, p1):
    done = kubectl("explain", f"n1.{D}", "AAAA", "-n", "shop", "cart")
    assert done.returncode == 0, done.stderr
    assert f"question       n1.{D}. AAAA" in done.stdout and f"device         {p1.veth}: attached" in done.stdout


def test_top_of_all(kubectl, agent_a):
    only(kubectl, "node-a", "node-b")
    done = kubectl("top", "--once", "--json", "--all")
    assert done.returncode == 0, done.stderr
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(page["node"] for page in pages) == ["node-a", "node-b"]
    for page in pages:
        jsonschema.validate(page, schema("top"), cls=jsonschema.Draft7Validator)


def test_top_of_a_pod(kubectl):
    assert kubectl("top", "-s", "nx", "-n", "shop", "mail").returncode == 0
    assert kubectl.calls("node-c") == [["version"], ["top", "-s", "nx", "-p", "shop/mail"]]


def test_text_of_all(kubectl, agent_a):
    only(kubectl, "node-a", "node-b")
    lines = kubectl("stats", "--all").stdout.splitlines()
    assert lines and all(re.match("node-[ab]: ", line) for line in lines)
    assert [line[:6] for line in lines] == sorted(line[:6] for line in lines), "one node after the other"


def test_agent_is_killed(kubectl, agent_a):
    agent_a.kill()
    done = kubectl("status", "--node", "node-a")
    assert "[agent_dead]" in done.stdout and done.returncode == run(NODENS, "status", check=False).returncode == 3


# ---- which agents ----------------------------------------------------------------------------------------


def test_no_such_pod(kubectl):
    done = kubectl("status", "-n", "shop", "nothing")
    assert done.returncode == 2 and 'pods "nothing" not found' in done.stderr and not done.stdout


def test_pod_without_node(kubectl):
    done = kubectl("status", "--pod", "shop/new")
    assert done.returncode == 2 and "is on no node yet" in done.stderr


def test_node_without_agent(kubectl):
    done = kubectl("status", "--pod=shop/far")
    assert done.returncode == 3 and "node-x: no agent on this node" in done.stderr
    done = kubectl("ends", "0", "--node", "node-x", "--node", "node-c")
    assert done.returncode == 3 and "node-x: no agent on this node" in done.stderr
    assert kubectl.calls("node-c") == [["version"], ["ends", "0"]]


def test_no_agent_at_all(kubectl):
    only(kubectl)
    assert kubectl("status").returncode == 3
    done = kubectl("status", env={"NODENS_SELECTOR": "a=b", "NODENS_NAMESPACE": "dns"})
    assert done.returncode == 3 and "namespace dns" in done.stderr and "a=b" in done.stderr


def test_agent_not_ready(kubectl):
    """It is asked all the same: now it matters."""
    kubectl.api.pods[2] = kube_api.pod("nodens-c", "node-c", labels=NAMED, ready=False)
    done = kubectl("stats", "--node", "node-c")
    assert done.returncode == 0 and "kube-system/nodens-c is not ready" in done.stderr
    assert kubectl.calls("node-c") == [["stats"]]


def test_agent_does_not_run(kubectl):
    kubectl.api.pods[2] = kube_api.pod("nodens-c", "node-c", labels=NAMED, waiting="CrashLoopBackOff")
    done = kubectl("stats", "--node", "node-c")
    assert done.returncode == 3 and "nodens-c does not run: CrashLoopBackOff" in done.stderr
    assert kubectl.calls("node-c") == []


def test_labels_of_what_is_installed(kubectl):
    """The manifests of a version before, and an image that alone was changed."""
    kubectl.api.pods = [kube_api.pod("node-local-dns-1", "node-c", labels=AS_NODE_CACHE)]
    assert kubectl("stats").returncode == 0
    assert kubectl.calls("node-c") == [["stats"]]


def test_cache_in_front_of_which_nodens_stands(kubectl):
    """The node cache that stays has nodens' older label, too."""
    kubectl.api.pods.insert(0, kube_api.pod("node-local-dns-1", "node-c", labels=AS_NODE_CACHE))
    assert kubectl("stats", "--node", "node-c").returncode == 0
    assert {x[3] for x in kubectl.api.requests if x[1] == "pods/exec"} == {"nodens-c"}


def test_pod_that_is_no_nodens(kubectl):
    kubectl.api.pods = [kube_api.pod("node-local-dns-1", "node-y", labels=AS_NODE_CACHE)]
    kubectl.api.nodes["node-y"] = kube_api.Node("/nowhere")
    done = kubectl("stats")
    assert done.returncode == 3 and "no nodens in pod kube-system/node-local-dns-1: is that node-cache?" in done.stderr


def test_the_better_of_two_agents(kubectl):
    """A second DaemonSet stands by and is not ready."""
    kubectl.api.pods.append(kube_api.pod("nodens-2", "node-c", labels=NAMED, ready=False))
    kubectl.api.pods.insert(0, kube_api.pod("nodens-0", "node-c", labels=NAMED, waiting="ImagePullBackOff"))
    assert kubectl("stats", "--node", "node-c").returncode == 0
    assert {x[3] for x in kubectl.api.requests if x[1] == "pods/exec"} == {"nodens-c"}


def test_pod_of_ours_that_is_no_agent(kubectl):
    """The Job that takes a release away has the chart's labels."""
    kubectl.api.pods.append(kube_api.pod("nodens-detach", "node-c", labels=NAMED, containers=["patch"]))
    assert kubectl("stats", "--node", "node-c").returncode == 0
    assert {x[3] for x in kubectl.api.requests if x[1] == "pods/exec"} == {"nodens-c"}


def rendered(kubectl):
    """(what, the objects) of each way to install nodens."""
    for mode in "kube-proxy", "ipvs", "cilium", "front":
        yield mode, run(kubectl.bin / "kubectl", "kustomize", ROOT / "deploy/manifests" / mode).stdout
        yield f"chart {mode}", run(kubectl.bin / "helm", "template", "x", ROOT / "deploy/helm/nodens", f"--set=mode={mode}",
                                   "--set=name=y", env=kubectl.environment()).stdout
    swap = kubectl.lab.dir / "swap"
    shutil.copytree(ROOT / "deploy/manifests/image-swap", swap / "image-swap", dirs_exist_ok=True)
    shutil.copy(ROOT / "tests/deploy/node-cache.yaml", swap)
    (swap / "kustomization.yaml").write_text("resources: [node-cache.yaml]\ncomponents: [image-swap]\n")
    yield "image-swap", run(kubectl.bin / "kubectl", "kustomize", swap).stdout


def test_labels_of_manifests_and_chart(kubectl):
    """Whatever way it was installed, and whatever the release's name: its pods are found."""
    for what, text in rendered(kubectl):
        (daemonset,) = (x for x in yaml.safe_load_all(text) if x and x["kind"] == "DaemonSet")
        template = daemonset["spec"]["template"]
        kubectl.api.pods = [kube_api.pod("p", "node-c", "ns", template["metadata"]["labels"],
                                         [x["name"] for x in template["spec"]["containers"]])]
        kubectl.api.rules |= {("ns", "pods/exec", "get"), ("ns", "pods/exec", "create")}
        kubectl.api.requests = []
        assert kubectl("stats").returncode == 0 and kubectl.calls("node-c") == [["stats"]], what
        assert sum(x[0] == "list" for x in kubectl.api.requests) == 1, f"{what}: by the label that node-cache has not"


def test_selector_namespace_and_container(kubectl):
    kubectl.api.pods = [
        kube_api.pod("x", "node-c", "dns", {"mine": "yes"}, ("proxy", "resolver")), kube_api.pod("y", "node-d", "dns", NAMED),
        kube_api.pod("z", "node-d", "other", {"mine": "yes"}, ("proxy", "resolver"))]
    kubectl.api.rules = {("dns", resource, verb) for resource, verb in
                         (("pods", "list"), ("pods", "get"), ("pods/exec", "get"), ("pods/exec", "create"))}
    options = "--selector", "mine=yes", "--agent-namespace", "dns", "--container", "resolver"
    assert kubectl("stats", *options).returncode == 0
    env = dict(zip(("NODENS_SELECTOR", "NODENS_NAMESPACE", "NODENS_CONTAINER"), options[1::2]))
    assert kubectl("stats", env=env).returncode == 0
    assert kubectl.calls("node-c") == [["stats"]] * 2 and not kubectl.calls("node-d")


@pytest.mark.parametrize("resource", ["pods", "pods/exec"])
def test_not_allowed(kubectl, resource):
    kubectl.api.rules = {rule for rule in kubectl.api.rules if rule[1] != resource}
    done = kubectl("stats", "--node", "node-c")
    assert done.returncode == 4 and "orbidden" in done.stderr and not kubectl.calls("node-c")


def test_no_more_rights_than_it_needs(kubectl):
    kubectl("stats", "--pod", "shop/mail")
    kubectl("stats", "--all")
    used = {(resource, verb) for verb, resource, *_ in kubectl.api.requests}
    assert used == {(resource, verb) for _, resource, verb in kube_api.rules_of()}


# ---- what does not answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_one_of_three_hangs(kubectl, agent_a, shell):
    kubectl.use(shell)
    kubectl.api.hanging = {"node-c"}
    begun = time.monotonic()
    done = kubectl("status", "--timeout", "8")
    assert 8 <= time.monotonic() - begun < 30 and done.returncode == 5
    lines = done.stdout.splitlines()
    assert lines[3].startswith("node-c") and lines[3].endswith("no answer within 8 s")
    assert lines[4].split()[:3] == ["total", "2/3", "1/3"] and lines[4].endswith("1 without an answer")


def test_one_of_three_hangs_in_json(kubectl, agent_a):
    kubectl.api.hanging = {"node-c"}
    done = kubectl("stats", "--all", "--json", env={"NODENS_TIMEOUT": "8"})
    assert [json.loads(line)["node"] for line in done.stdout.splitlines()] == ["node-a", "node-b"]
    assert done.returncode == 5 and done.stderr.strip().endswith("node-c: no answer within 8 s")


def test_what_watches_hangs(kubectl):
    """No limit for a command that watches, but for whether its node answers at all."""
    kubectl.api.hanging = {"node-c"}
    done = kubectl("trace", "--node", "node-c", "--timeout", "1")
    assert done.returncode == 5 and "node-c: no answer within 1 s" in done.stderr


def test_api_hangs(kubectl):
    kubectl.api.hanging = {"api"}
    done = kubectl("status", "--timeout", "1")
    assert done.returncode == 5 and "did not answer" in done.stderr


def test_api_is_not_there(kubectl):
    kubectl.config.write_text(kubectl.api.kubeconfig().replace(str(kubectl.api.server.server_port), "1"))
    try:
        done = kubectl("status")
    finally:
        kubectl.config.write_text(kubectl.api.kubeconfig())
    assert done.returncode == 5 and "refused" in done.stderr
