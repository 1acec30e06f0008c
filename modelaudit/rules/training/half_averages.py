"""MA442: averages of squared gradients that float16 rounds to 0."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from modelaudit.thresholds.optimizers import HALF_EPSILON
from modelaudit.thresholds.training import LOST_SQUARES

_SMALLEST = math.ldexp(1, -24)  # above 0, in float16
_SHAPE = (50, 20)  # of the example


def _lost(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state = optimizer_state(facts.artifact)
    tensors = facts.artifact.by_name
    kept = [
        (each, tensor)
        for each in (state.moments if state else ())
        if (tensor := tensors.get(each.squares)) is not None and tensor.dtype == "float16"
    ]
    if state is None or not kept:
        raise NotRelevant("the file has no averages of squared gradients in float16")
    epsilon = number(state.settings.get("epsilon"))
    if epsilon is not None and epsilon >= HALF_EPSILON.value:
        return  # which takes the place of a root that is rounded to 0
    alive = [(each, tensor) for each, tensor in kept if _has_gradients(each)]
    size = sum(tensor.size for _, tensor in alive)
    zeros = sum(each.zeros for each, _ in alive)
    if zeros > LOST_SQUARES.value * size:
        share = zeros / size
        yield rule.finding(
            f"{state.name or 'The optimizer'} keeps its averages in float16, in which {zeros:,} of {size:,} "
            f"averages of squared gradients are 0: the smallest number above 0 there is {_SMALLEST:.1g}. "
            "A weight with such an average does not move in a step, or by hundreds of times the learning rate.",
            route=alive[0][0].route,
            evidence={
                "measured": share,
                "unit": LOST_SQUARES.unit,
                "threshold": LOST_SQUARES.value,
                "n": size,
            },
        )


def _has_gradients(moments: WeightMoments) -> bool:
    """Whether a weight gets gradients; in a table, rows that do not occur get none."""
    return bool(moments.first) and moments.role != "embeddings"


def half(zeros: int, kind: str = "float16", epsilon: float = 1e-7) -> Facts:
    """A layer with 1,000 averages of squares in this type, of which some are 0."""
    facts = adam(("hidden", 0.001, 1e-6))
    settings: dict[str, Json] = {"learning_rate": 0.001, "epsilon": epsilon}

    def changed(tensor: Tensor) -> Tensor:
        if not tensor.shape:
            return tensor
        squares = tensor.name.endswith("/2")
        largest = 1e-6 if squares else 0.001
        low = 0.0 if squares else -largest
        stats = TensorStats(low, largest, largest / 4, largest / 3, zeros * squares, 0)
        return replace(tensor, dtype=kind, shape=_SHAPE, stats=stats)

    artifact = facts.artifact
    assert artifact.architecture is not None
    (layer,) = artifact.architecture.layers
    layers = (replace(layer, expected={"kernel": _SHAPE}),)
    artifact = replace(
        artifact,
        architecture=replace(artifact.architecture, layers=layers),
        tensors=tuple(changed(each) for each in artifact.tensors),
        training={"optimizer": {"class_name": "Adam", "config": settings}},
    )
    return replace(facts, artifact=artifact)


RULES = (
    Rule(
        code="MA442",
        name="averages-lost-to-float16",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="The optimizer's averages of squared gradients are 0 in float16",
        pass_title="Averages of squared gradients are not rounded to 0",
        why="Adam divides each step by the root of this average. Where it is rounded to 0, only epsilon is "
        "left, which is near the smallest number of float16: the step is rounded to nothing, or is far "
        "larger than the learning rate. Training with it learns little, and can destroy what was learnt.",
        fix="Train with weights and averages in float32, which computes in float16 as well:\n"
        'keras.config.set_dtype_policy("mixed_float16")  # not "float16"; before the model is built\n'
        "If all has to be in float16, use a larger epsilon:\nkeras.optimizers.Adam(0.001, epsilon=1e-4)",
        check=_lost,
        bad=lambda: half(900),
        good=lambda: half(100),
    ),
)
