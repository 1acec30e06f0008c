"""The pages in a real browser: they work, load nothing, and axe-core reports no violation."""

from __future__ import annotations

import pytest
import report_samples as samples
from axe_playwright_python.sync_playwright import Axe
from browsing import CHROMIUM, opened
from sample_audits import json_of

from modelaudit.report import charts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (scripts/setup.sh dev)"),
]


# Pages with all elements and colours; the others have some of them, with other names and numbers.
BOTH_SCHEMES = {"healthy", "failing", "index"}


FEWER_ROWS = """() => document.querySelectorAll("tbody tr:nth-child(n+31)").forEach(
  row => row.remove())"""


@pytest.mark.parametrize(
    "name",
    [
        *sorted(BOTH_SCHEMES),
        *("large", "comparison", "runs", "hostile", "foreign", "unreadable"),
    ],
)
def test_axe_finds_nothing(browser, site, name):
    """On a phone and on a wide screen, light and dark; the rows of a long table are alike."""
    with opened(browser, site / f"{name}.html") as page:
        page.evaluate(FEWER_ROWS)
        for scheme, width in (("light", 360), ("dark", 1440)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width  # tables may scroll horizontally, the page not
            if scheme == "light" or name in BOTH_SCHEMES:
                found = Axe().run(page).response["violations"]
                assert [f"{v['id']}: {v['nodes'][0]['html']}" for v in found] == [], scheme


def test_a_comparison_is_complete_on_a_phone(browser, site):
    """No column of a table is cut off or needs horizontal scrolling."""
    sideways = """() => [...document.querySelectorAll(".scroll")].map(box => {
      box.closest("details")?.setAttribute("open", "");
      return box.scrollWidth - box.clientWidth; })"""
    with opened(browser, site / "comparison.html", viewport={"width": 360, "height": 900}) as page:
        cut = page.evaluate(sideways)
        assert len(cut) >= 4
        assert max(cut) <= 0


OVERFULL = """() => [...document.querySelectorAll("body *")].filter(element =>
  !element.closest(".scroll, .skip") && (element.scrollWidth > element.clientWidth + 1 &&
  element.clientWidth || element.getBoundingClientRect().right > innerWidth))
  .map(element => element.outerHTML.slice(0, 200))"""
UNBROKEN = """() => document.querySelectorAll("code").forEach(
  code => { code.style.overflowWrap = "normal"; })"""


@pytest.mark.parametrize("name", ["healthy", "failing", "large"])
def test_a_report_is_complete_and_legible_on_a_phone(browser, site, name):
    """No table or figure is cut off or scrolls horizontally, and no text is too small."""
    sideways = """() => [...document.querySelectorAll(".scroll, picture img")].map(box => {
      box.closest("details")?.setAttribute("open", "");
      return box.localName == "img" ? box.getBoundingClientRect().right - innerWidth
                                    : box.scrollWidth - box.clientWidth; })"""
    letters = """() => [...document.querySelectorAll("picture img")].map(
      image => 10.67 * image.clientWidth / image.naturalWidth)"""
    with opened(browser, site / f"{name}.html") as page:
        for width in (600, 390, 360):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("Promise.all([...document.images].map(image => image.decode()))")
            cut = page.evaluate(sideways)
            assert len(cut) >= 10
            assert max(cut) <= 0, width
            sizes = page.evaluate(letters)
            assert len(sizes) >= 4
            assert min(sizes) >= 9, width
            assert max(sizes) <= 16, width


@pytest.mark.parametrize("name", ["hostile", "foreign"])
def test_long_names_stay_in_their_boxes_on_a_phone(browser, site, name):
    with opened(browser, site / f"{name}.html", viewport={"width": 360, "height": 900}) as page:
        assert page.evaluate(OVERFULL) == []
        page.evaluate(UNBROKEN)
        assert page.evaluate(OVERFULL) != []  # the check detects overflow


@pytest.mark.parametrize("name", ["hostile", "foreign"])
def test_the_text_of_charts_stays_inside(browser, name):
    page = browser.new_page()
    made = charts.build(samples.SAMPLES[name]())
    assert any("…" in chart.svg for chart in made)
    for chart in (*made, *(chart.phone for chart in made)):
        page.set_content(f"<style>body {{ margin: 0 }}</style>{chart.svg}")
        places = page.locator("text").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.right])"
        )
        assert min(left for left, _ in places) >= 0
        assert max(right for _, right in places) <= chart.pixels[0]
    page.close()


def test_a_long_table_of_a_report_is_searched_and_sorted(browser, site):
    audit = samples.large()
    sizes = [layer["params"] for layer in json_of(audit)["architecture"]["layers"]]
    with opened(browser, site / "large.html") as page:
        page.locator("summary", has_text="All layers in order of execution").click()
        table = page.locator("table", has_text="All layers in order of execution")
        rows = table.locator("tbody tr")
        assert rows.count() == len(sizes) > 400
        first = rows.nth(0).inner_text()
        params = [*table.locator("thead th").all_inner_texts()].index("Parameters")
        read = f"rows => rows.map(row => Number(row.cells[{params}].textContent.replace(/,/g, '')))"
        assert rows.evaluate_all(read) == sizes
        head = table.get_by_role("button", name="Parameters")
        head.click()
        assert rows.evaluate_all(read) == sorted(sizes)
        head.press("Enter")
        assert rows.evaluate_all(read) == sorted(sizes, reverse=True)
        head.click()
        assert rows.evaluate_all(read) == sizes  # in order of execution again
        place = page.locator("details", has=table)
        place.get_by_role("searchbox").fill(first.split()[0])
        assert first.split()[0] in rows.locator("visible=true").first.inner_text()
        shown = rows.locator("visible=true").count()
        assert 0 < shown < len(sizes)
        assert place.get_by_role("status").inner_text() == f"{shown} of {len(sizes)} shown"


def test_a_long_table_is_complete_without_scripts(browser, site):
    with opened(browser, site / "large.html", java_script_enabled=False) as page:
        assert page.locator(".long tbody tr").count() > 400
        assert page.locator(".find, th button").count() == 0
