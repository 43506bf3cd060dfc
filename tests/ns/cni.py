# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pods that Debian's own CNI plugins wired, through Debian's own libcni, which writes its cache: what a node's container
runtime does."""
import json
import os

from lab import BUILD, DNS4, ROOT, Host, output, run

GOCODE = "/usr/share/gocode"  # golang-github-appc-cni-dev

# Of each a network; the second as pods of one node see it whose CNI routes to each of them.
PLUGINS = {
    "bridge": {"type": "bridge", "bridge": "cni7", "isGateway": True},
    "ptp": {"type": "ptp"},
}


def tool():
    program, source = BUILD / "tests/tools/cni", ROOT / "tests/tools/cni.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        run("go", "build", "-o", program, source, timeout=300,
            env=os.environ | {"GO111MODULE": "off", "GOPATH": GOCODE, "GOCACHE": str(BUILD / "tests/tools/go"), "GOFLAGS": ""})
        run("chown", "-R", f"--reference={ROOT}", BUILD / "tests/tools")
    return program


class Network:
    """One plugin with host-local; `results` is libcni's cache of both."""

    def __init__(self, lab, plugin, subnet, version="0.4.0"):
        self.lab, self.plugin, self.tool = lab, plugin, tool()
        self.cache, self.ipam = lab.dir / "cni", lab.dir / f"ipam-{plugin}"
        self.results = self.cache / "results"
        ipam = {"type": "host-local", "dataDir": str(self.ipam), "ranges": [[{"subnet": subnet}]],
                "routes": [{"dst": "0.0.0.0/0"}]}
        self.conf = lab.dir / f"{plugin}.conflist"
        self.conf.write_text(json.dumps({"cniVersion": version, "name": plugin,
                                         "plugins": [PLUGINS[plugin] | {"ipam": ipam}]}))

    def call(self, verb, pod, **args):
        return output(self.tool, verb, self.cache, self.conf, f"/run/netns/{pod.name}", pod.name,
                      *(f"{key}={value}" for key, value in args.items()))

    def pod(self, namespace, name, server=DNS4, **args):
        """args: IP=... for an address of one's choice."""
        return CniPod(self, namespace, name, server, args)


class CniPod(Host):
    count = 0

    def __init__(self, network, namespace, pod, server, args):
        CniPod.count += 1
        super().__init__(network.lab, f"cni{CniPod.count}", server)
        self.network, self.text = network, f"{namespace}/{pod}"
        run("ip", "netns", "add", self.name)
        result = json.loads(network.call("add", self, K8S_POD_NAMESPACE=namespace, K8S_POD_NAME=pod, **args))
        self.ip4 = result["ips"][0]["address"].split("/")[0]
        self.veth = next(x["name"] for x in result["interfaces"] if x["name"].startswith("veth"))
        self.file = network.results / f"{network.plugin}-{self.name}-eth0"

    def delete(self):
        self.network.call("del", self)
        run("ip", "netns", "del", self.name)
