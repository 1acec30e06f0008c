"""One run over many models: find, audit, deliver, and say how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelaudit.cli.batch import Deliver, Found, Row, audit_all, exit_code, find, log_line
from modelaudit.cli.deliver import Formats, deliver_to, write_index
from modelaudit.cli.terminal import ProgressBar, clean
from modelaudit.errors import UsageError
from modelaudit.facts import Json
from modelaudit.registry.output import locked
from modelaudit.settings import Settings

ORDER = {"fail": 0, "incomplete": 1, "warn": 2, "pass": 3}


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run: its rows, worst first, and how it ends."""

    rows: list[Row]
    found: Found
    code: int
    index: Path | None = None


def run(
    paths: tuple[Path, ...],
    settings: Settings,
    created: str,
    *,
    quiet: bool,
    log_file: Path | None,
    out: Path | None = None,
    formats: Formats | None = None,
    all_versions: bool = False,
) -> Ran:
    """Audit every model under `paths`; with `out`, write reports there.

    Raises:
        UsageError: a path does not exist, or what is to be written cannot be.
        LockHeld: another run writes to `out`.
    """
    found = find(paths, settings, apart=out, all_versions=all_versions)
    with ExitStack() as stack:
        if log_file:
            _writable(log_file)
        if out:
            stack.enter_context(locked(out))
        deliver = deliver_to(out, formats.per_model) if out and formats else None
        rows = worst_first(list(_rows(found, settings, created, deliver, quiet, log_file)))
        code, reasons = exit_code(rows, found)
        index = None
        if out and formats:
            outcome: dict[str, Json] = {"code": code, "reasons": [*reasons]}
            index = write_index(out, rows, found, formats, outcome, created)
    return Ran(rows, found, code, index)


def _rows(
    found: Found,
    settings: Settings,
    created: str,
    deliver: Deliver | None,
    quiet: bool,
    log_file: Path | None,
) -> Iterator[Row]:
    with ExitStack() as stack:
        probe = None
        if settings.probe.enabled and found.targets:
            from modelaudit.probe.here import here_probe

            probe = stack.enter_context(here_probe(settings))
        bar = stack.enter_context(ProgressBar(len(found.targets), enabled=not quiet))
        for target, row in audit_all(
            found.targets, settings, created, probe=probe, deliver=deliver
        ):
            bar.advance(target.relative)
            if log_file:
                log_line(log_file, row, created)
            yield row


def _writable(log_file: Path) -> None:
    """Find out before the work, not after the first model."""
    try:
        log_file.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"{log_file}: cannot be written to: {error.strerror}") from error


def worst_first(rows: list[Row]) -> list[Row]:
    """Rows by verdict, then by how bad the findings are, then by path."""

    def key(row: Row) -> tuple[Any, ...]:
        counts = row["severities"]
        levels = ("critical", "high", "medium", "low")
        found = [-int(str(counts[x])) for x in levels] if isinstance(counts, Mapping) else []
        return (ORDER[str(row["verdict"])], found, str(row["path"]))

    return sorted(rows, key=key)


def summary(rows: list[Row], found: Found) -> str:
    """One line of totals, and a line for whatever looked like a model and is none."""
    verdicts = [str(row["verdict"]) for row in rows]
    parts = [f"{verdicts.count(v)} {v}" for v in ORDER if verdicts.count(v)]
    others = sum(found.others.values())
    passed_over = f"{others or 'no'} other file{'s' * (others > 1)} passed over"
    count = f"{len(rows)} model{'s' * (len(rows) != 1)}"
    lines = [f"{count}: {', '.join(parts) or 'none'}; {passed_over}"]
    lines += [f"not a model: {clean(path)} ({clean(why)})" for path, why in found.named]
    lines += [f"not looked at: {clean(p.file)} ({clean(p.detail)})" for p in found.problems]
    return "\n".join(lines)
