"""Pages for the browser tests, and helpers that open and check them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import report_samples as samples

from modelaudit.changes.audits import compare_audits
from modelaudit.findings import Severity, Verdict
from modelaudit.report.pages import run_diff, run_diff_page
from modelaudit.report.pages.index import IndexChange, IndexRow, RunIndex, RunSummary, render_index
from modelaudit.report.pages.model_diff import model_diff_page, render_diff_page
from modelaudit.structs import replace

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
RUN = RunSummary(
    *("/srv/models", samples.CREATED, "modelaudit 0.1.0", {"code": 1}, ("a.txt: no model",)),
    since=samples.CREATED,
    changes=tuple(IndexChange("", "new", f"m{number}.h5", "pass") for number in range(25)),
    missing=3,
    trend=tuple((samples.CREATED, {"fail": count, "pass": 9}) for count in (3, 1, 4)),
)
ROWS = 5000
SOME = 200


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
    """A run without the first row, after a run without the last row and with fewer findings."""
    runs = {"A": rows[:-1], "B": [replace(row, codes=row.codes[1:]) for row in rows[1:]]}
    old, new = (
        run_diff.ComparedRun(
            RunIndex(created=samples.CREATED, root="/srv", models=tuple(mine)),
            name,
            lambda row: run_diff.KeptAudit(report=str(folder / row.links["html"])),
        )
        for name, mine in runs.items()
    )
    return run_diff.build_run_diff(old, new, samples.RULES)


@contextmanager
def opened(browser, path, **options):
    """A page in a new browser context; errors and requests are checked at the end."""
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


def make_site(folder, pages):
    """The samples' reports, their index and a large one, as files in `folder`."""
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    rows = [
        replace(row, links={**row.links, "html": f"{name}.html"})
        for name, row in samples.index_rows().items()
    ]
    (folder / "index.html").write_text(render_index(rows, RUN, samples.RULES), encoding="utf-8")
    two = samples.healthy(), samples.failing()
    shown = model_diff_page(*two, compare_audits(*two), ["3 of 4 weights are identical"])
    (folder / "comparison.html").write_text(render_diff_page(shown), encoding="utf-8")
    page = render_diff_page(run_diff_page.build_page(two_runs(rows, folder), folder))
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
