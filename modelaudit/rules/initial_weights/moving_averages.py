"""Moving averages of weights that training left behind."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact
from modelaudit.measures.kernels.other_weights import AVERAGE, STARTS
from modelaudit.rules.initial_weights.drawn_weights import USUAL, drift, exact
from modelaudit.thresholds.weights import SPREAD, UNMOVED


def stale_averages(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> tuple[list[str], int]:
    """Moving averages at initial values of a model whose weights have moved, and the number of all.

    Averages of vectors are at their initial values if they are still all 0 or all 1, and so are
    matrices of draws or of one value whose weights are none any more. Other matrices are tested
    together: a single small one may look as drawn. Averages that follow the weights are
    distributed like them, so several that look as drawn beside weights that do not are stale, too,
    whichever initializer they fit.

    Args:
        kernels: all kernels and moving averages of matrices.
    """
    stats = {tensor.name: tensor.stats for tensor in artifact.tensors if tensor.size > 1}
    constant = {name for name, each in stats.items() if each and each.constant}
    starts = {name for name in constant if (each := stats[name]) and each.minimum in STARTS}
    names = [name for name in stats if name.endswith(AVERAGE)]
    starts |= {t.name for t in artifact.tensors if len(t.shape) > 1} & constant
    still = [x for x in names if x in starts and x.removesuffix(AVERAGE) in stats.keys() - constant]
    weights, averages = averages_apart(kernels)
    others = [kernel for kernel in weights if kernel.tests.get("fits") is False]
    moved = {kernel.tensor + AVERAGE for kernel in others}
    drawn = [each for each in averages if each.tests.get("fits") is True]
    apart = [each for each in drawn if each.tensor in moved]
    usual = [each for each in drawn if each.initializer in USUAL]
    count = sum(each.weights for each in usual)
    chance = math.exp(-drift(others, SPREAD.value) * count) * len(averages)
    found: list[KernelInitialization] = []
    if still or len(apart) > max(1, len(averages) - len(drawn)):
        found = drawn
    elif others and usual and chance < UNMOVED.value:
        found = usual
    else:
        found = [each for each in apart if exact(each)]
    return still + [each.tensor for each in found], len({*names, *(x.tensor for x in averages)})


def averages_apart(
    kernels: Sequence[KernelInitialization],
) -> tuple[list[KernelInitialization], list[KernelInitialization]]:
    """The weights, and the moving averages of weights."""
    averages = [kernel for kernel in kernels if kernel.tensor.endswith(AVERAGE)]
    return [kernel for kernel in kernels if kernel not in averages], averages
