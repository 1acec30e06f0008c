"""Finished audits to files: which formats there are, and what lies where in the output."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit import __version__
from modelaudit.cli.batch import Deliver, Found, Row, row_of
from modelaudit.cli.change_text import described
from modelaudit.errors import SchemaError, UsageError
from modelaudit.findings import Severity
from modelaudit.registry.across import together
from modelaudit.registry.output import write_atomic
from modelaudit.schema import Audit, dumps, load
from modelaudit.sections import weights_digest
from modelaudit.store.changes import Change

if TYPE_CHECKING:
    from modelaudit.report.index import IndexRow
    from modelaudit.report.ruleinfo import RuleInfo

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and what is not as it was when the run began that started at `since`.

    `missing` are models that an interrupted run did not come to, `trend` the registry's runs up to
    this one, as `report.index.Run` takes them.
    """

    code: int
    reasons: tuple[str, ...]
    since: str = ""
    changes: tuple[Change, ...] = ()
    missing: tuple[str, ...] = ()
    trend: tuple[tuple[str, Mapping[str, int]], ...] = ()


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
        from modelaudit.report.machine import render

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

    What an earlier run wrote in other formats goes, for it would tell of another audit.

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
        for stale in folder.glob("report.*"):
            stale.unlink()
        write_atomic(folder / "audit.json", dumps(audit).encode())
        shown = _pages(audit, previous, pages, formats.choices, first=previous is None)
        for name, data in shown:
            write_atomic(folder / f"report.{name}", data)

    return deliver


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
    from modelaudit.report import view

    infos = rule_infos()
    report = view.build(audit, infos, previous, first=first)
    for name in formats:
        if name == "html":
            from modelaudit.report.html import render_html

            page = render_html(audit, infos, report=report, templates_dir=choices.templates)
            yield name, page.encode()
        else:
            from modelaudit.report.pdf import render_pdf

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
        importlib.import_module(f"modelaudit.report.{name}")


def index_entry(row: Row, formats: Sequence[str]) -> IndexRow:
    """One model's line of the index, with links relative to it."""
    from modelaudit.findings import Verdict
    from modelaudit.report.index import IndexRow
    from modelaudit.report.values import as_maps

    saved, counts, rules = row["saved_with"], row["severities"], row["rules"]
    versions = saved if isinstance(saved, dict) else {}
    folder = f"models/{row['slug']}"
    links = {name: f"{folder}/report.{name}" for name in formats if name != "json"}
    return IndexRow(
        slug=str(row["slug"]),
        path=str(row["path"]),
        format_label=str(row["format_label"]),
        origin=str(row.get("origin") or ""),
        verdict=Verdict(str(row["verdict"])),
        reason=str(row["reason"]),
        counts={k: int(str(n)) for k, n in counts.items()} if isinstance(counts, dict) else {},
        waived=len([each for each in as_maps(row.get("findings")) if each.get("waived_by")]),
        codes=tuple(str(code) for code in rules) if isinstance(rules, list) else (),
        keras=str(versions.get("keras") or ""),
        tensorflow=str(versions.get("tensorflow") or ""),
        bytes=int(str(row["bytes"])),
        links=links | {"json": f"{folder}/audit.json"},
    )


def write_index(
    out: Path,
    rows: Sequence[Row],
    found: Found,
    formats: Formats,
    outcome: Outcome,
    created: str,
) -> None:
    """Write the pages and files about the whole run, and point `latest` at them.

    Of an interrupted run the pages alone are written: programs are given whole runs.
    """
    from modelaudit.report.index import Run, index_json, render_index

    words = {change.path: change.kind.value for change in outcome.changes}
    entries = [
        replace(index_entry(row, formats.per_model), change=words.get(str(row["path"]), ""))
        for row in rows
    ]
    notes = [f"{path}: {reason}" for path, reason in found.named]
    notes += [f"nothing to serve: {path}: {why}" for path, why in found.unserved]
    notes += [f"not looked at: {p.file}: {p.detail}" for p in found.problems]
    notes += [f"not reached: {path}" for path in outcome.missing]
    run = Run(
        root=found.root,
        created=created,
        tool=f"tf-modelaudit {__version__}",
        exit={"code": outcome.code, "reasons": [*outcome.reasons]},
        notes=tuple(notes),
        missing=len(outcome.missing),
        trend=outcome.trend,
        together=tuple(asdict(each) for each in together(rows)),
        since=outcome.since,
        changes=tuple(described(change) for change in outcome.changes),
    )
    folder = _run_folder(out, created)
    infos = rule_infos()
    for place, up in ((folder, "../../"), (out, "")):
        seen = [_linked_from(up, entry) for entry in entries]
        page = render_index(seen, run, infos, templates_dir=formats.choices.templates)
        write_atomic(place / "index.html", page.encode())
        write_atomic(place / "index.json", index_json(seen, run).encode())
    _point_latest(out, folder)
    if formats.per_run and not outcome.missing:
        audits = [load(out / "models" / str(row["slug"]) / "audit.json") for row in rows]
        for name, file in _run_files(out, formats).items():
            write_atomic(file, render_format(name, audits, formats.choices))


def is_index_written(out: Path, formats: Formats) -> bool:
    """Whether everything that `write_index` makes is there, and made together with the page."""
    try:
        page = (out / "index.html").stat().st_mtime_ns
        rest = _run_files(out, formats).values()
        return (out / "index.json").is_file() and all(f.stat().st_mtime_ns >= page for f in rest)
    except OSError:
        return False


def _run_files(out: Path, formats: Formats) -> dict[str, Path]:
    """Where the formats go that are made once a run."""
    return {name: file or out / PER_RUN[name] for name, file in formats.per_run.items()}


def _run_folder(out: Path, created: str) -> Path:
    """A folder of its own for a run, also where the clock shows the same time again."""
    name = created.replace(":", "")
    for number in itertools.count(1):
        folder = out / "runs" / (name if number == 1 else f"{name}-{number}")
        if not (folder / "index.json").exists():
            break
    return folder


def _linked_from(up: str, entry: IndexRow) -> IndexRow:
    """The entry for a page that lies elsewhere: `up` leads from there to the output directory."""
    return replace(entry, links={name: up + link for name, link in entry.links.items()})


def _point_latest(out: Path, folder: Path) -> None:
    """`latest` as a link to the newest run, replaced in one step."""
    new = out / ".latest"
    new.unlink(missing_ok=True)
    new.symlink_to(folder.relative_to(out))
    new.replace(out / "latest")
