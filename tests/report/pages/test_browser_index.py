"""The index in a real browser: filters, sorting, paper, 5,000 rows."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise

import pypdf
import pytest
import report_samples as samples
from browsing import CHROMIUM, ROWS, RUN, SOME, many_rows, opened
from sample_audits import json_of

from modelaudit.report.pages import index
from modelaudit.structs import replace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (scripts/setup.sh dev)"),
]


def shown(page):
    return page.locator("#table tbody tr:visible th code").all_text_contents()


def test_the_index_reads_without_scripts(browser, site):
    with opened(browser, site / "index.html", java_script_enabled=False) as page:
        assert len(shown(page)) == len(samples.index_rows())
        assert shown(page)[0] == "vision/broken/digits-v4"
        assert not page.locator("#filters").is_visible()


def test_every_column_of_the_index_is_visible(browser, site):
    with opened(browser, site / "index.html") as page:
        for width in (360, 700, 870, 1000, 1150, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            edges = page.locator("#table tr > *").evaluate_all(
                "all => all.map(each => each.getBoundingClientRect().right)"
            )
            assert max(edges) <= width
        assert page.locator("#table tr a").last.text_content() == "JSON"


def test_no_head_of_the_index_is_cut_off(browser, site):
    wide = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(x => x.innerText)"
    with opened(browser, site / "index.html") as page:
        heads = page.locator("#table thead th")
        for width in (360, 870, 900, 1000, 1150, 1200, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert heads.evaluate_all(wide) == []
            for place in range(6):  # the sorted one has an arrow
                heads.nth(place).get_by_role("button").click()
                assert heads.evaluate_all(wide) == []


def test_heads_of_the_index_are_in_one_line(browser, site):
    tops = """() => [...document.querySelectorAll("#table thead th")].map(head => {
      const words = document.createRange();
      words.selectNode((head.querySelector("button") || head).firstChild);
      return words.getBoundingClientRect().bottom; })"""
    with opened(browser, site / "index.html", viewport={"width": 1440, "height": 900}) as page:
        found = page.evaluate(tops)
    assert len(found) == 7
    assert max(found) - min(found) <= 1


def test_the_index_on_paper(browser, site):
    """Every page has the table's head, names are complete, and there are no controls."""
    with opened(browser, site / "some.html", color_scheme="dark") as page:
        paper = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    sheets = [sheet.extract_text() for sheet in paper.pages]
    whole = "\n".join(sheets)
    for row in many_rows(SOME):
        assert row.path in whole
    tables = [text for text in sheets if ".keras" in text]
    assert len(tables) > 5
    heads = ("Verdict", "Model", "Findings", "Format", "Saved with", "Size", "Reports")
    for text in tables:
        assert all(head in text for head in heads)
    assert f"of {SOME} shown" not in whole
    assert all(sheet.mediabox.width > sheet.mediabox.height for sheet in paper.pages)


def test_the_text_filter_narrows_the_index(browser, site):
    with opened(browser, site / "index.html") as page:
        everything = shown(page)
        page.fill("#find", "DIGITS-v4")
        assert shown(page) == ["vision/broken/digits-v4"]
        assert page.locator("#shown").inner_text() == f"1 of {len(everything)} shown"
        page.fill("#find", "")
        assert shown(page) == everything


def entries():
    """The values by which the rows of the index can be filtered, from the audits."""
    for audit in (make() for name, make in samples.SAMPLES.items() if name != "empty"):
        codes = {f.code for f in audit.findings if f.waived_by is None}
        saved = json_of(audit)["model"]["saved_with"]
        yield {
            "verdict": {audit.verdict.value},
            "severity": {f.severity.value for f in audit.findings if f.waived_by is None},
            "family": {samples.RULES[code].family for code in codes if code in samples.RULES},
            "rule": codes,
            "format": {json_of(audit)["model"]["format_label"]},
            "version": {
                f"{name} {saved[key]}"
                for key, name in (("keras", "Keras"), ("tensorflow", "TF"))
                if saved.get(key)
            },
        }


def test_each_filter_shows_the_matching_models(browser, site):
    known = list(entries())
    with opened(browser, site / "index.html") as page:
        for key in known[0]:
            every = set().union(*(entry[key] for entry in known))
            values = [
                v for v in sorted(every) if v.isprintable() and len(v) <= 40
            ]  # others are cut
            assert len(values) > 1
            for value in values:
                page.select_option(f"#{key}", value)
                assert len(shown(page)) == sum(value in entry[key] for entry in known), value
            page.select_option(f"#{key}", "")
            assert len(shown(page)) == len(known)


def test_filters_are_kept_in_the_url(browser, site):
    with opened(browser, site / "index.html") as page:
        page.fill("#find", "digits")
        page.select_option("#verdict", "fail")
        chosen = shown(page)
        address = page.url
        page.locator(".skip").focus()
        page.keyboard.press("Enter")  # a fragment of the page is not a filter
        assert shown(page) == chosen
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    assert shown(page) == chosen
    assert page.locator("#find").input_value() == "digits"
    context.close()


