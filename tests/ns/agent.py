# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens in the lab: start, stop, ask it for its numbers. One runs at a time; another start ends the one before."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import series
from lab import BUILD, DNS4, DNS6, UP4, Failed, output, run, wait_until
from query import SILENCE, unique

NODENS = os.environ.get("NODENS", str(BUILD / "nodens"))
SANITIZED = "asan" in NODENS

# The minimum of 1 s lets short TTLs run out; without cuts the agent asks nothing of its own accord, so that what the
# cluster's DNS is asked can be counted.
CLUSTER = """cluster.local:53 10.in-addr.arpa:53 {{
    errors
    cache {{
        success 9984 {ttl} 1
        denial 9984 5 1
    }}
    nxdomain_cut off
    bind {serve}
    forward . {forward}
}}
.:53 {{
    errors
    cache 30
    bind {serve}
    forward . {forward}
}}
"""


def cluster_corefile(serve=(DNS4, DNS6), ttl=30, forward=UP4):
    return CLUSTER.format(serve=" ".join(serve), ttl=ttl, forward=forward)


def directive(head, *options):
    """With a block of options, if there are any."""
    return "\n".join([f"{head} {{", *(f"    {option}" for option in options), "}"]) if options else head


def block(zone, *directives):
    """A server block of a Corefile; empty directives are left out."""
    lines = [line for text in directives if text for line in text.splitlines()]
    return "\n".join([f"{zone} {{", *(f"    {line}" for line in lines), "}", ""])


class Gains(dict):
    """By how much counters have grown, by "kernel.hits" and the like."""

    def __missing__(self, key):
        raise KeyError(f"no counter {key}, or it is read within the block that counts")


def flatten(stats):
    return {f"{group}.{key}": n for group, keys in stats.items() if group != "schema" for key, n in keys.items()}


