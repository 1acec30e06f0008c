"""Convolutions with nothing but a batch normalization and a pooling before a Dense layer."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = [rule("MA309")]


def network(keras, *, last, pooling="GlobalAveragePooling2D"):
    layers = keras.layers
    keras.utils.set_random_seed(3)
    body = [layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    body += [layers.Conv2D(8, 3, name="bare"), layers.BatchNormalization(name="norm")]
    body += [layers.Activation("relu")] if last else []
    return sequential(
        keras, (12, 12, 1), *body, getattr(layers, pooling)(), layers.Dense(3, "softmax")
    )


@pytest.mark.parametrize("pooling", ["GlobalAveragePooling2D", "Flatten"])
def test_a_convolution_that_only_a_normalization_follows(keras, tmp_path, pooling):
    for suffix in ("keras", "h5"):
        path = tmp_path / f"m.{suffix}"
        model = network(keras, last=False, pooling=pooling)
        model.save(path)
        (only,) = found(RULES, path)
        assert (only.location.route, str(only.severity)) == ("bare", "low")
        assert "behind `norm`" in only.fix and "keras.layers.ReLU()" in only.fix
        network(keras, last=True, pooling=pooling).save(path)
        assert found(RULES, path) == []


def test_what_is_said_is_linear_in_the_convolution_s_input(keras, tmp_path):
    """The layers from `bare` to the scores add up as linear functions do, but for a constant."""
    model = network(keras, last=False)
    start = [layer.name for layer in model.layers].index("bare")
    dense = model.layers[-1]
    dense.activation = keras.activations.linear
    draw = np.random.default_rng(0)
    one, two = (draw.normal(size=(4, 10, 10, 6)).astype("float32") for _ in "ab")

    def given(x):
        for layer in model.layers[start:]:
            x = layer(x, training=False)
        return np.asarray(x)

    at_zero = given(np.zeros_like(one))
    np.testing.assert_allclose(given(one + two), given(one) + given(two) - at_zero, atol=1e-4)


def test_a_bottleneck_before_another_convolution(keras, tmp_path):
    layers = keras.layers
    body = [
        layers.Conv2D(6, 3),
        layers.BatchNormalization(),
        layers.Conv2D(24, 1, activation="relu"),
    ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    sequential(keras, (12, 12, 1), *body, *head).save(tmp_path / "m.keras")
    assert found(RULES, tmp_path / "m.keras") == []
