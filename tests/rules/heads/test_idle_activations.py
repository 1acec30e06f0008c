"""MA307: activations of what is never negative, beside networks without them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.heads.last_layers import RULES
from tests.rules.saved import FORMATS, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def said(model, path):
    """The findings on layers that change nothing, which are the same in every format."""
    seen = []
    for suffix in FORMATS:
        model.save(path / f"model.{suffix}")
        every = found(RULES, path / f"model.{suffix}")
        seen.append([x for x in every if x.code == "MA307" and "changes nothing" in x.detail])
    assert [x.detail for x in seen[0]] == [x.detail for x in seen[1]]
    return seen[0]


@pytest.mark.parametrize(
    ("first", "second", "leaks"),
    [
        ("relu", ("ReLU", {}), False),
        ("relu", ("Activation", {"activation": "relu"}), False),
        ("relu", ("LeakyReLU", {}), True),
        ("relu", ("PReLU", {"alpha_initializer": "ones"}), True),
        ("softplus", ("ELU", {}), True),
        ("relu6", ("ReLU", {}), False),
    ],
)
@pytest.mark.parametrize("between", ["", "Dropout", "MaxPooling1D"])
def test_an_activation_that_changes_nothing(keras, tmp_path, first, second, leaks, between):
    layers, (name, config) = keras.layers, second
    made = getattr(layers, name)(**config)
    options = {"Dropout": {"rate": 0.2}}.get(between, {})
    middle = [getattr(layers, between)(**options)] if between else []
    head = layers.Flatten(), layers.Dense(1)
    model = sequential(keras, (6, 4), layers.Dense(8, activation=first), *middle, made, *head)
    (finding,) = said(model, tmp_path)
    assert str(finding.severity) == "low" and ("can die" in finding.detail) == leaks
    x = np.random.default_rng(0).normal(size=(50, 6, 4)).astype("float32") * 5
    before = keras.Sequential(model.layers[:-3])(x)
    assert np.array_equal(before, made(before))  # the model answers the same without it


@pytest.mark.parametrize(
    "row",
    [
        [("Activation", {"activation": "relu"}), ("Activation", {"activation": "relu6"})],
        [("Activation", {"activation": "relu"}), ("ReLU", {"max_value": 1.0})],
        [("Activation", {"activation": "relu"}), ("ReLU", {"threshold": 0.5})],
        [("Activation", {"activation": "relu"}), ("GaussianNoise", {"stddev": 1.0}), ("ReLU", {})],
        [("Activation", {"activation": "relu"}), ("BatchNormalization", {}), ("ReLU", {})],
        [("Activation", {"activation": "relu"}), ("Activation", {"activation": "tanh"})],
        [("LeakyReLU", {}), ("ReLU", {})],
        [("ELU", {}), ("ELU", {})],
    ],
)
def test_an_activation_that_changes_something(keras, tmp_path, row):
    layers = keras.layers
    made = [getattr(layers, name)(**config) for name, config in row]
    model = sequential(keras, (4,), layers.Dense(8), *made, layers.Dense(1))
    assert said(model, tmp_path) == []


def test_a_relu_that_begins_one_of_several_ways(keras, tmp_path):
    layers = keras.layers
    given = keras.Input((4,))
    stem = layers.Dense(8, activation="relu")(given)
    way = layers.Dense(8)(layers.ReLU()(stem))
    model = keras.Model(given, layers.Dense(1)(layers.Add()([stem, way])))
    model.compile("adam", "mse")
    assert said(model, tmp_path) == []
