"""Which TensorFlow and Keras load the model: predicted from the file, and observed."""

from __future__ import annotations

from itertools import accumulate

from modelaudit.report.blocks import Block, Cell, Section, Table, prose
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import Map, as_map, as_maps, as_number, as_text
from modelaudit.schema import Audit

RUNTIME = (
    "A runtime is one version of TensorFlow or Keras. “Observed” is the result of loading the "
    "model in that runtime in a sandboxed process."
)
FORETOLD = (
    " “Predicted” is derived from the file without running it; where the two disagree, trust the "
    "observation."
)


COMPARED = (
    " Runtimes that load the model are given the same inputs, and their outputs are compared with "
    "those of the first. A difference counts if rounding and run-to-run noise do not explain it."
)


def _observed(row: Map) -> tuple[Cell, str]:
    observed = as_map(row.get("observed"))
    status = as_text(observed.get("status"))
    if not status:
        return Cell("Not tried", mark="not-tried"), ""
    if observed.get("same") is False:
        status = "differs"
    cell = Cell(vocabulary.mark(status).word, mark=status)
    said = text.cut(_error(observed), 400) or _compared(observed)
    return cell, said


def _error(observed: Map) -> str:
    """A loader's error message, without the config that Keras 3 appends."""
    return as_text(observed.get("error")).partition(" Full object config:")[0]


def _compared(observed: Map) -> str:
    """How far the runtime's outputs are from the reference's."""
    whom = vocabulary.runtime(text.shorten(as_text(observed.get("reference")), 40))
    if reason := as_text(observed.get("not_compared")):
        return f"not compared with {whom}: {text.cut(reason, 200)}"
    difference = as_number(observed.get("max_abs_diff"))
    if difference is None:
        return ""
    relative, tolerance, noise = (
        as_number(observed.get(key)) for key in ("max_rel_diff", "tolerance", "noise")
    )
    numbers = [f"largest difference {text.number(difference)}"]
    if relative is not None:
        numbers.append(f"{text.number(relative)} of the largest value")
    if tolerance is not None:
        numbers.append(f"tolerance {text.number(tolerance)}")
    if noise is not None:
        numbers.append(f"noise {text.number(noise)}")
    same = "different outputs than" if observed.get("same") is False else "the same outputs as"
    return f"{same} {whom} ({', '.join(numbers)})"


def _predicted(row: Map) -> str:
    return as_text(row.get("predicted")) or "unknown"


def _because(reasons: list[Map]) -> str:
    """The first reasons in full, and how many more there are."""
    said = [text.cut(reason, 260) for r in reasons if (reason := as_text(r.get("text")))]
    room = list(accumulate(map(len, said)))
    shown = [reason for reason, taken in zip(said, room, strict=True) if taken <= 260] or said[:1]
    more = len(said) - len(shown)
    return "; ".join(shown) + (f"; {more:,} more in audit.json" if more else "")


def _row(row: Map, *, foretold: bool) -> tuple[Cell, ...]:
    predicted = _predicted(row)
    observed, said = _observed(row)
    why = " — ".join(filter(None, (_because(as_maps(row.get("because"))), said)))
    call = as_text(row.get("call"))
    return (
        Cell(vocabulary.runtime(text.shorten(as_text(row.get("runtime")), 40))),
        Cell(vocabulary.CALLS.get(call, text.shorten(call, 40))),
        *((Cell(vocabulary.mark(predicted).word, mark=predicted),) if foretold else ()),
        observed,
        Cell(text.plain_text(why, 700) or "–"),
    )


def _observations(audit: Audit) -> Table | None:
    rows = tuple(
        (
            Cell(vocabulary.runtime(text.shorten(as_text(o.get("runtime")), 40))),
            Cell(
                vocabulary.CALLS.get(
                    as_text(o.get("call")), text.shorten(as_text(o.get("call")), 40)
                )
            ),
            Cell(vocabulary.mark(as_text(o.get("status"))).word, mark=as_text(o.get("status"))),
            Cell(
                ": ".join(
                    filter(
                        None,
                        (
                            text.shorten(as_text(o.get("error_type")), 60),
                            text.cut(_error(o), 400),
                        ),
                    )
                )
                or "–"
            ),
        )
        for o in as_maps(audit.observations)
    )
    if not rows:
        return None
    return Table("Loading attempts", ("Runtime", "Call", "Result", "Error"), rows)


def build(audit: Audit) -> Section:
    """The chapter's content."""
    blocks: list[Block] = []
    found = as_maps(audit.compatibility)
    foretold = any(_predicted(row) != "unknown" for row in found)
    rows = tuple(_row(row, foretold=foretold) for row in found)
    if rows:
        compared = any(as_map(row.get("observed")).get("reference") for row in found)
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
