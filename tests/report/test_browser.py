"""The pages in a real browser: they work, load nothing, and axe-core finds no barrier in them."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise

import pypdf
import pytest
import report_samples as samples
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from modelaudit.findings import Severity, Verdict
from modelaudit.report import charts, run_comparison
from modelaudit.report.comparison import between_models, render_comparison
from modelaudit.report.index import IndexRow, ModelChange, Run, render_index
from modelaudit.restore.audits import changes

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (scripts/setup.sh dev)"),
]

RUN = Run(
    *("/srv/models", samples.CREATED, "modelaudit 0.1.0", {"code": 1}, ("a.txt: no model",)),
    since=samples.CREATED,
    changes=tuple(ModelChange("", "new", f"m{number}.h5", "pass") for number in range(25)),
    missing=3,
    trend=tuple((samples.CREATED, {"fail": count, "pass": 9}) for count in (3, 1, 4)),
)
ROWS, SOME = 5000, 200


def many_rows(count):
    verdicts, severities = list(Verdict), list(Severity)
    return [
        IndexRow(
            slug=f"m{i}",
            path=f"team-{i % 40}/model-{i:05d}.keras",
            format_label="Keras archive (.keras)",
            verdict=verdicts[i % 4],
            reason="One layer is still at its initial values.",
            counts={severities[i % 5].value: 1 + i % 3},
            codes=(f"MA{101 + i % 30}",),
            keras="3.15.1",
            bytes=1000 + 37 * i,
            links={"html": f"models/m{i}/report.html"},
        )
        for i in range(count)
    ]


def two_runs(rows, folder):
    """The rows without the first as a run after one without the last, and with fewer findings."""
    runs = {"A": rows[:-1], "B": [replace(row, codes=row.codes[1:]) for row in rows[1:]]}
    old, new = (
        run_comparison.Run(
            {"created": samples.CREATED, "root": "/srv", "models": [asdict(row) for row in mine]},
            name,
            lambda row: run_comparison.Kept(report=str(folder / row["links"]["html"])),
        )
        for name, mine in runs.items()
    )
    return run_comparison.between_runs(old, new, samples.RULES)


@pytest.fixture(scope="module")
def site(tmp_path_factory, pages):
    """Directory with the samples' reports, their index and a large one."""
    folder = tmp_path_factory.mktemp("site")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    rows = [
        replace(row, links={**row.links, "html": f"{name}.html"})
        for name, row in samples.index_rows().items()
    ]
    (folder / "index.html").write_text(render_index(rows, RUN, samples.RULES), encoding="utf-8")
    two = samples.healthy(), samples.failing()
    shown = between_models(*two, changes(*two), ["3 of 4 weights are identical"])
    (folder / "comparison.html").write_text(render_comparison(shown), encoding="utf-8")
    page = render_comparison(run_comparison.page_of(two_runs(rows, folder), folder))
    (folder / "runs.html").write_text(page, encoding="utf-8")
    (folder / "many.html").write_text(
        render_index(many_rows(ROWS), RUN, samples.RULES), encoding="utf-8"
    )
    (folder / "some.html").write_text(
        render_index(many_rows(SOME), RUN, samples.RULES), encoding="utf-8"
    )
    cells = "".join(
        f"<tr><td>{row.path}<td>{row.verdict}<td>{row.reason}<td>{row.format_label}"
        f"<td>{row.keras}<td>{row.bytes}<td><a href=x>HTML</a>"
        for row in many_rows(ROWS)
    )
    bare = f"<!doctype html><title>bare</title><table>{cells}</table>"
    (folder / "bare.html").write_text(bare, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def launch():
    """What starts a browser with further arguments."""
    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *more]
        )


@pytest.fixture(scope="module")
def browser(launch):
    running = launch()
    yield running
    running.close()


@contextmanager
def opened(browser, path, **options):
    """A page in a context of its own; complaints and requests are checked when it is left."""
    context = browser.new_context(**options)
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def shown(page):
    return page.locator("#table tbody tr:visible th code").all_text_contents()


@pytest.mark.parametrize(
    "name",
    [
        *("healthy", "failing", "hostile", "foreign", "unreadable", "large"),
        *("index", "comparison", "runs"),
    ],
)
@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1440)])
def test_axe_finds_nothing(browser, site, name, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    with opened(browser, site / f"{name}.html", **options) as page:
        result = Axe().run(page)
        assert [f"{v['id']}: {v['nodes'][0]['html']}" for v in result.response["violations"]] == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width  # tables scroll by themselves, the page never does


def test_a_comparison_is_whole_on_a_phone(browser, site):
    """Of no table a column is cut off, which is what moving it sideways would show."""
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
@pytest.mark.parametrize("width", [360, 390, 600])
def test_a_report_is_whole_and_legible_on_a_phone(browser, site, name, width):
    """No table or figure is cut off, none is moved sideways, and no letter of one gets tiny."""
    sideways = """() => [...document.querySelectorAll(".scroll, picture img")].map(box => {
      box.closest("details")?.setAttribute("open", "");
      return box.localName == "img" ? box.getBoundingClientRect().right - innerWidth
                                    : box.scrollWidth - box.clientWidth; })"""
    letters = """() => [...document.querySelectorAll("picture img")].map(
      image => 10.67 * image.clientWidth / image.naturalWidth)"""
    with opened(browser, site / f"{name}.html", viewport={"width": width, "height": 900}) as page:
        page.wait_for_function("[...document.images].every(image => image.complete)")
        cut = page.evaluate(sideways)
        assert len(cut) >= 10
        assert max(cut) <= 0
        sizes = page.evaluate(letters)
        assert len(sizes) >= 4
        assert min(sizes) >= 9
        assert max(sizes) <= 16


@pytest.mark.parametrize("name", ["hostile", "foreign"])
def test_long_names_stay_in_their_boxes_on_a_phone(browser, site, name):
    with opened(browser, site / f"{name}.html", viewport={"width": 360, "height": 900}) as page:
        assert page.evaluate(OVERFULL) == []
        page.evaluate(UNBROKEN)
        assert page.evaluate(OVERFULL) != []  # it would be found


@pytest.mark.parametrize("name", ["hostile", "foreign"])
def test_the_words_of_charts_stay_inside(browser, name):
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


def test_the_index_reads_without_scripts(browser, site):
    with opened(browser, site / "index.html", java_script_enabled=False) as page:
        assert len(shown(page)) == len(samples.index_rows())
        assert shown(page)[0] == "vision/broken/digits-v4"
        assert not page.locator("#filters").is_visible()


@pytest.mark.parametrize("width", [360, 700, 870, 1000, 1150, 1440])
def test_every_column_of_the_index_is_in_sight(browser, site, width):
    with opened(browser, site / "index.html", viewport={"width": width, "height": 900}) as page:
        edges = page.locator("#table tr > *").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect().right)"
        )
        assert max(edges) <= width
        assert page.locator("#table tr a").last.text_content() == "JSON"


