"""The schema takes what the loader takes, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib

import jsonschema
import pytest

from modelaudit.cli.commands.settings import described_schema
from modelaudit.errors import UsageError
from modelaudit.settings.file import FileTables, PolicyTable, load
from modelaudit.settings.file_schema import DescribedFile, DescribedPolicy
from tests.command_line import ROOT

SCHEMA = described_schema()
CHECKER = jsonschema.Draft202012Validator(SCHEMA)
BLOCKS = [
    block
    for page in sorted(ROOT.glob("docs/*.md"))
    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    if "[tool." not in block and "[project" not in block
]


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_has_the_keys_of_the_loader():
    assert {*DescribedFile.__struct_fields__} == {*FileTables.__struct_fields__}
    assert {*DescribedPolicy.__struct_fields__} == {*PolicyTable.__struct_fields__}


def test_every_key_is_described():
    keys = SCHEMA["$defs"]["DescribedFile"]["properties"]
    assert {name for name, key in keys.items() if not key.get("description")} == set()


def test_the_docs_have_settings():
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS)
def test_it_takes_the_settings_of_the_docs(block):
    # Dates are strings in JSON, as editors give them to a checker.
    told = json.loads(json.dumps(tomllib.loads(block), default=str))
    assert [error.message for error in CHECKER.iter_errors(told)] == []


@pytest.mark.parametrize(
    "text",
    [
        "failon = 'high'",
        "fail_on = 3",
        "fail_on = 'severe'",
        "task = 'cooking'",
        "timeout = 0",
        "[limits]\nlayers = 'many'",
        "[[ignore]]\nrule = 'MA203'\nreason = 5",
        "[[policy]]\npath = 'a'\nseverity = {MA203 = 'severe'}",
        "[[policy]]\nfail_on = 'high'",
        "[nightly]\nkeep = 1",
        "[thresholds]\nMA203 = 'x'",
        "[serving]\nruntime = ''",
    ],
)
def test_it_refuses_what_the_loader_refuses(tmp_path, text):
    path = tmp_path / "modelaudit.toml"
    path.write_text(text)
    if "severe'" not in text or "policy" in text:  # the command line checks the choices of options
        with pytest.raises(UsageError):
            load(path)
    assert not CHECKER.is_valid(tomllib.loads(text))
