# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""As much of a Kubernetes API server as `kubectl get pods` and `kubectl exec` need, for kubectl itself to talk to.

Contract: pods are what a test put there; who may do what is read from deploy/kubectl/rbac.yaml. exec is the WebSocket
subprotocol v5.channel.k8s.io (k8s.io/apimachinery, pkg/util/remotecommand): the first octet of a message is its
channel. As with a container runtime the process on the node outlives its client, and sees no more of its going than
the end of stdin. What cannot be understood is an assertion, and with it a failure of the request.
"""
import base64
import contextlib
import fcntl
import hashlib
import http.server
import json
import os
import re
import struct
import subprocess
import termios
import threading
import time
import urllib.parse

import yaml

from lab import ROOT

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOL = "v5.channel.k8s.io"
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
OP_BINARY, OP_CLOSE, OP_PING, OP_PONG = 2, 8, 9, 10


def rules_of(path=ROOT / "deploy/kubectl/rbac.yaml"):
    """(namespace or None for all, resource, verb) of each thing that is allowed."""
    return {(role["metadata"].get("namespace"), resource, verb) for role in yaml.safe_load_all(path.read_text())
            for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def pod(name, node, namespace="kube-system", labels=None, containers=("node-cache",), ready=True, waiting=None,
        ip="10.244.0.1"):
    """As the API shows it. waiting: why its container does not run."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": x, "image": "x"} for x in containers]} | ({"nodeName": node} if node else {}),
        "status": {"phase": "Pending" if waiting else "Running", "podIP": ip,
                   "containerStatuses": [{"name": x, "state": state, "ready": ready and not waiting} for x in containers]},
    }


class Node:
    """Where an agent's container runs its commands. argv: what stands before a command to be inside; path: its PATH."""

    def __init__(self, path, argv=()):
        self.path, self.argv, self.processes = str(path), list(argv), []

    def start(self, command, stdin, tty):
        """None where the container has no such program. With tty its stdin and stdout are the other side of a terminal."""
        program = os.path.join(self.path, command[0])
        if not os.path.exists(program):
            return None
        argv, pipe = [*self.argv, program, *command[1:]], subprocess.PIPE
        if tty:
            ours, its = os.openpty()
            process = subprocess.Popen(["setsid", "--ctty", "--wait", *argv], stdin=its, stdout=its, stderr=its)
            os.close(its)
            process.stdin, process.stdout = open(ours, "wb", 0), open(os.dup(ours), "rb", 0)
        else:
            process = subprocess.Popen(argv, stdin=pipe if stdin else subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        self.processes.append(process)
        return process


class Api:
    """The server; tests change its attributes."""

    def __init__(self):
        self.pods, self.nodes, self.rules = [], {}, rules_of()
        self.hanging = set()  # nodes whose exec is never answered, and "api"
        self.requests = []  # (verb, resource, namespace, name) of what was asked for and allowed
        self.end = threading.Event()
        handler = type("Handler", (Handler,), {"api": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()
        for process in (x for node in self.nodes.values() for x in node.processes):
            process.kill()
            process.wait()

    def kubeconfig(self):
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
            "users": [{"name": "sre", "user": {}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "sre"}}]})

    def find(self, namespace, name):
        return next((x for x in self.pods if (x["metadata"]["namespace"], x["metadata"]["name"]) == (namespace, name)), None)

    def allowed(self, namespace, resource, verb):
        return bool(self.rules & {(None, resource, verb), (namespace, resource, verb)})


# ---- selectors -------------------------------------------------------------------------------------------


def matches_labels(labels, selector):
    """k=v and k in (v,w), with commas between."""
    for part in re.split(r",(?![^(]*\))", selector):
        if found := re.fullmatch(r"([\w./-]+) in \(([\w.,-]+)\)", part):
            key, values = found.group(1), found.group(2).split(",")
        else:
            key, values = re.fullmatch(r"([\w./-]+)=([\w.-]+)", part).groups()
            values = [values]
        if labels.get(key) not in values:
            return False
    return True


def matches_fields(item, selector):
    key, value = re.fullmatch(r"(spec\.nodeName)=([\w.-]+)", selector).groups()
    assert key == "spec.nodeName"
    return item["spec"].get("nodeName") == value


# ---- HTTP ------------------------------------------------------------------------------------------------

