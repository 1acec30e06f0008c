"""Finished audits to files: which formats there are, and what lies where in the output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit.cli.batch import Deliver, Found, Row
from modelaudit.errors import UsageError
from modelaudit.facts import Json
from modelaudit.registry.output import write_atomic
from modelaudit.schema import Audit, dumps, load

if TYPE_CHECKING:
    from modelaudit.report.ruleinfo import RuleInfo

PER_MODEL = ("html", "pdf", "json")
PER_RUN = {"sarif": "report.sarif", "junit": "junit.xml", "markdown": "report.md"}


def rule_infos() -> dict[str, RuleInfo]:
    """The rules' wording for reports, which do not import the rules themselves."""
    from modelaudit.report.ruleinfo import RuleInfo
    from modelaudit.rules.catalogue import CATALOGUE

    return {
        rule.code: RuleInfo(
            code=rule.code,
            name=rule.name,
            family=rule.family.value,
            severity=rule.severity,
            summary=rule.summary,
            pass_title=rule.pass_title,
            why=rule.why,
            fix=rule.fix,
            references=rule.references,
        )
        for rule in CATALOGUE
    }


def parse_formats(formats: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Path | None]]:
    """Formats made per model, and those made once per run with the file to write (or None).

    Raises:
        UsageError: a format that does not exist, or a file for one that is made per model.
    """
    per_model: list[str] = []
    per_run: dict[str, Path | None] = {}
    for each in formats:
        name, _, file = each.partition("=")
        if name in PER_RUN:
            per_run[name] = Path(file) if file else None
        elif name in PER_MODEL and not file:
            per_model.append(name)
        elif name in PER_MODEL:
            raise UsageError(f"{name} is made for each model, so it cannot go to one file ({file})")
        else:
            known = ", ".join((*PER_MODEL, *PER_RUN))
            raise UsageError(f"unknown format {name!r}; there are {known}")
    return tuple(per_model) or (() if per_run else PER_MODEL), per_run


def render_format(name: str, audits: Sequence[Audit]) -> bytes:
    """One report in one format.

    Raises:
        UsageError: a format that does not exist, or one audit is needed and there are several.
    """
    if name == "json":
        return dumps(_only(name, audits)).encode()
    if name == "html":
        from modelaudit.report.html import render_html

        return render_html(_only(name, audits), rule_infos()).encode()
    if name == "pdf":
        from modelaudit.report.pdf import render_pdf

        return render_pdf(_only(name, audits), rule_infos())
    if name in PER_RUN:
        from modelaudit.report.machine import FORMATS

        return FORMATS[name](audits, rule_infos()).encode()
    raise UsageError(f"unknown format {name!r}; there are {', '.join((*PER_MODEL, *PER_RUN))}")


def _only(name: str, audits: Sequence[Audit]) -> Audit:
    if len(audits) != 1:
        raise UsageError(f"{name} shows one audit, not {len(audits)}")
    return audits[0]


def deliver_to(out: Path, formats: Sequence[str]) -> Deliver:
    """What writes one finished audit below `out`: always the JSON, and the formats asked for."""

    def deliver(audit: Audit) -> None:
        folder = out / "models" / str(audit.model["slug"])
        write_atomic(folder / "audit.json", dumps(audit).encode())
        for name in formats:
            if name != "json":
                write_atomic(folder / f"report.{name}", render_format(name, [audit]))

    return deliver


def write_index(
    out: Path,
    rows: Sequence[Row],
    found: Found,
    formats: tuple[Sequence[str], Mapping[str, Path | None]],
    outcome: Mapping[str, Json],
    created: str,
) -> Path:
    """Write the pages and files about the whole run, and point `latest` at them."""
    from modelaudit.report.index import index_json, index_rows, render_index

    per_model, per_run = formats
    run: dict[str, Json] = {
        "created": created,
        "exit": dict(outcome),
        "others": dict(found.others),
        "named": [{"path": path, "reason": reason} for path, reason in found.named],
        "problems": [{"file": p.file, "detail": p.detail} for p in found.problems],
        "formats": list(per_model),
    }
    entries = index_rows(rows, per_model)
    page = render_index(entries, run).encode()
    data = (json.dumps(index_json(entries, run), indent=2) + "\n").encode()
    folder = out / "runs" / created.replace(":", "")
    for place in (folder, out):
        write_atomic(place / "index.html", page)
        write_atomic(place / "index.json", data)
    _point_latest(out, folder)
    if per_run:
        audits = [load(out / "models" / str(row["slug"]) / "audit.json") for row in rows]
        for name, file in per_run.items():
            write_atomic(file or out / PER_RUN[name], render_format(name, audits))
    return out / "index.html"


def _point_latest(out: Path, folder: Path) -> None:
    """`latest` as a link to the newest run, replaced in one step."""
    new = out / ".latest"
    new.unlink(missing_ok=True)
    new.symlink_to(folder.relative_to(out))
    new.replace(out / "latest")
