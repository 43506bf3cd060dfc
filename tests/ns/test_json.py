# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Each command with --json has a schema in docs/schema/, and prints what that says, which Debian's jsonschema judges.
(The one that is no command's is that of the agent's page: test_page.py.)"""
import json
import re

import jsonschema
import pytest

from agent import NODENS, cluster_corefile
from cluster import D
from lab import ROOT, output, run
from test_status import schema

SCHEMAS = ROOT / "docs/schema"


def commands():
    """Those that take --json, as the program itself says."""
    names = re.findall(r"^  ([a-z]+) .*  \S", output(NODENS, "--help").split("\nFlags of")[0], re.M)
    assert "run" in names and "stats" in names
    return [name for name in names if re.search(r"^  -json\b", run(NODENS, name, "--help", check=False).stdout, re.M)]


def test_each_has_a_schema():
    assert sorted([*commands(), "page"]) == sorted(path.stem for path in SCHEMAS.glob("*.json"))
    assert {"status", "explain", "stats", "dump"} <= set(commands())


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.json")))
def test_schema_is_one(name):
    jsonschema.Draft7Validator.check_schema(schema(name))
    assert schema(name)["properties"]["schema"] == {"const": 1} and "schema" in schema(name)["required"]


@pytest.mark.parametrize("name", sorted({path.stem for path in SCHEMAS.glob("*.json")} - {"page"}))
def test_prints_what_it_says(nodens, p1, name):
    nodens.ensure(corefile=cluster_corefile(), probe=p1)
    for i in range(5):
        p1.ask(f"n{i}.{D}")
        p1.ask(f"none{i}.{D}", dnssec=True)
    arguments = {"explain": [f"n1.{D}"], "top": ["--once"], "report": ["--for", "1s"], "trace": ["-t", 1, "name", "n1.none"]}.get(name, [])
    validator = jsonschema.Draft7Validator(schema(name))
    for more in [], ["--answers"] if name == "dump" else []:
        page = json.loads(output(NODENS, name, "--json", *arguments, *more))
        validator.validate(page)
        assert len(json.dumps(page)) > 100, "nothing in it"
    # and it can say no
    for wrong in {**page, "other": 1}, {**page, "schema": 2}, {key: page[key] for key in page if key != "schema"}:
        assert not validator.is_valid(wrong)
