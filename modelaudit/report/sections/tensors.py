"""The tensors that a file stores: counts by kind, and which deserve attention."""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET

from modelaudit.audit_types.values import finite
from modelaudit.audit_types.weights import TensorRow, WeightsSection
from modelaudit.report.blocks import Block, Cell, Table, name, num, prose
from modelaudit.report.wording import text
from modelaudit.schema import is_seed

LISTED = 20
SECOND_NAMES = "_all_variables/"  # where Keras exports every variable again
OTHER_TENSORS = {
    "again": "that duplicate variables",
    "metric": "of metrics",
    "optimizer": "of the optimizer",
    "other": "internal to the format",
    "seed": "with random-generator state",
}


def _strange(tensor: TensorRow) -> str:
    """Why a tensor deserves attention, or an empty string."""
    said = []
    if bad := tensor.nonfinite:
        said.append(f"{bad:,} values are not finite")
    low, high, size = finite(tensor.min), finite(tensor.max), tensor.size
    zeros = tensor.zeros or 0
    if size > 1 and low is not None and low == high:
        said.append(f"every value is {text.number(low)}")
    elif size and zeros > 0.5 * size:
        said.append(f"{text.percent(zeros / size)} zeros")
    if tensor.initialization == "fresh":
        said.append("still at its initial values")
    return "; ".join(said)


def _tensor_row(tensor: TensorRow) -> tuple[Cell, ...]:
    low, high = finite(tensor.min), finite(tensor.max)
    span = f"{text.number(low)} to {text.number(high)}" if low is not None else "–"
    return (
        name(text.shorten(tensor.name, 70)),
        num(text.shape(tensor.shape)),
        Cell(text.shorten(tensor.dtype, 16)),
        num(span),
        num(text.number(finite(tensor.mean))),
        num(text.number(finite(tensor.std))),
    )


def _standing_out(strange: list[tuple[TensorRow, str]]) -> Table:
    rows = tuple(
        (name(text.shorten(t.name, 70)), num(text.shape(t.shape)), Cell(why)) for t, why in strange
    )
    caption = "Tensors that deserve attention (not necessarily wrong)"
    columns = ("Tensor", "Shape", "Why")
    return Table(caption, columns, rows, print_rows=LISTED, open=len(rows) <= LISTED)


def _stored(weights: WeightsSection) -> str:
    """What the file holds by kind, so that the counts in the report can be reconciled."""
    tensors = weights.tensors
    roles = Counter(map(_role, tensors))
    mine = roles.pop("weight", 0)
    said = [f"A tensor is one named array of numbers. The file holds {text.plural(mine, 'tensor')}"]
    said.append("of weights")
    if weights.total is not UNSET:
        said.append(f"with {text.plural(weights.total, 'number')} (parameters)")
    if weights.bytes:
        said.append(f"in {text.file_size(weights.bytes)}")
    whole = " ".join(said)
    if roles:
        others = [f"{count:,} {OTHER_TENSORS[role]}" for role, count in sorted(roles.items())]
        whole += f". The file stores {len(tensors):,} tensors in total; the others are "
        whole += text.listing(others)
    return f"{whole}."


def _role(tensor: TensorRow) -> str:
    role = tensor.role or "weight"
    if role == "weight" and is_seed(tensor.shape, tensor.dtype):
        return "seed"
    if role == "other" and tensor.name.startswith(SECOND_NAMES):
        return "again"
    return role if role in OTHER_TENSORS or role == "weight" else "other"


def build(weights: WeightsSection) -> list[Block]:
    """How much the file stores, the tensors that deserve attention, and all tensors."""
    tensors = weights.tensors
    if not tensors:
        return [prose("No tensor could be read from the file.", tone="note")]
    blocks: list[Block] = [prose(_stored(weights))]
    strange = [(tensor, why) for tensor in tensors if (why := _strange(tensor))]
    if strange:
        blocks.append(_standing_out(strange))
    columns = ("Tensor", "Shape", "Type", "Values", "Mean", "Std. dev.")
    rows = tuple(map(_tensor_row, tensors))
    blocks.append(Table("All tensors", columns, rows, print_rows=0, open=False))
    return blocks
