"""The tensors that a file stores: counts by kind, and which deserve attention."""

from __future__ import annotations

from collections import Counter

from modelaudit.audit_sections.weights import is_seed
from modelaudit.report.blocks import Block, Cell, Table, name, num, prose
from modelaudit.report.wording import text
from modelaudit.report.wording.json_access import (
    Map,
    as_count,
    as_map,
    as_maps,
    as_number,
    as_text,
    shape,
)

LISTED = 20
SECOND_NAMES = "_all_variables/"  # where Keras exports every variable again
OTHER_TENSORS = {
    "again": "that duplicate variables",
    "metric": "of metrics",
    "optimizer": "of the optimiser",
    "other": "internal to the format",
    "seed": "with random-generator state",
}


def _strange(tensor: Map) -> str:
    """Why a tensor deserves attention, or an empty string."""
    said = []
    if bad := as_count(tensor.get("nonfinite")):
        said.append(f"{bad:,} values are not finite")
    low, high, size = (as_number(tensor.get(key)) for key in ("min", "max", "size"))
    zeros = as_count(tensor.get("zeros")) or 0
    if size and size > 1 and low is not None and low == high:
        said.append(f"every value is {text.number(low)}")
    elif size and zeros > 0.5 * size:
        said.append(f"{text.percent(zeros / size)} zeros")
    initial = tensor.get("initialization")
    state = as_text(as_map(initial).get("state")) or as_text(initial)
    if state == "fresh":
        said.append("still at its initial values")
    return "; ".join(said)


def _tensor_row(tensor: Map) -> tuple[Cell, ...]:
    low, high = as_number(tensor.get("min")), as_number(tensor.get("max"))
    span = f"{text.number(low)} to {text.number(high)}" if low is not None else "–"
    return (
        name(text.shorten(as_text(tensor.get("name")), 70)),
        num(shape(tensor.get("shape"))),
        Cell(text.shorten(as_text(tensor.get("dtype")), 16)),
        num(span),
        num(text.number(as_number(tensor.get("mean")))),
        num(text.number(as_number(tensor.get("std")))),
    )


def _standing_out(strange: list[tuple[Map, str]]) -> Table:
    rows = tuple(
        (name(text.shorten(as_text(t.get("name")), 70)), num(shape(t.get("shape"))), Cell(why))
        for t, why in strange
    )
    caption = "Tensors that deserve attention (not necessarily wrong)"
    columns = ("Tensor", "Shape", "Why")
    return Table(caption, columns, rows, print_rows=LISTED, open=len(rows) <= LISTED)


def _stored(tensors: list[Map], weights: Map) -> str:
    """What the file holds by kind, so that the counts in the report can be reconciled."""
    roles = Counter(_role(tensor) for tensor in tensors)
    mine = roles.pop("weight", 0)
    said = [f"A tensor is one named array of numbers. The file holds {text.plural(mine, 'tensor')}"]
    said.append("of weights")
    if (total := as_count(weights.get("total"))) is not None:
        said.append(f"with {text.plural(total, 'number')} (parameters)")
    if nbytes := as_count(weights.get("bytes")):
        said.append(f"in {text.file_size(nbytes)}")
    whole = " ".join(said)
    if roles:
        others = [f"{count:,} {OTHER_TENSORS[role]}" for role, count in sorted(roles.items())]
        whole += f". The file stores {len(tensors):,} tensors in total; the others are "
        whole += text.listing(others)
    return f"{whole}."


def _role(tensor: Map) -> str:
    role = as_text(tensor.get("role")) or "weight"
    shape = tuple(tensor.get("shape") or ())
    if role == "weight" and is_seed(shape, as_text(tensor.get("dtype"))):
        return "seed"
    if role == "other" and as_text(tensor.get("name")).startswith(SECOND_NAMES):
        return "again"
    return role if role in OTHER_TENSORS or role == "weight" else "other"


def build(weights: Map) -> list[Block]:
    """How much the file stores, the tensors that deserve attention, and all tensors."""
    tensors = as_maps(weights.get("tensors"))
    if not tensors:
        return [prose("No tensor could be read from the file.", tone="note")]
    blocks: list[Block] = [prose(_stored(tensors, weights))]
    strange = [(tensor, why) for tensor in tensors if (why := _strange(tensor))]
    if strange:
        blocks.append(_standing_out(strange))
    columns = ("Tensor", "Shape", "Type", "Values", "Mean", "Std. dev.")
    rows = tuple(map(_tensor_row, tensors))
    blocks.append(Table("All tensors", columns, rows, print_rows=0, open=False))
    return blocks
