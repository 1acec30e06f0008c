"""What optimizers of TensorFlow 1 store: the powers of Adam's betas, and names of slots."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from modelaudit.facts import Artifact, Tensor
from modelaudit.thresholds.training import SAME_STEPS

BETAS = {"beta_1": 0.9, "beta_2": 0.999}
"""Adam's defaults."""

NORMAL = math.ldexp(1, -126)
"""The smallest normal float32. Smaller powers become 0 or, where rounding stops them, stay."""


def steps_of_powers(first: float, second: float) -> float | None:
    """Steps t by beta_1 ** (t + 1) and beta_2 ** (t + 1), if the betas are the defaults."""
    if not (0 <= first < 1 and NORMAL <= second < 1):
        return None
    one = math.log(max(first, NORMAL)) / math.log(BETAS["beta_1"])
    two = math.log(second) / math.log(BETAS["beta_2"])
    same = math.isclose(one, two, rel_tol=SAME_STEPS.value) or (first < NORMAL and one < two)
    return max(two - 1, 0.0) if same else None


def slot_scope(artifact: Artifact, slots: Sequence[Tensor]) -> str:
    """The scope of an optimizer, before the names of the weights that its slots are for."""
    weights = {tensor.name for tensor in artifact.tensors if tensor.role == "weight"}
    owners = [slot.name.rpartition("/")[0] for slot in slots]
    for end in [0, *(found.end() for found in re.finditer("/", owners[0]))] if owners else ():
        scope = owners[0][:end]
        if all(each.startswith(scope) and each[end:] in weights for each in owners):
            return scope
    return ""
