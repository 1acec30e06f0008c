"""Moving statistics of a size that inputs or activations should not have, and sound large ones."""

from __future__ import annotations

import pytest

from modelaudit.facts import TensorStats
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def chain(*variances: float, around: bool = False, mean: float = 0.0) -> Facts:
    """Normalizations one after another, with a dense layer before each.

    `around` adds the inputs to what the last one gets.
    """
    layers = [examples.layer("given", "InputLayer", {})]
    tensors = []
    for index, variance in enumerate(variances):
        dense, norm = f"dense_{index}", f"bn_{index}"
        before = (layers[-1].route,)
        layers.append(replace(examples.layer(dense, "Dense", {}), inbound=(before,)))
        given = (dense, "given") if around and index == len(variances) - 1 else (dense,)
        layers.append(replace(examples.layer(f"add_{index}", "Add", {}), inbound=(given,)))
        values = {"moving_mean": mean, "moving_variance": variance}
        variables = {role: f"{norm}/{role}" for role in values}
        made = examples.layer(norm, "BatchNormalization", variables)
        layers.append(replace(made, inbound=((f"add_{index}",),)))
        tensors += [
            examples.tensor(f"{norm}/{role}", (4,), TensorStats(v, v, v, 0.0, 0, 0))
            for role, v in values.items()
        ]
    return Facts(examples.model(*layers, tensors=tuple(tensors)))


def told(facts: Facts) -> list[tuple[Severity, list[str]]]:
    found = run_rule(rule("MA441"), facts).findings
    return [(each.severity, each.evidence["layers"]) for each in found]


@pytest.mark.parametrize(
    "variance", [1.0, 65535**2 / 12, 1e10, 1e12, 1e15], ids=lambda each: f"{each:.0e}"
)
def test_statistics_of_unscaled_counts_and_pixels_are_silent(variance: float) -> None:
    assert told(chain(variance, 3.0)) == []


def test_statistics_of_huge_inputs_are_a_hint() -> None:
    """Amounts of money, or impedances in SI units: the layers after them are as usual."""
    facts = chain(1e20, 3.0)
    assert told(facts) == [(Severity.LOW, ["bn_0"])]
    (found,) = run_rule(rule("MA441"), facts).findings
    assert "the inputs were not scaled, or training diverged" in found.detail
    assert told(chain(1.0, mean=-1.5e10)) == [(Severity.LOW, ["bn_0"])]


def test_huge_statistics_behind_a_normalization_are_those_of_a_diverged_training() -> None:
    facts = chain(2.0, 1e20)
    assert told(facts) == [(Severity.MEDIUM, ["bn_1"])]
    (found,) = run_rule(rule("MA441"), facts).findings
    assert "training diverged" in found.detail and "clipnorm" in found.fix
    assert told(chain(1e20, 1e20)) == [(Severity.MEDIUM, ["bn_1"]), (Severity.LOW, ["bn_0"])]


def test_inputs_that_go_around_a_normalization_stay_a_possible_cause() -> None:
    assert told(chain(2.0, 1e20, around=True)) == [(Severity.LOW, ["bn_1"])]


def test_without_an_architecture_inputs_are_a_possible_cause() -> None:
    facts = chain(2.0, 1e20)
    bare = Facts(replace(facts.artifact, architecture=None))
    assert told(bare) == [(Severity.LOW, ["bn_1"])]


def test_values_whose_square_is_infinite_are_medium() -> None:
    facts = chain(4e38)
    assert told(facts) == [(Severity.MEDIUM, ["bn_0"])]
    (found,) = run_rule(rule("MA441"), facts).findings
    assert "infinite in float32" in found.detail
