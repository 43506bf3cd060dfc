# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""-log-format: every line of a run with queries, errors, a refused and a good reload, on stdout and stderr, in each format;
and the first line of a start."""
import datetime
import json
import os
import re
import subprocess

import pytest

from agent import NODENS, block, cluster_corefile, command
from lab import DNS4, DNS6, POD_SIDE4, output, wait_until

FORMAT = '{common} \\"{>opcode}\\" {local} {/kubernetes/client-pod-name}'
ODD_NAME = r"\255\"\\\000\009a.example.org"  # any octets, a quote and a backslash among them


def corefile(extra=""):
    return block(".:53", f"bind {POD_SIDE4}", "debug", f'log . "{FORMAT}"', "errors", "prometheus 127.0.0.1:9253",
                 "forward . 10.50.0.1", extra)


def a_run(nodens, cli, *flags, env=None):
    """Queries, errors, reloads and the end; the lines on stderr and those on stdout."""
    nodens.listen(corefile(), *flags, env=env, split=True)
    nodens.wait_said("upstreams of all zones answer")
    cli.ask("www.example.org", payload=None, qid=4242, source=(cli.ip4, 40001))
    cli.ask("nx.example.org", "AAAA", tcp=True, dnssec=True)
    cli.ask(ODD_NAME)
    cli.ask("only.garbage.example.org")
    nodens.wait_printed("plugin/errors: 2 only.garbage.example.org. A: ", 6)
    for change, said in ("forwrad . 10.50.0.1", "SIGHUP: .*forwrad.*stays as it was"), ("", "new configuration is at work"):
        nodens.corefile.write_text(corefile(change))
        nodens.signal("HUP")
        nodens.wait_said(said)
    nodens.stop()
    return nodens.log_text().splitlines(), nodens.printed.read_text().splitlines()


def of_plugin(objects, plugin, text):
    return [x for x in objects if x["source"] == plugin and text in x["msg"]]


def test_json(nodens, cli, upstreams):
    said, printed = ([json.loads(line) for line in lines] for lines in a_run(nodens, cli, "-log-format", "json"))
    now = datetime.datetime.now(datetime.timezone.utc)
    for line in said + printed:
        assert list(line)[:4] == ["time", "level", "source", "msg"], line
        assert line["level"] in ("error", "warn", "info", "debug") and line["msg"], line
        at = datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert datetime.timedelta() <= now - at < datetime.timedelta(minutes=2), line
    assert {line["source"] for line in said} == {"agent"}
    assert {line["source"] for line in printed} == {"log", "errors"}
    assert {"error", "info", "debug"} <= {line["level"] for line in said}
    assert [line["version"] for line in said if set(line) - {"time", "level", "source", "msg"}], "the first line alone"
    assert any("forwrad" in line["msg"] and line["level"] == "error" for line in said)
    [www] = of_plugin(printed, "log", "www.example.org.")
    want = {"remote": cli.ip4, "port": 40001, "id": 4242, "type": "A", "class": "IN", "name": "www.example.org.",
            "proto": "udp", "size": 33, "do": False, "bufsize": 512, "rcode": "NOERROR", "rsize": 49, "opcode": 0,
            "local": POD_SIDE4, "client_pod_name": None}
    assert {key: www[key] for key in want} == want
    assert 0 < www["duration_s"] < 5 and "rd" in www["rflags"].split(",")
    [nx] = of_plugin(printed, "log", "nx.example.org.")
    assert (nx["rcode"], nx["proto"], nx["do"], nx["bufsize"]) == ("NXDOMAIN", "tcp", True, 65535)
    [odd] = [line for line in printed if line.get("name", "").endswith("a.example.org.")]
    assert odd["name"] == r"\255\"\\\000\009a.example.org." and odd["name"] in odd["msg"]
    assert of_plugin(printed, "errors", "plugin/errors: 2 only.garbage")[0]["level"] == "error"


PRIORITIES = {3: "error", 4: "warn", 6: "info", 7: "debug"}


def by_priority(lines):
    """(priority, text) of each line, as sd-daemon(3) has it."""
    parsed = [re.fullmatch(r"<([0-7])>(.+)", line) for line in lines]
    assert all(parsed), [line for line, match in zip(lines, parsed) if not match]
    return [(int(match.group(1)), match.group(2)) for match in parsed]


def check_journal(said, printed):
    said, printed = by_priority(said), by_priority(printed)
    assert {level for level, _ in said + printed} <= set(PRIORITIES)
    own = re.compile(r"^((error|warn|info|debug): |\[(ERROR|WARNING|INFO|DEBUG)\]|\d\d:\d\d:\d\d)")
    assert not [text for _, text in said + printed if own.search(text)], "the journal has level and time"
    assert [level for level, text in said if "forwrad" in text] == [3]
    assert [level for level, text in said if text.startswith("ready: ")] == [6]
    assert 7 in {level for level, _ in said}
    assert [level for level, text in printed if " 4242 " in text] == [6]
    assert {level for level, text in printed if text.startswith("plugin/errors: ")} == {3}


def test_journal(nodens, cli, upstreams):
    check_journal(*a_run(nodens, cli, "-log-format", "journal"))


def journal_stream(path):
    path.touch()
    return f"{path.stat().st_dev}:{path.stat().st_ino}"


def test_auto_is_journal_under_systemd(nodens, cli, upstreams):
    """JOURNAL_STREAM names what stderr is: here the file that the test has it in."""
    check_journal(*a_run(nodens, cli, env={"JOURNAL_STREAM": journal_stream(nodens.log)}))


@pytest.mark.parametrize("flags, stream", [([], None), ([], "1:2"), (["-log-format", "text"], "same")])
def test_text(nodens, cli, upstreams, flags, stream):
    """The default, also where the journal reads something else; and where it is asked for, in the journal too."""
    stream = journal_stream(nodens.log) if stream == "same" else stream
    said, printed = a_run(nodens, cli, *flags, env={"JOURNAL_STREAM": stream} if stream else {})
    assert not [line for line in said if not re.match("(error|warn|info|debug): ", line)]
    assert not [line for line in printed if not re.match(r"\[(INFO|ERROR)\] ", line)]
    assert "info: SIGHUP: the new configuration is at work" in said
    [www] = [line for line in printed if " 4242 " in line]
    assert re.fullmatch(rf'\[INFO\] {re.escape(cli.ip4)}:40001 - 4242 "A IN www.example.org. udp 33 false 512" NOERROR '
                        rf'qr,[a-z,]+ 49 0\.[0-9]+s "0" {re.escape(POD_SIDE4)} -', www), www


def status_now():
    return json.loads(command("status", "--json")[0])


def first_lines(nodens):
    return [json.loads(line) for line in nodens.log_text().splitlines()]


def check_start(line, served, mode, path):
    """The line against what commands say of the same agent."""
    wait_until(5, lambda: status_now()["cache"]["capacity"], "nothing is shown of the store")
    status = status_now()
    stats = json.loads(output(NODENS, "stats", "--json"))
    assert list(line)[:4] == ["time", "level", "source", "msg"] and line["level"] == "info"
    version = re.fullmatch(r"nodens (\S+) \((\S+)\)", output(NODENS, "version").strip())
    assert (line["version"], line["revision"], line["kernel"]) == (*version.groups(), os.uname().release)
    assert (line["mode"], line["served"], line["kernel_path"]) == (mode, served, path)
    assert line["config_hash"] == status["config"]["hash"]
    assert line["capacity"] == status["cache"]["capacity"]
    more = stats["cache"]["bytes"] - stats["cache"]["slot_bytes"] - line["map_bytes"]  # but for the first slots
    assert 0 <= more < line["map_bytes"] / 10
    for part in (f"nodens {line['version']} ({line['revision']}), Linux {line['kernel']}: mode {mode}, ",
                 f" {line['map_bytes'] / 1e6:.1f} MB of maps, configuration {line['config_hash']}, serves {', '.join(served)}"):
        assert part in line["msg"], line["msg"]


def test_first_line_listen(nodens, cli, upstreams):
    nodens.listen(block(".:53", f"bind {POD_SIDE4}", "cache", "forward . 10.50.0.1"), "-log-format", "json", split=True)
    check_start(first_lines(nodens)[0], [POD_SIDE4], "listen", True)
    nodens.stop()


def test_first_line_steer(nodens, p1):
    nodens.start("-log-format", "json", "-capacity", 6400, corefile=cluster_corefile(), probe=p1)
    lines = first_lines(nodens)
    check_start(lines[0], [DNS4, DNS6], "steer", True)
    assert not [line for line in lines if re.match("veth.*: ", line["msg"])], "devices are lines at debug"
    nodens.stop()
    nodens.start("-log-level", "debug", corefile=cluster_corefile(), probe=p1)
    assert nodens.said(f"^debug: {p1.veth}: attached, ")
    nodens.stop()


@pytest.mark.parametrize("args, status", [(["-nonsense"], 2), (["-conf", "/nowhere"], 1)])
def test_a_start_that_fails(args, status):
    done = subprocess.run([NODENS, "run", "-log-format", "json", *args], capture_output=True, text=True, check=False)
    assert done.returncode == status and not done.stdout
    [line] = map(json.loads, done.stderr.splitlines())
    assert line["level"] == "error" and line["source"] == "agent" and args[-1] in line["msg"]
