# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The runner itself: a test that fails must be seen to fail."""
import os
import textwrap

import pytest

import lab as lab_module

SAMPLE = """
import os, pathlib, pytest
from lab import run

def test_passes(): pass
def test_fails_by_assert(): assert 1 == 2
def test_fails_by_command(): run("false")
@pytest.fixture
def broken(): raise OSError("no such thing")
def test_fails_by_fixture(broken): pass
def test_skips(): pytest.skip("no reason")
def test_dies(): os._exit(3)
def test_fails_once():
    try: pathlib.Path(__file__).with_name("seen").touch(exist_ok=False)
    except FileExistsError: return
    assert False
"""


@pytest.fixture
def outcome(tmp_path):
    """outcome(EXPRESSION, FILES, VARIABLE=VALUE...): output and exit status of tests of a sample file."""
    def outcome(expression, files=1, **env):
        paths = [tmp_path / f"test_sample{i}.py" for i in range(files)]
        for path in paths:
            path.write_text(textwrap.dedent(SAMPLE))
        clean = {key: value for key, value in os.environ.items()
                 if key not in ("CI", "NODENS_STRICT", "NODENS_SKIPS", "NODENS_LAB_DIR", "NODENS_AFTER")}
        done = lab_module.run(lab_module.PYTHON, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "harness", *paths,
                              "-k", expression, check=False, cwd=tmp_path, timeout=120,
                              env=clean | {"PYTHONPATH": os.path.dirname(__file__), "NODENS_BUILD": str(tmp_path)} | env)
        return done.stdout, done.returncode
    return outcome


def last(out):
    return out.strip().splitlines()[-1]


def test_a_pass_is_counted(outcome):
    out, status = outcome("passes")
    assert (last(out), status) == ("1 passed, 0 failed, 0 skipped", 0)


@pytest.mark.parametrize("how", ["by_assert", "by_command", "by_fixture"])
def test_each_failure_is_counted(outcome, how):
    out, status = outcome(f"passes or {how}")
    assert (last(out), status) == ("1 passed, 1 failed, 0 skipped", 1)


def test_a_death_is_a_failure(outcome):
    out, status = outcome("dies")
    assert (last(out), status) == ("0 passed, 1 failed, 0 skipped", 1)


@pytest.mark.parametrize("env, counts", [
    ({}, "1 passed, 0 failed, 1 skipped"),
    ({"NODENS_STRICT": "1"}, "1 passed, 1 failed, 0 skipped"),
    ({"NODENS_STRICT": "1", "NODENS_SKIPS": "other* test_sk*"}, "1 passed, 0 failed, 1 skipped"),
], ids=["lenient", "strict", "expected"])
def test_a_skip_is_counted(outcome, env, counts):
    out, status = outcome("passes or skips", **env)
    assert (last(out), status) == (counts, int("1 failed" in counts))
    assert "no reason" in out


def test_nothing_run_is_a_failure(outcome):
    out, status = outcome("no_such")
    assert (last(out), status) == ("0 passed, 0 failed, 0 skipped", 1)


@pytest.mark.parametrize("env, counts", [({}, "4 passed, 0 failed, 0 skipped"), ({"CI": "1"}, "3 passed, 1 failed, 0 skipped")],
                         ids=["at-home", "CI"])
def test_what_fails_beside_others_alone_is_flaky(outcome, env, counts):
    out, status = outcome("passes or fails_once", files=2, **env)
    assert out.splitlines()[-2].startswith("flaky: test_sample")
    assert (last(out), status) == (counts, int(bool(env)))
