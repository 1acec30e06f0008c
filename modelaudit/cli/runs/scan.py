"""One run over many models, however it is asked for: audit side by side, and say how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelaudit.cli.runs.batch import (
    Deliver,
    Finished,
    Found,
    Row,
    audit_all,
    exit_code,
    find,
    log_line,
)
from modelaudit.cli.runs.cache_notes import Recalled
from modelaudit.cli.terminal import ProgressBar, clean, columns, shorten_path, wrapped
from modelaudit.errors import UsageError
from modelaudit.findings import WORST_FIRST, Verdict
from modelaudit.pipeline import Target
from modelaudit.registry.cross_model import Together, together
from modelaudit.settings import Settings

PATH = 160  # characters of a path in a sentence
ACROSS, ACROSS_MODELS = 8, 4  # groups of models that are told, and paths of each group


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run: its rows, worst first, and how it ends."""

    rows: list[Row]
    found: Found
    code: int


def scan(
    paths: tuple[Path, ...],
    settings: Settings,
    created: str,
    *,
    quiet: bool,
    log_file: Path | None,
    all_versions: bool = False,
) -> Ran:
    """Audit every model under `paths` by its files alone; write nothing.

    Raises:
        UsageError: a path does not exist, or the log cannot be written.
    """
    check_log(log_file)
    found = find(paths, settings, all_versions=all_versions)
    rows = []
    for finished in work_on(found.targets, settings, created, quiet=quiet):
        rows.append(finished.row)
        if log_file:
            log_line(log_file, finished.row, created)
    return Ran(worst_first(rows), found, exit_code(rows, found)[0])


def work_on(
    targets: Sequence[Target],
    settings: Settings,
    created: str,
    *,
    quiet: bool,
    deliver: Deliver | None = None,
    recalled: Mapping[Path, Recalled] | None = None,
    known: Collection[str] | None = None,
) -> Generator[Finished]:
    """Audit every target and yield each as it is done; see `batch.audit_all`."""
    with ExitStack() as stack:
        probe = None
        shown = recalled or {}
        if settings.probe.enabled and any(target.path not in shown for target in targets):
            from modelaudit.probe.run import here_probe

            probe = stack.enter_context(here_probe(settings, {t.root for t in targets}))
        bar = stack.enter_context(ProgressBar(len(targets), enabled=not quiet))
        for finished in audit_all(
            *(targets, settings, created),
            probe=probe,
            deliver=deliver,
            recalled=shown,
            known=known,
        ):
            bar.advance(finished.target.shown)
            yield finished


def check_log(log_file: Path | None) -> None:
    """Find out before the work that a log can be written, not after the first model.

    Raises:
        UsageError: it cannot.
    """
    if log_file is None:
        return
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
        return (WORST_FIRST.index(Verdict(str(row["verdict"]))), found, str(row["path"]))

    return sorted(rows, key=key)


def tally(rows: Sequence[Row], word: Callable[[str], str] = str) -> str:
    """How many models have which verdict: `2 fail, 1 pass`; `word` says a verdict."""
    count = Counter(str(row["verdict"]) for row in rows)
    return ", ".join(f"{count[v]:,} {word(v)}" for v in WORST_FIRST if count[v])


def summary(rows: list[Row], found: Found) -> str:
    """One line of totals, what holds across models, and what looked like a model and is none."""
    others = sum(found.others.values())
    passed_over = f"{others or 'no'} other file{'s' * (others > 1)} passed over"
    count = f"{len(rows)} model{'s' * (len(rows) != 1)}: {tally(rows)}"
    none = f"No model found in {clean(found.root)}"
    lines = [f"{count if rows else none}; {passed_over}"]
    lines += across_lines(together(rows))
    lines += _left_out(found.named)
    lines += [wrapped(each, columns() - 1) for each in (*unserved(found), *unseen(found))]
    return "\n".join(lines)


def _left_out(named: Sequence[tuple[str, str]]) -> list[str]:
    """What is no row, in one sentence for all that have the same reason."""
    reasons: dict[str, list[str]] = {}
    for path, why in named:
        reasons.setdefault(why, []).append(path)
    lines: list[str] = []
    for why, paths in reasons.items():
        lines.append(wrapped(f"left out: {_first_of(paths)} ({why})", columns() - 1))
    return lines


def _first_of(paths: Sequence[str]) -> str:
    more = len(paths) - ACROSS_MODELS
    shown = ", ".join(shorten_path(clean(path), PATH) for path in paths[:ACROSS_MODELS])
    return shown + (f" and {more:,} more" if more > 0 else "")


def across_lines(found: Sequence[Together]) -> list[str]:
    """A sentence for each thing that holds for several models, with the first of their paths."""
    width = columns() - 1
    lines = [wrapped(f"{each.title}: {_first_of(each.models)}", width) for each in found[:ACROSS]]
    if len(found) > ACROSS:
        lines.append(f"and {len(found) - ACROSS:,} more such groups, in index.json")
    return lines


def unseen(found: Found) -> list[str]:
    """A sentence for every place that could not be looked at."""
    return [f"not looked at: {clean(p.file)} ({clean(p.detail)})" for p in found.problems]


def unserved(found: Found) -> list[str]:
    """A sentence for every version that a server would take and that holds no model."""
    return [f"nothing to serve: {clean(path)} ({clean(why)})" for path, why in found.unserved]
