# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nodens explain: what it says of a question is held against who then answers it: the counters of programs and agent, the
upstreams' own records, the answer."""
import json
import os
import subprocess
import time

import jsonschema
import pytest

from agent import NODENS, block, directive
from cluster import D
from lab import DNS4, UP4, run, wait_until
from query import unique
from test_status import NOBODY, bare, schema  # noqa: F401

COREFILE = "\n".join([
    block("cluster.local:53", "errors", "cache 30", f"bind {DNS4}",
          directive("hosts", "192.0.2.7 host.cluster.local", "fallthrough"),
          directive("template IN A t.cluster.local", 'answer "{{ .Name }} 60 IN A 192.0.2.8"'), f"forward . {UP4}"),
    block("example.org:53", f"bind {DNS4}", directive("cache", "serve_stale 1h"),
          "rewrite name exact old.example.org www.example.org", f"forward . {UP4}"),
    block("guarded.test:53", f"bind {DNS4}", "acl {\n        block net 10.244.0.0/16\n    }", f"forward . {UP4}"),
])


@pytest.fixture
def at_work(nodens, p1):
    nodens.ensure(corefile=COREFILE, serve=[DNS4], probe=p1)


def explain(*args, prefix=(), program=NODENS):
    """(the object, exit status); what does not fit the schema fails."""
    done = subprocess.run([*prefix, program, "explain", "--json", *args], capture_output=True, text=True, timeout=30)
    assert not done.stderr, done.stderr
    page = json.loads(done.stdout)
    jsonschema.validate(page, schema("explain"), cls=jsonschema.Draft7Validator)
    return page, done.returncode


def by(*args):
    return explain(*args)[0]["by"]


def step(name, *args):
    return next(x["text"] for x in explain(*args)[0]["steps"] if x["step"] == name)


def test_upstream_then_kernel(at_work, nodens, p1, cluster):
    name = f"n77.{D}"
    assert by(name) == "upstream" and "no entry" in step("cache", name)
    p1.ask(name)
    page, exit_status = explain(name.upper())
    assert page["by"] == "kernel" and exit_status == 0
    assert "NOERROR, 1 records" in step("cache", name)
    with nodens.counting() as gains:
        p1.ask(name)
    assert gains["kernel.hits"] == 1, "as it was said"
    assert by(name, "AAAA") == "upstream", "another question"
    assert f"{UP4}:53 (up" in step("forward", name)


def test_nx_below(at_work, nodens, p1):
    top = unique(D)
    p1.ask(f"www.example.{top}")
    wait_until(5, lambda: by(f"b.c.{top}") == "kernel", lambda: str(explain(f"b.c.{top}")), step=0.2)
    assert "NXDOMAIN" in step("NXDOMAIN above", f"b.c.{top}")
    with nodens.counting() as gains:
        assert p1.ask(f"b.c.{top}").status == "NXDOMAIN"
    assert gains["kernel.hits_cut"] == 1


@pytest.mark.parametrize("name, plugin, value", [("host.cluster.local", "hosts", "192.0.2.7"),
                                                ("t.cluster.local", "template", "192.0.2.8")])
def test_own_answers(at_work, p1, name, plugin, value):
    page = explain(name)[0]
    assert page["by"] in ("agent", "kernel") and "answers NOERROR, 1 records" in step(plugin, name)
    assert p1.value(name) == value


def test_rewrite(at_work, p1):
    assert "asked for as www.example.org. A" in step("rewrite", "old.example.org")
    assert p1.value("old.example.org") == "192.0.2.80"
    assert "what expired up to" in step("on failure", "www.example.org")


def test_acl(at_work, p1):
    name = "x.guarded.test"
    assert "depends on who asks" in step("acl", name)
    assert by(name, "--pod", p1.ip4) == "nobody" and p1.ask(name).status == "REFUSED"
    assert by(name, "--pod", "10.99.0.1") == "upstream"


def test_a_file_that_is_not_at_work(at_work, nodens):
    """Not read yet, and refused; the file is walked all the same, and that is said."""
    assert "configuration" not in [x["step"] for x in explain("www.example.org")[0]["steps"]]
    nodens.corefile.write_text(COREFILE.replace("example.org:53", "example.com:53"))
    try:
        assert by("www.example.org") == "nobody"
        text = step("configuration", "www.example.org")
        assert str(nodens.corefile) in text and "not what the agent works with" in text and "refused" not in text
        nodens.corefile.write_text(COREFILE + block("more.test:5300", "bind 127.0.0.7", "whoami"))
        nodens.signal("HUP")
        wait_until(5, lambda: "refused: other addresses" in json.dumps(explain("www.example.org")[0]),
                   lambda: str(explain("www.example.org")), step=0.2)
    finally:
        nodens.corefile.write_text(COREFILE)
        nodens.signal("HUP")
    wait_until(5, lambda: "configuration" not in [x["step"] for x in explain("www.example.org")[0]["steps"]],
               lambda: str(explain("www.example.org")), step=0.2)


