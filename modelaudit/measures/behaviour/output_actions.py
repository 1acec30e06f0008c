"""How an output moves with its input: found, not assumed.

A steering angle changes its sign under a mirror, a left/right classifier swaps its classes, a mask
moves along. Each of these is as lawful as staying the same, and looks like a failure if the same
output is expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modelaudit.facts import Json
from modelaudit.measures.behaviour.outputs import CLASSES, comparable
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.transforms import Transform

# Another action than staying the same is believed where it leaves less than half of the variation
# and little of it (trained-for actions leave .01 to .06; see `diagnosis` for what .2 means).
_SHARE = 0.5
_EXPLAINED = 0.2
# Share of the answers that must follow an exchange of classes. Scores alone can mislead: a model
# that mistakes some mirrored images for another class explains its scores better by an exchange.
_FOLLOWED = 0.85


@dataclass(frozen=True, slots=True)
class Action:
    """`name` is invariant, odd, swap or spatial; `nfv` what is left under it.

    `detail` has what is left under every action that was tried (`nfv_invariant`, `nfv_odd` where
    some sign changes, `nfv_swap` where some classes do, `nfv_spatial` for maps), and `signs` (odd)
    or `classes` (swap: the class whose score the moved input gives where the plain one gives that
    of each class).
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
) -> Action:
    """The action on the output that best explains what a transform of the input does.

    Args:
        plain, moved: (n, ...) outputs for inputs and transformed inputs, as the model gave them.
        kind: from `outputs.output_kind`; odd is tried for regression, swap for classes, spatial
            for maps (where it goes before staying the same).
        transform: what was done to the inputs.
        noise: largest difference between repeated runs.
    """
    z, z_moved = comparable(plain, kind), comparable(moved, kind)
    same = normalised_variation(z, z_moved, noise=noise)
    detail: dict[str, Json] = {"nfv_invariant": same}
    if kind == "spatial":
        return _spatial(z, z_moved, transform, noise, same)
    if same is None or len(z) < 2:
        return Action("invariant", same, detail)
    z, z_moved = z.reshape(len(z), -1), z_moved.reshape(len(z), -1)
    other: Action | None = None
    if kind == "regression":
        signs = np.where(
            ((z - z_moved) ** 2).sum(axis=0) <= ((z + z_moved) ** 2).sum(axis=0), 1, -1
        )
        left = normalised_variation(z, z_moved * signs, noise=noise)
        if (signs < 0).any():
            detail["nfv_odd"] = left
            other = Action("odd", left, detail | {"signs": signs.tolist()})
    elif kind in CLASSES and z.shape[1] > 1:
        classes = swapped_classes(z, z_moved)
        left = normalised_variation(z, z_moved[:, classes], noise=noise)
        if (classes != np.arange(len(classes))).any():
            detail["nfv_swap"] = left
        if _exchanged(z, z_moved, classes):
            other = Action("swap", left, detail | {"classes": classes.tolist()})
    if other is None or other.nfv is None or other.nfv >= min(_SHARE * same, _EXPLAINED):
        return Action("invariant", same, detail)
    return other


def swapped_classes(z: NDArray[np.float64], z_moved: NDArray[np.float64]) -> NDArray[np.intp]:
    """(K,) the column of `z_moved` (n, K) that is nearest to each column of `z`, one to one."""
    from scipy.optimize import linear_sum_assignment  # half a second of import, needed here only

    squares = (z**2).sum(axis=0)[:, None] + (z_moved**2).sum(axis=0)[None, :]
    _, columns = linear_sum_assignment(squares - 2 * z.T @ z_moved)
    return np.asarray(columns, dtype=np.intp)


def _exchanged(
    z: NDArray[np.float64], z_moved: NDArray[np.float64], classes: NDArray[np.intp]
) -> bool:
    """The top classes of `z_moved` follow this exchange of columns, more than they stay."""
    top, moved = z.argmax(axis=1), z_moved.argmax(axis=1)
    stayed = float(np.mean(top == moved))
    followed = float(np.mean(classes[top] == moved))
    return followed >= _FOLLOWED and followed > stayed


def _spatial(
    z: NDArray[np.float64],
    z_moved: NDArray[np.float64],
    transform: Transform,
    noise: float,
    same: float | None,
) -> Action:
    """A map is expected to move along; where it has other axes than the input it cannot."""
    detail: dict[str, Json] = {"nfv_invariant": same}
    try:
        undone = transform.undo_on_output(z_moved)
    except ValueError:
        return Action("invariant", same, detail)
    left = normalised_variation(z, undone, noise=noise)
    detail["nfv_spatial"] = left
    if left is None or (same is not None and same < _SHARE * left):
        return Action("invariant", same, detail)
    return Action("spatial", left, detail)
