"""Results in notebooks: as HTML with styles of their own, and as pandas frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.report.blocks import Cell, Table, name, num
from modelaudit.report.pages import model_diff
from modelaudit.report.pages.jinja_environment import asset, csp_hash, environment, render
from modelaudit.report.report import build
from modelaudit.report.wording.audit_changes import describe
from modelaudit.result_row import ResultRow, tally
from modelaudit.runs.compare_models import ModelDiff
from modelaudit.runs.run_result import RunResult
from modelaudit.runs.scan import ScanResult
from modelaudit.runs.write_reports import rule_infos
from modelaudit.schema import Audit
from modelaudit.settings.installation import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame

# In a frame of its own, a page neither takes the notebook's styles nor gives it any, and runs no
# script. Its height can be dragged.
FRAME = Markup(
    '<iframe srcdoc="{page}" sandbox title="{title}" style="width: 100%; height: {height}rem; '
    'border: 1px solid #8886; border-radius: 6px; resize: vertical"></iframe>'
)
TALL, ROW, MOST = 34.0, 2.6, 40.0  # rem
SHOWN = 50  # models

Rows = tuple[str, list[tuple[Json, ...]]]  # columns and their values


def html(result: Struct) -> str:
    """A result as HTML.

    Raises:
        UsageError: there is no view of it.
    """
    if isinstance(result, Audit):
        shown = build(result, rule_infos())
        page = _page(result.model.path, report=shown)
        return _framed(page, f"Audit of {result.model.path}", TALL)
    if isinstance(result, ModelDiff):
        compared = model_diff.model_diff_page(result.old, result.new, result.changes, ())
        return _framed(model_diff.render_diff_page(compared), compared.title, TALL)
    if isinstance(result, RunResult | ScanResult):
        title = tally(result.rows)
        page = _page(title, table=_models(result.rows))
        return _framed(page, title, min(8 + ROW * len(result.rows), MOST))
    raise UsageError(f"no view of {type(result).__name__}")


def _page(title: str, **values: object) -> str:
    env = environment()
    style = asset(env, "css/base.css", "css/screen.css", "css/extra.css")
    given = {"report": None, "table": None, "title": title, **values}
    shared = {"medium": "screen", "script": "", "script_hash": "", "style": style}
    return render(env, "notebook.html.j2", **given, **shared, style_hash=csp_hash(style))


def _framed(page: str, title: str, height: float) -> str:
    return FRAME.format(page=page, title=title, height=f"{height:.0f}")


def _models(rows: Sequence[ResultRow]) -> Table:
    return Table(
        "Models, worst first",
        ("Model", "Verdict", "Findings", "Reason"),
        tuple(
            (
                name(row.path),
                Cell(row.verdict.value, mark=row.verdict.value),
                num(str(len(row.open_findings))),
                Cell(row.reason),
            )
            for row in rows[:SHOWN]
        ),
        note=f"The first {SHOWN} of {len(rows):,} models." if len(rows) > SHOWN else "",
    )


def frame(result: Struct, of: str = "") -> DataFrame:
    """A result as a frame.

    Args:
        result: an audit, a comparison or a run.
        of: what the rows are; by default the first of those that the result has.

    Raises:
        UsageError: the result has no such rows.
        MissingPackage: pandas is not installed.
    """
    tables = _tables(result)
    wanted = of or next(iter(tables))
    if wanted not in tables:
        raise UsageError(f"no frame of {wanted!r}; choose from {', '.join(tables)}")
    require(("pandas",), "frames need", adds="pip install pandas")
    from pandas import DataFrame

    columns, rows = tables[wanted]()
    return DataFrame(rows, columns=columns.split())


def _tables(result: Struct) -> dict[str, Callable[[], Rows]]:
    if isinstance(result, Audit):
        return {
            "findings": partial(_findings, result),
            "tensors": partial(_tensors, result),
            "rules": partial(_rules, result),
        }
    if isinstance(result, ModelDiff):
        return {"changes": partial(_changes, result)}
    if isinstance(result, RunResult | ScanResult):
        return {
            "models": partial(_rows, result.rows),
            "findings": partial(_findings_of_rows, result.rows),
        }
    raise UsageError(f"no frame of {type(result).__name__}")


def _findings(audit: Audit) -> Rows:
    columns = "code name severity confidence location detail waived_by"
    return columns, [
        (
            each.code,
            each.name,
            each.severity.value,
            each.confidence.value,
            str(each.location),
            each.detail,
            each.waived_by,
        )
        for each in audit.findings
    ]


def _tensors(audit: Audit) -> Rows:
    columns = "name shape dtype role size min max mean std zeros nonfinite"
    return columns, [
        (
            each.name,
            str(each.shape),
            each.dtype,
            each.role,
            each.size,
            each.min,
            each.max,
            each.mean,
            each.std,
            each.zeros,
            each.nonfinite,
        )
        for each in audit.weights.tensors
    ]


def _rules(audit: Audit) -> Rows:
    columns = "code name outcome findings reason"
    return columns, [
        (each.code, each.name, each.outcome.value, len(each.findings), each.reason)
        for each in audit.results
    ]


def _changes(found: ModelDiff) -> Rows:
    columns = "section change breaking"
    return columns, [(each.section.value, describe(each), each.breaking) for each in found.changes]


def _rows(rows: Sequence[ResultRow]) -> Rows:
    levels = " ".join(Severity)
    columns = f"path format verdict reason {levels} bytes keras tensorflow"
    return columns, [
        (
            row.path,
            row.format_label,
            row.verdict.value,
            row.reason,
            *row.severities.values(),
            row.bytes,
            row.saved_with.keras,
            row.saved_with.tensorflow,
        )
        for row in rows
    ]


def _findings_of_rows(rows: Sequence[ResultRow]) -> Rows:
    columns = "path code name severity detail waived_by"
    return columns, [
        (row.path, each.code, each.name, each.severity.value, each.detail, each.waived_by)
        for row in rows
        for each in row.findings
    ]
