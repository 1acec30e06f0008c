"""CPU time of the HTML and PDF report of one typical model in a warm process.

    python -m benchmarks.speed.reports [ROUNDS] [AUDIT.JSON]

Audits a sample model with its probe data, unless an audit is given, and renders HTML and PDF
several times from one view, as `modelaudit audit -f html -f pdf` does. Prints the minimum and the
median of each part in milliseconds of CPU, and the total relative to a fixed page that the same
process renders between the rounds without code of modelaudit, a ratio that hardly depends on the
machine. Exits with 1 if time, bytes or pages exceed a limit.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest import mock

import pypdf
import weasyprint

from modelaudit.report import charts
from modelaudit.report import report as view
from modelaudit.report.pages import pdf_structure
from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.pdf import fetch_bundled, render_pdf
from modelaudit.runs.write_reports import rule_infos
from modelaudit.schema import Audit, load

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODEL, IMAGES = SAMPLES / "digits_mirrored.keras", SAMPLES / "digits_probe.npz"
ROUNDS = 9
LIMIT, HTML_LIMIT = 1200.0, 60.0  # ms of CPU: HTML and PDF together, HTML alone
MOST_BYTES, MOST_PAGES = 350_000, 8
ROW = "<tr>" + "<td>a cell of a table" * 6
REFERENCE = (
    '<style>@font-face { font-family: Inter; src: url("font:Inter-Regular.otf") }'
    "table { table-layout: fixed; font: 8pt Inter }</style><table>" + ROW * 60 + "</table>"
)
# Parts that run inside other parts, and the functions to time.
WITHIN = (
    (charts, "build", "  charts"),
    (weasyprint.HTML, "__init__", "  reading the page"),
    (weasyprint.HTML, "render", "  layout"),
    (weasyprint.Document, "write_pdf", "  drawing and writing"),
    (pdf_structure, "finish", "    structure"),
)

P, R = ParamSpec("P"), TypeVar("R")


class Stopwatch:
    """CPU milliseconds of named parts, one value per round."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, float]] = []

    def start_round(self) -> None:
        self.rounds.append(defaultdict(float))

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Add the time of the block to a part of this round."""
        start = time.process_time()
        yield
        self.rounds[-1][part] += 1000 * (time.process_time() - start)

    def wrapped(self, part: str, work: Callable[P, R]) -> Callable[P, R]:
        """`work`, with its time added to a part."""

        def timed(*args: P.args, **options: P.kwargs) -> R:
            with self.timing(part):
                return work(*args, **options)

        return timed

    def of(self, *parts: str) -> list[float]:
        """The sum of some parts for each round but the first, which fills caches."""
        return [sum(taken[part] for part in parts) for taken in self.rounds[1:]]


def audit_sample() -> Audit:
    """The audit of a model with probe data, made by the command."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "modelaudit", "audit", MODEL, "--probe-data", IMAGES]
        subprocess.run([*command, "-o", out, "-f", "json"], check=False, capture_output=True)
        return load(next(Path(out).glob("models/*/audit.json")))


def reference() -> None:
    """Work that depends only on the machine and on WeasyPrint."""
    weasyprint.HTML(string=REFERENCE, url_fetcher=fetch_bundled).write_pdf()


def rendered(audit: Audit, rounds: int, watch: Stopwatch) -> tuple[str, bytes]:
    """HTML and PDF of the last round."""
    infos, page, made = rule_infos(), "", b""
    for _ in range(rounds + 1):
        watch.start_round()
        with watch.timing("reference"):
            reference()
        for where, name, part in WITHIN:
            mock.patch.object(where, name, watch.wrapped(part, getattr(where, name))).start()
        with watch.timing("view"):
            report = view.build(audit, infos)
        with watch.timing("HTML"):
            page = render_html(audit, infos, report=report)
        with watch.timing("PDF"):
            made = render_pdf(audit, infos, report=report)
        mock.patch.stopall()
    return page, made


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    audit = load(Path(sys.argv[2])) if len(sys.argv) > 2 else audit_sample()
    watch = Stopwatch()
    page, made = rendered(audit, rounds, watch)
    pages = len(pypdf.PdfReader(io.BytesIO(made)).pages)
    within = [part for _, _, part in WITHIN]
    parts = {part: watch.of(part) for part in ("view", within[0], "HTML", "PDF", *within[1:])}
    parts["HTML alone"] = alone = watch.of("view", "HTML")
    parts["HTML and PDF"] = both = watch.of("view", "HTML", "PDF")
    parts["reference page"] = watch.of("reference")
    print(f"{rounds} rounds; milliseconds of CPU    minimum  median")
    for part, taken in parts.items():
        print(f"{part:<32}{min(taken):>11.1f}{statistics.median(taken):>8.1f}")
    print(f"total in reference pages: {min(both) / min(parts['reference page']):.2f}")
    print(f"HTML {len(page.encode()):,} bytes, PDF {len(made):,} bytes on {pages} pages")
    over = [
        f"{said} {found:,.0f} over {limit:,.0f}"
        for said, found, limit in (
            ("HTML and PDF, ms", min(both), LIMIT),
            ("HTML alone, ms", min(alone), HTML_LIMIT),
            ("bytes of the PDF", len(made), MOST_BYTES),
            ("pages", pages, MOST_PAGES),
        )
        if found > limit
    ]
    print("\n".join(over) or "within all limits")
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())
