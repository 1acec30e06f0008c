"""Compares two sets of weights, matched by name, then by bytes, then by shape and order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.errors import ReadError
from modelaudit.restore.conversions import alteration
from modelaudit.restore.model import Weight, WeightComparison, sketch
from modelaudit.thresholds.restoration import FACTOR_ERROR, UNRELATED

# Upper bound on the bytes of values read in one comparison. Values only help to name what happened
# to a tensor; the digests alone show that it differs.
VALUE_BYTES = 512 << 20

Array = NDArray[Any]
Pair = tuple[Weight, Weight]


def compare(expected: Sequence[Weight], found: Sequence[Weight]) -> WeightComparison:
    """Match every expected tensor with a found one, and name the differences.

    Tensors with the same name on both sides form a pair, whatever their values. The rest is
    matched by equal bytes, and what remains by equal shape in order, if both sides have equally
    many tensors of that shape.
    """
    pairs, lost, extra = _pairs(expected, found)
    judge = _Judge(pairs)
    differing = tuple(judge.difference(pair) for pair in pairs if pair[0].sha256 != pair[1].sha256)
    return WeightComparison(
        compared=len(expected),
        identical=len(pairs) - len(differing),
        differing=differing,
        missing=tuple(weight.name for weight in lost),
        unexpected=tuple(weight.name for weight in extra),
    )


def _pairs(
    expected: Sequence[Weight], found: Sequence[Weight]
) -> tuple[list[Pair], list[Weight], list[Weight]]:
    partner: dict[int, int] = {}
    _by_name(expected, found, partner)
    _by_name_ending(expected, found, partner)
    _by_bytes(expected, found, partner)
    _by_order(expected, found, partner)
    taken = set(partner.values())
    pairs = [(weight, found[partner[i]]) for i, weight in enumerate(expected) if i in partner]
    lost = [weight for i, weight in enumerate(expected) if i not in partner]
    extra = [weight for j, weight in enumerate(found) if j not in taken]
    return pairs, lost, extra


def _by_name(expected: Sequence[Weight], found: Sequence[Weight], partner: dict[int, int]) -> None:
    """Pairs that share a name, the first names of both sides before the others."""
    taken: set[int] = set()
    places: defaultdict[str, set[int]] = defaultdict(set)
    for j, weight in enumerate(found):
        for name in weight.names:
            places[name].add(j)
    depth = max((len(weight.names) for weight in expected), default=0)
    for level in range(depth):
        for i, weight in enumerate(expected):
            if i in partner or level >= len(weight.names):
                continue
            free = places.get(weight.names[level], set()) - taken
            if len(free) == 1:
                partner[i] = free.pop()
                taken.add(partner[i])


def _by_name_ending(
    expected: Sequence[Weight], found: Sequence[Weight], partner: dict[int, int]
) -> None:
    """Pairs whose names end alike, in layer and variable: `plain/conv/kernel` and `conv/kernel`.

    What stands between these is a part of the layer: `encoder/lstm_cell/kernel`, `encoder/kernel`.
    """
    taken = set(partner.values())
    left = _endings(weight for i, weight in enumerate(expected) if i not in partner)
    right = _endings(weight for j, weight in enumerate(found) if j not in taken)
    here = {id(weight): i for i, weight in enumerate(expected)}
    there = {id(weight): j for j, weight in enumerate(found)}
    for ending, owners in left.items():
        others = right.get(ending, [])
        if len(owners) == len(others) == 1:
            i, j = here[id(owners[0])], there[id(others[0])]
            if i not in partner and j not in taken:
                partner[i] = j
                taken.add(j)


def _endings(weights: Iterable[Weight]) -> Mapping[str, list[Weight]]:
    """Weights by the last part of their names, after the first or second part before it."""
    found: defaultdict[str, list[Weight]] = defaultdict(list)
    for weight in weights:
        names = [name.split("/") for name in weight.names]
        for ending in {f"{x[at]}/{x[-1]}" for x in names for at in (-2, -3) if len(x) >= -at}:
            found[ending].append(weight)
    return found


def _by_bytes(expected: Sequence[Weight], found: Sequence[Weight], partner: dict[int, int]) -> None:
    taken = set(partner.values())
    holders: defaultdict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for j, weight in enumerate(found):
        if j not in taken:
            holders[weight.sha256, weight.shape].append(j)
    for i, weight in enumerate(expected):
        if i not in partner and (queue := holders.get((weight.sha256, weight.shape))):
            partner[i] = queue.pop(0)


def _by_order(expected: Sequence[Weight], found: Sequence[Weight], partner: dict[int, int]) -> None:
    taken = set(partner.values())
    left: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    right: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, weight in enumerate(expected):
        if i not in partner:
            left[weight.shape].append(i)
    for j, weight in enumerate(found):
        if j not in taken:
            right[weight.shape].append(j)
    for shape, rows in left.items():
        if len(rows) == len(right[shape]):
            partner.update(zip(rows, right[shape], strict=True))


class _Judge:
    """Determines what happened to the tensors of one comparison."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.left = VALUE_BYTES
        self.owners: defaultdict[tuple[str, tuple[int, ...]], list[Pair]] = defaultdict(list)
        for pair in pairs:
            self.owners[pair[0].sha256, pair[0].shape].append(pair)

    def difference(self, pair: Pair) -> TensorDifference:
        """What happened to one pair whose digests differ."""
        before, after = pair
        borrowed = self._borrowed(pair)
        if borrowed:
            return borrowed
        mine, theirs = self._values(before), self._values(after)
        how = alteration(mine, after.sha256) if mine is not None else ""
        if not how and theirs is not None:  # the inverse direction
            back = alteration(theirs, before.sha256)
            how = _INVERSE.get(back, back)
        if how:
            return TensorDifference(before.name, after.name, TensorChange.ALTERED, how)
        if before.shape != after.shape:
            how = f"{list(before.shape)} became {list(after.shape)}"
            return TensorDifference(before.name, after.name, TensorChange.RESHAPED, how)
        return _by_values(pair, mine, theirs)

    def _borrowed(self, pair: Pair) -> TensorDifference | None:
        """Swapped, or with another tensor's values. Constants do not identify a tensor."""
        before, after = pair
        owners = self.owners.get((after.sha256, after.shape), [])
        if len(owners) != 1:
            return None
        owner, there = owners[0]
        if _constant(owner) or _constant(after):
            return None
        change = TensorChange.SWAPPED if there.sha256 == before.sha256 else TensorChange.OTHER
        return TensorDifference(before.name, after.name, change, other=owner.name)

    def _values(self, weight: Weight) -> Array | None:
        """The values, if they fit in the remaining budget."""
        cost = weight.size * 8
        if weight.values is None or cost > self.left:
            return None
        self.left -= cost
        try:
            array = weight.values()
        except ReadError:
            return None
        if array is None or array.shape != weight.shape or array.dtype.kind not in "fiu":
            return None
        return array


