"""The page that shows two models, or two runs, side by side."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import report_samples as samples

from modelaudit.cli.batch import row_of
from modelaudit.cli.deliver import index_entry
from modelaudit.findings import Verdict
from modelaudit.report.comparison import between_models, between_runs, render_comparison
from modelaudit.report.index import Run, index_json
from modelaudit.restore.audits import Changed, changes


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
    found = changes(old, new)
    assert found
    shown = between_models(old, new, found, ["3 of 4 weights are identical"])
    page = render_comparison(shown)
    assert shown.changed
    assert [side.state for side in shown.sides] == [old.verdict.value, new.verdict.value]
    overview = {row[0]: row[1:] for row in cells(page, "overview")}
    assert overview["Findings: critical"][:2] == ["0", "1"]
    assert overview["Findings: critical"][2] == "changed"
    assert overview["SHA-256"][2] == "the same"
    before = {f.fingerprint for f in old.findings if not f.waived_by}
    after = {f.fingerprint for f in new.findings if not f.waived_by}
    assert f"New ({len(after - before)})" in page
    assert f"Gone ({len(before - after)})" in page
    assert "3 of 4 weights are identical" in page


def test_behaviour_shows_both_agreements():
    old = samples.healthy()
    new = replace(old, behaviour=samples.behaviour(0.5))
    rows = cells(render_comparison(between_models(old, new, [], [])), "behaviour-table")
    (mirrored,) = [row for row in rows if row[1:2] == ["agreement, mirrored left–right"]]
    assert mirrored[2:] == ["98.4 %", "50.0 %"]


def test_what_breaks_comes_first_and_is_counted():
    found = [Changed("signature", "serving: output y was added"),
             Changed("signature", "serving: input `x` was removed", breaking=True)]  # fmt: skip
    shown = between_models(samples.healthy(), samples.healthy(), found, [])
    page = render_comparison(shown)
    assert shown.lead == "2 changes, 1 of which may break what uses the model."
    part = page[page.index('id="part-signature"') :]
    assert part.index("Breaking: serving: input") < part.index("output y was added")


def test_a_model_beside_itself_has_not_changed():
    audit = samples.healthy()
    shown = between_models(audit, audit, changes(audit, audit), [])
    assert not shown.changed
    assert shown.lead == "Nothing that was compared has changed."
    assert {row[3] for row in cells(render_comparison(shown), "overview")[1:]} == {"the same"}


def run_of(*audits):
    rows = [index_entry(row_of(audit), []) for audit in audits]
    return json.loads(index_json(rows, Run("/srv", samples.CREATED, "modelaudit 0.1.0")))


def named(audit, path, **changed):
    return replace(audit, model={**audit.model, "path": path}, **changed)


def test_two_runs_tell_which_models_changed():
    old = run_of(named(samples.healthy(), "a"), named(samples.healthy(), "b"),
                 named(samples.failing(), "gone"), named(samples.failing(), "same"))  # fmt: skip
    new = run_of(named(samples.healthy(), "a", verdict=Verdict.FAIL),
                 named(samples.healthy(), "b", results=()),
                 named(samples.failing(), "same"), named(samples.unreadable(), "new"))  # fmt: skip
    shown = between_runs(old, new)
    page = render_comparison(shown)
    assert shown.changed
    assert shown.lead == "4 models changed."
    rows = {row[0]: row[1:3] for row in cells(page, "models")}
    assert rows["a"] == ["! Pass with warnings", "✗ Fail"]
    assert rows["gone"] == ["✗ Fail", "not there"]
    assert rows["new"][0] == "not there"
    assert set(rows) == {"a", "b", "gone", "new", "Model"}
    assert "As before: 1 model." in page
    assert not between_runs(old, old).changed


def test_hostile_names_stay_text_and_junk_is_survived():
    page = render_comparison(between_models(samples.hostile(), samples.empty(), [], ["<b>"]))
    assert "<script" not in page
    assert "&lt;b&gt;" in page
    assert "\u202e" not in page
    render_comparison(between_runs({"models": [None, 3, {}, {"codes": 7}]}, {"created": []}))