def test_somebody_elses_flags(at_work, nodens):
    """The agent's process id may be another process' here, as in a container without the agent."""
    fifo = nodens.lab.dir / "run"
    os.mkfifo(fifo)
    script = f"""cd {nodens.lab.dir}; echo {nodens.pid - 1} > /proc/sys/kernel/ns_last_pid
        (exec -a nodens cat run) & [ $! = {nodens.pid} ] && "$@" """
    page = explain("guarded.test", prefix=["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", script, "bash"])[0]
    fifo.unlink()
    assert [x["step"] for x in page["steps"] if x["step"] in ("configuration", "acl")] == ["acl"], page["steps"]


def test_a_dead_agents_base(nodens):
    """It is read as a base, placeholders and all, though no process says so any more."""
    base = nodens.lab.dir / "Corefile.base"
    base.write_text(COREFILE.replace(f"forward . {UP4}", "forward . __PILLAR__CLUSTER__DNS__"))
    nodens.spawn("run", "-basecorefile", base, "-localip", DNS4, env={"KUBE_DNS_SERVICE_HOST": UP4})
    nodens.wait(lambda: nodens.said("^info: ready"))
    time.sleep(1.2)  # it says how it is each second
    nodens.kill()
    page = explain("x.guarded.test", prefix=["env", f"KUBE_DNS_SERVICE_HOST={UP4}"])[0]
    steps = {x["step"]: x["text"] for x in page["steps"]}
    assert "configuration" not in steps and f"{UP4}:53" in steps["forward"], page["steps"]


def test_no_block(at_work, p1):
    assert by("else.where") == "nobody" and p1.ask("else.where").status == "REFUSED"


def test_pods_device(lab, at_work, nodens, p1):
    assert step("device", "a.example.org", "--pod", p1.ip4).startswith(f"{p1.veth}: attached")
    pod = lab.pod("out")
    nodens.start("--exclude", pod.veth, corefile=COREFILE, serve=[DNS4], probe=p1)
    page = explain("www.example.org", "--pod", pod.ip4)[0]
    assert page["by"] == "cluster" and "-exclude" in step("device", "www.example.org", "--pod", pod.ip4)
    with nodens.counting() as gains:
        pod.ask("www.example.org")
    assert gains["kernel.hits"] == gains["kernel.misses"] == 0, "none of it comes to nodens"
    pod.delete()


def test_hung_agent(at_work, nodens, p1):
    p1.ask(f"n5.{D}")
    nodens.signal("STOP")
    try:
        wait_until(5, lambda: by(f"n6.{D}") == "cluster", "it is taken for alive", step=0.3)
        assert by(f"n5.{D}") == "kernel" and "hangs" in step("agent", f"n6.{D}")
        with nodens.counting() as gains:
            p1.ask(f"n6.{D}")
        assert gains["kernel.steer_hung"] == 1
    finally:
        nodens.signal("CONT")


def test_listen(lab, nodens, cli):
    """Where the agent listens its sockets have what the programs do not answer, and nobody has it when it is dead."""
    pod = lab.pod("past")
    nodens.listen(block(".:53", f"bind {cli.server}", "cache 30", f"forward . {UP4}"), "--exclude", pod.veth, "--lease", 3)
    assert explain("www.example.org", "--pod", pod.ip4)[0]["by"] == "upstream"
    assert "-exclude" in step("device", "www.example.org", "--pod", pod.ip4)
    assert cli.ask("www.example.org").status == "NOERROR"
    assert by("www.example.org", "--pod", pod.ip4) == "agent", "from the cache, but not in the kernel"
    nodens.kill()
    wait_until(6, lambda: by("www.example.org") == "nobody", lambda: str(explain("www.example.org")), step=0.3)
    assert by(unique("example.org")) == by("www.example.org", "--pod", pod.ip4) == "nobody"
    text = subprocess.run([NODENS, "status"], capture_output=True, text=True).stdout
    assert "cluster" not in text and "no query is answered" in " ".join(text.split()), text
    pod.delete()


