"""The verdicts of a registry from run to run, in words and as a bar chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from modelaudit.findings import WORST_FIRST, Verdict
from modelaudit.report.wording import text, vocabulary

LAST = 10  # runs that are shown
# In the units of the drawing.
WIDTH, GAP, HEIGHT = 14, 4, 40


class TrendBar(Struct, frozen=True):
    """The models of one verdict in one run, as a rectangle."""

    state: str
    x: float
    y: float
    height: float
    title: str


class Trend(Struct, frozen=True):
    """The drawing, `width` by `HEIGHT`, and its text alternative."""

    runs: int
    width: int
    parts: tuple[TrendBar, ...]
    lines: tuple[str, ...]


def _word(verdict: Verdict) -> str:
    """The verdict as shown on a page; the terminal shows its short name."""
    return vocabulary.mark(verdict.value).said


def trend_lines(
    counts: Sequence[Mapping[str, int]], name: Callable[[Verdict], str] = str
) -> tuple[str, ...]:
    """A line for each verdict that occurs, with its count in every run: `pass 3 → 2 → 2`."""
    lines = []
    for verdict in WORST_FIRST:
        numbers = [f"{run.get(verdict.value, 0):,}" for run in counts]
        if {*numbers} != {"0"}:
            same = len({*numbers}) == 1
            said = f"always {numbers[0]}" if same else " → ".join(numbers)
            lines.append(f"{name(verdict)} {said}")
    return tuple(lines)


def trend(runs: Sequence[tuple[str, Mapping[str, int]]]) -> Trend | None:
    """The last runs as the index shows them; None if there are fewer than two.

    Args:
        runs: when each began (ISO 8601, UTC) and its number of models by verdict, oldest first.
    """
    shown = runs[-LAST:]
    most = max((sum(counts.values()) for _, counts in shown), default=0)
    if len(shown) < 2 or not most:
        return None
    parts = []
    for index, (began, counts) in enumerate(shown):
        top = float(HEIGHT)
        for verdict in reversed(WORST_FIRST):  # worst on top
            count = counts.get(verdict.value, 0)
            height = HEIGHT * count / most
            top -= height
            if count:
                title = f"{text.instant(began)}: {vocabulary.counted(count, verdict.value)}"
                at = index * (WIDTH + GAP)
                parts.append(TrendBar(verdict.value, at, round(top, 2), round(height, 2), title))
    width = len(shown) * (WIDTH + GAP) - GAP
    told = trend_lines([counts for _, counts in shown], _word)
    return Trend(len(shown), width, tuple(parts), told)
