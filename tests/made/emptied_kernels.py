"""A kernel of which a penalty left little, hidden or of an output."""

from __future__ import annotations

import math

from modelaudit.facts import Json, TensorStats
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.sized_kernels import example_kernel
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

PENALTY: Json = {"class_name": "L2", "config": {"l2": 1.0}}


def emptied(share: float, penalty: Json = PENALTY, *, output: bool = False) -> list[str]:
    """Severities of MA436 on a kernel with this share of its initial spread."""
    facts = example_kernel(1.0)
    size = share * math.sqrt(2 / 128)
    names = {"kernel": "dense/kernel", "bias": "dense/bias"}
    config: dict[str, Json] = {"units": 64, "kernel_regularizer": penalty}
    layer = examples.layer("dense", "Dense", names, config)
    last = examples.layer("last", "Activation", {}, {"activation": "relu"}, (("dense",),))
    head = examples.layer("head", "Dense", {}, {"units": 2}, (("last",),))
    made = examples.model(*([layer] if output else [layer, last, head]))
    stats = TensorStats(-4 * size, 4 * size, 0.0, size, 0, 0)
    tensors = tuple(replace(each, stats=stats) for each in facts.artifact.tensors[:1])
    artifact = replace(facts.artifact, architecture=made.architecture, tensors=tensors)
    return [str(each.severity) for each in run_rule(rule("MA436"), Facts(artifact)).findings]
