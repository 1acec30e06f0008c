"""What changed, in the words of a mail."""

from __future__ import annotations

import pytest

from modelaudit.cli.change_text import counted, described, for_index, listed
from modelaudit.store.changes import Change, Kind, compare, new
from modelaudit.store.records import Place

PLACE = Place("/srv/models", "a.h5")


@pytest.mark.parametrize(
    ("before", "came", "went", "changed", "said"),
    [
        (4, 0, 3, 0, "4 models before, 1 now: 3 gone"),
        (1, 0, 1, 0, "1 model before, none now: 1 gone"),
        (0, 2, 0, 0, "no model before, 2 now: 2 new"),
        (3, 1, 2, 1, "3 models before, 2 now: 1 new, 2 gone, 1 changed"),
        (1000, 0, 0, 1000, "1,000 of 1,000 models changed"),
        (1, 0, 0, 1, "1 of 1 model changed"),
        (9, 0, 0, 0, "none of 9 models changed"),
    ],
)
def test_numbers_of_models_in_words(before, came, went, changed, said):
    kinds = [Kind.NEW] * came + [Kind.GONE] * went + [Kind.WORSE] * changed
    found = [Change(kind, "a", None, None) for kind in kinds]
    assert counted(found, before, before + came - went) == said


def test_an_incomplete_model_without_findings_has_its_reason():
    line = {"path": "a.h5", "verdict": "incomplete", "reason": "It was written to.", "findings": []}
    assert listed([new(line)]) == "new         a.h5  incomplete\n    It was written to."
    sound = line | {"verdict": "pass"}
    assert listed([new(sound)]) == "new         a.h5  pass"


def test_a_finding_of_another_severity_is_one_line():
    finding = {"fingerprint": "f", "code": "MA604", "name": "flips", "detail": "It flips."}
    was, now = (
        {"path": "a.h5", "verdict": verdict, "findings": [finding | {"severity": severity}]}
        for verdict, severity in (("warn", "low"), ("fail", "critical"))
    )
    (change,) = compare({PLACE: was}, {PLACE: now})
    head, told = listed([change]).splitlines()
    assert head.startswith("worse       a.h5  pass with warnings -> fail")
    assert described(change).startswith("worse: a.h5 (warn -> fail")  # stands in index.json
    assert for_index(change).how.startswith("pass with warnings → fail")
    assert told == "  ~ MA604 flips (low -> critical): It flips."


def test_a_finding_that_fails_a_model_has_two_lines_and_others_one():
    long = "word " * 60
    for severity, lines in (("critical", 2), ("high", 2), ("medium", 1)):
        finding = {"fingerprint": "f", "code": "MA1", "name": "n", "detail": long}
        found = [finding | {"severity": severity}]
        line = {"path": "a.h5", "verdict": "fail", "findings": found}
        told = listed([new(line)]).splitlines()[1:]
        assert len(told) == lines
        assert told[-1].endswith("…")
        assert max(map(len, told)) <= 100
