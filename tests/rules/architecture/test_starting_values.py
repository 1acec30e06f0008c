"""Initial weights and biases that let nothing through, or too much."""

from __future__ import annotations

import pytest

from modelaudit.facts import Kernel, TensorStats
from modelaudit.findings import Outcome
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace


def hidden(activation, **config):
    return examples.layer("hidden", config={"units": 8, "activation": activation, **config})


def findings(*layers, stddev=0.5, shape=(4, 8), tensors=()):
    """Findings on layers in a row behind an input, the weights of `hidden` drawn with `stddev`."""
    drawn = {"class_name": "RandomNormal", "config": {"stddev": stddev}}
    kernel = Kernel("hidden", "hidden/kernel", "dense", "io", 0, shape, initializer=drawn)
    given = examples.layer("input", "InputLayer", {})
    facts = examples.chain(given, *layers, examples.layer("head", config={"units": 5}))
    facts = replace(facts, artifact=replace(facts.artifact, kernels=(kernel,), tensors=tensors))
    result = run_rule(rule("MA328"), facts)
    assert result.outcome in {Outcome.PASS, Outcome.FAIL}, result
    return result.findings


def test_layers_that_are_normalized_or_frozen():
    (wide,) = findings(hidden("tanh"), stddev=20.0)
    assert str(wide.severity) == "low"
    assert "too large" in wide.title
    frozen = replace(hidden("tanh"), trainable=False)
    assert findings(frozen, stddev=20.0) == ()  # random features
    norm = examples.layer("norm", "BatchNormalization", {})
    assert findings(hidden("linear"), norm, stddev=20.0) == ()


def test_a_bias_that_is_not_used():
    low = {"class_name": "Constant", "config": {"value": -20.0}}
    (dead,) = findings(hidden("relu", bias_initializer=low))
    assert "biases" in dead.title
    assert findings(hidden("relu", bias_initializer=low, use_bias=False)) == ()


@pytest.mark.parametrize("stddev", [1e200, 1.7e308, 1e-200, 5e-324])
def test_spreads_whose_squares_are_no_floats(stddev):
    (found,) = findings(hidden("relu"), stddev=stddev)
    assert ("too large" in found.title) == (stddev > 1)


def test_a_layer_without_inputs():
    assert findings(hidden("relu"), shape=(0, 8)) == ()


def test_the_advice_names_the_layer_with_the_weights():
    """An activation that is a layer of its own takes no initializer."""
    active = examples.layer("active", "Activation", {}, {"activation": "relu"})
    (found,) = findings(hidden("linear"), active, stddev=1e-9)
    assert found.location.route == "active"
    code = 'keras.layers.Dense(8, activation="relu", kernel_initializer="he_normal", name='
    assert f"{code}'hidden')" in found.fix


@pytest.mark.parametrize(("left", "severity"), [(-19.0, "medium"), (-0.5, "low")])
def test_biases_that_training_left_as_low(left, severity):
    """One that has come up shows that the layer did get gradients."""
    low = {"class_name": "Constant", "config": {"value": -20.0}}
    layer = replace(hidden("relu", bias_initializer=low), variables={"bias": "hidden/bias"})
    bias = examples.tensor("hidden/bias", (8,), TensorStats(left - 1, left, left - 0.5, 0.1, 0, 0))
    (found,) = findings(layer, tensors=(bias,))
    assert str(found.severity) == severity


def test_the_initializer_that_makes_values_small_is_named():
    """Not that of the last layer, which keeps them."""
    layers = [examples.dense(f"hidden_{n}") for n in range(6)]
    drawn = {"class_name": "RandomNormal", "config": {"stddev": 1e-3}}
    kernels = tuple(
        Kernel(
            *(layer.route, f"{layer.route}/kernel", "dense", "io", 0, (8, 8)),
            initializer=drawn if n < 5 else {"class_name": "HeNormal"},
        )
        for n, layer in enumerate(layers)
    )
    facts = examples.chain(*layers, examples.dense("head", "softmax"))
    facts = replace(facts, artifact=replace(facts.artifact, kernels=kernels))
    (found,) = run_rule(rule("MA328"), facts).findings
    assert "randomnormal makes" in found.detail
