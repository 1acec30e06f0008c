"""Initial weights and biases that let nothing through, or too much."""

from __future__ import annotations

import numpy as np
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


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "told"), [(1.0, True), (0.2, False)])
def test_layers_that_multiply_what_they_get(limit, told, tmp_path):
    """The growth is that of a network of Keras before training."""
    import keras

    from tests.rules.saved import found, sequential

    keras.utils.set_random_seed(2)

    def wide():
        return keras.initializers.RandomUniform(-limit, limit)

    layers = [keras.layers.Dense(90, "relu", kernel_initializer=wide()) for _ in range(3)]
    head = keras.layers.Dense(3, "softmax", name="head", kernel_initializer=wide())
    model = sequential(keras, (12,), *layers, head)
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(0).normal(size=(800, 12)).astype("float32")
    for layer in model.layers[:-1]:
        x = layer(x)
    sums = np.asarray(x) @ head.kernel.numpy()
    findings = found([rule("MA328")], tmp_path / "m.keras")
    assert bool(findings) is told
    assert (np.sqrt(np.mean(sums**2)) > 60) is np.bool_(told)
    for each in findings:
        assert each.location.route == "head" and str(each.severity) == "low"
        assert 0.5 < each.evidence["measured"] / np.sqrt(np.mean(sums**2)) < 2
        assert 'kernel_initializer="he_normal"' in each.fix


def test_layers_that_multiply_behind_a_normalization_or_a_limit():
    drawn = {"class_name": "RandomUniform", "config": {"minval": -1, "maxval": 1}}
    norm = examples.layer("norm", "BatchNormalization", {})

    def given(activation, *between):
        hidden = [examples.dense(f"hidden_{n}", activation) for n in range(4)]
        kernels = tuple(
            Kernel(
                *(each.route, f"{each.route}/kernel", "dense", "io", 0, (90, 90)), initializer=drawn
            )
            for each in hidden
        )
        layers = [hidden[0], hidden[1], *between, *hidden[2:], examples.dense("head", "softmax")]
        facts = examples.chain(examples.layer("input", "InputLayer", {}), *layers)
        facts = replace(facts, artifact=replace(facts.artifact, kernels=kernels))
        return [str(each.title) for each in run_rule(rule("MA328"), facts).findings]

    assert given("relu") == ["The initial weights of a stack are too large"]
    assert given("relu", norm) == given("tanh") == []


@pytest.mark.slow
@pytest.mark.parametrize(("low", "told"), [(0.0, True), (-1.0, False)])
def test_weights_of_one_sign_behind_values_of_one_sign(low, told, tmp_path):
    """Behind sigmoids, the sums of all units of Keras' layer are on one side for every input."""
    import keras

    from tests.rules.saved import found, sequential

    keras.utils.set_random_seed(2)
    drawn = keras.initializers.RandomUniform(low, 1.0)
    first = keras.layers.Dense(64, "sigmoid")
    second = keras.layers.Dense(64, "sigmoid", kernel_initializer=drawn, name="second")
    model = sequential(keras, (12,), first, second, keras.layers.Dense(1, "sigmoid"))
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(0).normal(size=(800, 12)).astype("float32")
    sums = np.asarray(first(x)) @ second.kernel.numpy()
    assert bool(sums.min() > 5) is told
    findings = found([rule("MA328")], tmp_path / "m.keras")
    assert [each.location.route for each in findings] == ["second"] * told
    for each in findings:
        assert abs(each.evidence["measured"]) <= np.abs(sums).mean()
