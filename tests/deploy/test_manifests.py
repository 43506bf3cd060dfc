# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Manifests, kustomizations, alerts and unit of deploy/: each against the schema or the tool that reads it."""
import re
import shlex
import shutil

import pytest

from deploy import (CILIUM, KUBE_PROXY, MANIFESTS, NODE_CACHE, NODENS, ROOT, UNIT, DaemonSet, kubectl_patch, kustomize, read,
                    schema)
from lab import note, output, run

MONITORING = ROOT / "deploy/monitoring"
ALL = [KUBE_PROXY, CILIUM, MANIFESTS / "front/nodens.yaml", MONITORING / "podmonitor.yaml", MONITORING / "servicemonitor.yaml",
       MONITORING / "prometheusrule.yaml", ROOT / "deploy/kubectl/rbac.yaml"]

pytestmark = pytest.mark.usefixtures("tools")


def test_schema():
    schema(*ALL, NODE_CACHE)


def test_every_manifest_is_checked():
    """No manifest that the list above has not."""
    kinds = re.compile("^kind: (DaemonSet|Service|ConfigMap|.*Policy|.*Monitor|.*Rule)$", re.M)
    found = {path for path in (ROOT / "deploy").rglob("*.yaml") if kinds.search(path.read_text())
             and not re.search("/helm/|/ipvs/|patch.yaml", str(path))}
    assert found <= set(ALL)


FAULTS = {  # what is wrong: (regular expression, what takes its place[, manifest])
    "a field that does not exist": ("priorityClassName:", "priorityClass:"),
    "a nested one": ("appArmorProfile:", "apparmorProfile:"),
    "a boolean as text": ("hostNetwork: true", 'hostNetwork: "true"'),
    "a number as text": ("initialDelaySeconds: 60", "initialDelaySeconds: a minute"),
    "a number where there must be text": ('prometheus.io/port: "9253"', "prometheus.io/port: 9253"),
    "an unknown protocol": ("protocol: UDP", "protocol: QUIC"),
    "a required field missing": (r"^  selector:\n(.*\n)*?.*k8s-app.*\n", ""),
    "another API version": ("apps/v1", "extensions/v1"),
    "a key given twice": ("(^  namespace: kube-system)", r"\1\n\1"),
    "no such volume": (r"(name: bpffs\n(.*\n)*?.*)- name: bpffs$", r"\1- name: bpf"),
    "labels that the selector does not find": (r"\A((.*\n)*?)        k8s-app: node-local-dns", r"\1        k8s-app: nodens"),
    "a ConfigMap that is not there": ("^            name: node-local-dns", "            name: nodens"),
    "a port that is not text": ('port: "53"', "port: 53", CILIUM),
    "no frontend": ("serviceMatcher:", "servicematcher:", CILIUM),
    "ports without names": (".*name: dns.*\n", "", CILIUM),
    "a misspelt endpoint": ("podMetricsEndpoints:", "endpoints:", MONITORING / "podmonitor.yaml"),
    "an alert without expression": ("expr:", "expression:", MONITORING / "prometheusrule.yaml"),
}


def test_schema_sees_faults(tmp_path):
    files = []
    for what, (regex, wrong, *manifest) in FAULTS.items():
        text = (manifest[0] if manifest else KUBE_PROXY).read_text()
        files.append(tmp_path / f"{what.replace(' ', '-')}.yaml")
        files[-1].write_text(re.sub(regex, wrong, text, flags=re.M))
        assert files[-1].read_text() != text, f"{what}: nothing changed"
    seen = schema(*files, check=False)
    assert [path.stem for path in files if f"{path}: " not in seen] == [], "not seen"


def test_kustomizations(tmp_path):
    files = []
    for directory in *(MANIFESTS / mode for mode in ("kube-proxy", "ipvs", "cilium", "front")), MONITORING:
        files.append(tmp_path / f"{directory.name}.yaml")
        files[-1].write_text(kustomize(directory))
    schema(*files)
    assert "169.254" not in " ".join(read(tmp_path / "ipvs.yaml").args), "a link's address in IPVS mode"


CLUSTER = ["cluster.local.:53", "forward . 10.96.0.11:53", "ready "]
COREFILES = {"kube-proxy": CLUSTER, "ipvs": CLUSTER, "cilium": CLUSTER, "front": ["-mode=front", "forward . 169.254.20.10:53"]}


@pytest.mark.parametrize("mode", COREFILES)
def test_corefile(tmp_path, mode):
    """nodens itself reads what the manifests have it started with."""
    out = DaemonSet(kustomize(MANIFESTS / mode)).check(tmp_path)
    assert [part for part in COREFILES[mode] if part not in out] == []


