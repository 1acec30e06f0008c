from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.findings import Outcome
from modelaudit.report.pages.assets import templates_root
from modelaudit.report.pages.html import render_html
from modelaudit.structs import replace

VOID = {"meta", "link", "br", "img", "input", "col", "hr", "source"}
FETCHING = {"src", "srcset", "data", "poster", "action", "formaction", "background"}


class Page(HTMLParser):
    """Elements, ids and texts of a page; fails on wrong nesting."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        kind = self.open[-1] if self.open else ""
        self.inline.get(kind, self.text).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module", params=list(samples.SAMPLES))
def page(request, pages):
    return Page(pages[request.param])


def policy(page: Page) -> str:
    return next(
        m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"
    )


def hashed(inline):
    return base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()


def test_the_policy_allows_exactly_the_inline_style_and_our_script(page):
    (style,) = page.inline["style"]
    assert f"style-src 'sha256-{hashed(style)}'" in policy(page)
    assert policy(page).startswith("default-src 'none';")
    assert "unsafe" not in policy(page)
    assert page.all("script") in ([], [{}])
    assert ("script-src" in policy(page)) is bool(page.all("script"))
    for script in page.inline["script"]:
        assert f"script-src 'sha256-{hashed(script)}'" in policy(page)
        assert script == (templates_root() / "js" / "tables.js").read_text().strip()


def test_only_pages_with_long_tables_have_a_script(pages):
    for name, source in pages.items():
        page = Page(source)
        rows = [part.count("<tr>") - 1 for part in source.split("<table")[1:]]
        assert bool(page.all("script")) is (max(rows, default=0) > 20), name
    assert {bool(Page(source).all("script")) for source in pages.values()} == {True, False}


def test_nothing_is_loaded_from_outside(page):
    for tag, attrs in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        for name in FETCHING & attrs.keys():
            assert attrs[name].startswith("data:image/svg+xml;base64,")
        if tag == "a":
            assert attrs["href"].startswith("#")
    assert not re.search(r"url\(|@import", page.inline["style"][0])


def test_images_have_no_external_url(page):
    for image in page.all("img"):
        svg = base64.b64decode(image["src"].partition(",")[2]).decode()
        addresses = re.findall(r'(?:href|src)="([^"]*)"', svg)
        assert all(a.startswith(("#", "data:image/png;base64,")) for a in addresses)
        assert "<script" not in svg
        assert len(image["alt"]) > 30


def test_structure_is_accessible(page):
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert page.all("html")[0]["lang"] == "en"
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in page.all("a")]
    assert set(targets) <= set(ids)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(th.get("scope") in {"row", "col"} for th in page.all("th"))
    assert page.all("a")[0]["class"] == "skip"


def test_headings_descend_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_names_stay_text(pages):
    source = pages["hostile"]
    page = Page(source)
    shown = "".join(page.text)
    assert "alert(1)" in shown
    assert "{{ 7*7 }}" in shown
    assert "\\u{202E}" in shown
    for char in ("\u202e", "\u202c", "\u200b", "\x1b", "\x00", "\ud800"):
        assert char not in source
    assert page.all("script") in ([], [{}])
    assert len(page.all("img")) == source.count("<img ")


def test_the_first_page_has_the_summary(pages):
    shown = " ".join("".join(Page(pages["failing"]).text).split())
    head = shown[: shown.index("Contents")]
    for said in ("Fail", "1 critical", "25 high", "82 of 130", samples.SHA, "SavedModel (TF2)",
                 "What to do first", "What was not checked", "2026-03-14 09:26 UTC"):  # fmt: skip
        assert said in head
    assert "keep their prediction when flipped" not in head  # a collapsed model agrees with itself


def test_evidence_is_shown_with_the_finding(pages):
    shown = " ".join("".join(Page(pages["failing"]).text).split())
    card = shown[shown.index("64 of 64 inputs get class 3.") :][:200]
    assert "measured0.002 threshold0.1 sample size (n)64" in card


def test_unchecked_is_never_shown_as_passed(pages):
    shown = " ".join("".join(Page(pages["unreadable"]).text).split())
    assert "9 of 9 applicable questions could not be answered" in shown
    assert "0 of 9" in shown
    assert "No action is needed" not in shown
    assert "Every applicable question was answered" not in shown


def test_an_empty_audit_is_shown_as_empty(pages):
    shown = " ".join("".join(Page(pages["empty"]).text).split())
    assert "No rule was run" in shown
    assert "The model was not run" in shown
    assert "No tensor could be read" in shown


def test_all_layers_of_a_large_model_are_listed(pages):
    audit = samples.large()
    shown = "".join(Page(pages["large"]).text)
    assert len(json_of(audit)["architecture"]["layers"]) > 400
    assert all(layer["route"] in shown for layer in json_of(audit)["architecture"]["layers"])


def test_changes_since_an_earlier_audit():
    now, before = samples.failing(), samples.healthy()
    page = Page(render_html(now, samples.RULES, previous=before))
    shown = " ".join("".join(page.text).split())
    assert "The verdict changed from Pass with warnings to Fail." in shown
    assert "Findings: 29 new, 1 fixed." in shown
    assert "The model file is unchanged, so the difference comes from the rules" in shown
    same = " ".join("".join(Page(render_html(now, samples.RULES, previous=now)).text).split())
    assert "The verdict is still Fail. Findings: 29 unchanged." in same
    assert "The model file is unchanged." in same


def test_rules_without_texts_are_shown():
    shown = "".join(Page(render_html(samples.failing(), {})).text)
    assert "A layer is still at its initial values" in shown


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_has_enough_contrast_in_light_and_dark():
    css = (templates_root() / "css" / "base.css").read_text()
    found = re.findall(r"--([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    colours = {name: (light, dark) for name, light, dark in found}
    pairs = [(ink, ground) for ink in ("ink", "quiet", "link") for ground in ("paper", "panel")]
    states = [name for name in colours if f"{name}-tint" in colours]
    assert len(states) >= 6
    pairs += [(name, f"{name}-tint") for name in states]
    pairs += [(ink, f"{name}-tint") for name in states for ink in ("ink", "quiet")]
    pairs += [("paper", name) for name in states]  # the glyph on the verdict's seal
    for scheme in (0, 1):
        for ink, ground in pairs:
            assert contrast(colours[ink][scheme], colours[ground][scheme]) >= 4.5, (ink, ground)


def test_states_in_an_audit_file_cannot_inject_a_style(pages):
    classes = {attrs.get("class", "") for _, attrs in Page(pages["hostile"]).elements}
    assert not any("script" in name or len(name) > 40 for name in classes)


def test_rules_that_do_not_apply_are_not_shown_as_unanswered():
    audit = samples.healthy()
    moot = tuple(
        replace(result, moot=True) if result.outcome is Outcome.NOT_APPLICABLE else result
        for result in audit.results
    )
    head = {}
    for name, results in (("open", audit.results), ("moot", moot)):
        page = Page(render_html(replace(audit, results=results), samples.RULES))
        shown = " ".join("".join(page.text).split())
        head[name] = shown[: shown.index("Contents")]
        assert ("Questions that do not apply" in shown) == (name == "moot")
    assert "1 behaviour question not answered" in head["open"]
    assert "not answered" not in head["moot"]
    assert "every question was answered" in head["moot"]


def test_percent_signs_and_code_are_consistent():
    audit = replace(samples.healthy(), reason="98% of `x%` and 5 % are 7%; see `modelaudit diff`.")
    page = Page(render_html(audit, samples.RULES))
    shown = "".join(page.text)
    assert "98\u00a0% of x% and 5\u00a0% are 7\u00a0%; see modelaudit diff." in shown
    assert not re.findall(r"\d %|[^x]\d%", shown)


@pytest.mark.parametrize(("code", "asked"), [("MA602", True), ("MA405", False)])
def test_the_flip_question_is_shown_if_the_symptom_is_present(code, asked):
    audit = samples.failing()
    result = next(each for each in audit.results if each.findings)
    found = replace(result, code=code, findings=(replace(result.findings[0], code=code),))
    page = render_html(replace(audit, results=(found,)), samples.RULES)
    assert (str(json_of(audit)["diagnosis"]["question"]) in page) is asked
    assert ("What explains the outputs of this model?" in page) is not asked


@pytest.mark.parametrize(("cause", "weighed"), [("partial-restore", True), ("not-run", False)])
def test_an_undecided_diagnosis_has_no_belief(cause, weighed):
    audit = samples.failing()
    (first, *_) = json_of(audit)["diagnosis"]["causes"]
    diagnosis = {
        **json_of(audit)["diagnosis"],
        "causes": [{**first, "cause": cause, "belief": 0.5}],
    }
    page = render_html(changed(audit, diagnosis=diagnosis), samples.RULES)
    assert ("Belief: 50" in page) is weighed
    assert ("Belief is the probability" in page) is weighed
