"""The PDF report: PDF/A-3a (archivable) and PDF/UA-1 (accessible), with the audit attached.

On one machine, two renderings of an audit are identical byte for byte: every date comes from the
audit, and only the bundled fonts are fetched.
"""

from __future__ import annotations

import gc
import json
import unicodedata
from collections.abc import Iterator, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pydyf
from weasyprint import HTML, Attachment, Document
from weasyprint.urls import URLFetcher, URLFetcherResponse

from modelaudit import schema
from modelaudit.errors import UsageError
from modelaudit.report import charts
from modelaudit.report import report as view
from modelaudit.report.export.job import PAPERS
from modelaudit.report.pages import assets, pdf_structure
from modelaudit.report.pages.jinja_environment import asset, environment, render
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import text
from modelaudit.schema import Audit
from modelaudit.structs import replace

FONT_SCHEME = "font:"
IMAGE_SCHEME = "data:image/"
RIGHT_TO_LEFT = ("R", "AL", "AN")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_INLINE = URLFetcher(allowed_protocols=["data"])


def fetch_bundled(url: str) -> URLFetcherResponse:
    """A bundled font or an inline image; an empty body for everything else.

    No request of a page may reach the network or the disk, whatever a template contains.
    """
    if url.startswith(IMAGE_SCHEME):
        return _INLINE.fetch(url)
    name = url.removeprefix(FONT_SCHEME)
    if url.startswith(FONT_SCHEME) and name in assets.FONTS:
        return URLFetcherResponse(url, assets.font(name).read_bytes())
    return URLFetcherResponse(url, b"")


def _instant(created: str) -> datetime:
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return EPOCH
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause garbage collection: layout creates many small objects and hardly any garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def render_pdf(
    audit: Audit,
    rules: Rules,
    *,
    paper: str = "A4",
    previous: Audit | None = None,
    first: bool = False,
    templates_dir: Path | None = None,
    appendix: bool = False,
    report: view.Report | None = None,
) -> bytes:
    """The report as a PDF/A-3a and PDF/UA-1 file with `audit.json` attached.

    Args:
        audit: the audit to report on; nothing else about the model is read.
        rules: texts of the rules, by code; an unknown code is shown without explanation.
        paper: one of `PAPERS`.
        previous: an earlier audit of the same model, for what changed since.
        first: the output directory keeps earlier audits, but has none of this model.
        templates_dir: templates that replace ours of the same name.
        appendix: print every row of every table, however many pages that takes.
        report: the audit's `view.build`, if several formats share it; built here if None.

    Raises:
        UsageError: unknown paper, `templates_dir` is not a directory, or a file in it is wrong.
    """
    if paper not in PAPERS:
        raise UsageError(f"unknown paper size {paper!r}, choose from {', '.join(PAPERS)}")
    created = _instant(audit.created)
    with _collector_paused():
        env = environment(templates_dir)
        style = asset(env, "css/base.css", "css/print.css", "css/extra.css")
        when = created.isoformat(timespec="seconds")

        def page(shown: view.Report) -> str:
            return render(
                env,
                "report.html.j2",
                report=view.unabridged(shown) if appendix else shown,
                medium="print",
                paper=paper,
                created=when,
                style=style,
            )

        def spelled(missing: Set[int]) -> view.Report:
            before = _spelled(previous, missing) if previous else None
            return view.build(_spelled(audit, missing), rules, before, first=first)

        used = _characters(audit)
        joined, missing = _joined(used), _without_glyphs(used, style)
        while True:
            shown = report if report and not missing else spelled(missing)
            shown = _charts_spelled(shown, audit, joined and joined | missing)
            written = page(shown).translate(_written_out(missing))
            made, more = _write(written, audit, created)
            if more <= missing:
                break
            missing |= more
    return made


def _write(page: str, audit: Audit, created: datetime) -> tuple[bytes, set[int]]:
    """The PDF of a page, and the code points that no font on this machine has a glyph for."""
    missing: set[int] = set()

    def finish(document: Document, pdf: pydyf.PDF) -> None:
        missing.update(_missing(document))
        pdf_structure.finish(pdf)

    attachment = Attachment(  # a new one each time: WeasyPrint consumes them
        string=schema.dumps(audit),
        name="audit.json",
        description="The complete audit as data, with every number of this report and more",
        created=created,
        modified=created,
        relationship="Data",
    )
    document = HTML(string=page, base_url=None, url_fetcher=fetch_bundled)
    made: bytes = document.write_pdf(
        finisher=finish, pdf_variant="pdf/a-3a", attachments=[attachment]
    )
    return made, missing


def _missing(document: Document) -> set[int]:
    return {point for font in document.fonts.values() for point in font.missing}


def _without_glyphs(used: Set[str], style: str) -> set[int]:
    """The code points that no font on this machine has a glyph for, by a page of them alone.

    A report with others is laid out twice; that page takes a hundredth of the time.
    """
    missing: set[int] = set()
    letters = " ".join(sorted(each for each in used if each.isprintable() and not each.isascii()))
    if letters:
        page = f"<style>{style}</style><p>{letters}</p><code>{letters}</code>"
        document = HTML(string=page, base_url=None, url_fetcher=fetch_bundled)
        document.write_pdf(finisher=lambda made, _: missing.update(_missing(made)))
    return missing


def _written_out(points: Set[int]) -> dict[int, str]:
    return {point: text.spelled(point) for point in points}


def _spelled(audit: Audit, points: Set[int]) -> Audit:
    """The audit with these characters written out as `\\u{4E16}`.

    PDF/A and PDF/UA do not allow placeholder glyphs, and empty boxes would make names
    indistinguishable. Written-out names are longer: therefore the report is built again from this
    audit, so that they are shortened and laid out like any others.
    """
    if not points:
        return audit
    in_json = {point: json.dumps(said)[1:-1] for point, said in _written_out(points).items()}
    data = json.dumps(schema.to_json(audit), ensure_ascii=False)
    return schema.loads(data.translate(in_json))


def _characters(audit: Audit) -> set[str]:
    return set(json.dumps(schema.to_json(audit), ensure_ascii=False))


def _joined(used: Set[str]) -> set[int]:
    """The code points that are right-to-left or combining."""
    return {
        ord(c)
        for c in used
        if unicodedata.bidirectional(c) in RIGHT_TO_LEFT or unicodedata.category(c).startswith("M")
    }


def _charts_spelled(shown: view.Report, audit: Audit, points: Set[int]) -> view.Report:
    """The report with these characters written out in its charts.

    WeasyPrint places the letters of a drawing one by one from left to right: Hebrew would be
    reversed, and Arabic illegible.
    """
    return replace(shown, charts=charts.build(_spelled(audit, points))) if points else shown
