# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs pytest on files of tests, each in a lab of its own, three at a time; what fails is run once more, alone.

Files of MEASURING come two at a time. They, and what is run once more, wait until nobody holds the lock of the file
$NODENS_AFTER: tests/run holds it as long as guests are emulated, each of which takes a CPU.

Contract: called by harness.py for a pytest outside of any lab. The last line is "N passed, N failed, N skipped"; what
failed beside others and passed alone is named as flaky above it, and counts as failed where CI is set in the environment.
Results are also in build/junit/FOLDER-FILE.xml, those of the second run in build/junit/FOLDER-FILE-again.xml.
"""
import concurrent.futures
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree

import lab

JUNIT = lab.BUILD / "junit"
AT_A_TIME, MEASURE_AT_A_TIME = 3, 2  # most wait
# In the order in which they begin; the others come before them, LONG ones first.
MEASURING = ("test_path", "test_node", "test_floods", "test_front", "test_attach", "test_steady", "test_takeover", "test_shares",
             "test_kill", "test_upgrade", "test_race", "test_top", "test_report")
LONG = ("test_nodelocal", "test_nodelocal_link", "test_reload", "test_kubectl", "test_kubectl_io", "test_cache", "test_agent",
        "test_observe", "test_splits", "test_page", "test_trace")
LIMIT_S = 600  # of a file
NO_TESTS = 5  # pytest's exit status


class Result:
    """What the JUnit file of a run says."""

    def __init__(self, path, status):
        self.passed, self.failed, self.skipped = [], [], 0
        cases = xml.etree.ElementTree.parse(path).iter("testcase") if path.exists() else ()
        for case in cases:
            name = case.get("name")
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                self.failed += [name] if name not in self.failed else []
            elif "skipped" in kinds:
                self.skipped += 1
            else:
                self.passed.append(name)
        self.passed = [name for name in self.passed if name not in self.failed]
        self.died = status not in (0, 1, NO_TESTS) or (status == 1 and not self.failed)


def run_file(path, arguments, suffix="", quiet=True):
    """(what it printed, Result) of the tests of one file."""
    junit = JUNIT / f"{path.parent.name}-{path.stem}{suffix}.xml"
    junit.unlink(missing_ok=True)
    cmd = [lab.PYTHON, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short", "--no-header",
           f"--rootdir={path.parent}", f"--junitxml={junit}", "-o", "junit_family=xunit2", *arguments]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    with lab.command(cmd, stdin=subprocess.DEVNULL, **pipe) as process:
        timer = threading.Timer(LIMIT_S, process.kill)
        timer.start()
        out = process.communicate()[0]
        timer.cancel()
    return (out or b"").decode(errors="replace"), Result(junit, process.returncode)


def order(path):
    """A key to sort files by."""
    measuring = path.stem in MEASURING
    first = MEASURING if measuring else LONG
    return measuring, first.index(path.stem) if path.stem in first else len(first), path.name


def wait_for_quiet():
    if path := os.environ.get("NODENS_AFTER"):
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH)


def run_beside_others(path, arguments, measure):
    if path.stem not in MEASURING:
        return run_file(path, arguments)
    with measure:
        wait_for_quiet()
        return run_file(path, arguments)


def split(config):
    """The arguments by file: {path: [path::test...]}, and the options."""
    chosen = {}
    for argument in config.args:
        path = pathlib.Path(argument.split("::")[0])
        path = path if path.is_absolute() else config.invocation_params.dir / path
        files = sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        for file in files:
            chosen.setdefault(file, []).append(str(file) + argument[len(argument.split("::")[0]):])
    return chosen, [x for x in config.invocation_params.args if x not in config.args]


def ours(path):
    stat = os.stat(lab.ROOT)
    os.chown(path, stat.st_uid, stat.st_gid)


def main(config):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    JUNIT.mkdir(parents=True, exist_ok=True)
    ours(JUNIT)
    chosen, options = split(config)
    if len(chosen) == 1:
        (path, tests), = chosen.items()
        _, result = run_file(path, [*options, *tests], quiet=False)
        return finish({path: result}, {})
    results = {}
    measure = threading.Semaphore(MEASURE_AT_A_TIME)
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        begun = {pool.submit(run_beside_others, path, [*options, *chosen[path]], measure): path
                 for path in sorted(chosen, key=order)}
        for future in concurrent.futures.as_completed(begun):
            out, results[begun[future]] = future.result()
            show(begun[future], out, results[begun[future]])
    return finish(results, again(results, options))


def show(path, out, result):
    if result.passed or result.failed or result.skipped or result.died:
        print(f"== {path.name}", out, sep="\n", flush=True)


def again(results, options):
    """The second Result of each file of which something failed: with the machine to itself it has no excuse."""
    second = {}
    for path, result in results.items():
        if result.failed or result.died:
            wait_for_quiet()
            print(f"again, alone: {path.name} {' '.join(result.failed)}", flush=True)
            tests = [f"{path}::{name}" for name in result.failed] if result.failed and not result.died else [str(path)]
            out, second[path] = run_file(path, [*options, *tests], "-again")
            print(out, flush=True)
    return second


def finish(results, second):
    """The last lines, and the exit status."""
    passed = failed = skipped = 0
    flaky = []
    for path, result in results.items():
        last = second.get(path, result)
        passed += len(set(result.passed) | set(last.passed))
        skipped += result.skipped
        failed += len(last.failed) or int(last.died)
        if path in second:
            flaky += [f"{path.name}::{name}" for name in result.failed if name in last.passed]
            flaky += [path.name] if result.died and not last.died else []
        if last.died:
            print(f"FAIL  {path.name} ended before its tests did")
    for name in flaky:
        print(f"flaky: {name} failed beside others and passed alone")
    if os.environ.get("CI"):
        passed, failed = passed - len(flaky), failed + len(flaky)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed + skipped else 0
