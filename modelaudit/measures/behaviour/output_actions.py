"""How an output transforms with its input, determined from data.

A steering angle changes its sign under mirroring, a left/right classifier swaps its classes, a mask
moves along. All of these are as valid as invariance, and would look like failures if invariance
were expected.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.facts import Json
from modelaudit.measures.behaviour.outputs import CLASSES, comparable
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.transforms import Transform
from modelaudit.thresholds.flips import ACTION_SHARE, FOLLOWED, SENSITIVE


class OutputAction(Struct, frozen=True):
    """An action on the output and the variation that remains under it.

    Attributes:
        name: invariant, odd, swap or spatial.
        nfv: remaining normalised variation; see `variation.normalised_variation`.
        detail: remaining variation for all actions tried (`nfv_invariant`, `nfv_odd` if some sign
            changes, `nfv_swap` if some classes do, `nfv_spatial` for maps), and `signs` (odd) or
            `classes` (swap: for each class of the plain output, the class of the transformed
            output with its score).
    """

    name: str
    nfv: float | None
    detail: Mapping[str, Json] = field(default_factory=dict)


def best_action(
    plain: NDArray[np.floating],
    moved: NDArray[np.floating],
    kind: str,
    transform: Transform,
    noise: float = 0.0,
) -> OutputAction:
    """The action on the output that best explains the effect of a transform of the input.

    Args:
        plain, moved: outputs for inputs and for transformed inputs, (n, ...).
        kind: result of `outputs.output_kind`. Odd is tried for regression, swap for classes,
            spatial for maps (where it has priority over invariance).
        noise: largest difference between repeated runs, in units of the output.
    """
    z, z_moved = comparable(plain, kind), comparable(moved, kind)
    same = normalised_variation(z, z_moved, noise=noise)
    detail: dict[str, Json] = {"nfv_invariant": same}
    if kind == "spatial":
        return _spatial(z, z_moved, transform, noise, same)
    if same is None or len(z) < 2:
        return OutputAction("invariant", same, detail)
    z, z_moved = z.reshape(len(z), -1), z_moved.reshape(len(z), -1)
    other: OutputAction | None = None
    if kind == "regression":
        signs = np.where(
            ((z - z_moved) ** 2).sum(axis=0) <= ((z + z_moved) ** 2).sum(axis=0), 1, -1
        )
        left = normalised_variation(z, z_moved * signs, noise=noise)
        if (signs < 0).any():
            detail["nfv_odd"] = left
            other = OutputAction("odd", left, detail | {"signs": signs.tolist()})
    elif kind in CLASSES and z.shape[1] > 1:
        classes = swapped_classes(z, z_moved)
        left = normalised_variation(z, z_moved[:, classes], noise=noise)
        if (classes != np.arange(len(classes))).any():
            detail["nfv_swap"] = left
        if _exchanged(z, z_moved, classes):
            other = OutputAction("swap", left, detail | {"classes": classes.tolist()})
    if (
        other is None
        or other.nfv is None
        or other.nfv >= min(ACTION_SHARE.value * same, SENSITIVE.value)
    ):
        return OutputAction("invariant", same, detail)
    return other


def swapped_classes(z: NDArray[np.float64], z_moved: NDArray[np.float64]) -> NDArray[np.intp]:
    """(K,) for each column of `z` the column of `z_moved` (n, K) nearest to it, one-to-one."""
    from scipy.optimize import linear_sum_assignment  # importing it takes half a second

    squares = (z**2).sum(axis=0)[:, None] + (z_moved**2).sum(axis=0)[None, :]
    _, columns = linear_sum_assignment(squares - 2 * z.T @ z_moved)
    return np.asarray(columns, dtype=np.intp)


def _exchanged(
    z: NDArray[np.float64], z_moved: NDArray[np.float64], classes: NDArray[np.intp]
) -> bool:
    """Whether the top classes follow this exchange of columns, more often than they stay."""
    top, moved = z.argmax(axis=1), z_moved.argmax(axis=1)
    stayed = float(np.mean(top == moved))
    followed = float(np.mean(classes[top] == moved))
    return followed >= FOLLOWED.value and followed > stayed


def _spatial(
    z: NDArray[np.float64],
    z_moved: NDArray[np.float64],
    transform: Transform,
    noise: float,
    same: float | None,
) -> OutputAction:
    """A map is expected to move along, unless its axes differ from those of the input."""
    detail: dict[str, Json] = {"nfv_invariant": same}
    try:
        undone = transform.undo_on_output(z_moved)
    except ValueError:
        return OutputAction("invariant", same, detail)
    left = normalised_variation(z, undone, noise=noise)
    detail["nfv_spatial"] = left
    if left is None or (same is not None and same < ACTION_SHARE.value * left):
        return OutputAction("invariant", same, detail)
    return OutputAction("spatial", left, detail)
