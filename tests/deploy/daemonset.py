#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a DaemonSet of nodens in a YAML file says, for shell scripts.

    daemonset.py FILE args [NAME=VALUE...]   the arguments, one a line, $(NAME) filled in as the kubelet does
    daemonset.py FILE caps                   the capabilities added, as capsh names them: +bpf,+net_admin
    daemonset.py FILE corefile               the Corefile of the ConfigMap
    daemonset.py FILE get PATH...            values, one a line, as template.spec.hostNetwork
"""
import json
import re
import sys

import yaml


def main(path, what, *rest):
    with open(path) as file:
        objects = [o for o in yaml.load_all(file, yaml.CSafeLoader) if o]
    spec = next(o for o in objects if o["kind"] == "DaemonSet")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    if what == "args":
        env = dict(pair.split("=", 1) for pair in rest)
        for arg in container["args"]:
            print(re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], m[0]), arg))
    elif what == "caps":
        print(",".join("+" + c.lower() for c in container["securityContext"]["capabilities"]["add"]))
    elif what == "corefile":
        print(next(o for o in objects if o["kind"] == "ConfigMap")["data"]["Corefile"], end="")
    else:
        for value in rest:
            node = spec
            for part in value.split("."):
                node = node[int(part) if part.isdigit() else part]
            print(json.dumps(node, sort_keys=True) if isinstance(node, (dict, list)) else node)


main(*sys.argv[1:])