class Nodens:
    def __init__(self, lab):
        self.lab, self.process, self.settings = lab, None, None
        self.corefile, self.log, self.printed = lab.dir / "Corefile", lab.dir / "nodens.log", lab.dir / "queries.log"

    # ---- its life

    def spawn(self, *args, prefix=(), netns=None, env=None, printed=None, program=NODENS):
        """Only starts it. What it logs is in self.log, begun anew; what it prints (the query log) too, or in `printed`."""
        self.stop()
        self.settings = None
        assert os.path.exists(NODENS), f"{NODENS} is not there: run make"
        with open(self.log, "wb") as log, contextlib.ExitStack() as stack:
            out = stack.enter_context(open(printed, "wb")) if isinstance(printed, os.PathLike) else printed or log
            inside = ["nsenter", f"--net=/run/netns/{netns}", "--"] if netns else []
            self.process = subprocess.Popen([str(x) for x in (*inside, *prefix, program, *args)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                            env=os.environ | (env or {}))

    def wait(self, condition, seconds=30):
        """Until condition() or its end, which is a failure. (The verifier is a second of a CPU's; on a busy machine, many.)"""
        wait_until(seconds, lambda: not self.alive() or condition(), self.log_tail)
        assert self.alive(), f"nodens ended: {self.log_tail()}"

    def start(self, *flags, corefile=None, serve=(DNS4, DNS6), probe=None, ready="kernel.steered"):
        """`nodens run` for these addresses; returns when it has answered a query of the pod `probe`."""
        if corefile is not None:
            self.corefile.write_text(corefile)
        self.spawn("run", "-conf", self.corefile, "-localip", ",".join(serve), *flags)
        self.wait(lambda: self.answers_new_names(probe, serve[0], ready))

    def ensure(self, *flags, **options):
        """Runs with these settings, its cache empty; started anew only when it runs with others."""
        settings = (flags, str(options))
        if not self.alive() or self.settings != settings:
            self.start(*flags, **options)
            self.settings = settings
        run(NODENS, "flush")

    def listen(self, corefile, *flags, env=None, split=False, reuse=False):
        """In listen mode: each miss is a plain packet. split: the query log is in self.printed. reuse: the agent that another
        test has started so, and done no harm to, will do when its cache is empty."""
        settings = (corefile, flags, str(env)) if reuse else None
        if settings and self.alive() and self.settings == settings:
            run(NODENS, "flush")
            return
        self.corefile.write_text(corefile)
        self.spawn("run", "-conf", self.corefile, "-mode", "listen", *flags, env=env,
                   printed=self.printed if split else None)
        self.wait(lambda: self.said("ready"))
        self.settings = settings

    def answers_new_names(self, probe, server, counter):
        """Asked with a name that nobody knows the agent has to answer. The kernel's counters tell at once."""
        before = self.stat(counter, missing=None)
        if before is None or not probe.says("192.0.2.99", unique("wild.example.org"), server=server, timeout=1):
            return False
        return self.stat(counter, missing=0) > before

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, name):
        self.process.send_signal(getattr(signal, f"SIG{name}"))

    def kill(self):
        """As a crash does. Its descriptors go a moment after it."""
        self.process.kill()
        self.process.wait()

    def wait_end(self, seconds=5):
        """Its exit status."""
        wait_until(seconds, lambda: not self.alive(), lambda: f"it goes on: {self.log_tail()}")
        return self.process.returncode

    def stop(self):
        """Ends it as the kubelet does, and waits for the end. What its programs have counted must add up."""
        series.check()
        if self.alive():
            self.signal("TERM")
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed("nodens did not end within 15 s of SIGTERM")
        self.check_clean()

    def check_clean(self):
        if self.log.exists():
            dirty = re.findall(r".*(?:Sanitizer|runtime error).*", self.log_text())
            assert not dirty, f"the agent was not clean: {dirty}"

    # ---- what it says

    def log_text(self):
        return self.log.read_text(errors="replace")

    def log_tail(self):
        return "\n".join(self.log_text().splitlines()[-10:])

    def said(self, regex):
        return re.search(regex, self.log_text(), re.M)

    def times_said(self, regex):
        """Lines of the log that match."""
        return sum(bool(re.search(regex, line)) for line in self.log_text().splitlines())

    def wait_said(self, regex, seconds=5):
        wait_until(seconds, lambda: self.said(regex), lambda: f"{regex}: {self.log_tail()}")

    def wait_printed(self, regex, seconds=2):
        wait_until(seconds, lambda: re.search(regex, self.printed.read_text(), re.M),
                   lambda: f"{regex}: {self.printed.read_text()}")

    def errors(self):
        return [line for line in self.log_text().splitlines() if line.startswith("error: ")]

    # ---- its numbers and commands

    def stats(self):
        """{"kernel.hits": N}"""
        return flatten(json.loads(output(NODENS, "stats", "--json")))

    def stat(self, key, **default):
        """One number; with missing=X that where there are no maps."""
        done = run(NODENS, "stats", "--json", check=False)
        if done.returncode and "missing" in default:
            return default["missing"]
        return flatten(json.loads(done.stdout))[key]

    def wait_stat(self, key, value, seconds=3):
        wait_until(seconds, lambda: self.stat(key) == value, lambda: f"{key} is {self.stat(key)}, not {value}")

    @contextlib.contextmanager
    def counting(self):
        """Gains: by how much each counter grows in the block; to be read behind it."""
        gains, before = Gains(), self.stats()
        yield gains
        after = self.stats()
        gains.update({key: after[key] - before.get(key, 0) for key in after})

    def rss(self):
        """Kilobytes of resident memory."""
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def dump(self):
        return output(NODENS, "dump")


def command(*args, **options):
    """A subcommand that may fail: what it printed on both, and its exit status."""
    done = run(NODENS, *args, check=False, timeout=10, **options)
    return done.stdout + done.stderr, done.returncode


def detach():
    return command("detach")[0]


# ---- pages over HTTP -------------------------------------------------------------------------------------


def http(url, timeout=5):
    """(status, body); (0, "") where nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except (OSError, *SILENCE):
        return 0, ""


class Metrics:
    """A page of metrics."""

    def __init__(self, url="http://127.0.0.1:9253/metrics"):
        status, self.text = http(url)
        assert status == 200, url
        self.series = [line.rsplit(" ", 1) for line in self.text.splitlines() if line and line[0] != "#"]

    def total(self, name, regex=""):
        """The sum of the series with this name whose labels match."""
        return sum(float(value) for series, value in self.series
                   if re.split("[{]", series)[0] == name and re.search(regex, series))


def fresh_page():
    """Pages are not made anew within 100 ms."""
    time.sleep(0.2)
    return Metrics()