def test_heads_of_the_index_stand_in_one_line(browser, site):
    tops = """() => [...document.querySelectorAll("#table thead th")].map(head => {
      const words = document.createRange();
      words.selectNode((head.querySelector("button") || head).firstChild);
      return words.getBoundingClientRect().bottom; })"""
    with opened(browser, site / "index.html", viewport={"width": 1440, "height": 900}) as page:
        found = page.evaluate(tops)
    assert len(found) == 7
    assert max(found) - min(found) <= 1


def test_the_index_on_paper(browser, site):
    """Every page has the table's head, names are whole, and there is nothing to click on."""
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
    """What the rows of the index must be chosen by, from the audits themselves."""
    for audit in (make() for make in samples.SAMPLES.values()):
        if not audit.model:
            continue
        codes = {f.code for f in audit.findings if f.waived_by is None}
        saved = audit.model["saved_with"]
        yield {
            "verdict": {audit.verdict.value},
            "severity": {f.severity.value for f in audit.findings if f.waived_by is None},
            "family": {samples.RULES[code].family for code in codes if code in samples.RULES},
            "rule": codes,
            "format": {audit.model["format_label"]},
            "version": {
                f"{name} {saved[key]}"
                for key, name in (("keras", "Keras"), ("tensorflow", "TF"))
                if saved.get(key)
            },
        }


@pytest.mark.parametrize(
    "key", ["verdict", "severity", "family", "rule", "format", "version"]
)  # fmt: skip
def test_each_filter_shows_the_models_that_fit(browser, site, key):
    known = list(entries())
    every = set().union(*(entry[key] for entry in known))
    values = [v for v in sorted(every) if v.isprintable() and len(v) <= 40]  # others are cut
    assert len(values) > 1
    with opened(browser, site / "index.html") as page:
        for value in values:
            page.select_option(f"#{key}", value)
            assert len(shown(page)) == sum(value in entry[key] for entry in known)
        page.select_option(f"#{key}", "")
        assert len(shown(page)) == len(known)


def test_what_is_chosen_stands_in_the_address(browser, site):
    with opened(browser, site / "index.html") as page:
        page.fill("#find", "digits")
        page.select_option("#verdict", "fail")
        chosen = shown(page)
        address = page.url
        page.locator(".skip").focus()
        page.keyboard.press("Enter")  # a place in the page is no choice
        assert shown(page) == chosen
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    assert shown(page) == chosen
    assert page.locator("#find").input_value() == "digits"
    context.close()


def test_a_long_table_of_a_report_is_searched_and_sorted(browser, site):
    audit = samples.large()
    sizes = [layer["params"] for layer in audit.architecture["layers"]]
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


def test_a_long_table_is_whole_without_scripts(browser, site):
    with opened(browser, site / "large.html", java_script_enabled=False) as page:
        assert page.locator(".long tbody tr").count() > 400
        assert page.locator(".find, th button").count() == 0


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
    """A page, and what gives the seconds that its thread has worked: others' work is not in it."""
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


def test_five_thousand_models_can_be_worked_with_within_a_second(browser, site):
    with timed(browser, site / "bare.html") as (_, worked):
        bare = worked()  # for the same cells without style, script and badges
    with timed(browser, site / "many.html") as (page, worked):
        marks = [worked()]
        page.evaluate(FIND, "team-7/")
        marks.append(worked())
        assert page.locator("#shown").inner_text() == f"{ROWS // 40} of {ROWS} shown"
        page.evaluate(FIND, "")
        marks.append(worked())
        page.get_by_role("button", name="Size").click()
        marks.append(worked())
    loaded, found, cleared, ordered = [marks[0], *(b - a for a, b in pairwise(marks))]
    assert loaded + found < 1
    assert loaded < bare
    assert max(found, cleared, ordered) < bare


def test_the_index_is_a_table_for_screen_readers_also_where_it_is_not_in_sight(launch, site):
    running = launch("--force-renderer-accessibility")  # as if there were a screen reader
    page = running.new_page()
    page.goto((site / "some.html").as_uri())
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    running.close()
    roles = Counter(node["role"]["value"] for node in nodes if not node["ignored"])
    assert (roles["table"], roles["columnheader"], roles["row"]) == (1, 7, 1 + SOME)
    assert (roles["rowheader"], roles["cell"]) == (SOME, 6 * SOME)
