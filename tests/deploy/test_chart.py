# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The Helm chart, rendered by helm: each mode, each value; what comes out passes the schema check and nodens reads it."""
import re
import shutil

import pytest

from deploy import HELM, MANIFESTS, ROOT, DaemonSet, kubectl_patch, kustomize, render, schema
from lab import note, run

CHART = ROOT / "deploy/helm"
VALUES = [line for line in (ROOT / "tests/deploy/values").read_text().splitlines() if line and line[0] != "#"]

pytestmark = pytest.mark.usefixtures("tools")


def test_lint():
    run(HELM, "lint", "--strict", CHART / "nodens")


def test_readme(tmp_path):
    run(CHART / "readme", "--check")
    shutil.copytree(CHART, tmp_path / "helm")
    values = tmp_path / "helm/nodens/values.yaml"
    text = values.read_text()
    values.write_text(re.sub("^logLevel: info", "logLevel: warn", text, flags=re.M))
    assert values.read_text() != text
    assert run(tmp_path / "helm/readme", "--check", check=False).returncode, "a changed default is not seen"


def settings(daemonset, directory):
    """What the chart and the plain manifests must have in common."""
    corefile = sorted(line for line in daemonset.check(directory).splitlines()
                      if "policy random" not in line and not line.startswith("# -"))
    spec, pod, container = daemonset.spec, daemonset.pod, daemonset.container
    return {"configuration": corefile, "capabilities": daemonset.capabilities, "updateStrategy": spec["updateStrategy"],
            "selector": spec["selector"],
            **{key: pod[key] for key in ("dnsPolicy", "tolerations", "nodeSelector", "securityContext")},
            **{key: container[key] for key in ("livenessProbe", "readinessProbe", "resources", "ports",
                                               "terminationMessagePolicy")}}


@pytest.mark.parametrize("mode", ["kube-proxy", "ipvs", "cilium", "front"])
def test_mode(tmp_path, mode):
    """The chart and the plain manifests start the same thing."""
    chart = tmp_path / "chart.yaml"
    chart.write_text(render("--set", f"mode={mode}"))
    assert settings(DaemonSet(chart.read_text()), tmp_path) == settings(DaemonSet(kustomize(MANIFESTS / mode)), tmp_path)
    schema(chart)


def test_each_value(tmp_path):
    """Each changes something, for the schema check all at once; nodens reads each Corefile that comes out."""
    files = []
    for line in VALUES:
        value, _, beside = line.partition(" | ")
        name = value.split("=")[0]
        options = ["--set-json", beside] if beside else []
        text = render("--set-json", value, *options)
        assert text != render(*options), f"{name}: nothing changed"
        DaemonSet(text).check(tmp_path)
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(text)
    documented = run(CHART / "readme", "--list").stdout.split()
    assert sorted(path.stem for path in files) == sorted(documented), "values tested and documented"
    schema(*files)
    note(f"{len(VALUES)} values")


def test_uninstall_hook():
    """What the hook does before the release is deleted, done by kubectl itself to the DaemonSet of the release: -persist goes,
    all nodes at once, and nothing else changes."""
    release = DaemonSet(render("--no-hooks"))
    job = DaemonSet(render()).object("Job")["spec"]["template"]["spec"]["initContainers"][0]
    patch = next(arg for arg in job["args"] if arg.startswith("--patch="))
    patched = DaemonSet(kubectl_patch(render("--no-hooks"), "--type=json", patch))
    unpersistent = DaemonSet(render("--set", "attach.persist=false", "--set", "maxUnavailable=100%"))
    assert "-persist" in release.args
    assert patched.args == unpersistent.args
    assert patched.spec["updateStrategy"] == unpersistent.spec["updateStrategy"]
    assert patched.spec["template"]["metadata"] == release.spec["template"]["metadata"], "the rest"
    for options in ["--no-hooks"], ["--set", "attach.persist=false"], ["--set", "mode=cilium"]:
        assert "pre-delete" not in render(*options), f"a hook with {options}"


@pytest.mark.parametrize("value", [
    'imagee.tag="1"', 'image.tagg="1"', 'mode="iptables"', 'attach.hook="ebpf"', 'localAddress="localhost"',
    'attach.leaseSeconds=1', 'attach.exclude=["a*,b*"]', 'cache.capacity="9984"', 'maxUnavailable="10"',
    'podMonitor.interval="often"', 'bpffs="sys/fs/bpf"'])
def test_wrong_value(value):
    """values.schema.json has a say before a cluster has."""
    assert render("--set-json", value, check=False) is None


EKS = """clusterDNS:
  addresses: [172.20.0.10]
attach:
  interfaces: ["eni*"]
  exclude: ["vlan*"]
upstream:
  servers: [169.254.169.253]
nodeSelector:
  nodens: canary
podMonitor:
  enabled: true
"""


def rendered(path, *options):
    """The chart, in this file; it passes the schema check."""
    path.write_text(render(*options))
    schema(path)
    return DaemonSet(path.read_text())


def test_files_of_values(tmp_path):
    (tmp_path / "values.yaml").write_text(EKS)
    daemonset = rendered(tmp_path / "eks.yaml", "-f", tmp_path / "values.yaml")
    assert "bind 169.254.20.10 172.20.0.10" in daemonset.check(tmp_path)
    assert "-interfaces eni* -exclude vlan*" in " ".join(daemonset.args)


def test_older_kubernetes(tmp_path):
    """Before 1.30 the AppArmor profile is an annotation."""
    old = rendered(tmp_path / "old.yaml", "--kube-version", "1.29.0").spec["template"]
    assert any("apparmor" in key and key.endswith("/node-cache") and value == "unconfined"
               for key, value in old["metadata"]["annotations"].items())
    assert "appArmorProfile" not in str(old)
    new = rendered(tmp_path / "new.yaml", "--kube-version", "1.30.0").spec["template"]
    assert "'appArmorProfile': {'type': 'Unconfined'" in str(new)
    assert render("--kube-version", "1.24.0", check=False) is None
