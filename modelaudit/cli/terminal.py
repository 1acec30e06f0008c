"""Terminal output. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.runs.progress import Progress
from modelaudit.terminal_text import INDENT, cells, clean, elided, shorten_path, wrapped

if TYPE_CHECKING:
    from modelaudit.result_row import ResultRow

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "incomplete": "magenta"}
REASON_LINES = 3


def say(text: str) -> None:
    """Print to stdout. A closed pipe (`| head`) does not affect the run."""
    try:
        click.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(text: str) -> None:
    """Print a line to stderr, prefixed with the program name."""
    click.echo(f"modelaudit: {text}", err=True)


def print_lost_model(name: str, lost: str) -> None:
    """Print why there is no result for a model."""
    warn(f"{clean(name)}: {clean(lost)}")


def path_differences(old: Path, new: Path) -> tuple[str, str]:
    """The parts in which two paths differ, or both in full if one has no such part."""
    a, b = list(old.parts), list(new.parts)
    for end in (0, -1):
        while a and b and a[end] == b[end]:
            a.pop(end)
            b.pop(end)
    return (str(Path(*a)), str(Path(*b))) if a and b else (str(old), str(new))


def verdict_mark(verdict: str, width: int = 0) -> str:
    """The verdict as a coloured word, padded to `width`; `fail` is in capitals, in case there are
    no colours.
    """
    word = verdict.upper() if verdict == "fail" else verdict
    styled = click.style(word, fg=COLOURS.get(verdict), bold=verdict == "fail")
    return styled + " " * (width - len(word))


def columns() -> int:
    """Width of the terminal, or 100 without one, so that logs stay readable."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100


def table(rows: Sequence[ResultRow]) -> str:
    """One line per model, and below each that is not a pass the reason in up to three lines."""
    width = columns()
    labels = max((len(row.format_label) for row in rows), default=0)
    words = max((len(row.verdict) for row in rows), default=0)
    room = max(width - labels - words - 4, 20)  # two gaps of two columns
    paths = min(room, max((cells(clean(row.path)) for row in rows), default=0))
    lines = []
    for row in rows:
        path = shorten_path(clean(row.path), paths)
        verdict = verdict_mark(row.verdict, words)
        gap = " " * (paths - cells(path))
        lines.append(f"{verdict}  {path}{gap}  {row.format_label}")
        if row.verdict != "pass":
            lines += _reason(row.reason, width - 1)
            lines += [f"{INDENT}{clean(row.repair)}"] * bool(row.repair)  # whole, to be copied
    return "\n".join(lines)


def _reason(text: str, width: int) -> list[str]:
    """`text` indented, in at most three lines; an ellipsis marks a cut."""
    first, *rest = wrapped(text, width, INDENT).splitlines() or [""]
    shown = [first, *rest][:REASON_LINES]
    if len(rest) >= REASON_LINES:
        shown[-1] = elided(shown[-1], width)
    return shown


BAR = 16  # columns
BESIDE = 41  # columns of the label, brackets, gaps, 99999/99999, a time like 1d 00:00:00
LEAST = 8  # columns in which a path says something


class ProgressBar(Progress):
    """A progress bar on stderr where that is a terminal, and warnings as lines on stderr.

    It has no refresh thread, which would make forking workers unsafe.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._bar = click.progressbar(
            length=0,
            label="auditing",
            show_pos=True,
            width=BAR,
            item_show_func=_short,
            hidden=not (enabled and sys.stderr.isatty()),
            file=sys.stderr,
        )

    def begin(self, models: int) -> None:
        """Show the bar."""
        self._bar.length = models
        if models:
            self._bar.render_progress()

    def advance(self, path: str) -> None:
        """One model is done."""
        self._bar.update(1, path)

    def end(self) -> None:
        """Leave the bar as it is, on a line of its own."""
        if self._bar.length:
            self._bar.render_finish()
            self._bar.length = 0

    def warn(self, text: str) -> None:
        """Print a line, in place of the bar, which continues on the next one."""
        shown = bool(self._bar.length) and not self._bar.hidden
        if shown:
            click.echo("\r\033[K", nl=False, err=True)
        warn(text)
        if shown:
            click.echo(self._bar.format_progress_line(), nl=False, err=True)


def _short(path: str | None) -> str | None:
    """A path in what is left of the line: one that wraps could not be drawn over."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns  # stdout may be a file
    except OSError:
        width = columns()
    room = min(width - BESIDE - BAR, 40)
    return shorten_path(clean(path), room) if path and room >= LEAST else None
