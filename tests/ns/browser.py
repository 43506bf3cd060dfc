# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A headless Chromium, driven by its own debugging protocol over a websocket.

Contract: what a page logs, throws or asks for is noted from before it is loaded; what a browser asks of its own accord (updates,
its new-tab page) is switched off, so a request that is noted is the page's.
"""
import base64
import contextlib
import json
import re
import subprocess
import time
import urllib.request

import websocket

from lab import wait_until

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
         "--disable-features=Translate,OptimizationHints,MediaRouter", "--force-color-profile=srgb", "--hide-scrollbars",
         "--remote-debugging-port=0", "--remote-allow-origins=*")


class Browser:
    """One tab."""

    def __init__(self, where):
        self.where = where
        where.mkdir(exist_ok=True)
        self.log = open(where / "chromium.log", "wb")
        self.process = subprocess.Popen(["chromium", *FLAGS, f"--user-data-dir={where}/profile", "about:blank"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        said = wait_until(30, lambda: re.search(r"DevTools listening on ws://([\d.]+:\d+)/", self.said()), self.said, step=0.1)
        self.number, self.requests, self.wrong, self.answers = 0, [], [], {}
        self.socket = websocket.create_connection(f"ws://{said.group(1)}/devtools/page/{self.target(said.group(1))}", timeout=20)
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(f"{domain}.enable")

    def said(self):
        return (self.where / "chromium.log").read_text(errors="replace")

    @staticmethod
    def target(address):
        """The id of the one tab."""
        with urllib.request.urlopen(f"http://{address}/json/list", timeout=10) as reply:
            return next(x["id"] for x in json.load(reply) if x["type"] == "page")

    def close(self):
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self.socket.close()
        self.process.kill()
        self.process.wait()
        self.log.close()

    # ---- the protocol

    def note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Fetch.requestPaused":
            self.fulfil(params)
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            self.wrong.append(f"a request failed: {params.get('errorText')} {params.get('blockedReason', '')}")
        elif method == "Runtime.exceptionThrown":
            self.wrong.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.wrong.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.wrong.append(params["entry"]["text"])

    def send(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))

    def call(self, method, **params):
        self.send(method, **params)
        number = self.number
        while True:
            message = json.loads(self.socket.recv())
            self.note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def wait(self, seconds):
        """Lets the page go on; what happens is noted."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.eval("0")
            time.sleep(0.1)

    def answer(self, path, body):
        """From now on requests for that path get this body, and no server sees them; None: they are the server's again."""
        self.answers = {path: body} if body is not None else {}
        if self.answers:
            self.call("Fetch.enable", patterns=[{"urlPattern": f"*{path}"}])
        else:
            self.call("Fetch.disable")

    def fulfil(self, params):
        body = next(body for path, body in self.answers.items() if params["request"]["url"].endswith(path))
        self.send("Fetch.fulfillRequest", requestId=params["requestId"], responseCode=200,
                  responseHeaders=[{"name": "Content-Type", "value": "application/json"}], body=base64.b64encode(body.encode()).decode())

    # ---- the page

    def show(self, url, width=1280, height=900, scheme="light", until="!document.getElementById('main').hidden"):
        """Loads it in a window of that width and with that colour scheme; what was noted before is forgotten."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.requests, self.wrong = [], []
        self.call("Page.navigate", url=url)
        wait_until(15, lambda: self.eval(f"document.readyState === 'complete' && !!({until})"), lambda: f"{url}: {self.wrong}", step=0.1)

    def eval(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector):
        return self.eval(f"document.querySelector({json.dumps(selector)}).innerText")

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))
