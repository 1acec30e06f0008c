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


def decoder(keras, *, active, window=3, joined=True, blocks=2):
    layers = keras.layers
    given = keras.Input((16, 16, 3))
    skip = layers.Conv2D(4, 3, padding="same", activation="relu")(given)
    x = layers.MaxPooling2D()(skip)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="middle")(x)
    for number in range(blocks):
        x = layers.Conv2D(8, window, padding="same", name=f"up{number}")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x) if active else x
        if number == 0:
            x = layers.UpSampling2D()(x)
            x = layers.Concatenate()([x, skip]) if joined else x
    x = layers.Conv2D(6, 3, padding="same", name="last")(x)
    return keras.Model(given, layers.Softmax()(x))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"active": False}, [("up0", "low")]),
        ({"active": False, "joined": False}, [("up0", "low")]),
        ({"active": True}, []),
        ({"active": False, "blocks": 1}, []),  # one may be a bottleneck
        ({"active": False, "window": 1}, []),  # as projections are
        ({"active": False, "window": (1, 3)}, []),  # one window in two parts
    ],
)
def test_a_row_of_normalized_convolutions_without_activation(keras, tmp_path, options, said):
    for suffix in ("keras", "h5"):
        path = tmp_path / f"m.{suffix}"
        decoder(keras, **options).save(path)
        seen = [(each.location.route, str(each.severity)) for each in found(RULES, path)]
        assert seen == said


def test_a_row_is_linear_in_what_it_gets(keras):
    """From the layer in the middle to the scores, sums add up, but for a constant."""
    model = decoder(keras, active=False)
    ends = [model.get_layer("middle").output, model.layers[1].output]
    row = keras.Model(ends, model.get_layer("last").output)
    draw = np.random.default_rng(0)

    def two():
        return [draw.normal(size=(2, *end.shape[1:])).astype("float32") for end in ends]

    one, other = two(), two()
    at_zero = np.asarray(row([0 * each for each in one]))
    both = np.asarray(row([a + b for a, b in zip(one, other, strict=True)]))
    np.testing.assert_allclose(
        both, np.asarray(row(one)) + np.asarray(row(other)) - at_zero, atol=1e-4
    )