GROUP = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "shortNames": ["po"],
         "verbs": ["get", "list"]}]},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, reason, message):
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status,
                             "message": message})

    def do_GET(self):
        self.close_connection = True
        if "api" in self.api.hanging:
            self.api.end.wait()
            return
        url = urllib.parse.urlparse(self.path)
        self.query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        if url.path in GROUP:
            self.answer(200, GROUP[url.path])
            return
        found = re.fullmatch(r"/api/v1(?:/namespaces/([^/]+))?(?:/(pods)(?:/([^/]+)(/exec)?)?)?", url.path)
        if not found:
            self.refuse(404, "NotFound", f"no {url.path}")
            return
        namespace, pods, name, execute = found.groups()
        if execute:
            # By WebSocket it is a GET; since Kubernetes 1.35 whoever does that must be allowed to create, too.
            verbs = ("create",) if self.command == "POST" else ("get", "create")
        else:
            verbs = ("get",) if name or not pods else ("list",)
        resource = "pods/exec" if execute else pods or "namespaces"
        for verb in verbs:
            if not self.api.allowed(namespace, resource, verb):
                self.refuse(403, "Forbidden", f'{resource} is forbidden: User "sre" cannot {verb} resource "{resource}"')
                return
            self.api.requests.append((verb, resource, namespace, name))
        self.serve(namespace, name, execute)

    do_POST = do_GET

    def serve(self, namespace, name, execute):
        if not name:
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.listed(namespace)})
        elif not (item := self.api.find(namespace, name)):
            self.refuse(404, "NotFound", f'pods "{name}" not found')
        elif execute:
            self.execute(item)
        else:
            self.answer(200, item)

    def listed(self, namespace):
        labels, fields = (self.query.get(key, [""])[0] for key in ("labelSelector", "fieldSelector"))
        return [x for x in self.api.pods if namespace in (None, x["metadata"]["namespace"])
                and (not labels or matches_labels(x["metadata"]["labels"], labels))
                and (not fields or matches_fields(x, fields))]

    # ---- exec

    def execute(self, item):
        """Runs the command on the pod's node, and speaks WebSocket on this connection from here on."""
        assert self.headers["Upgrade"].lower() == "websocket", "kubectl asks for SPDY: this server does not speak it"
        assert PROTOCOL in self.headers["Sec-WebSocket-Protocol"]
        assert self.query["container"][0] in [x["name"] for x in item["spec"]["containers"]]
        key = base64.b64encode(hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + WEBSOCKET).digest()).decode()
        self.send_response(101)
        for header in ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", key), \
                ("Sec-WebSocket-Protocol", PROTOCOL):
            self.send_header(*header)
        self.end_headers()
        where = item["spec"]["nodeName"]
        socket = WebSocket(self.rfile, self.wfile)
        if where in self.api.hanging:
            with contextlib.suppress(EOFError, OSError):
                socket.take(None)
            self.api.end.wait(1)
            return
        stdin, tty = (self.query.get(key) == ["true"] for key in ("stdin", "tty"))
        process = self.api.nodes[where].start(self.query["command"], stdin, tty)
        if process:
            socket.join(process)
        else:
            socket.fail("InternalError", "Internal error occurred: failed to exec in container: exec: "
                        f'"{self.query["command"][0]}": executable file not found in $PATH: unknown')


class WebSocket:
    """RFC 6455, as far as kubectl uses it."""

    def __init__(self, rfile, wfile):
        self.rfile, self.wfile, self.lock = rfile, wfile, threading.Lock()

    def send(self, op, payload):
        size = len(payload)
        head = bytes([0x80 | op]) + (bytes([size]) if size < 126 else bytes([126]) + struct.pack(">H", size))
        with self.lock:
            self.wfile.write(head + payload)
            self.wfile.flush()

    def read(self, n):
        data = self.rfile.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def frame(self):
        first, size = self.read(2)
        masked, size = size & 0x80, size & 0x7f
        assert first & 0x80 and masked, "a fragment, or a client's frame without a mask"
        if size > 125:
            size = int.from_bytes(self.read(2 if size == 126 else 8), "big")
        mask = self.read(4)
        data = bytes(x ^ mask[i % 4] for i, x in enumerate(self.read(size)))
        return first & 0x0f, data

    def take(self, stdin):
        """What the client sends, until it goes."""
        while True:
            op, data = self.frame()
            if op == OP_PING:
                self.send(OP_PONG, data)
            elif op == OP_CLOSE:
                return
            elif op == OP_BINARY and data[0] == STDIN and stdin:
                stdin.write(data[1:])
                stdin.flush()
            elif op == OP_BINARY and data[0] == RESIZE:
                size = json.loads(data[1:])
                fcntl.ioctl(stdin, termios.TIOCSWINSZ, struct.pack("4H", size["Height"], size["Width"], 0, 0))
            elif op == OP_BINARY and data[0] == CLOSE and data[1] == STDIN and stdin:
                stdin.close()

    def pump(self, channel, pipe):
        """What the process prints; it is read on when nobody takes it any more, as a container's shim does."""
        with contextlib.suppress(OSError):  # of a terminal that nobody has any more
            while data := os.read(pipe.fileno(), 30000):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send(OP_BINARY, bytes([channel]) + data)

    def listen(self, stdin):
        with contextlib.suppress(EOFError, OSError, ValueError):
            self.take(stdin)
        if stdin:
            with contextlib.suppress(OSError):
                stdin.close()

    def join(self, process):
        threading.Thread(target=self.listen, args=[process.stdin], daemon=True).start()
        pumps = [threading.Thread(target=self.pump, args=args, daemon=True)
                 for args in ((STDOUT, process.stdout), (STDERR, process.stderr)) if args[1]]
        for thread in pumps:
            thread.start()
        for thread in pumps:
            thread.join()
        code = process.wait()
        code = 128 - code if code < 0 else code
        if code:
            self.fail("NonZeroExitCode", f"command terminated with non-zero exit code: {code}",
                      details={"causes": [{"reason": "ExitCode", "message": str(code)}]})
        else:
            self.finish({"metadata": {}, "status": "Success"})

    def fail(self, reason, message, **more):
        self.finish({"metadata": {}, "status": "Failure", "reason": reason, "message": message} | more)

    def finish(self, status):
        with contextlib.suppress(OSError):
            self.send(OP_BINARY, bytes([ERROR]) + json.dumps(status).encode())
            self.send(OP_CLOSE, struct.pack(">H", 1000))
            time.sleep(0.05)  # the connection is closed behind it
