"""Changes between two runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.changes.models import ModelChangeKind, compare_runs
from modelaudit.structs import replace
from tests.rows import finding, row


def run(*lines):
    return {each.path: each for each in lines}


def kinds(before, after):
    return [(change.kind, change.path) for change in compare_runs(before, after)]


@given(st.lists(st.tuples(st.text(), st.sampled_from(["pass", "fail"])), unique_by=lambda p: p[0]))
def test_nothing_changed(rows):
    lines = run(*(row(path, verdict) for path, verdict in rows))
    other = {place: replace(each, reason="seen 0.124 times") for place, each in lines.items()}
    assert compare_runs(lines, other) == ()


def test_verdicts_and_findings():
    assert kinds(run(row("a")), run(row("a", "fail", "f"))) == [(ModelChangeKind.WORSE, "a")]
    assert kinds(run(row("a", "fail", "f")), run(row("a", "warn"))) == [
        (ModelChangeKind.BETTER, "a")
    ]
    assert kinds(run(row("a", "fail", "f")), run(row("a", "fail", "f", "g"))) == [
        (ModelChangeKind.WORSE, "a")
    ]
    assert kinds(run(row("a", "fail", "f", "g")), run(row("a", "fail", "f"))) == [
        (ModelChangeKind.BETTER, "a")
    ]
    assert kinds(run(row("a", "fail", "f")), run(row("a", "fail", "g"))) == [
        (ModelChangeKind.CHANGED, "a")
    ]
    assert kinds(run(row("a")), run(row("a", sha256="bb"))) == [(ModelChangeKind.SAVED, "a")]


def test_new_and_resolved_findings_are_named():
    (change,) = compare_runs(run(row("a", "fail", "f")), run(row("a", "fail", "g")))
    assert [f.fingerprint for f in change.appeared] == ["g"]
    assert [f.fingerprint for f in change.vanished] == ["f"]
    assert change.same_file


@pytest.mark.parametrize(
    ("was", "now", "gone"),
    [("warn", "fail", []), ("fail", "incomplete", []), ("fail", "warn", ["f"])],
)
def test_unchecked_findings_are_not_resolved(was, now, gone):
    """Damage of a file does not resolve its findings."""
    before, after = row("a", was, "f"), row("a", now, unanswered=("MA101",))
    (change,) = compare_runs(run(before), run(after))
    assert [f.fingerprint for f in change.vanished] == gone


def test_a_finding_that_a_waiver_covers_is_not_open():
    """A waiver closes the finding, and its expiry reopens it."""
    waived = run(row("a", "pass", finding("f", waived_by="known")))
    opened = run(row("a", "fail", "f", "g"))
    (change,) = compare_runs(waived, opened)
    assert [f.fingerprint for f in change.appeared] == ["f", "g"]
    assert [f.fingerprint for f in change.findings.reopened] == ["f"]
    assert (change.vanished, change.findings.waived) == ((), ())
    (back,) = compare_runs(opened, waived)
    assert [f.fingerprint for f in back.vanished] == ["f", "g"]
    assert [f.fingerprint for f in back.findings.waived] == ["f"]
    assert back.findings.reopened == ()


def test_a_finding_of_another_severity_is_another():
    before = run(row("a", "warn", finding("f", severity="low")))
    after = run(row("a", "fail", "f"))
    (change,) = compare_runs(before, after)
    assert (change.kind, len(change.appeared), len(change.vanished)) == (
        ModelChangeKind.WORSE,
        1,
        1,
    )


def test_new_and_gone():
    assert kinds(run(row("a")), run(row("b", sha256="bb"))) == [
        (ModelChangeKind.NEW, "b"),
        (ModelChangeKind.GONE, "a"),
    ]


def test_renamed_by_bytes_or_by_weights():
    (change,) = compare_runs(run(row("a", "fail", "f")), run(row("b", "fail", "f")))
    assert (change.kind, change.was.path, change.path) == (ModelChangeKind.RENAMED, "a", "b")
    assert (change.appeared, change.vanished) == ((), ())
    before, after = row("a.h5", sha256="a", weights="w"), row("b.keras", sha256="b", weights="w")
    assert kinds(run(before), run(after)) == [(ModelChangeKind.RENAMED, "b.keras")]


def test_copies_are_not_renames():
    before, after = run(row("a"), row("b")), run(row("c"), row("d"))
    assert {kind for kind, _ in kinds(before, after)} == {ModelChangeKind.NEW, ModelChangeKind.GONE}
    assert kinds(run(row("a")), run(row("a"), row("b"))) == [(ModelChangeKind.NEW, "b")]


def test_models_without_a_digest_are_never_the_same():
    before, after = run(row("a", sha256=None)), run(row("b", sha256=None))
    assert {kind for kind, _ in kinds(before, after)} == {ModelChangeKind.NEW, ModelChangeKind.GONE}
