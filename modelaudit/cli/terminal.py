"""What a run looks like in a terminal. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.facts import Json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "incomplete": "magenta"}
INDENT = " " * 6
REASON_LINES = 3


def say(text: str) -> None:
    """Print to stdout. A reader that has gone away (`| head`) changes nothing about the run."""
    try:
        click.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def clean(text: str) -> str:
    """`text` without characters that would steer a terminal or reorder a line."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def shorten(text: str, width: int) -> str:
    """`text` cut at the end to `width` columns."""
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"


def cells(text: str) -> int:
    """Columns that `text` takes: Chinese letters and emoji two each, accents of their own none."""
    import unicodedata

    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in {"Mn", "Me"} for c in text)


def shorten_path(text: str, width: int) -> str:
    """`text` cut in the middle, so that both the directory and the name stay readable.

    In `width` columns: one of wide letters loses more of them.
    """
    limit = width
    while cells(text) > width and limit > 1:
        tail = limit * 2 // 3
        shown = text[: limit - tail - 1] + "…" + text[-tail:]
        if len(text) > limit and cells(shown) <= width:
            return shown
        limit -= 1
    return text


def apart(old: Path, new: Path) -> tuple[str, str]:
    """The parts in which two paths differ; the whole of both where one has no such part."""
    a, b = list(old.parts), list(new.parts)
    for end in (0, -1):
        while a and b and a[end] == b[end]:
            a.pop(end)
            b.pop(end)
    return (str(Path(*a)), str(Path(*b))) if a and b else (str(old), str(new))


def mark(verdict: str, width: int = 0) -> str:
    """The verdict as a coloured word, filled up to `width`; `fail` is in capitals, for there may
    be no colours.
    """
    word = verdict.upper() if verdict == "fail" else verdict
    styled = click.style(word, fg=COLOURS.get(verdict), bold=verdict == "fail")
    return styled + " " * (width - len(word))


def wrapped(text: str, width: int, first: str = "", rest: str = INDENT) -> str:
    """`text` in lines of at most `width`, cut at spaces: a path that fits stays in one piece."""
    return textwrap.fill(
        clean(text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )


def columns() -> int:
    """Width of the terminal; 100 where there is none, so that logs stay readable."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100


def table(rows: Sequence[Mapping[str, Json]]) -> str:
    """One line a model, and under each that is not a pass the reason in up to three lines."""
    width = columns()
    labels = max((len(str(row["format_label"])) for row in rows), default=0)
    words = max((len(str(row["verdict"])) for row in rows), default=0)
    room = max(width - labels - words - 4, 20)  # two gaps of two
    paths = min(room, max((cells(clean(str(row["path"]))) for row in rows), default=0))
    lines = []
    for row in rows:
        path = shorten_path(clean(str(row["path"])), paths)
        verdict = mark(str(row["verdict"]), words)
        gap = " " * (paths - cells(path))
        lines.append(f"{verdict}  {path}{gap}  {row['format_label']}")
        if row["verdict"] != "pass":
            lines += _reason(str(row["reason"]), width - 1)
    return "\n".join(lines)


def _reason(text: str, width: int) -> list[str]:
    """`text` indented in at most three lines; an ellipsis says where it was cut."""
    first, *rest = wrapped(text, width, INDENT).splitlines() or [""]
    shown = [first, *rest][:REASON_LINES]
    if len(rest) >= REASON_LINES:
        shown[-1] = shorten(shown[-1] + " …", width)
    return shown


class ProgressBar:
    """A progress bar on stderr where that is a terminal, else nothing.

    It refreshes only when told to: a refreshing thread would make forking slots unsafe.
    """

    def __init__(self, total: int, *, enabled: bool) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if enabled and total and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("auditing"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
                auto_refresh=False,
                transient=True,
            )
            self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> ProgressBar:
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def advance(self, text: str) -> None:
        """One model is done."""
        if self._bar and self._task is not None:
            from rich.markup import escape

            description = escape(shorten_path(clean(text), 40))
            self._bar.update(self._task, advance=1, description=description)
            self._bar.refresh()
