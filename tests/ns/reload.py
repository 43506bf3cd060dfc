# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The agent with steering and a configuration that changes under it, for test_reload.py and test_takeover.py."""
from agent import block
from lab import wait_until
from nodecache import config_map

SERVE = "10.96.0.10"
RELOAD = "reload 2s 1s"


def corefile(*blocks, reload=RELOAD):
    """Of (ZONE, UPSTREAM[, LINE]): one block each; reload is in the first one."""
    text = ""
    for zone, upstream, *line in blocks:
        text += block(f"{zone}:53", f"bind {SERVE}", "cache 300", reload, *line, f"forward . 10.50.0.{upstream}")
        reload = ""
    return text


class Steered:
    """The agent, the ConfigMap that it reads, a pod that asks."""

    def __init__(self, lab, nodens, pod, upstreams):
        self.nodens, self.pod, self.upstreams = nodens, pod, upstreams
        self.config = lab.dir / "cm"

    def configure(self, *blocks, reload=RELOAD):
        self.write(corefile(*blocks, reload=reload))

    def write(self, text, key="Corefile"):
        config_map(self.config, key, text)

    def start(self, *flags, localip=("-localip", SERVE)):
        """With the Corefile of the ConfigMap, started anew."""
        self.nodens.spawn("run", "-conf", self.config / "Corefile", "-mode", "steer", *localip, *flags,
                          printed=self.nodens.printed)
        self.nodens.wait(lambda: self.nodens.said(": steering"))

    def value(self, name, **options):
        return self.pod.value(name, timeout=8, **options)

    def wait_value(self, name, value, seconds=8):
        wait_until(seconds, lambda: self.pod.says(value, name, timeout=8), self.nodens.log_tail)

    def wait_refused(self, name, seconds=8):
        wait_until(seconds, lambda: self.pod.ask(name, timeout=8).status == "REFUSED", self.nodens.log_tail)
