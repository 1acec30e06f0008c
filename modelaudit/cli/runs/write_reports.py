"""Finished audits to files: which formats there are, and the reports of each model."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit.audit_sections import weights_digest
from modelaudit.cli.runs.batch import Deliver, row_of
from modelaudit.errors import SchemaError, UsageError
from modelaudit.findings import Severity
from modelaudit.registry.cross_model import together
from modelaudit.registry.output_directory import write_atomic
from modelaudit.schema import Audit, dumps, load, to_json

if TYPE_CHECKING:
    from modelaudit.report.rule_info import RuleInfo

PER_MODEL = ("html", "pdf", "json")
PER_RUN = {
    "sarif": "report.sarif",
    "junit": "junit.xml",
    "gitlab": "gl-code-quality-report.json",
    "cyclonedx": "bom.cdx.json",
    "markdown": "report.md",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user can choose about reports.

    Attributes:
        fail_on: severity from which a finding is a failure, for formats that know failures; None
            for the one that each audit was made with.
        paper: of PDFs, one of `report.pdf.PAPERS`.
        templates: directory of templates that take the place of ours.
        appendix: whether PDFs print every row of every table.
    """

    fail_on: Severity | None = None
    paper: str = "A4"
    templates: Path | None = None
    appendix: bool = False


@dataclass(frozen=True, slots=True)
class Formats:
    """Formats made for each model, and those made once a run with the file to write, or None."""

    per_model: tuple[str, ...]
    per_run: Mapping[str, Path | None]
    choices: Choices = Choices()


def rule_infos() -> dict[str, RuleInfo]:
    """The rules' wording for reports, which do not import the rules themselves."""
    from modelaudit.report.rule_info import RuleInfo
    from modelaudit.rules.catalogue import CATALOGUE
    from modelaudit.rules.model import Need

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
            observed=bool({Need.OBSERVATION, Need.BEHAVIOUR}.intersection(rule.needs)),
        )
        for rule in CATALOGUE
    }


def parse_formats(formats: Sequence[str]) -> Formats:
    """`-f` options; without any, what people want: HTML, PDF and JSON.

    Raises:
        UsageError: a format that does not exist, or a file for one that is made per model.
    """
    per_model: dict[str, None] = {}
    per_run: dict[str, Path | None] = {}
    for each in formats:
        name, _, file = each.partition("=")
        if name in PER_RUN:
            per_run[name] = Path(file) if file else None
        elif name in PER_MODEL and not file:
            per_model[name] = None
        elif name in PER_MODEL:
            raise UsageError(f"{name} is made for each model, so it cannot go to one file ({file})")
        else:
            raise _unknown(name)
    return Formats(tuple(per_model) or (() if per_run else PER_MODEL), per_run)


def _unknown(name: str) -> UsageError:
    known = ", ".join((*PER_MODEL, *PER_RUN))
    return UsageError(f"there is no format {name!r}; there are {known}")


def render_format(name: str, audits: Sequence[Audit], choices: Choices = Choices()) -> bytes:
    """One report in one format.

    Raises:
        UsageError: a format that does not exist, or one audit is needed and there are several.
    """
    if name == "json":
        return dumps(_only(name, audits)).encode()
    if name in PER_MODEL:
        ((_, page),) = _pages(_only(name, audits), None, [name], choices, first=False)
        return page
    if name in PER_RUN:
        from modelaudit.report.export.registry import render

        found = together([row_of(audit) for audit in audits])
        return render(
            name,
            audits,
            rule_infos(),
            fail_on=choices.fail_on,
            base=str(Path.cwd()),
            across=[(each.title, each.models) for each in found],
        ).encode()
    raise _unknown(name)


def _only(name: str, audits: Sequence[Audit]) -> Audit:
    if len(audits) != 1:
        raise UsageError(f"{name} shows one audit, not {len(audits)}")
    return audits[0]


def deliver_to(out: Path, formats: Formats, moved: Mapping[str, str] | None = None) -> Deliver:
    """What writes one finished audit below `out`: always the JSON, and the formats asked for.

    What an earlier run wrote in other formats goes where it would tell of another audit.

    Args:
        out: the output directory.
        formats: which to write, and how.
        moved: slugs of models that are gone, by the digest of their files or weights: the same
            model may have come back under another name.
    """
    pages = [name for name in formats.per_model if name != "json"]
    for name in pages:
        _warm_up(name)

    def deliver(audit: Audit) -> None:
        folder = out / "models" / str(audit.model["slug"])
        previous = _previous(out, audit, moved or {})
        if not _is_of(folder, audit):
            for stale in folder.glob("report.*"):
                stale.unlink()
        write_atomic(folder / "audit.json", dumps(audit).encode())
        shown = _pages(audit, previous, pages, formats.choices, first=previous is None)
        for name, data in shown:
            write_atomic(folder / f"report.{name}", data)

    return deliver


def _is_of(folder: Path, audit: Audit) -> bool:
    """Whether the audit that lies there says the same, at whatever time it was made."""
    with contextlib.suppress(SchemaError):
        said = [to_json(each) for each in (load(folder / "audit.json"), audit)]
        for each in said:
            del each["created"], each["timings"]
        return said[0] == said[1]
    return False


def _previous(out: Path, audit: Audit, moved: Mapping[str, str]) -> Audit | None:
    """The last audit of the same model that was written there, if any can be read."""
    slugs = [str(audit.model["slug"])]
    slugs += [
        moved[d] for d in (str(audit.model["sha256"]), weights_digest(audit.weights)) if d in moved
    ]
    for slug in slugs:
        with contextlib.suppress(SchemaError):
            return load(out / "models" / slug / "audit.json")
    return None


def _pages(
    audit: Audit, previous: Audit | None, formats: Sequence[str], choices: Choices, *, first: bool
) -> Iterator[tuple[str, bytes]]:
    """One audit in formats that show the same: what they show is made once."""
    if not formats:
        return
    from modelaudit.report import report as view

    infos = rule_infos()
    report = view.build(audit, infos, previous, first=first)
    for name in formats:
        if name == "html":
            from modelaudit.report.pages.html import render_html

            page = render_html(audit, infos, report=report, templates_dir=choices.templates)
            yield name, page.encode()
        else:
            from modelaudit.report.pages.pdf import render_pdf

            yield (
                name,
                render_pdf(
                    audit,
                    infos,
                    report=report,
                    previous=previous,
                    first=first,
                    paper=choices.paper,
                    templates_dir=choices.templates,
                    appendix=choices.appendix,
                ),
            )


def _warm_up(name: str) -> None:
    """Import a renderer before slots are forked, so that they share what it costs."""
    if name in {"html", "pdf"}:
        importlib.import_module(f"modelaudit.report.pages.{name}")
