"""Which TensorFlow and Keras load the model: predicted from the file, and observed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from msgspec import UNSET

from modelaudit.audit_types.loading import (
    CompatibilityRow,
    LoadOutcome,
    ObservationRow,
    ObservedLoading,
    PredictionReason,
    Status,
)
from modelaudit.audit_types.values import finite
from modelaudit.report.blocks import Block, Cell, Section, Table, prose
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

RUNTIME = (
    "A runtime is one version of TensorFlow or Keras. “Observed” is the result of loading the "
    "model in that runtime in a sandboxed process."
)
FORETOLD = (
    " “Predicted” is derived from the file without running it; where the two disagree, trust the "
    "observation."
)
GUESSED = "likely, but not tried before: "
COMPARED = (
    " Runtimes that load the model are given the same inputs, and their outputs are compared with "
    "those of the first. A difference counts if rounding and run-to-run noise do not explain it."
)


def _observed(row: CompatibilityRow) -> tuple[Cell, str]:
    observed = row.observed
    if observed is None:
        return Cell("Not tried", mark="not-tried"), ""
    status = "differs" if observed.same is False else observed.status.value
    cell = Cell(vocabulary.mark(status).word, mark=status)
    if observed.status is Status.LOADED and observed.error:
        cell = Cell("Loads, but the call fails", mark=Status.FAILED.value)
    said = text.cut(_error(observed.error), 400) or _compared(observed)
    return cell, said


def _error(error: str) -> str:
    """A loader's error message, without the config that Keras 3 appends."""
    return error.partition(" Full object config:")[0]


def _compared(observed: ObservedLoading) -> str:
    """How far the runtime's outputs are from the reference's."""
    whom = vocabulary.runtime(text.shorten(observed.reference or "", 40))
    if observed.not_compared:
        return f"not compared with {whom}: {text.cut(observed.not_compared, 200)}"
    difference = finite(observed.max_abs_diff)
    if difference is None:
        return ""
    relative, tolerance, noise = (
        None if value is UNSET else finite(value)
        for value in (observed.max_rel_diff, observed.tolerance, observed.noise)
    )
    numbers = [f"largest difference {text.number(difference)}"]
    if relative is not None:
        numbers.append(f"{text.number(relative)} of the largest value")
    if tolerance is not None:
        numbers.append(f"tolerance {text.number(tolerance)}")
    if noise is not None:
        numbers.append(f"noise {text.number(noise)}")
    same = "different outputs than" if observed.same is False else "the same outputs as"
    return f"{same} {whom} ({', '.join(numbers)})"


def _because(reasons: Sequence[PredictionReason]) -> str:
    """The first reasons in full, and how many more there are."""
    said = [text.cut(reason.text, 260) for reason in reasons if reason.text]
    room = list(accumulate(map(len, said)))
    shown = [reason for reason, taken in zip(said, room, strict=True) if taken <= 260] or said[:1]
    more = len(said) - len(shown)
    return "; ".join(shown) + (f"; {more:,} more in audit.json" if more else "")


def _row(row: CompatibilityRow, *, foretold: bool) -> tuple[Cell, ...]:
    predicted = row.predicted.value
    observed, said = _observed(row)
    guessed = "" if row.untried is UNSET or row.observed else GUESSED + ", ".join(row.untried)
    why = " — ".join(filter(None, (_because(row.because), guessed, said)))
    call = row.call
    return (
        Cell(vocabulary.runtime(text.shorten(row.runtime, 40))),
        Cell(vocabulary.CALLS.get(call, text.shorten(call, 40))),
        *((Cell(vocabulary.mark(predicted).word, mark=predicted),) if foretold else ()),
        observed,
        Cell(text.plain_text(why, 700) or "–"),
    )


def _observations(audit: Audit) -> Table | None:
    rows = tuple(map(_attempt, audit.observations))
    if not rows:
        return None
    return Table("Loading attempts", ("Runtime", "Call", "Result", "Error"), rows)


def _attempt(seen: ObservationRow) -> tuple[Cell, ...]:
    said = (text.shorten(seen.error_type, 60), text.cut(_error(seen.error), 400))
    return (
        Cell(vocabulary.runtime(text.shorten(seen.runtime, 40))),
        Cell(vocabulary.CALLS.get(seen.call, text.shorten(seen.call, 40))),
        Cell(vocabulary.mark(seen.status.value).word, mark=seen.status.value),
        Cell(": ".join(filter(None, said)) or "–"),
    )


def build(audit: Audit) -> Section:
    """The chapter's content."""
    blocks: list[Block] = []
    found = audit.compatibility
    foretold = any(row.predicted is not LoadOutcome.UNKNOWN for row in found)
    rows = tuple(_row(row, foretold=foretold) for row in found)
    if rows:
        compared = any(row.observed and row.observed.reference for row in found)
        said = RUNTIME + (FORETOLD if foretold else "") + (COMPARED if compared else "")
        blocks.append(prose(said))
        columns = ("Runtime", "Operation", *(("Predicted",) if foretold else ()), "Observed")
        blocks.append(
            Table("Runtimes that load the model", (*columns, "Reason"), rows, print_rows=30)
        )
    else:
        blocks.append(prose("No runtime was predicted or tried for this model.", tone="note"))
    if not rows and (attempts := _observations(audit)):
        blocks.append(attempts)
    return Section("compatibility", "Compatibility", tuple(blocks))
