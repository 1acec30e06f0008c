"""MA441: moving statistics of a size that unscaled inputs or a diverged training give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from modelaudit.facts import TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.kernels.batchnorm import BatchNormTensors, batchnorm_tensors
from modelaudit.rules import examples
from modelaudit.rules.grammar import quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.terminal_text import first_of
from modelaudit.thresholds.weights import HUGE_STATISTICS, LARGEST_SQUARED

_NORMS = Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION


def _check(rule: Rule, facts: Facts) -> Iterator[Finding]:
    sizes = {each.route: _size(each) for each in batchnorm_tensors(facts.artifact)}
    if not sizes:
        raise NotRelevant("the model has no batch normalization")
    huge = [route for route, size in sizes.items() if size > HUGE_STATISTICS.value]
    behind = [route for route in huge if _behind_another(facts, route)]
    for routes, exploded in ((behind, True), ([r for r in huge if r not in behind], False)):
        if not routes:
            continue
        size = max(sizes[route] for route in routes)
        squares = size > LARGEST_SQUARED.value
        why = (
            ", behind another normalization: the layers between enlarged them, so training diverged"
            if exploded
            else ": the inputs were not scaled, or training diverged"
        )
        more = "; their squares are infinite in float32" if squares else ""
        yield rule.finding(
            f"{first_of(quoted(routes), LISTED)} normalized values of up to about {size:.2g}{why}{more}.",
            route=routes[0],
            severity=Severity.MEDIUM if exploded or squares else rule.severity,
            evidence={
                "measured": size,
                "unit": "as the largest moving mean or standard deviation",
                "threshold": HUGE_STATISTICS.value,
                "n": len(sizes),
                "layers": [*routes],
            },
            fix=_DIVERGED if exploded else rule.fix,
        )


def _size(norm: BatchNormTensors) -> float:
    """The largest moving mean or standard deviation."""
    mean, variance = norm.mean.stats, norm.variance.stats
    means = max(abs(mean.minimum), abs(mean.maximum)) if mean else 0.0
    return max(means, math.sqrt(max(variance.maximum, 0.0)) if variance else 0.0)


def _behind_another(facts: Facts, route: str) -> bool:
    """Whether all that the layer gets comes from other normalizations."""
    graph = saved_graph(facts) if facts.artifact.architecture else None
    if graph is None or graph.get(route) is None:
        return False
    inputs = {layer.route for layer in graph.layers if not graph.calls[layer.route]}
    norms = {each.route for each in graph.layers if has(each.class_name, _NORMS)} - {route}
    return bool(graph.above([route]) & inputs) and not (
        graph.above([route], around=norms) & (inputs - norms)
    )


def norm_of_variance(variance: float) -> Callable[[], Facts]:
    """A model of one batch normalization with this moving variance in all channels."""

    def made() -> Facts:
        values = {"moving_mean": 0.5, "moving_variance": variance}
        layer = examples.layer("bn", "BatchNormalization", {role: f"bn/{role}" for role in values})
        tensors = tuple(
            examples.tensor(f"bn/{role}", (4,), TensorStats(v, v, v, 0.0, 0, 0))
            for role, v in values.items()
        )
        return Facts(examples.model(layer, tensors=tensors))

    return made


_DIVERGED = (
    "Take an earlier checkpoint, from before training diverged, or train again with a smaller "
    "learning rate or with clipped gradients: "
    '`model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), loss="mse")`.'
)

RULES = (
    Rule(
        code="MA441",
        name="huge-moving-statistics",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="A batch normalization has huge moving statistics",
        pass_title="No batch normalization has huge moving statistics",
        why="float32 no longer distinguishes whole numbers of this size, and half precision ends at "
        "65,504: a copy of the model in float16 gives infinities.",
        fix="Compare with the size of the inputs. If they are as large, scale them, for example with "
        "a `Normalization` layer, and train again. If not, training diverged: take an earlier "
        "checkpoint, or train again with a smaller learning rate or with clipped gradients.",
        check=_check,
        bad=norm_of_variance(1e20),
        good=norm_of_variance(1e9),
    ),
)