def test_ask(at_work, nodens, p1, upstreams):
    page, exit_status = explain(f"n8.{D}", "--ask")
    assert exit_status == 0 and [x["answer"] for x in page["asked"]] == ["NOERROR A 10.100.0.8"] * 2
    assert [x["to"] for x in page["asked"]] == [f"{DNS4}:53", f"{UP4}:53"]


def test_ask_a_rewritten_name(nodens, cli):
    nodens.listen(COREFILE.replace(DNS4, cli.server))
    page, exit_status = explain("old.example.org", "--ask")
    assert exit_status == 0 and {x["answer"] for x in page["asked"]} == {"NOERROR A 192.0.2.80"}, page["asked"]


@pytest.mark.parametrize("name, plugin", [("host.cluster.local", "hosts"), ("t.cluster.local", "template")])
def test_ask_what_no_upstream_is_asked(nodens, cli, name, plugin):
    nodens.listen(COREFILE.replace(DNS4, cli.server), reuse=True)
    page, exit_status = explain(name, "--ask")
    path, upstream = page["asked"]
    assert exit_status == 0 and path["answer"].startswith("NOERROR A 192.0.2."), page["asked"]
    assert not upstream["asked"] and not upstream["failed"] and upstream["answer"] == f"{plugin} answers before it"


def test_ask_over_tcp(upstreams, forward):
    """Alone where the forward says so, and again for what is truncated."""
    forward("10.50.0.1", "force_tcp")
    name = unique("example.org")
    page, exit_status = explain(name, "--ask")
    assert exit_status == 0 and [x["answer"] for x in page["asked"]] == ["NOERROR A 192.0.2.1"] * 2, page["asked"]
    assert upstreams[1].asked(name) == (0, 2)
    forward("10.50.0.1")
    name = "big-100." + unique("example.org")
    page, exit_status = explain(name, "--ask")
    path, upstream = page["asked"]
    assert exit_status == 0 and path["answer"] == upstream["answer"] and path["answer"].startswith("NOERROR A "), page["asked"]
    assert upstreams[1].asked(name) == (2, 2), "by the agent and by explain"


def test_ask_over_tls(forward):
    """It is not, which is no failure."""
    forward("10.50.0.1 tls://10.50.0.2")
    page, exit_status = explain("www.example.org", "--ask")
    tls = next(x for x in page["asked"] if x["to"] == "10.50.0.2:853")
    assert not tls["asked"] and not tls["failed"] and not tls["differs"] and "TLS" in tls["answer"], page["asked"]
    assert exit_status == 0, page["asked"]


def test_ask_finds_what_differs(nodens, cli, upstreams, forward):
    """Each of tests/fake-upstream's servers has an address of its own to say."""
    forward("10.50.0.1 10.50.0.2 10.50.0.3")
    upstreams[3].freeze()
    page, exit_status = explain("www.example.org", "--ask")
    asked = {x["to"]: x for x in page["asked"]}
    assert exit_status == 1
    assert asked["10.50.0.1:53"]["answer"] == "NOERROR A 192.0.2.1"
    assert asked["10.50.0.2:53"]["answer"] == "NOERROR A 192.0.2.2"
    assert asked["10.50.0.1:53"]["differs"] != asked["10.50.0.2:53"]["differs"] or len(asked) == 4
    assert asked["10.50.0.3:53"]["asked"] and asked["10.50.0.3:53"]["failed"] and "no answer" in asked["10.50.0.3:53"]["answer"]


def test_usage_and_rights(at_work):
    for args in (), ("a", "A", "b"), ("a", "NOTYPE"), ("a..b",), ("a", "--frobnicate"):
        assert subprocess.run([NODENS, "explain", *args], capture_output=True).returncode == 2, args
    done = subprocess.run([*NOBODY, NODENS, "explain", "a"], capture_output=True, text=True)
    assert done.returncode == 4 and "no permission" in done.stderr
    raw = subprocess.run([NODENS, "explain", "x\033]0;y\007.org"], capture_output=True)
    assert not [c for c in raw.stdout + raw.stderr if c < 32 and c != 10], raw


def test_not_running(nodens):
    nodens.stop()
    assert subprocess.run([NODENS, "explain", "a"], capture_output=True).returncode == 3


def test_bare(bare):
    inside = ["env", f"KUBE_DNS_UPSTREAM_SERVICE_HOST={UP4}", "nsenter", f"--mount=/proc/{bare.pid}/ns/mnt", "--"]
    page = explain(f"n9.{D}", prefix=inside, program="/etc/nodens")[0]
    assert page["by"] == "upstream" and "no kernel path" in json.dumps(page), page