def test_a_wrong_corefile_is_seen(tmp_path):
    assert DaemonSet(kustomize(MANIFESTS / "kube-proxy").replace("force_tcp", "force_udp")).check(tmp_path, check=False) is None


def test_image_swap(tmp_path):
    """Image, memory, capabilities, bpffs: nothing else of a NodeLocal DNSCache that is there may change."""
    shutil.copy(NODE_CACHE, tmp_path)
    shutil.copytree(MANIFESTS / "image-swap", tmp_path / "image-swap")
    (tmp_path / "kustomization.yaml").write_text("resources: [node-cache.yaml]\ncomponents: [image-swap]\n")
    file = tmp_path / "swapped.yaml"
    file.write_text(kustomize(tmp_path))
    schema(file)
    before, swapped = read(NODE_CACHE), read(file)
    swapped.check(tmp_path)
    assert (swapped.args, swapped.corefile) == (before.args, before.corefile)
    assert swapped.capabilities == read(KUBE_PROXY).capabilities
    assert swapped.container["image"].startswith("nodens")
    assert re.search("bpffs.*xtables-lock.*kube-dns.*Corefile", str(swapped.pod["volumes"]))
    # What `kubectl patch` would do to the running one.
    patched = DaemonSet(kubectl_patch(NODE_CACHE.read_text(), "--patch-file", MANIFESTS / "image-swap/patch.yaml"))
    assert patched.capabilities == swapped.capabilities
    assert len(patched.container["volumeMounts"]) == 5


def has_metric(name):
    """Whether the agent has it: a line of its sources."""
    lists = [*(ROOT / "headers").rglob("*.h"), ROOT / "userspace/base/counters.h"]
    if re.match("nodens_(store|probe)_|nodens_kernel_path$", name):
        return any(f'"{name}' in path.read_text() for path in (ROOT / "userspace").rglob("*.[ch]"))
    short = re.sub("^nodens_(kernel|agent)_", "", name)
    return any(f'"{short}"' in path.read_text() for path in lists)


def test_alerts():
    rules, runbook = (MONITORING / "alerts.yaml").read_text(), (ROOT / "docs/operations.md").read_text()
    run("promtool", "check", "rules", MONITORING / "alerts.yaml")
    run("promtool", "test", "rules", ROOT / "tests/deploy/alerts.test.yaml")
    metrics = {re.sub("_total$|_$", "", name) for name in re.findall("nodens_(?:kernel|agent|store|probe)_[a-z0-9_]+", rules)}
    prefix = "nodens_agent_upstream"  # in a description
    assert [name for name in sorted(metrics - {prefix}) if not has_metric(name)] == []
    for alert in re.findall("- alert: (.*)", rules):
        assert f"\n### {alert}\n" in runbook, f"{alert} is not in docs/operations.md"
        assert f"runbook_url: docs/operations.md#{alert.lower()}\n" in rules, f"{alert} has no runbook_url"
    operators = (MONITORING / "prometheusrule.yaml").read_text().partition("\n  groups:")[2]
    assert re.sub("^  ", "", operators, flags=re.M) == rules.partition("\ngroups:")[2], "the alerts of prometheusrule.yaml"


def test_systemd_unit(tmp_path):
    file = tmp_path / "nodens.service"
    file.write_text(UNIT.read_text().replace("/usr/bin/nodens", NODENS))
    done = run("systemd-analyze", "verify", "--man=no", file)
    assert done.stdout + done.stderr == ""
    score = re.search(r"exposure level.*: (\d+\.\d)", output("systemd-analyze", "security", "--offline=yes", file))[1]
    note(f"systemd-analyze security: exposure {score} of 10")
    assert float(score) <= 3
    flags = shlex.split(re.search('^NODENS_FLAGS="(.*)"', (ROOT / "deploy/systemd/flags").read_text(), re.M)[1])
    corefile = ROOT / "deploy/systemd/Corefile"
    run(NODENS, "check", "-conf", corefile, *flags)
    # What is commented out.
    text = re.sub("^#corp.*?^#}$", lambda found: re.sub("^#", "", found[0], flags=re.M), corefile.read_text(), flags=re.M | re.S)
    text = re.sub("^    forward . .etc.*", "", text, flags=re.M).replace("\n    #\t", "\n    ")
    (tmp_path / "Corefile").write_text(text)
    assert re.search("corp.example.*tls_servername dns.example", output(NODENS, "check", "-conf", tmp_path / "Corefile", *flags),
                     re.S)
