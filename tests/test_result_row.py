"""Rows of results, and their JSON form that the history keeps."""

from __future__ import annotations

import json

import pytest

from modelaudit.result_row import row_from_json, row_from_text, row_to_json
from modelaudit.structs import replace
from tests.rows import finding, row

ROW = row(
    "a.h5",
    "fail",
    finding("f", severity="low"),
    finding("g", "MA405", "high", waived_by="known"),
    keras="3.1.0",
    outputs={"head": ("H", "V")},
    unanswered=("MA601",),
    weights="ww",
)


def test_what_is_written_is_read():
    assert row_from_json(json.loads(json.dumps(row_to_json(ROW)))) == ROW
    assert row_from_text(json.dumps(row_to_json(ROW))) == ROW


def test_a_name_with_half_a_character_is_read():
    odd = replace(ROW, path="a\ud800.h5")
    assert row_from_text(json.dumps(row_to_json(odd))) == odd
    with pytest.raises(ValueError, match="Expecting"):
        row_from_text("{")


def test_only_open_findings_count():
    data = row_to_json(ROW)
    assert data["rules"] == ["MA101"]
    assert data["severities"] == {"info": 0, "low": 1, "medium": 0, "high": 0, "critical": 0}


def test_rows_of_earlier_versions_are_read():
    data = row_to_json(ROW)
    for key in ("origin", "outputs", "unanswered", "weights"):
        del data[key]
    old = row_from_json(data | {"no longer": "written"})
    assert (old.origin, old.outputs, old.unanswered, old.weights) == ("", {}, (), "")


@pytest.mark.parametrize("change", [{"verdict": "good"}, {"findings": [{}]}, {"outputs": 3}])
def test_what_is_no_row_is_refused(change):
    with pytest.raises(ValueError, match="not a result row"):
        row_from_json(row_to_json(ROW) | change)
