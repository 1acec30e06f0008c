"""Outputs that no layer with weights gives, beside their loss, and what Keras computes."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS = np.random.default_rng(0).normal(scale=3, size=(2, 64, 4)).astype("float32")


def cosine(k, pair):
    return k.layers.Dot(1, normalize=True)(pair)


def of_length_one(k, pair):
    return k.layers.Dot(1)([k.layers.UnitNormalization()(each) for each in pair])


def any_dot(k, pair):
    return k.layers.Dot(1)(pair)


def likely(k, pair):
    return k.layers.Activation("sigmoid")(k.layers.Dot(1)(pair))


def likely_distance(k, pair):
    apart = k.ops.sum(k.ops.abs(k.ops.subtract(*pair)), axis=1, keepdims=True)
    return k.layers.Activation("sigmoid")(apart)


def near(k, pair):
    apart = k.ops.sum(k.ops.abs(k.ops.subtract(*pair)), axis=1, keepdims=True)
    return k.ops.exp(k.ops.negative(apart))


def rescaled(k, pair):
    return k.layers.Rescaling(2.0, 3.0)(k.layers.Dot(1, normalize=True)(pair))


def weighed(k, pair):
    return k.layers.Dense(1)(k.layers.Dot(1, normalize=True)(pair))


CASES = [
    (cosine, "mse", "low", (-1, 1)),
    (of_length_one, "mae", "low", (-1, 1)),
    (near, "mse", "low", (0, 1)),
    (cosine, "binary_crossentropy", "medium", (-1, 1)),
    (any_dot, "binary_crossentropy", "medium", (-np.inf, np.inf)),
    (likely_distance, "binary_crossentropy", "medium", (0.5, 1)),
    (any_dot, "mse", "", (-np.inf, np.inf)),
    (likely, "binary_crossentropy", "", (0, 1)),
    (near, "binary_crossentropy", "", (0, 1)),
    (rescaled, "mse", "", (1, 5)),
    (weighed, "mse", "", (-np.inf, np.inf)),
]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(("output", "loss", "severity", "limits"), CASES)
def test_values_beside_a_loss(library, output, loss, severity, limits, tmp_path):
    k = importlib.import_module(library)
    if library == "tf_keras" and output in (near, likely_distance):
        pytest.skip("tf_keras has no operations of its own")
    sides = [k.layers.Input((4,)) for _ in range(2)]
    model = k.Model(sides, output(k, sides))
    given = np.asarray(model.predict([*ROWS], verbose=0))
    assert given.min() >= limits[0] - 1e-6 and given.max() <= limits[1] + 1e-6
    model.compile("adam", loss)
    model.save(tmp_path / "model.keras")
    said = found([rule("MA306")], tmp_path / "model.keras")
    assert [str(each.severity) for each in said] == ([severity] if severity else [])


def test_scores_of_a_dot_are_sound_under_a_loss_of_scores(tmp_path):
    import keras as k

    sides = [k.layers.Input((4,)) for _ in range(2)]
    model = k.Model(sides, any_dot(k, sides))
    model.compile("adam", k.losses.BinaryCrossentropy(from_logits=True))
    model.save(tmp_path / "model.keras")
    assert found([rule("MA306")], tmp_path / "model.keras") == []


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_the_code_of_a_lambda_names(library, tmp_path):
    """A likeness from 0 to 1 (Mueller and Thyagarajan, 2016), and vectors of length 1."""
    import tensorflow as tf

    k = importlib.import_module(library)

    def saved(output, loss="mse"):
        sides = [k.layers.Input((4,)) for _ in range(2)]
        model = k.Model(sides, output(sides))
        model.compile("adam", loss)
        model.save(tmp_path / "model.keras")
        return [
            (str(each.severity), "names in the code" in each.detail)
            for each in found([rule("MA306")], tmp_path / "model.keras")
        ]

    def between(function, shape):
        return k.layers.Lambda(function, output_shape=shape)

    near = between(lambda x: tf.exp(-tf.reduce_sum(tf.abs(x[0] - x[1]), 1, True)), (1,))
    far = between(lambda x: tf.reduce_sum(tf.abs(x[0] - x[1]), 1, True), (1,))
    side = between(lambda x: tf.nn.l2_normalize(x, axis=1), (4,))

    def angle(pair):
        return k.layers.Dot(1)([side(each) for each in pair])

    assert saved(near) == [("low", True)]
    assert saved(near, "binary_crossentropy") == []
    assert saved(angle) == [("low", False)]
    assert saved(far) == []


def critic(*, normalize=False, loss="wasserstein_loss", upsampled=False):
    """A network that gives one score, under a function of this name."""
    layers = [examples.layer("given", "InputLayer"), examples.layer("first")]
    if upsampled:
        layers.append(examples.layer("up", "Conv2DTranspose"))
    if normalize:
        layers.append(examples.layer("norm", "BatchNormalization"))
    layers.append(examples.layer("score", config={"units": 1, "activation": "linear"}))
    saved = {"class_name": "function", "config": loss}
    findings = run_rule(rule("MA306"), examples.chain(*layers, training={"loss": saved})).findings
    return [(str(each.severity), each.location.route) for each in findings]


def test_batch_normalization_in_a_critic():
    assert critic(normalize=True) == [("low", "norm")]
    assert critic() == critic(normalize=True, loss="custom_loss") == []
    assert critic(normalize=True, upsampled=True) == []  # of a generator before it
