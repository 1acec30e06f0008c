"""Changes as text, as in a mail."""

from __future__ import annotations

import pytest

from modelaudit.changes.models import ModelChange, ModelChangeKind, compare_runs, new_model
from modelaudit.report.wording.model_changes import (
    change_counts,
    describe_change,
    index_change,
    list_changes,
)
from tests.rows import finding, row


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
    partial = row("a.h5", "incomplete", reason="It was written to.")
    assert (
        list_changes([new_model(partial)]) == "new         a.h5  incomplete\n    It was written to."
    )
    assert list_changes([new_model(row("a.h5"))]) == "new         a.h5  pass"


def between(was, now):
    return compare_runs({"a": was}, {"a": now})


def test_a_finding_of_another_severity_is_one_line():
    was, now = (
        row("a.h5", verdict, finding(code="MA604", name="flips", severity=level), sha256=None)
        for verdict, level in (("warn", "low"), ("fail", "critical"))
    )
    (change,) = between(was, now)
    head, told = list_changes([change]).splitlines()
    assert head.startswith("worse       a.h5  pass with warnings -> fail")
    assert describe_change(change).startswith("worse: a.h5 (warn -> fail")  # also in index.json
    assert index_change(change).how.startswith("pass with warnings → fail")
    assert told == "  ~ MA604 flips (low -> critical): So."


def test_a_finding_that_fails_a_model_has_two_lines_and_others_one():
    for severity, lines in (("critical", 2), ("high", 2), ("medium", 1)):
        found = finding(severity=severity, detail="word " * 60)
        told = list_changes([new_model(row("a.h5", "fail", found))]).splitlines()[1:]
        assert len(told) == lines
        assert told[-1].endswith("…")
        assert max(map(len, told)) <= 100


def told(severity, code="MA604", name="flips"):
    return finding(name, code, severity, name=name)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_the_width(width):
    change = new_model(row("a.h5", "fail", finding(severity="high", detail="some words " * 30)))
    lines = list_changes([change], width).splitlines()
    assert width - 12 < max(map(len, lines)) <= width


def test_notes_are_shown_if_there_is_nothing_else():
    notes = [told("info", name="a"), told("info", name="b")]
    failed = row("a.h5", "fail", *notes, told("high", name="c"))
    assert list_changes([new_model(failed)]).splitlines()[1:] == [
        "  + MA604 c (high): So.",
        "    and 2 notes",
    ]
    many = row("a.h5", "fail", notes[0], *(told("high", name=n) for n in "cdefgh"))
    assert list_changes([new_model(many)]).splitlines()[-1] == "    and 2 more and 1 note"
    sound = row("a.h5", "pass", *notes)
    assert list_changes([new_model(sound)]).splitlines()[2] == "  + MA604 b (info): So."


def test_an_unchecked_finding_is_not_resolved():
    """The next nightly run did not run the models."""
    was = row("a.h5", "fail", told("high", name="a"), told("low", "MA106", "b"))
    lines = list_changes(between(was, row("a.h5", unanswered=("MA604",)))).splitlines()
    assert lines[-2:] == [
        "  ? MA604 a (high): not checked this time",
        "  - MA106 b (low): So.",
    ]


def test_text_too_long_for_a_line_gets_its_own_line():
    path = "x" * 90
    lines = list_changes(between(row(path), row(path, sha256="b"))).splitlines()
    assert lines == ["saved again " + path, "    still pass, different bytes"]


def test_a_partial_audit_of_the_same_bytes_is_not_attributed_to_rules():
    sound, partial = row("a.h5"), row("a.h5", "incomplete", reason="Busy.")
    for was, now, how in (
        (sound, partial, "partially audited"),
        (partial, sound, "now fully audited"),
    ):
        assert f"; same file, {how}" in list_changes(between(was, now))
