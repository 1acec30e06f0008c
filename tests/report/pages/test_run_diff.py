"""The page that compares two runs, and its statements on each model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.audit_types.json_form import jsonable
from modelaudit.findings import Verdict
from modelaudit.report.pages import index
from modelaudit.report.pages.model_diff import render_diff_page
from modelaudit.report.pages.run_diff import (
    ComparedRun,
    KeptAudit,
    RunDiffKind,
    as_json,
    build_run_diff,
)
from modelaudit.report.pages.run_diff_page import build_page
from modelaudit.result_row import result_row
from modelaudit.runs.run_index import index_entry
from modelaudit.schema import section


def data_of(*audits):
    rows = [index_entry(result_row(audit), []) for audit in audits]
    run = index.RunSummary("/srv", samples.CREATED, "modelaudit 0.1.0")
    return json.loads(index.index_json(rows, run))


def compared(data, *name, **known):
    return ComparedRun(section(index.RunIndex, data), *name, **known)


def run_of(*audits, **known):
    return compared(data_of(*audits), **known)


def named(audit, path, **values):
    slug = path.replace("/", "-")
    model = {**json_of(audit)["model"], "path": path, "slug": slug}
    return changed(audit, model=model, **values)


def between(old, new):
    return build_run_diff(old, new, samples.RULES)


def html_of(found, folder=Path("/srv/pages")):
    return render_diff_page(build_page(found, folder))


OLD = (named(samples.healthy(), "a"), named(samples.healthy(), "b"),
       named(samples.failing(), "gone"), named(samples.failing(), "same"))  # fmt: skip
NEW = (named(samples.healthy(), "a", verdict=Verdict.FAIL),
       named(samples.healthy(), "b", results=()),
       named(samples.failing(), "same"), named(samples.unreadable(), "new"))  # fmt: skip


def test_two_runs_show_which_models_changed():
    found = between(run_of(*OLD), run_of(*NEW))
    assert {each.path: each.kind for each in found.changes} == {
        "a": RunDiffKind.VERDICT, "b": RunDiffKind.FINDINGS,
        "new": RunDiffKind.NEW, "gone": RunDiffKind.GONE,
    }  # fmt: skip
    page = " ".join(re.sub(r"<[^>]+>", " ", html_of(found)).split())
    assert "4 models changed. Unchanged: 1 model." in page
    assert "Old: ! Pass with warnings New: ✗ Fail" in page
    assert page.count("missing") == 2
    assert between(run_of(*OLD), run_of(*OLD)).changes == ()


def test_worse_models_come_before_better_ones():
    good, bad = named(samples.healthy(), "m"), named(samples.failing(), "m")
    other = named(samples.healthy(), "n"), named(samples.failing(), "n")
    found = between(run_of(good, other[1]), run_of(bad, other[0]))
    told = [(heading, [each.path for each in mine]) for heading, mine in found.groups()]
    assert told == [("Worse verdict", ["m"]), ("Better verdict", ["n"])]


def test_moved_models_are_not_shown_as_removed():
    audits = {p: named(samples.healthy(), p) for p in ("a", "b", "c", "v/9", "v/10", "w/2", "w/x")}
    for path, digest in (
        ("a", "1" * 64),
        ("b", "1" * 64),
        ("c", "2" * 64),
        ("v/10", "3" * 64),
        ("w/2", "4" * 64),
    ):
        audits[path] = changed(
            audits[path], model={**json_of(audits[path])["model"], "sha256": digest}
        )

    def run(*paths):
        kept = {"kept": lambda row: KeptAudit(audits[row.path])}
        return run_of(*(audits[path] for path in paths), **kept)

    def told(old, new):
        return {each.path: each.other for each in between(old, new).changes}

    assert told(run("a", "v/9"), run("b", "v/10")) == {
        "a": "renamed to b", "b": "renamed from a",
        "v/9": "superseded: 10 is a newer version", "v/10": "",
    }  # fmt: skip
    assert told(run("a", "w/2"), run("c", "w/x")) == {"a": "", "c": "", "w/2": "", "w/x": ""}
    audits["v/9"] = changed(
        audits["v/9"], model={**json_of(audits["v/9"])["model"], "sha256": "3" * 64}
    )
    older = {"v/9": "superseded: 10 is a newer version", "v/10": ""}
    assert told(run("v/9"), run("v/10")) == older  # a copy under a new number is no new name
    audits["v/9"] = named(samples.healthy(), "v/9")
    assert told(run("v/10"), run("v/9")) == {"v/10": "", "v/9": ""}


def test_a_run_named_by_its_time_shows_the_time_once():
    data = data_of(*OLD) | {"created": "2026-03-01T02:00:05Z"}
    assert str(compared(data, "2026-03-01T020005Z")) == "2026-03-01 02:00 UTC, 4 models"
    assert str(compared(data, "B")) == "B: 2026-03-01 02:00 UTC, 4 models"


def test_each_run_shows_its_verdicts_and_directories():
    old, new = data_of(*OLD), data_of(*NEW) | {"root": "/srv/other"}
    page = " ".join(re.sub(r"<[^>]+>", " ", html_of(between(compared(old), compared(new)))).split())
    assert "2 fail and 2 pass with warnings Root: /srv; by modelaudit 0.1.0" in page
    assert "Root: /srv/other" in page
    assert "have different root directories" in page
    assert "different directories" not in html_of(between(run_of(*OLD), run_of(*NEW)))


def test_added_and_removed_rules_come_from_both_indexes():
    old, new = named(samples.healthy(), "m"), named(samples.failing(), "m")
    before, after = ({f.code for f in each.findings if not f.waived_by} for each in (old, new))
    (change,) = between(run_of(old), run_of(new)).changes
    assert {said.split()[0] for said in change.appeared} == after - before != set()
    assert {said.split()[0] for said in change.vanished} == before - after
    (back,) = between(run_of(new), run_of(old)).changes
    assert (back.appeared, back.vanished) == (change.vanished, change.appeared)


def test_locations_are_shown_only_if_both_audits_exist():
    old, new = named(samples.healthy(), "m", results=()), named(samples.failing(), "m")
    finding = next(f for f in new.findings if not f.waived_by and str(f.location))
    place = f"{finding.code} {finding.name} at {finding.location}"

    def appeared(*kept):
        two = (run_of(a, kept=lambda _, k=k: k) for a, k in zip((old, new), kept, strict=True))
        (change,) = between(*two).changes
        return change.appeared

    assert place in appeared(KeptAudit(old), KeptAudit(new))
    for kept in (
        (KeptAudit(), KeptAudit(new)),
        (KeptAudit(old), KeptAudit()),
        (KeptAudit(), KeptAudit()),
    ):
        assert place not in appeared(*kept)
        assert f"{finding.code} {finding.name}" in appeared(*kept)


def test_another_number_of_findings_of_one_rule_is_a_change():
    data = data_of(named(samples.failing(), "m"))
    more = json.loads(json.dumps(data))
    more["models"][0]["counts"] = {"high": 9, "low": 1}
    data["models"][0]["counts"] = {"high": 2}
    (change,) = between(compared(data), compared(more)).changes
    assert change.said == ("open findings of the same rules: 2 high → 9 high, 1 low",)


def test_models_not_reached_by_an_interrupted_run_are_neither_removed_nor_new():
    part = data_of(OLD[0]) | {"missing": 1, "notes": ["not reached: b", "c.txt: no model"]}
    for pair in ((run_of(*OLD[:2]), compared(part)), (compared(part), run_of(*OLD[:2]))):
        found = between(*pair)
        assert (found.changes, found.same) == ((), 1)
        assert "interrupted, 1 not reached" in html_of(found)
    (change,) = between(run_of(*OLD[:3]), compared(part)).changes
    assert change.path == "gone"


def test_models_of_two_roots_can_share_a_path():
    two = [named(samples.healthy(), "m"), named(samples.failing(), "m")]
    two[1] = changed(two[1], model={**json_of(two[1])["model"], "slug": "m-2"})
    assert len(run_of(*two).rows) == 2
    (change,) = between(run_of(two[0]), run_of(*two)).changes
    assert change.kind is RunDiffKind.NEW


def test_reports_are_linked_relative_to_the_page():
    kept = KeptAudit(report="/srv/out/models/a b/report.html")
    found = between(run_of(OLD[0]), run_of(NEW[0], kept=lambda _: kept))
    links = re.findall(r'href="([^#"]+)"', html_of(found, Path("/srv/pages/x")))
    assert links == ["../../out/models/a%20b/report.html"]
    assert jsonable(as_json(found))["models"][0]["new"]["report"] == kept.report


def test_a_report_that_looks_like_a_script_stays_a_path():
    kept = KeptAudit(report="/srv/javascript:alert(1)/report.html")
    found = between(run_of(OLD[0]), run_of(NEW[0], kept=lambda _: kept))
    (link,) = re.findall(r'href="([^#"]+)"', html_of(found, Path("/srv")))
    assert link == "javascript%3Aalert%281%29/report.html"


def test_hostile_names_stay_text():
    page = html_of(between(run_of(samples.hostile()), run_of()))
    assert "<script" not in page
    assert "\u202e" not in page
