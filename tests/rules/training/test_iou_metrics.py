"""IoU metrics that cut probabilities to whole numbers, against Keras' own values."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training import metric_mismatches
from tests.rules.saved import codes, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def cases(k):
    """Output, loss, labels and answers that are right, and the metric of the advice."""
    logits = k.losses.BinaryCrossentropy(from_logits=True)
    right = np.arange(12) % 3
    shares = np.eye(3)[right] * 0.7 + 0.1
    sure = np.arange(12)[:, None] % 2
    chance, softmax = {"units": 1, "activation": "sigmoid"}, {"units": 3, "activation": "softmax"}
    return {
        "BinaryIoU(threshold=0.5)": (
            *(chance, "binary_crossentropy", sure, sure * 0.8 + 0.1),
            k.metrics.BinaryIoU(threshold=0.5),
        ),
        "BinaryIoU(threshold=0.0)": (
            *({"units": 1}, logits, sure, sure * 0.8 - 0.4),
            k.metrics.BinaryIoU(threshold=0.0),
        ),
        "MeanIoU(num_classes=3, sparse_y_pred=False)": (
            *(softmax, "sparse_categorical_crossentropy", right, shares),
            k.metrics.MeanIoU(num_classes=3, sparse_y_pred=False),
        ),
        "OneHotMeanIoU(num_classes=3)": (
            *(softmax, "categorical_crossentropy", np.eye(3)[right], shares),
            k.metrics.OneHotMeanIoU(num_classes=3),
        ),
    }


def test_the_metric_of_the_advice_gives_1_for_right_answers(tmp_path):
    import keras as k

    for advised, (head, loss, labels, answers, metric) in cases(k).items():
        given = k.metrics.MeanIoU(max(2, head["units"]))
        model = sequential(k, (6,), k.layers.Dense(**head), loss=loss, metrics=[given])
        model.save(tmp_path / "model.keras")
        (said,) = found(metric_mismatches.RULES, tmp_path / "model.keras")
        assert f"keras.metrics.{advised}" in said.fix
        metric.update_state(labels, answers)
        assert float(metric.result()) == pytest.approx(1)


def test_right_probabilities_score_below_a_half_as_compiled():
    import keras as k

    _, _, labels, answers, _ = cases(k)["BinaryIoU(threshold=0.5)"]
    given = k.metrics.MeanIoU(2)
    given.update_state(labels, answers)
    assert float(given.result()) < 0.5


def test_a_metric_of_the_user_is_not_that_of_keras(tmp_path):
    import keras as k

    @k.saving.register_keras_serializable("own")
    class MeanIoU(k.metrics.MeanIoU):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(y_true, y_pred > 0.5, sample_weight)

    head = k.layers.Dense(1, activation="sigmoid")
    model = sequential(k, (6,), head, loss="binary_crossentropy", metrics=[MeanIoU(2)])
    assert codes(metric_mismatches.RULES, model, tmp_path) == []


def test_accuracy_of_several_sigmoids_is_that_of_the_largest(keras, tmp_path):
    layers, told = keras.layers, ("MA320", "low")

    def through(units, activation, loss, path=tmp_path):
        last = layers.Dense(units, activation=activation)
        made = sequential(keras, (6,), last, loss=loss, metrics=["accuracy"])
        return made, codes(metric_mismatches.RULES, made, path)

    made, seen = through(5, "sigmoid", "binary_crossentropy")
    assert seen == [told]
    (said,) = found(metric_mismatches.RULES, tmp_path / "model.keras")
    inputs = np.random.default_rng(2).normal(size=(40, 6)).astype("float32")
    labels = np.eye(5, dtype="float32")[np.arange(40) % 5]
    metric = keras.metrics.CategoricalAccuracy()  # not BinaryAccuracy, as evaluate shows
    metric.update_state(labels, made.predict(inputs, verbose=0))
    assert made.evaluate(inputs, labels, verbose=0)[1] == pytest.approx(float(metric.result()))
    assert "takes the largest of 5 values" in said.detail
    for units, activation, loss in (
        (1, "sigmoid", "binary_crossentropy"),
        (5, "softmax", "categorical_crossentropy"),
    ):
        assert through(units, activation, loss)[1] == []