def test_columns_sort_both_ways_by_keyboard_too(browser, site):
    with opened(browser, site / "some.html") as page:
        sizes = "rows => rows.slice(0, 20).map(row => Number(row.dataset.bytes))"
        head = page.get_by_role("button", name="Size")
        head.click()
        first = page.locator("#table tbody tr").evaluate_all(sizes)
        assert first == sorted(first)
        assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
        head.press("Enter")
        last = page.locator("#table tbody tr").evaluate_all(sizes)
        assert last == sorted(last, reverse=True)
        assert last[0] == 1000 + 37 * (SOME - 1)
        assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FIND = """text => {
  document.getElementById("find").value = text;
  document.getElementById("filters").dispatchEvent(new Event("input"));
}"""


@contextmanager
def timed(browser, path):
    """A page, and a function for the CPU seconds of its thread, without other load."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked():
        page.evaluate(PAINTED)
        told = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in told}["TaskDuration"]

    page.goto(path.as_uri())
    yield page, worked
    context.close()


def test_rows_made_by_the_script_are_those_of_the_template(browser, tmp_path, monkeypatch):
    """The same models as one page and as pages of four, with names that try to be markup."""
    odd = ("</script><b>", "a & b <!-- ", "y" * 300 + "/é\u202e.h5", "*/slug/*")
    rows = [*samples.index_rows().values()]
    rows += [
        replace(rows[n % 3], slug=f"odd-{n}", path=path, origin="version 3 of m <i>" * (n % 2))
        for n, path in enumerate(odd)
    ]
    links = [{**row.links, "json": f"../../models/{row.slug}/audit.json"} for row in rows]
    rows = [replace(row, links=each) for row, each in zip(rows, links, strict=True)]
    shown = """rows => rows.map(row => [row.textContent.trim(),
        [...row.querySelectorAll("a")].map(link => link.getAttribute("href")),
        [...row.querySelectorAll(".badge, .note")].map(part => part.className),
        row.dataset.bytes])"""
    found = []
    for most in (1000, 4):
        monkeypatch.setattr(index, "ROWS_AT_ONCE", most)
        path = tmp_path / f"{most}.html"
        path.write_text(index.render_index(rows, RUN, samples.RULES), encoding="utf-8")
        with opened(browser, path) as page:
            pages = [page.locator("#table tbody tr").evaluate_all(shown)]
            while page.locator("#next").is_visible():
                page.locator("#next").click()
                pages.append(page.locator("#table tbody tr").evaluate_all(shown))
            assert {len(each) for each in pages[:-1]} <= {most}
            found.append([row for each in pages for row in each])
            page.fill("#find", "y" * 200)
            assert page.locator("#shown").inner_text() == f"1 of {len(rows)} shown"
    assert len(found[0]) == len(rows)
    assert found[1] == found[0]


def test_pages_of_a_large_index(browser, site):
    with opened(browser, site / "many.html") as page:
        assert page.locator("#range").inner_text() == f"1 to 1000 of {ROWS}"
        assert not page.locator("#back").is_visible()
        first = shown(page)
        page.locator("#next").click()
        assert len({*shown(page), *first}) == 2000
        page.locator("#back").click()
        assert shown(page) == first
        page.fill("#find", "team-7/")
        assert len(shown(page)) == ROWS // 40
        assert not page.locator("#pages").is_visible()
        page.fill("#find", "nothing has this name")
        assert shown(page) == []


def test_without_scripts_a_large_index_says_what_it_lacks(browser, site):
    with opened(browser, site / "many.html", java_script_enabled=False) as page:
        assert len(shown(page)) == 1000
        assert f"The first 1,000 of {ROWS:,} models" in page.locator("#pages").inner_text()


def test_five_thousand_models_respond_sooner_than_a_bare_table_is_shown(browser, site):
    with timed(browser, site / "bare.html") as (_, worked):
        bare = worked()  # baseline: the same cells without style, script and badges
    with timed(browser, site / "many.html") as (page, worked):
        marks = [worked()]
        page.evaluate(FIND, "team-7/")
        marks.append(worked())
        assert page.locator("#shown").inner_text() == f"{ROWS // 40} of {ROWS} shown"
        page.evaluate(FIND, "")
        marks.append(worked())
        # By a CSS selector: a search by role reads every row, which would count as the page's time.
        page.evaluate("document.querySelector('th[data-key=bytes] button').click()")
        marks.append(worked())
    loaded, found, cleared, ordered = [marks[0], *(b - a for a, b in pairwise(marks))]
    assert loaded < bare
    assert max(found, cleared, ordered) < bare


def test_the_index_is_a_table_for_screen_readers_also_outside_the_viewport(launch, site):
    running = launch("--force-renderer-accessibility")  # as with a screen reader
    page = running.new_page()
    page.goto((site / "some.html").as_uri())
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    running.close()
    roles = Counter(node["role"]["value"] for node in nodes if not node["ignored"])
    assert (roles["table"], roles["columnheader"], roles["row"]) == (1, 7, 1 + SOME)
    assert (roles["rowheader"], roles["cell"]) == (SOME, 6 * SOME)


def test_an_index_without_models_says_so(browser, tmp_path):
    (tmp_path / "none.html").write_text(index.render_index([], RUN, samples.RULES))
    with opened(browser, tmp_path / "none.html") as page:
        assert page.get_by_text("No models found.").is_visible()
