"""The audit file: JSON form, schema, and reading it back."""

from __future__ import annotations

import json
import math
import os
import re

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from modelaudit import schema
from modelaudit.audit_types.json_form import jsonable
from modelaudit.errors import SchemaError
from modelaudit.findings import Outcome, Verdict
from modelaudit.pipeline import finish_audit
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.examples import ROOT
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

TARGET = AuditTarget(ROOT, ROOT.parent, "example.keras", "example.keras")
CREATED = "2026-01-02T03:04:05Z"
VALIDATOR = jsonschema.Draft202012Validator(schema.json_schema())


def test_the_schema_is_a_schema() -> None:
    assert set(VALIDATOR.schema["properties"]) >= {"schema_version", "verdict", "findings"}
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())


def test_waived_findings_stay_in_the_file() -> None:
    audit = finish_audit(CATALOGUE[1].bad(), TARGET, CREATED, {})
    results = tuple(
        replace(
            r,
            outcome=Outcome.WAIVED if r.findings else r.outcome,
            findings=tuple(replace(f, waived_by="known since May") for f in r.findings),
        )
        for r in audit.results
    )
    data = json.loads(schema.dumps(replace(audit, results=results)))
    assert {f["outcome"] for f in data["findings"]} == {"waived"}
    assert schema.from_json(data).findings[0].waived_by == "known since May"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema_version": "2.0"}', '{"schema_version": "1.0"}', "[" * 100_000],
)
def test_invalid_audits_are_rejected(text: str) -> None:
    with pytest.raises(SchemaError):
        schema.loads(text)


def test_verdict_must_be_known() -> None:
    data = schema.to_json(finish_audit(CATALOGUE[0].good(), TARGET, CREATED, {}))
    with pytest.raises(SchemaError):
        schema.from_json(data | {"verdict": "excellent"})
    assert schema.from_json(data).verdict is Verdict.PASS


class _Nested(Struct, frozen=True):
    numbers: tuple[float, ...]
    scalar: object


@given(st.lists(st.floats()), st.one_of(st.integers(), st.text(), st.none(), st.booleans()))
def test_anything_becomes_json(numbers: list[float], scalar: object) -> None:
    value = jsonable({"x": _Nested(tuple(numbers), scalar)})
    text = json.dumps(value, allow_nan=False)
    back = json.loads(text)["x"]
    assert back["scalar"] == scalar
    for before, after in zip(numbers, back["numbers"], strict=True):
        if math.isfinite(before):
            assert after == pytest.approx(before, rel=1e-8, abs=1e-300)
        else:
            assert float(after) == before or math.isnan(before)


def test_numpy_scalars_become_numbers() -> None:
    assert jsonable(np.float32(0.5)) == 0.5
    assert jsonable({"n": np.int64(3)}) == {"n": 3}


@pytest.mark.parametrize("data", [b"\xff", b"[" * 100_000, b"{}", b"", None])
def test_a_file_that_is_not_an_audit_is_named(tmp_path, data) -> None:
    path = tmp_path / "audit.json"
    if data is None:
        os.mkfifo(path)  # reading it would block
    else:
        path.write_bytes(data)
    with pytest.raises(SchemaError, match=str(path)):
        schema.load(path)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b'{"schema_version": "1.0", "models": []}', "the index of a run; the audit of each"),
        (b'{"schema_version": "1.0"}', "missing required field `tool`"),
        (b"PK\x03\x04\xff\xfe", "not a modelaudit audit file: it is no text"),
    ],
)
def test_invalid_audit_files_are_reported_in_words(tmp_path, written, says):
    path = tmp_path / "file"
    path.write_bytes(written)
    with pytest.raises(SchemaError, match="^" + re.escape(f"{path}: ")) as caught:
        schema.load(path)
    assert says in str(caught.value)
    assert "KeyError" not in str(caught.value) and "codec" not in str(caught.value)
