"""The index of a run, and the report formats that cover all models."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from msgspec import Struct
from msgspec.structs import asdict

from modelaudit import __version__
from modelaudit.changes.models import ModelChange
from modelaudit.errors import ReadError
from modelaudit.formats.io.bounded import open_regular
from modelaudit.registry.cross_model import cross_model_facts
from modelaudit.registry.output_directory import write_atomic
from modelaudit.report.export.job import ReportOptions
from modelaudit.report.export.registry import FORMATS, per_model
from modelaudit.report.wording.model_changes import index_change
from modelaudit.result_row import ResultRow
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.scan import empty_version_notes, unreadable_notes
from modelaudit.runs.write_reports import SelectedFormats, render_format, rule_infos
from modelaudit.schema import Audit, load
from modelaudit.structs import replace

if TYPE_CHECKING:
    from modelaudit.report.pages.index import IndexRow


class RunOutcome(Struct, frozen=True):
    """How a run ended, and what changed after the run that started at `since`.

    `missing` are models that an interrupted run did not reach, `trend` the registry's runs up to
    this one, as for `report.pages.index.Run`.
    """

    code: int
    reasons: tuple[str, ...]
    since: str = ""
    changes: tuple[ModelChange, ...] = ()
    missing: tuple[str, ...] = ()
    trend: tuple[tuple[str, Mapping[str, int]], ...] = ()


def index_entry(row: ResultRow, formats: Sequence[str]) -> IndexRow:
    """One model's row of the index, with links relative to it."""
    from modelaudit.report.pages.index import IndexRow

    folder = f"models/{row.slug}"
    links = {name: f"{folder}/{FORMATS[name].file}" for name in (*formats, "json")}
    return IndexRow(
        slug=row.slug,
        path=row.path,
        format_label=row.format_label,
        origin=row.origin,
        verdict=row.verdict,
        reason=row.reason,
        counts=row.severities,
        waived=len(row.findings) - len(row.open_findings),
        codes=row.rules,
        keras=row.saved_with.keras or "",
        tensorflow=row.saved_with.tensorflow or "",
        bytes=row.bytes,
        links=links,
    )


def write_index(
    out: Path,
    rows: Sequence[ResultRow],
    found: FoundModels,
    formats: SelectedFormats,
    outcome: RunOutcome,
    created: str,
) -> None:
    """Write the pages and files of the run, and point `latest` to them.

    For an interrupted run only the pages are written: programs get complete runs only.
    """
    from modelaudit.report.pages.index import RunSummary, index_json, render_index

    words = {change.path: change.kind.value for change in outcome.changes}
    entries = [
        replace(index_entry(row, [*model_files(out, row)]), change=words.get(row.path, ""))
        for row in rows
    ]
    notes = [f"{path}: {reason}" for path, reason in found.named]
    notes += [*empty_version_notes(found), *unreadable_notes(found)]
    notes += [f"not reached: {path}" for path in outcome.missing]
    run = RunSummary(
        root=found.root,
        created=created,
        tool=f"tf-modelaudit {__version__}",
        exit={"code": outcome.code, "reasons": [*outcome.reasons]},
        notes=tuple(notes),
        missing=len(outcome.missing),
        trend=outcome.trend,
        together=tuple(asdict(each) for each in cross_model_facts(rows)),
        since=outcome.since,
        changes=tuple(map(index_change, outcome.changes)),
    )
    folder = _run_folder(out, created)
    infos = rule_infos(formats.options.docs_url)
    for place, up in ((folder, "../../"), (out, "")):
        seen = [_linked_from(up, entry) for entry in entries]
        page = render_index(seen, run, infos, templates_dir=formats.options.templates)
        write_atomic(place / "index.html", page.encode())
        write_atomic(place / "index.json", index_json(seen, run).encode())
    _point_latest(out, folder)
    if not outcome.missing:
        for name, file in run_files(out, formats).items():
            _write_run_file(name, file, StoredAudits(out, rows), formats.options)


class StoredAudits(Sequence[Audit]):
    """The audits of these rows. Each is read when it is asked for: all may not fit into memory."""

    def __init__(self, out: Path, rows: Sequence[ResultRow]) -> None:
        self._out, self._rows = out, rows

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Audit: ...
    @overload
    def __getitem__(self, index: slice) -> StoredAudits: ...
    def __getitem__(self, index: int | slice) -> Audit | StoredAudits:
        """One of them, or some, which are not read yet."""
        if isinstance(index, slice):
            return StoredAudits(self._out, self._rows[index])
        return load(self._out / "models" / self._rows[index].slug / "audit.json")


def _write_run_file(name: str, file: Path, audits: StoredAudits, options: ReportOptions) -> None:
    """Write a report on the run: in several files, worst models first, if it has a limit."""
    most = FORMATS[name].most_models or max(len(audits), 1)
    parts = [audits[start : start + most] for start in range(0, len(audits), most)] or [audits]
    for number, part in enumerate(parts, 1):
        write_atomic(numbered(file, number), render_format(name, part, options))
    if FORMATS[name].most_models:  # remove files of an earlier run with more models
        for number in itertools.count(len(parts) + 1):
            if not _is_junit_of_ours(left := numbered(file, number)):
                break
            left.unlink(missing_ok=True)


def _is_junit_of_ours(file: Path) -> bool:
    """Whether the file begins as our JUnit files do: other files can have such a name too."""
    from modelaudit.report.export.junit import START

    start = START.encode()
    try:
        with open_regular(file) as handle:
            return handle.read(len(start)) == start
    except (OSError, ReadError):
        return False


def numbered(file: Path, number: int) -> Path:
    """`junit.xml` for 1, `junit-2.xml` for 2."""
    return file if number == 1 else file.with_stem(f"{file.stem}-{number}")


def model_files(out: Path, row: ResultRow) -> dict[str, Path]:
    """The reports of a model that are there, of this run or an earlier one, by format."""
    folder = out / "models" / row.slug
    files = {name: folder / FORMATS[name].file for name in per_model()}
    return {name: file for name, file in files.items() if file.is_file()}


def is_index_written(out: Path, formats: SelectedFormats) -> bool:
    """Whether all files of `write_index` exist and were written together with the page."""
    try:
        page = (out / "index.html").stat().st_mtime_ns
        rest = run_files(out, formats).values()
        return (out / "index.json").is_file() and all(f.stat().st_mtime_ns >= page for f in rest)
    except OSError:
        return False


def run_files(out: Path, formats: SelectedFormats) -> dict[str, Path]:
    """Target files of the per-run formats."""
    return {name: file or out / FORMATS[name].file for name, file in formats.per_run.items()}


def _run_folder(out: Path, created: str) -> Path:
    """A new directory for a run, even if the clock shows the same time again."""
    name = created.replace(":", "")
    for number in itertools.count(1):
        folder = out / "runs" / (name if number == 1 else f"{name}-{number}")
        if not (folder / "index.json").exists():
            break
    return folder


def _linked_from(up: str, entry: IndexRow) -> IndexRow:
    """The entry for a page in another directory; `up` leads from there to the output directory."""
    return replace(entry, links={name: up + link for name, link in entry.links.items()})


def _point_latest(out: Path, folder: Path) -> None:
    """Link `latest` to the newest run, atomically."""
    new = out / ".latest"
    new.unlink(missing_ok=True)
    new.symlink_to(folder.relative_to(out))
    new.replace(out / "latest")
