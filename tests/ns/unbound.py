# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""unbound as an upstream over TLS."""
import re

from lab import output, spawn, wait_for_line

CONFIG = """server:
    interface: {address}@853
    tls-port: 853
    tls-service-key: {dir}/unbound.key
    tls-service-pem: {dir}/unbound.pem
    access-control: 0.0.0.0/0 allow
    username: ""
    chroot: ""
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    incoming-num-tcp: 50
    module-config: "iterator"
    extended-statistics: yes
    local-zone: example.org redirect
    local-data: "example.org 300 A 192.0.2.4"
    local-data: "example.org 300 TXT tls"
    local-zone: . static
remote-control:
    control-enable: yes
    control-interface: {dir}/unbound.ctl
"""


class Unbound:
    """TLS alone, at `address`, which namespace up has: all of example.org is 192.0.2.4 there. Its certificate is
    unbound.pem, with unbound.key, of the lab's directory."""

    def __init__(self, lab, address):
        self.dir, self.config = lab.dir, lab.dir / "unbound.conf"
        self.config.write_text(CONFIG.format(dir=lab.dir, address=address))
        log = lab.dir / "unbound.log"
        process = spawn("nsenter", "--net=/run/netns/up", "unbound", "-d", "-c", self.config, log=log)
        wait_for_line(process, log, "start of service")

    def stat(self, name):
        text = output("unbound-control", "-c", self.config, "-s", self.dir / "unbound.ctl", "stats_noreset")
        return int(re.search(rf"^{re.escape(name)}=(\d+)", text, re.M).group(1))
