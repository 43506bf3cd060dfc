# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A plugin of pytest (-p harness): each file of tests in a lab of its own, skips that nobody expects, notes of tests that
pass; and what there is in every lab."""
import fnmatch
import os
import sys

import pytest

sys.dont_write_bytecode = True
pytest.register_assert_rewrite("lab", "query", "cluster", "agent", "nodecache", "load", "cache_rows", "reload", "device", "way", "series")

import lab as lab_module  # noqa: E402
import labs  # noqa: E402
from agent import Nodens  # noqa: E402
from cluster import Cluster  # noqa: E402


def pytest_cmdline_main(config):
    """Outside of a lab: hands the files to labs.py, which runs pytest on each of them inside one."""
    if lab_module.inside() or config.option.collectonly or config.option.help or config.option.version:
        return None
    config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    return labs.main(config)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """With NODENS_STRICT=1 a skip is a failure, unless NODENS_SKIPS (globs) expects it."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("NODENS_STRICT") == "1":
        names = item.name, getattr(item, "originalname", item.name)
        if not any(fnmatch.fnmatch(name, glob) for glob in os.environ.get("NODENS_SKIPS", "").split() for name in names):
            report.outcome, report.longrepr = "failed", f"a skip that NODENS_SKIPS does not name: {report.longrepr[2]}"


def pytest_terminal_summary(terminalreporter):
    for test, text in lab_module.notes:
        terminalreporter.write_line(f"{test.split('::')[-1]}: {text}")


@pytest.fixture(scope="session")
def lab():
    return lab_module.Lab()


@pytest.fixture(scope="session")
def nodens(lab):
    """Not started; it ends with the tests of the file."""
    nodens = Nodens(lab)
    yield nodens
    nodens.stop()


@pytest.fixture(scope="session")
def cluster(lab):
    """The cluster's DNS, its services and an uplink."""
    return Cluster(lab)


@pytest.fixture(scope="session")
def p1(lab, cluster):
    return lab.pod("p1")


@pytest.fixture(scope="session")
def p2(lab, cluster, p1):
    return lab.pod("p2")
