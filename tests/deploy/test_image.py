# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The image: built by buildah on a base of this machine's own making, looked into, and run on a node with pods, with the
capabilities of the manifest, a root that cannot be written to, and the arguments that a manifest gives."""
import json
import os
import pathlib
import re

import pytest

import agent
from cluster import D
from deploy import KUBE_PROXY, ROOT, SERVICES, read, with_rights
from lab import DNS4, UP4, leftovers, note, output, run

IMAGE = pathlib.Path(os.environ.get("NODENS_IMAGE_ROOT", "/nonexistent"))
LOADER = "/lib64/ld-linux-x86-64.so.2"
LINK = "169.254.20.10"


@pytest.fixture(scope="module")
def root(lab):
    """What a pod of the manifest has: its bpffs, the ConfigMap, /tmp, /proc, resolv.conf."""
    root, resolv = lab.dir / "root", lab.dir / "resolv.node"
    root.mkdir()
    resolv.write_text(f"nameserver {UP4}\n")
    run("mount", "--bind", IMAGE, root)
    for name in "proc", "sys", "etc/coredns", "tmp":
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/resolv.conf").touch()
    for kind, name in ("tmpfs", "etc/coredns"), ("tmpfs", "tmp"), ("proc", "proc"):
        run("mount", "-t", kind, kind, root / name)
    run("mount", "--rbind", "/sys", root / "sys")
    run("mount", "--bind", resolv, root / "etc/resolv.conf")
    run("mount", "-o", "remount,ro,bind", root)
    (root / "etc/coredns/Corefile.base").write_text(read(KUBE_PROXY).corefile)
    return root


@pytest.fixture
def in_image(lab, root, nodens, monkeypatch):
    """nodens' commands are the image's, as by `kubectl exec ds/node-local-dns -- nodens stats`."""
    command = lab.dir / "nodens"
    command.write_text(f'#!/bin/sh\nexec chroot {root} /usr/bin/nodens "$@"\n')
    command.chmod(0o755)
    monkeypatch.setattr(agent, "NODENS", str(command))
    yield
    nodens.stop()


def libraries(text):
    return text.count("=> /")


def test_contents(root):
    assert json.loads(os.environ["NODENS_IMAGE_CONFIG"])["Entrypoint"] == ["/node-cache"]
    assert os.readlink(IMAGE / "node-cache") == "usr/bin/nodens"
    listed = output(f"{IMAGE}{LOADER}", "--inhibit-cache", "--library-path", IMAGE / "lib/x86_64-linux-gnu", "--list",
                    IMAGE / "usr/bin/nodens")
    assert "not found" not in listed
    assert libraries(output("chroot", root, LOADER, "--list", "/usr/bin/nodens")) == libraries(output("ldd", agent.NODENS))
    files = [path for path in IMAGE.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path.name for path in files if re.search("/usr/lib/.*/bpf/", str(path))] == ["xdp-dispatcher.o"], "what libxdp loads"
    assert (IMAGE / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN") > 50
    (crypto,) = IMAGE.glob("lib/*/libcrypto.so.3")
    assert b"/usr/lib/ssl" in crypto.read_bytes(), "where libcrypto looks"
    assert os.readlink(IMAGE / "usr/lib/ssl/cert.pem") == "/etc/ssl/certs/ca-certificates.crt", "what it finds there"
    run(ROOT / "tests/hardened", IMAGE / "usr/bin/nodens")
    assert [name for name in ("bin/sh", "usr/bin/dpkg", "usr/bin/apt", "usr/bin/clang") if (IMAGE / name).exists()] == []
    megabytes = int(output("du", "-sm", "--apparent-size", IMAGE).split()[0])
    note(f"{megabytes} MB in {len(files)} files")
    assert megabytes <= 20


def test_check(root):
    assert output("chroot", root, "/usr/bin/nodens", "version").startswith("nodens ")
    out = output("chroot", root, "/usr/bin/nodens", "check", "-upstreamsvc", "kube-dns-upstream", "-localip", f"{LINK},{DNS4}",
                 env=os.environ | SERVICES)
    assert f"forward . {UP4}:53" in out, "the manifest's Corefile, by the image"


def test_answers(in_image, root, lab, nodens, p1):
    """Started as a pod of the manifest, with all it says, it answers pods and the node's own processes."""
    manifest = read(KUBE_PROXY)
    nodens.spawn(*manifest.args, program="/node-cache", env=SERVICES,
                 prefix=with_rights([*manifest.capabilities, "sys_chroot"], "chroot", root))
    nodens.wait(lambda: nodens.answers_new_names(p1, DNS4, "kernel.steered"), 15)
    p1.value(f"n1.{D}")
    with nodens.counting() as gains:
        assert p1.value(f"n1.{D}") == "10.100.0.1"
    assert gains["kernel.hits"] == 1
    assert p1.value(f"n1.{D}", server=LINK) == "10.100.0.1", "to a pod that asks the link's address"
    assert lab.node.value(f"n2.{D}", server=LINK) == "10.100.0.2", "to a process of the node"
    assert (root / "tmp/node-cache.pid").read_text().strip() == str(nodens.pid)
    nodens.stop()
    agent.detach()
    assert leftovers() == []
