"""Networks that a program of TensorFlow 1 built several times in one graph, as a notebook does.

Each time, the graph numbers the names of all variables on: `Variable_6` is what `Variable` was. A
saver writes all of them, and restores each by its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Shape

_NUMBERED = re.compile(r"(?P<stem>.*[^\d_])(?:_(?P<number>\d{1,9}))?")


def earlier_copies(artifact: Artifact, kernels: Sequence[KernelInitialization]) -> frozenset[str]:
    """The kernels of earlier copies of the network that was built last, the only one trained.

    All must be variables with one name and a number. The shapes of the last ones come again and
    again before, once or more from the first on; the last cannot lead to the first, as in a network
    of equal parts.
    """
    if artifact.architecture is not None:
        return frozenset()
    named = _numbered(artifact, kernels)
    shapes = [shape for _, shape in named]
    trained = {kernel.tensor for kernel in kernels if kernel.state == "trained"}
    # A guess that does not fit proves little beside a bias that never moved.
    moved = {kernel.tensor for kernel in kernels if kernel.tests.get("bias_initial") is False}
    for length in range(2, len(named) // 2 + 1):
        first, last = shapes[-length], shapes[-1]
        if len(set(shapes[-length:])) < 2 or last[-1] == first[-2]:
            continue
        before = [name for name, _ in named[:-length]]
        again = _come_again(shapes[:-length], shapes[-length:])
        if again and trained and (trained | moved).isdisjoint(before):
            return frozenset(before)
    return frozenset()


def _numbered(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> list[tuple[str, Shape]]:
    """All kernels in the order of their numbers; none if their names are not one with numbers."""
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    found: list[tuple[int, str, Shape]] = []
    stems = set()
    for kernel in kernels:
        told = _NUMBERED.fullmatch(kernel.tensor)
        shape = shapes.get(kernel.tensor, ())
        if told is None or len(shape) < 2:
            return []
        stems.add(told["stem"])
        found.append((int(told["number"] or 0), kernel.tensor, shape))
    return [(name, shape) for _, name, shape in sorted(found)] if len(stems) == 1 else []


def _come_again(before: Sequence[Shape], last: Sequence[Shape]) -> bool:
    """Whether all of `before` are the shapes of `last`, from the first on, a copy that broke off too."""
    place, whole = 0, False
    for shape in before:
        if place == len(last) or (place and shape != last[place] and shape == last[0]):
            place = 0
        if shape != last[place]:
            return False
        place += 1
        whole = whole or place == len(last)
    return whole
