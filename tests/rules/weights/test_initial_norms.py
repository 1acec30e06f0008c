"""Normalizations at their initial values, and what they say of the kernels before them."""

from __future__ import annotations

import pytest

from modelaudit.findings import Severity
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.weights import trained
from modelaudit.structs import replace
from tests.rules.initial_kernels import drawn, model, moved, severities

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


def test_a_normalization_at_initial_values_accuses_the_kernel_before_it():
    """Unless normalizations behind kernels that have moved are at initial values as well."""
    kernel = drawn("a", 768, None, law="truncated", initializer="HeNormal", batchnorm_initial=True)
    trained = [moved(name, bias=None, batchnorm_initial=False) for name in "bc"]
    reset = [moved(name, bias=None, batchnorm_initial=True) for name in "bc"]
    assert severities(kernel, *trained)["a"] in (HIGH, MEDIUM)
    assert severities(kernel, *reset) == {"a": LOW}


def norm(route, initial, norms):
    tests = {"law": "constant", "norms": norms, "initial": initial}
    return drawn(route, 32, initializer="Ones", **tests)


def test_a_normalization_at_initial_values_among_trained_ones_was_skipped():
    trained = (moved("b"), moved("c"))
    assert severities(norm("a", 1, 3), *trained) == {"a": HIGH}
    assert severities(norm("a", 1, 1), *trained) == {"a": HIGH}  # by the config, it was trained
    assert severities(norm("a", 2, 2), *trained) == {"a": MEDIUM}  # or moved into the next layer
    bare = replace(model(), architecture=None)
    assert severities(norm("a", 1, 1), *trained, artifact=bare) == {"a": MEDIUM}


@pytest.mark.parametrize(("units", "told"), [(1, []), (8, [HIGH])])
def test_no_restore_left_a_normalization_of_one_value_at_initial_values(units, told):
    """Its input is 0 whatever comes before, and no gradient passes: MA314 says so."""
    before = examples.layer("a", config={"units": units})
    between = examples.layer("norm", "LayerNormalization", config={}, inbound=(("a",),))
    layers = (before, between, examples.layer("b", inbound=(("norm",),)))
    shaped = (replace(each, output_shape=(None, units)) for each in layers)
    measured = Measurements(initialization=(norm("norm", 1, 2), moved("b"), moved("c")))
    facts = Facts(examples.model(*shaped), measurements=measured)
    rule = next(each for each in trained.RULES if each.code == "MA405")
    assert [each.severity for each in rule.check(rule, facts)] == told


@pytest.mark.parametrize(
    ("mean", "variance", "told"),
    [
        ([[0.0, 0.0]], [[1.0, 1.0]], True),
        ([0, 0], [1, 1], True),
        ([[0.0, 0.5]], [[1.0, 1.0]], False),
        ([{}], [1.0], False),
        ([[]], [[]], False),
    ],
)
def test_statistics_in_lists_of_lists_are_read(mean, variance, told):
    scale = examples.layer("scale", "Normalization", {}, {"mean": mean, "variance": variance})
    kernel = examples.tensor("dense/kernel", (2, 2))
    found = run_rule(rule("MA313"), Facts(examples.model(scale, tensors=(kernel,))))
    assert found.outcome.value == ("fail" if told else "pass")
