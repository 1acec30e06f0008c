"""What changed between two runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.store.records import ModelKey
from modelaudit.store.run_changes import ModelChangeKind, compare_runs


def line(path, verdict="pass", *found, sha256="aa", weights=""):
    rows = [{"fingerprint": f, "code": "MA101", "severity": "high"} for f in found]
    data = {"path": path, "verdict": verdict, "findings": rows}
    return data | {"sha256": sha256, "weights": weights, "reason": "seen 0.123 times"}


def run(*lines):
    return {ModelKey("/models", each["path"]): each for each in lines}


def kinds(before, after):
    return [(change.kind, change.path) for change in compare_runs(before, after)]


@given(st.lists(st.tuples(st.text(), st.sampled_from(["pass", "fail"])), unique_by=lambda p: p[0]))
def test_nothing_changed(rows):
    lines = run(*(line(path, verdict) for path, verdict in rows))
    other = {place: each | {"reason": "seen 0.124 times"} for place, each in lines.items()}
    assert compare_runs(lines, other) == ()


def test_verdicts_and_findings():
    assert kinds(run(line("a")), run(line("a", "fail", "f"))) == [(ModelChangeKind.WORSE, "a")]
    assert kinds(run(line("a", "fail", "f")), run(line("a", "warn"))) == [
        (ModelChangeKind.BETTER, "a")
    ]
    assert kinds(run(line("a", "fail", "f")), run(line("a", "fail", "f", "g"))) == [
        (ModelChangeKind.WORSE, "a")
    ]
    assert kinds(run(line("a", "fail", "f", "g")), run(line("a", "fail", "f"))) == [
        (ModelChangeKind.BETTER, "a")
    ]
    assert kinds(run(line("a", "fail", "f")), run(line("a", "fail", "g"))) == [
        (ModelChangeKind.CHANGED, "a")
    ]
    assert kinds(run(line("a")), run(line("a", sha256="bb"))) == [(ModelChangeKind.SAVED, "a")]


def test_what_appeared_and_vanished_is_named():
    (change,) = compare_runs(run(line("a", "fail", "f")), run(line("a", "fail", "g")))
    assert [f["fingerprint"] for f in change.appeared] == ["g"]
    assert [f["fingerprint"] for f in change.vanished] == ["f"]
    assert change.same_file


@pytest.mark.parametrize(
    ("was", "now", "gone"),
    [("warn", "fail", []), ("fail", "incomplete", []), ("fail", "warn", ["f"])],
)
def test_what_was_not_looked_for_has_not_vanished(was, now, gone):
    """A damaged file has not lost its faults; of a better one the loss says why."""
    before, after = line("a", was, "f"), line("a", now) | {"unanswered": ["MA101"]}
    (change,) = compare_runs(run(before), run(after))
    assert [f["fingerprint"] for f in change.vanished] == gone


def test_a_finding_that_a_waiver_covers_is_not_open():
    """Waiving it takes it away, and the waiver's end brings it back."""
    waived, opened = run(line("a", "pass", "f")), run(line("a", "fail", "f", "g"))
    waived[ModelKey("/models", "a")]["findings"][0]["waived_by"] = "known"
    (change,) = compare_runs(waived, opened)
    assert [f["fingerprint"] for f in change.appeared] == ["f", "g"]
    assert [f["fingerprint"] for f in change.unwaived] == ["f"]
    assert (change.vanished, change.waived) == ((), ())
    (back,) = compare_runs(opened, waived)
    assert [f["fingerprint"] for f in back.vanished] == ["f", "g"]
    assert [f["fingerprint"] for f in back.waived] == ["f"]
    assert back.unwaived == ()


def test_a_finding_of_another_severity_is_another():
    before, after = run(line("a", "warn", "f")), run(line("a", "fail", "f"))
    before[ModelKey("/models", "a")]["findings"][0]["severity"] = "low"
    (change,) = compare_runs(before, after)
    assert (change.kind, len(change.appeared), len(change.vanished)) == (
        ModelChangeKind.WORSE,
        1,
        1,
    )


def test_new_and_gone():
    assert kinds(run(line("a")), run(line("b", sha256="bb"))) == [
        (ModelChangeKind.NEW, "b"),
        (ModelChangeKind.GONE, "a"),
    ]


def test_renamed_by_bytes_or_by_weights():
    (change,) = compare_runs(run(line("a", "fail", "f")), run(line("b", "fail", "f")))
    assert (change.kind, change.was["path"], change.path) == (ModelChangeKind.RENAMED, "a", "b")
    assert (change.appeared, change.vanished) == ((), ())
    before, after = line("a.h5", sha256="a", weights="w"), line("b.keras", sha256="b", weights="w")
    assert kinds(run(before), run(after)) == [(ModelChangeKind.RENAMED, "b.keras")]


def test_copies_are_not_taken_for_renamed():
    before, after = run(line("a"), line("b")), run(line("c"), line("d"))
    assert {kind for kind, _ in kinds(before, after)} == {ModelChangeKind.NEW, ModelChangeKind.GONE}
    assert kinds(run(line("a")), run(line("a"), line("b"))) == [(ModelChangeKind.NEW, "b")]


def test_models_without_a_digest_are_never_the_same():
    before, after = run(line("a", sha256=None)), run(line("b", sha256=None))
    assert {kind for kind, _ in kinds(before, after)} == {ModelChangeKind.NEW, ModelChangeKind.GONE}
