from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from itertools import pairwise

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.findings import Severity, Verdict
from modelaudit.report.pages.assets import templates_root
from modelaudit.report.pages.index import (
    IndexChange,
    IndexRow,
    RunSummary,
    index_json,
    render_index,
)
from modelaudit.structs import replace

RUN = RunSummary(
    "/srv/models", samples.CREATED, "modelaudit 0.1.0", {"code": 1}, ("a.txt: no model",)
)


def rows():
    return [*samples.index_rows().values()]


@pytest.fixture(scope="module")
def page():
    return render_index(rows(), RUN, samples.RULES)


def test_the_provenance_is_shown_with_the_name_if_it_fits():
    row = IndexRow("a", "s/1", "SavedModel (TF2)", Verdict.PASS, "fine", origin="version 1 of s")
    page = render_index([row], RunSummary("/srv", samples.CREATED, "tool"), samples.RULES)
    (head,) = re.findall(r'<th scope="row">(.*?)</th>', page, re.DOTALL)
    assert "version 1 of s" in head


def test_notes_are_counted_in_singular_and_plural():
    rows = [
        IndexRow("a", "a", "SavedModel (TF2)", Verdict.PASS, "", {"info": 1, "high": 2}),
        IndexRow("b", "b", "SavedModel (TF2)", Verdict.PASS, "", {"info": 7}),
    ]
    page = render_index(rows, RunSummary("/srv", samples.CREATED, "tool"), samples.RULES)
    assert re.findall(r"</span> ([0-9]+ (?:note|high)s?)</span>", page) == [
        "2 high", "1 note", "7 notes"
    ]  # fmt: skip


def test_worst_first(page):
    found = re.findall(r'data-verdict="(\w+)"', page)
    assert found == ["fail", "fail", "fail", "incomplete", "warn", "pass"]


COUNTS = st.fixed_dictionaries({s.value: st.integers(0, 3) for s in Severity})
ROW = st.builds(
    lambda verdict, counts, path: IndexRow("s", path, "", verdict, "", counts),
    st.sampled_from(list(Verdict)), COUNTS, st.text("ab", max_size=3),
)  # fmt: skip


@given(st.lists(ROW, max_size=8))
def test_page_and_json_agree_and_a_critical_finding_comes_first(found):
    models = json.loads(index_json(found, RUN))["models"]
    for before, after in pairwise(models):
        if before["verdict"] == after["verdict"]:
            assert before["counts"]["critical"] >= after["counts"]["critical"]
    assert len(models) == len(found)


def test_the_policy_allows_exactly_the_inline_style_and_script(page):
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in html.unescape(page)
    assert page.count("<script") == 1
    assert "style=" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_links_are_relative_and_quoted():
    row = IndexRow("s", "p", "f", Verdict.PASS, "", links={"html": 'models/a b"><x/report.html'})
    page = render_index([row], RUN, {})
    assert 'href="models/a%20b%22%3E%3Cx/report.html"' in page


def test_script_is_small():
    assert (templates_root() / "js" / "index.js").stat().st_size <= 5000


def test_json_has_every_row():
    data = json.loads(index_json(rows(), RUN))
    assert data["verdicts"] == {"pass": 1, "warn": 1, "fail": 3, "incomplete": 1}
    assert data["root"] == "/srv/models"
    assert data["notes"] == ["a.txt: no model"]
    worst = data["models"][0]
    assert worst["counts"]["critical"] == 1
    assert "MA402" in worst["codes"]
    assert "MA301" not in worst["codes"]  # waived


def test_an_empty_run_is_shown_as_empty():
    page = render_index([], RUN, {})
    assert "No models found." in page


def test_the_bar_has_the_shares_of_the_verdicts():
    verdicts = [Verdict.FAIL, *[Verdict.PASS] * 3]
    models = [IndexRow(str(n), str(n), "", each, "") for n, each in enumerate(verdicts)]
    page = render_index(models, RUN, {})
    assert re.findall(r'class="part is-(\w+) w(\d+)"', page) == [("fail", "25"), ("pass", "75")]


def test_changes_are_above_the_models_and_escaped():
    names = [f"<b>m{number}</b>.h5" for number in range(25)]
    changes = tuple(IndexChange(f"new: {name} (warn)", "new", name, "is there") for name in names)
    run = replace(RUN, since="2026-01-01T02:00:00Z", changes=changes)
    marked = [replace(row, change="new") for row in rows()[:1]]
    page = render_index(marked, run, {})
    assert page.index("What changed since 2026-01-01") < page.index("<table")
    assert page.count("&lt;b&gt;m") == 25
    assert "5 more</summary>" in page
    assert '<span class="change">new</span>' in page
    data = json.loads(index_json(marked, run))
    assert data["since"] == run.since
    assert data["changes"] == [f"new: {name} (warn)" for name in names]
    assert data["models"][0]["change"] == "new"


def test_changes_link_to_the_report_and_use_the_words_of_the_badges():
    worse, gone = (
        IndexChange("worse: a b.h5 (pass -> warn)", "worse", "a b.h5", "pass → pass with warnings"),
        IndexChange("gone: old.h5 (was warn)", "gone", "old.h5", "was pass with warnings"),
    )
    row = IndexRow("a", "a b.h5", "f", Verdict.WARN, "", links={"html": "models/a b/report.html"})
    run = replace(RUN, since=samples.CREATED, changes=(worse, gone))
    part = render_index([row], run, {}).partition('id="changes"')[2].partition("</section>")[0]
    assert '<a href="models/a%20b/report.html"><code>a b.h5</code></a> (pass → pass' in part
    assert part.count("<a ") == 1
    assert "warn)" not in part


def test_without_an_earlier_run_there_are_no_changes(page):
    assert "What changed" not in page
    assert "no earlier run to compare with" in page
    assert "Nothing changed: the same models" in render_index(
        rows(), replace(RUN, since=samples.CREATED), {}
    )
