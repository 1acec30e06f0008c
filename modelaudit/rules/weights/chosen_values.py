"""Large values that a program chose or data have: of masks, and variances of large columns."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator

from modelaudit.facts import Tensor
from modelaudit.rules.integrity.weight_owners import REAL_ROLES, last_part
from modelaudit.rules.model import Facts
from modelaudit.thresholds.weights import BEYOND_USE, ROUND, WIDEST_COLUMN

# Constants of masks: the largest float32 and float64.
LARGEST_FLOATS = (math.ldexp(1 - math.ldexp(1, -24), 128), math.nextafter(math.inf, 0))


def wide_variances(facts: Facts) -> Iterator[str]:
    """Variances of columns of large numbers, as of times in nanoseconds, whose means say so, too."""
    stored = {tensor.name: tensor.stats for tensor in facts.artifact.tensors}
    architecture = facts.artifact.architecture
    for layer in architecture.layers if architecture else ():
        if layer.class_name != "Normalization":
            continue
        name = layer.variables.get("variance", "")
        mean, variance = stored.get(layer.variables.get("mean", "")), stored.get(name)
        if mean and variance:
            size = max(abs(mean.minimum), abs(mean.maximum))
            if 0 < variance.maximum <= (WIDEST_COLUMN.value * size) ** 2:
                yield name


def for_masks(tensor: Tensor, value: float, kernels: Container[str]) -> bool:
    """Whether a program chose the value: the largest, or a round one outside of learnt weights.

    Masks and forbidden transitions have -10000 or -1e30; a flipped bit makes no round number.
    """
    learnt = tensor.name in kernels or last_part(tensor.name) in REAL_ROLES
    said = abs(float(f"{value:.6g}"))  # as far as float32 tells
    chosen = ROUND.value <= said <= BEYOND_USE.value and said == float(f"{said:.0e}")
    return abs(value) in LARGEST_FLOATS or (chosen and not learnt)
