# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A configuration that changes: how it is noticed, and refused where it is broken. With steering, and upstreams that say
which of them answered (tests/fake-upstream)."""
import os
import threading
import time

from agent import directive
from nodecache import config_map
from reload import corefile


def sit():
    """Nothing was to happen: longer than an interval and its jitter."""
    time.sleep(4.5)


def test_configmap_swap(steered, nodens):
    steered.configure(("one.test.", 1))
    steered.start()
    assert steered.value("a.one.test") == "192.0.2.1"
    assert steered.pod.ask("a.two.test").status == "REFUSED"
    steered.configure(("one.test.", 2), ("two.test.", 2))
    steered.wait_value("b.two.test", "192.0.2.2")  # a zone that was added
    assert steered.value("b.one.test") == "192.0.2.2", "another upstream"
    assert steered.value("a.one.test") == "192.0.2.2", "what the other upstream had said of one.test"
    steered.configure(("two.test.", 2))
    steered.wait_refused("c.one.test")  # a zone that went
    assert nodens.times_said("the new configuration is at work") == 2
    assert (nodens.stat("agent.reloads"), nodens.stat("agent.reloads_failed")) == (2, 0)


def test_signals(steered, nodens):
    steered.configure(("one.test.", 1), reload="")
    steered.start()
    steered.configure(("one.test.", 2), reload="")
    time.sleep(3)
    assert steered.value("a.one.test") == "192.0.2.1", "without reload and signal"
    nodens.signal("HUP")
    steered.wait_value("b.one.test", "192.0.2.2", 5)
    steered.configure(("one.test.", 1), reload="")
    nodens.signal("USR1")
    steered.wait_value("c.one.test", "192.0.2.1", 5)
    for signal in ("SIGHUP", "SIGUSR1"):
        assert nodens.said(f"^info: {signal}: .*the new configuration is at work")


def test_broken_is_said_once(steered, nodens):
    steered.configure(("one.test.", 1))
    steered.start()
    steered.configure(("one.test.", 2, "cahce 30"))
    nodens.wait_said("cahce.*the configuration stays as it was", 8)
    sit()
    assert nodens.times_said("stays as it was") == 1
    assert nodens.stat("agent.reloads_failed") == 1
    assert steered.value("a.one.test") == "192.0.2.1", "what is at work"
    steered.configure(("one.test.", 2, "caceh 30"))
    nodens.wait_said("caceh.*the configuration stays as it was", 8)  # broken otherwise
    steered.configure(("one.test.", 2))
    steered.wait_value("b.one.test", "192.0.2.2")  # whole again


def test_a_file_that_is_gone(steered, nodens):
    steered.configure(("one.test.", 1))
    steered.start()
    os.rename(steered.config / "..data", steered.config / "..away")
    nodens.wait_said("file is gone", 12)
    sit()
    assert nodens.times_said("gone") == 1
    assert steered.value("a.one.test") == "192.0.2.1", "what is at work"
    os.rename(steered.config / "..away", steered.config / "..data")
    steered.configure(("one.test.", 2))
    steered.wait_value("b.one.test", "192.0.2.2")  # there again


def test_imports(steered, lab, nodens):
    parts = lab.dir / "parts"
    parts.mkdir()
    (parts / "two").write_text(corefile(("two.test.", 1), reload=""))
    steered.write(corefile(("one.test.", 1)) + f"import {parts}/*\n")
    steered.start()
    assert steered.value("a.two.test") == "192.0.2.1", "an imported block"
    (parts / "two").write_text(corefile(("two.test.", 2), reload=""))
    steered.wait_value("b.two.test", "192.0.2.2")  # an imported file
    # what is read is another set of files from now on, which is no further change
    steered.configure(("one.test.", 2))
    steered.wait_value("b.one.test", "192.0.2.2")  # without the import
    sit()
    assert nodens.times_said("the new configuration is at work") == 2


def test_a_glob_matches_other_files(steered, lab, nodens):
    """Volumes of ConfigMaps that come later, as AKS, k3s and Gardener have them: nothing matches at first."""
    custom = lab.dir / "custom"
    two, three = custom / "two.server", custom / "three.server"
    steered.write(corefile(("one.test.", 1)) + f"import {custom}/*.server\n")
    steered.start()
    assert nodens.said(rf"^warn: .*no file matches '{custom}/\*.server'")
    custom.mkdir()
    two.write_text(corefile(("two.test.", 1), reload=""))
    steered.wait_value("a.two.test", "192.0.2.1")  # a file that came
    two.write_text(corefile(("two.test.", 2), reload=""))
    steered.wait_value("b.two.test", "192.0.2.2")  # a file that changed
    three.write_text(corefile(("three.test.", 2, "cahce 30"), reload=""))
    nodens.wait_said("three.server:[0-9]+: .*the configuration stays as it was", 8)
    assert not nodens.said("cahce"), "a word of an imported file that is no directive"
    three.write_text(corefile(("three.test.", 2), reload=""))
    steered.wait_value("b.three.test", "192.0.2.2")  # mended where it was wrong
    two.unlink()
    steered.wait_refused("c.two.test")  # a file that went
    three.unlink()
    custom.rmdir()
    steered.wait_refused("c.three.test")  # its directory
    assert steered.value("b.one.test") == "192.0.2.1", "the file itself"


def test_changed_while_it_is_read(steered, lab, nodens):
    """Between reading the file and taking note of what it was: an imported pipe makes that time as long as we like."""
    pipe = lab.dir / "pipe"
    os.mkfifo(pipe)
    steered.configure(("one.test.", 1))
    steered.start()
    steered.write(corefile(("one.test.", 2)) + f"import {pipe}\n")
    nodens.signal("HUP")
    time.sleep(0.5)
    steered.configure(("one.test.", 1), ("two.test.", 1))
    done = threading.Event()

    def feed():
        while not done.wait(0.02):
            try:
                end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                continue  # nobody reads it
            os.write(end, b"# nothing\n")
            os.close(end)
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        steered.wait_value("a.two.test", "192.0.2.1", 10)
    finally:
        done.set()
        feeder.join()


def test_stub_domains_without_reload(steered, lab):
    """node-cache looks at its ConfigMaps every 10 s, whatever the Corefile says."""
    dns = lab.dir / "kube-dns"
    steered.write(corefile(("one.test.", 1), reload="") + "# __PILLAR__LOCAL__DNS__\n", "Corefile.base")
    config_map(dns, "stubDomains", '{"stub.test": ["10.50.0.1"]}')
    steered.start("-basecorefile", steered.config / "Corefile.base", "-kubednscm", dns)
    assert steered.value("a.stub.test") == "192.0.2.1", "a stub domain"
    config_map(dns, "stubDomains", '{"stub.test": ["10.50.0.2"], "more.test": ["10.50.0.2"]}')
    steered.wait_value("a.more.test", "192.0.2.2", 15)  # a stub domain more
    assert steered.value("b.stub.test") == "192.0.2.2", "another server of a stub domain"
    assert steered.value("b.one.test") == "192.0.2.1", "the base"


def test_hosts_file(steered, lab, nodens):
    hosts = lab.dir / "hosts"

    def write(text):
        (lab.dir / "hosts.new").write_text(text)
        os.rename(lab.dir / "hosts.new", hosts)

    write("192.0.2.50 old.one.test\n")
    steered.configure(("one.test.", 1, directive(f"hosts {hosts}", "reload 1s", "fallthrough")))
    steered.start()
    assert steered.value("old.one.test") == "192.0.2.50"
    write("192.0.2.51 old.one.test\n192.0.2.52 new.one.test\n")
    steered.wait_value("old.one.test", "192.0.2.51", 6)  # an address that changed
    assert steered.value("new.one.test") == "192.0.2.52", "a name that came"
    write("")
    steered.wait_value("old.one.test", "192.0.2.1", 6)  # a name that went
    assert nodens.times_said("the new configuration is at work") == 0
