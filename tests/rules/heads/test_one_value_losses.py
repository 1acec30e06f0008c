"""Losses of exclusive classes over a last axis of one value, against those of Keras 2 and 3."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHAPES = ((6, 1), (6, 4, 1), (6, 4, 5, 1))
ONE_HOT = ("CategoricalCrossentropy", "CategoricalFocalCrossentropy")


def spread(loss, labels, shape):
    """How far the loss of three outputs differs."""
    import tensorflow as tf  # Keras 2 drops axes of tensors alone, on which it trains

    draw = np.random.default_rng(5)
    outputs = [tf.constant(draw.uniform(0.1, 0.9, shape), "float32") for _ in range(3)]
    values = [float(loss(tf.constant(labels), each)) for each in outputs]
    return max(values) - min(values)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ONE_HOT)
@pytest.mark.parametrize("logits", [False, True])
def test_labels_without_the_last_axis_are_compared_across_positions(library, name, logits):
    loss = getattr(importlib.import_module(library).losses, name)(from_logits=logits)
    for shape in SHAPES:
        whole = np.random.default_rng(2).integers(0, 2, shape).astype("float32")
        assert spread(loss, whole, shape) < 1e-6
        if len(shape) > 2:
            assert spread(loss, whole[..., 0], shape) > 1e-2


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_numbers_of_classes_are_compared_across_no_positions(library):
    import tensorflow as tf

    loss = importlib.import_module(library).losses.SparseCategoricalCrossentropy()
    for shape in SHAPES:
        assert spread(loss, np.zeros(shape, "int32"), shape) < 1e-6
        if len(shape) > 2:
            with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
                spread(loss, np.zeros(shape[:-1], "int32"), shape)


def said(k, path, given, last, loss):
    model = k.Sequential([k.Input(given), *last])
    model.compile("adam", loss)
    model.optimizer.iterations.assign(500)
    model.optimizer.build(model.trainable_variables)
    model.save(path / "m.keras")
    found = run_rule(rule("MA306"), static_facts(path / "m.keras", Settings())).findings
    return [(str(each.severity), each.detail, each.fix) for each in found]


@pytest.mark.parametrize(
    ("given", "last", "severity", "constant"),
    [
        ((4,), "sigmoid", "high", True),
        ((4, 3), "sigmoid", "medium", False),
        ((4, 3), "linear", "medium", False),
        ((4, 3), "exponential", "info", False),
        ((4, 5, 3), "sigmoid", "high", False),
    ],
)
def test_only_what_is_true_of_all_labels_is_said(tmp_path, given, last, severity, constant):
    import keras

    dense = keras.layers.Dense(1, activation=last)
    ((level, detail, fix),) = said(keras, tmp_path, given, [dense], "categorical_crossentropy")
    assert level == severity
    assert ("With labels without that axis" not in detail) is constant
    assert ("single class is always 1" in detail) is constant
    assert "binary_crossentropy" in fix


def test_scores_of_positions_may_be_right(tmp_path):
    import keras

    scores = keras.losses.CategoricalCrossentropy(from_logits=True)
    ((level, detail, _),) = said(keras, tmp_path, (4, 3), [keras.layers.Dense(1)], scores)
    assert level == "info" and "compares the values of the positions" in detail


def test_numbers_of_classes_over_one_value(tmp_path):
    import keras

    dense = keras.layers.Dense(1, activation="sigmoid")
    loss = "sparse_categorical_crossentropy"
    ((level, detail, _),) = said(keras, tmp_path, (4, 3), [dense], loss)
    assert level == "high" and "does not depend on the prediction" in detail


def test_the_softmax_over_positions_that_is_advised(tmp_path):
    import keras

    layers = keras.layers
    behind = [layers.Dense(1), layers.Flatten(), layers.Softmax()]
    assert said(keras, tmp_path, (4, 3), behind, "categorical_crossentropy") == []
