"""Layers that are constant by construction, in models that Keras saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture import constant_layers
from modelaudit.rules.heads import last_layers
from tests.rules.saved import codes

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = (*last_layers.RULES, *constant_layers.RULES)


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def networks(k):
    """Expected findings, and a network."""
    k.utils.set_random_seed(1)  # with others, a ReLU can be 0 for all inputs
    layers = k.layers
    dense = layers.Dense
    tower = k.Sequential([layers.Flatten(), dense(4, "tanh")])
    given = layers.Input((12, 6))
    inside, outputs = [("MA314", "medium")], [("MA305", "high")]

    def attention(scores):
        return layers.GlobalAveragePooling1D()(layers.Multiply()([given, scores]))

    flat = layers.Flatten()(given)

    def through(layer):
        x = layers.Flatten()(given)
        return dense(2)(dense(4, "relu")(layer(dense(1)(x))))

    def shares(width, cropped=0):
        """Means over 8 shares, each of all that a softmax gives, or of a part of it."""

        def means(x):
            x = layers.Softmax()(dense(width)(x))
            x = layers.Reshape((8, width // 8))(x)
            x = layers.Cropping1D((cropped, 0))(x) if cropped else x
            return layers.GlobalAveragePooling1D()(x)

        return means

    def categories(hashing):
        x = layers.Embedding(9, 4)(hashing(layers.Input((1,), dtype="int32")))
        return dense(2)(layers.Flatten()(x))

    shortcut = layers.Add()([given, dense(6)(layers.LayerNormalization()(dense(1)(given)))])
    return [
        (inside, attention(dense(1, "softmax")(given))),
        ([], attention(layers.Softmax(axis=1)(dense(1)(given)))),
        (inside, layers.GlobalAveragePooling1D()(shortcut)),
        (outputs, through(layers.LayerNormalization())),
        (outputs, through(layers.Softmax())),
        (outputs, through(layers.Rescaling(0.0))),
        (outputs, through(layers.ReLU(max_value=0.0))),
        (outputs, through(shares(8))),
        ([], through(shares(16))),
        ([], through(shares(8, cropped=1))),  # such as a class of the background
        (outputs, categories(layers.Hashing(1))),
        ([], categories(layers.Hashing(9))),
        ([], through(layers.BatchNormalization())),
        ([], through(layers.Rescaling(2.0))),
        ([], through(layers.ReLU(max_value=6.0))),
        ([], layers.LSTM(1, activation="softmax")(given)),
        (outputs, dense(2)(layers.Subtract()([flat, flat]))),
        (inside, dense(2)(layers.Concatenate()([flat, layers.Subtract()([flat, flat])]))),
        ([], dense(2)(layers.Subtract()([tower(given), tower(layers.ReLU()(given))]))),
        ([], dense(2)(layers.Subtract()(layers.LSTM(4, return_state=True)(given)[1:]))),
    ]


def test_constant_layers(k, tmp_path):
    for number, (expected, output) in enumerate(networks(k)):
        model = k.Model(k.utils.get_source_inputs(output)[0], output)
        assert (number, codes(RULES, model, tmp_path)) == (number, expected)


def test_outputs_reported_as_constant_are_constant(k):
    x = np.random.default_rng(0).normal(size=(9, 12, 6))
    for expected, output in networks(k):
        model = k.Model(k.utils.get_source_inputs(output)[0], output)
        given = np.arange(9)[:, None] if model.input.dtype == "int32" else x
        same = np.ptp(np.asarray(model(given)), axis=0).max() < 1e-6
        assert same == (expected == [("MA305", "high")])
