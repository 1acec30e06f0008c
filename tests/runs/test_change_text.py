"""What changed, in the words of a mail."""

from __future__ import annotations

import pytest

from modelaudit.runs.change_text import change_counts, describe_change, index_change, list_changes
from modelaudit.store.records import ModelKey
from modelaudit.store.run_changes import ModelChange, ModelChangeKind, compare_runs, new_model

PLACE = ModelKey("/srv/models", "a.h5")


@pytest.mark.parametrize(
    ("before", "came", "went", "changed", "said"),
    [
        (4, 0, 3, 0, "4 models before, 1 now: 3 gone"),
        (1, 0, 1, 0, "1 model before, none now: 1 gone"),
        (0, 2, 0, 0, "no models before, 2 now: 2 new"),
        (3, 1, 2, 1, "3 models before, 2 now: 1 new, 2 gone, 1 changed"),
        (1000, 0, 0, 1000, "1,000 of 1,000 models changed"),
        (1, 0, 0, 1, "1 of 1 model changed"),
        (9, 0, 0, 0, "none of 9 models changed"),
    ],
)
def test_numbers_of_models_in_words(before, came, went, changed, said):
    kinds = (
        [ModelChangeKind.NEW] * came
        + [ModelChangeKind.GONE] * went
        + [ModelChangeKind.WORSE] * changed
    )
    found = [ModelChange(kind, "a", None, None) for kind in kinds]
    assert change_counts(found, before, before + came - went) == said


def test_an_incomplete_model_without_findings_has_its_reason():
    line = {"path": "a.h5", "verdict": "incomplete", "reason": "It was written to.", "findings": []}
    assert list_changes([new_model(line)]) == "new         a.h5  incomplete\n    It was written to."
    sound = line | {"verdict": "pass"}
    assert list_changes([new_model(sound)]) == "new         a.h5  pass"


def test_a_finding_of_another_severity_is_one_line():
    finding = {"fingerprint": "f", "code": "MA604", "name": "flips", "detail": "It flips."}
    was, now = (
        {"path": "a.h5", "verdict": verdict, "findings": [finding | {"severity": severity}]}
        for verdict, severity in (("warn", "low"), ("fail", "critical"))
    )
    (change,) = compare_runs({PLACE: was}, {PLACE: now})
    head, told = list_changes([change]).splitlines()
    assert head.startswith("worse       a.h5  pass with warnings -> fail")
    assert describe_change(change).startswith("worse: a.h5 (warn -> fail")  # stands in index.json
    assert index_change(change).how.startswith("pass with warnings → fail")
    assert told == "  ~ MA604 flips (low -> critical): It flips."


def test_a_finding_that_fails_a_model_has_two_lines_and_others_one():
    long = "word " * 60
    for severity, lines in (("critical", 2), ("high", 2), ("medium", 1)):
        finding = {"fingerprint": "f", "code": "MA1", "name": "n", "detail": long}
        found = [finding | {"severity": severity}]
        line = {"path": "a.h5", "verdict": "fail", "findings": found}
        told = list_changes([new_model(line)]).splitlines()[1:]
        assert len(told) == lines
        assert told[-1].endswith("…")
        assert max(map(len, told)) <= 100


def told(severity, code="MA604", name="flips"):
    return {"fingerprint": name, "code": code, "name": name, "detail": "So.", "severity": severity}


def test_notes_are_shown_where_nothing_else_is():
    notes = [told("info", name="a"), told("info", name="b")]
    line = {"path": "a.h5", "verdict": "fail", "findings": [*notes, told("high", name="c")]}
    assert list_changes([new_model(line)]).splitlines()[1:] == [
        "  + MA604 c (high): So.",
        "    and 2 notes",
    ]
    many = line | {"findings": [*notes[:1], *(told("high", name=n) for n in "cdefgh")]}
    assert list_changes([new_model(many)]).splitlines()[-1] == "    and 2 more and 1 note"
    sound = line | {"verdict": "pass", "findings": notes}
    assert list_changes([new_model(sound)]).splitlines()[2] == "  + MA604 b (info): So."


def test_a_finding_that_nobody_looked_for_has_not_gone():
    """The next night ran no model."""
    found = [told("high", name="a"), told("low", "MA106", "b")]
    was = {"path": "a.h5", "verdict": "fail", "findings": found}
    now = was | {"verdict": "pass", "findings": [], "unanswered": ["MA604"]}
    lines = list_changes(compare_runs({PLACE: was}, {PLACE: now})).splitlines()
    assert lines[1:] == [
        "  ? MA604 a (high): not checked this time",
        "  - MA106 b (low): So.",
    ]


def test_what_does_not_fit_into_a_line_has_one_of_its_own():
    line = {"path": "x" * 90, "verdict": "pass", "sha256": "a", "findings": []}
    lines = list_changes(compare_runs({PLACE: line}, {PLACE: line | {"sha256": "b"}})).splitlines()
    assert lines == ["saved again " + "x" * 90, "    still pass, different bytes"]


def test_the_same_bytes_that_were_not_seen_in_full_speak_of_no_other_rules():
    line = {"path": "a.h5", "verdict": "pass", "sha256": "a", "findings": [], "reason": "Busy."}
    blind = line | {"verdict": "incomplete"}
    for was, now, how in (
        (line, blind, "partially audited"),
        (blind, line, "now fully audited"),
    ):
        assert f"; same file, {how}" in list_changes(compare_runs({PLACE: was}, {PLACE: now}))