# Alterations that are not their own inverse, and their inverses.
_INVERSE = {
    "rotated-90": "rotated-270",
    "rotated-270": "rotated-90",
    "channels-first": "channels-last",
    "channels-last": "channels-first",
}


def _constant(weight: Weight) -> bool:
    return weight.size == 1 or (weight.stats is not None and weight.stats.constant)


def _initial(weight: Weight) -> bool:
    return weight.initial is not None and weight.initial()


def _by_values(pair: Pair, mine: Array | None, theirs: Array | None) -> TensorDifference:
    before, after = pair
    how = _permuted(mine, theirs) if mine is not None and theirs is not None else ""
    a, b = _sampled(before, mine), _sampled(after, theirs)
    if a is None or b is None or a.shape != b.shape or a.size < 2:
        return _by_statistics(pair)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return TensorDifference(before.name, after.name, TensorChange.VALUES)
    norm = float(np.linalg.norm(a))
    distance = float(np.linalg.norm(b - a)) / norm if norm else None
    factor = float(a @ b) / norm**2 if norm else 0.0
    residue = float(np.linalg.norm(b - factor * a))
    if factor and residue <= FACTOR_ERROR.value * float(np.linalg.norm(b)):
        change = TensorChange.SCALED
        return TensorDifference(before.name, after.name, change, factor=factor, distance=distance)
    if how:
        return TensorDifference(
            before.name, after.name, TensorChange.PERMUTED, how, distance=distance
        )
    unrelated = abs(_correlation(a, b)) < UNRELATED.value
    change = TensorChange.INITIAL if unrelated and _initial(after) else TensorChange.VALUES
    return TensorDifference(before.name, after.name, change, distance=distance)


def _sampled(weight: Weight, values: Array | None) -> NDArray[np.float64] | None:
    """Evenly spaced values, at the same positions for every tensor of that shape."""
    if values is not None:
        return sketch(values)
    return None if weight.sketch is None else weight.sketch.astype(np.float64)


def _by_statistics(pair: Pair) -> TensorDifference:
    """Without both sides' values: compares minimum, maximum, mean and standard deviation."""
    before, after = pair
    if _initial(after):
        return TensorDifference(before.name, after.name, TensorChange.INITIAL)
    a, b = before.stats, after.stats
    if a is None or b is None or not a.std or a.nonfinite or b.nonfinite:
        return TensorDifference(before.name, after.name, TensorChange.VALUES)
    factor = b.std / a.std
    for sign in (factor, -factor):
        low, high = sorted((a.minimum * sign, a.maximum * sign))
        scale = FACTOR_ERROR.value * max(abs(low), abs(high))
        told = (low - b.minimum, high - b.maximum, a.mean * sign - b.mean)
        if factor and all(abs(gap) <= scale for gap in told):
            return TensorDifference(before.name, after.name, TensorChange.SCALED, factor=sign)
    return TensorDifference(before.name, after.name, TensorChange.VALUES)


def _permuted(a: Array, b: Array) -> str:
    """`inputs`, `outputs` or `values` if b has a's slices along that axis, reordered."""
    if a.ndim == 1:
        return "values" if np.array_equal(np.sort(a), np.sort(b)) else ""
    for name, axis in (("inputs", -2), ("outputs", -1)):
        rows, others = (np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in (a, b))
        if np.array_equal(_sorted_rows(rows), _sorted_rows(others)):
            return name
    return ""


def _sorted_rows(rows: Array) -> Array:
    """Rows sorted by their bytes: any order works if it is the same for both."""
    keys = [row.tobytes() for row in rows]
    return rows[sorted(range(len(keys)), key=keys.__getitem__)]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale else 0.0
