"""The page that compares two models side by side."""

from __future__ import annotations

import re

import pytest
import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.changes.audit_change import OutputChange, SignatureChange, WeightAdded
from modelaudit.changes.audits import compare_audits
from modelaudit.changes.interface import InterfaceChange, InterfaceChangeKind
from modelaudit.report.pages.model_diff import model_diff_page, render_diff_page, same_probe_inputs


def plain(cell):
    return " ".join(re.sub(r"<[^>]+>", " ", cell).split())


def cells(page, section):
    """Rows of the tables in one chapter, as texts."""
    part = re.search(rf'<section id="{section}".*?</section>', page, re.DOTALL)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
    found = [re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL) for row in rows]
    return [[plain(cell) for cell in row] for row in found]


def test_two_models_side_by_side():
    old, new = samples.healthy(), samples.failing()
    found = compare_audits(old, new)
    assert found
    shown = model_diff_page(old, new, found, ["3 of 4 weights are identical"])
    page = render_diff_page(shown)
    assert shown.changed
    assert [side.state for side in shown.sides] == [old.verdict.value, new.verdict.value]
    overview = {row[0]: row[1:] for row in cells(page, "overview")}
    assert overview["Findings: critical"] == ["0", "1"]
    assert overview["SHA-256"] == [json_of(old)["model"]["sha256"]]  # one cell: equal in both
    before = {f.fingerprint for f in old.findings if not f.waived_by}
    after = {f.fingerprint for f in new.findings if not f.waived_by}
    assert f"New ({len(after - before)})" in page
    assert f"Gone ({len(before - after)})" in page
    assert "3 of 4 weights are identical" in page


def test_behaviour_shows_both_agreements():
    old = samples.healthy()
    new = changed(old, behaviour=samples.behaviour(0.5))
    rows = cells(render_diff_page(model_diff_page(old, new, [], [])), "behaviour-table")
    assert ["Agreement, mirrored left-right", "98.4 %", "50.0 %"] in rows


def test_the_conclusion_comes_first():
    old, new = samples.healthy(), samples.failing()
    found = compare_audits(old, new)
    lead = model_diff_page(old, new, found, []).lead
    assert lead.startswith("Worse: pass with warnings → fail; ")
    assert "1 new critical finding and" in lead
    assert model_diff_page(new, old, found, []).lead.startswith("Better: fail → pass with warnings")
    page = render_diff_page(model_diff_page(old, new, found, []))
    assert page.index("Worse: pass") < page.index("Old: ") < page.index("Side by side")
    assert page.count("Audited 2026-03-14 09:26 UTC by") == 2


def test_accuracy_is_in_the_conclusion_for_equal_inputs():
    def rated(share, **inputs):
        seen = samples.behaviour(0.9)
        output = dict(seen["outputs"][0], accuracy={"e": share})
        known = {**seen["inputs"], **inputs}
        return changed(samples.healthy(), behaviour={**seen, "outputs": [output], "inputs": known})

    def lead(*two):
        return model_diff_page(*two, [WeightAdded("w"), *compare_audits(*two)], []).lead

    assert "accuracy 97.7\N{NO-BREAK SPACE}% → 10.2\N{NO-BREAK SPACE}%" in lead(
        rated(0.977), rated(0.102)
    )
    assert "accuracy" not in lead(rated(0.977), rated(0.977))
    assert "accuracy" not in lead(rated(0.977), rated(0.102, n=3))


def test_numbers_of_the_tables_are_not_repeated_and_a_collapse_is_no_improvement():
    old = samples.healthy()
    new = changed(old, behaviour=samples.behaviour(0.5))
    found = compare_audits(old, new)
    assert any(each.measured for each in found)
    page = render_diff_page(model_diff_page(old, new, found, []))
    assert "Behaviour: what changed" not in page
    assert "has collapsed" not in page
    page = render_diff_page(model_diff_page(old, samples.failing(), found, []))
    assert "The output of the new model has collapsed" in page
    other = OutputChange("head", 0.5, 0.25)
    page = render_diff_page(model_diff_page(old, new, [*found, other], []))
    assert "outputs differ by up to 0.5" in page


def test_breaking_changes_come_first_and_are_counted():
    added = InterfaceChange(InterfaceChangeKind.ADDED, "serving", "output", "y")
    removed = InterfaceChange(InterfaceChangeKind.REMOVED, "serving", "input", "x", breaking=True)
    found = [SignatureChange(added), SignatureChange(removed)]
    shown = model_diff_page(samples.healthy(), samples.healthy(), found, [])
    page = render_diff_page(shown)
    assert (
        shown.lead
        == "The same verdict (pass with warnings); 1 change may break callers of the model."
    )
    part = page[page.index('id="part-signature"') :]
    assert part.index("Breaking: serving, input x") < part.index("output y: added")


def test_a_model_compared_with_itself_has_not_changed():
    audit = samples.healthy()
    shown = model_diff_page(audit, audit, compare_audits(audit, audit), [])
    assert not shown.changed
    assert shown.lead == "No difference was found."
    assert {len(row) for row in cells(render_diff_page(shown), "overview")} == {2}
    assert "What differs" not in render_diff_page(shown)


def test_every_column_has_a_head_and_there_are_few_enough_for_a_phone():
    page = render_diff_page(model_diff_page(samples.healthy(), samples.failing(), [], []))
    heads = re.findall(r"<thead>(.*?)</thead>", page, re.DOTALL)
    assert heads
    for head in heads:
        found = [plain(cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", head)]
        assert all(found) and len(found) <= 3


def test_two_models_of_one_name_are_distinguished():
    audit = samples.healthy()
    shown = model_diff_page(audit, audit, [], [], ("m.keras (A)", "m.keras (B)"))
    assert [side.label for side in shown.sides] == ["m.keras (A)", "m.keras (B)"]
    assert shown.title == "m.keras (A) and m.keras (B) compared"


SEEN = {
    **samples.behaviour()["inputs"],
    "kind": "user",
    "n": 128,
    "seed": None,
    "source": "digits.npz",
}
MADE = {**SEEN, "kind": "synthetic", "n": 8, "seed": 3, "source": ""}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (SEEN, SEEN, "on the same inputs (128 from digits.npz)"),
        (SEEN, {**SEEN, "n": 64}, "different inputs (128 from digits.npz; 64 from digits.npz)"),
        (SEEN, MADE, "different inputs (128 from digits.npz; 8 synthetic, seed 3)"),
        (SEEN, None, "at least one model was not run"),
        (None, None, "at least one model was not run"),
    ],
)
def test_the_inputs_of_two_audits_are_described(old, new, told):
    two = (
        changed(samples.healthy(), behaviour={"inputs": each} if each else {})
        for each in (old, new)
    )
    assert told in same_probe_inputs(*two)


def test_hostile_names_stay_text():
    page = render_diff_page(model_diff_page(samples.hostile(), samples.empty(), [], ["<b>"]))
    assert "<script" not in page
    assert "&lt;b&gt;" in page
    assert "\u202e" not in page
