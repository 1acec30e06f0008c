"""Metrics of several classes, against what Keras counts of the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training import metric_mismatches
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
BCE, CCE = "binary_crossentropy", "categorical_crossentropy"


def compiled(k, units, last, loss, metrics):
    head = k.layers.Dense(units, activation=last)
    return sequential(k, (4,), head, loss=loss, optimizer="sgd", metrics=metrics)


def said(model, path, suffix="keras"):
    model.save(path / f"model.{suffix}")
    return [
        (each.detail, each.fix) for each in found(metric_mismatches.RULES, path / f"model.{suffix}")
    ]


def counted(model, x, y):
    """The value of the only metric, and the answers."""
    return model.evaluate(x, y, verbose=0)[1], np.asarray(model.predict(x, verbose=0))


def inputs(labels):
    return np.random.default_rng(1).normal(size=(len(labels), 4)).astype("float32")


@pytest.mark.parametrize("metric", ["accuracy", "categorical_accuracy"])
@pytest.mark.parametrize("units", [2, 5])
def test_an_accuracy_of_several_sigmoids_takes_the_largest(tmp_path, keras, metric, units):
    labels = (np.random.default_rng(0).random((60, units)) < 0.5).astype("float32")
    model = compiled(keras, units, "sigmoid", BCE, [metric])
    model.fit(x := inputs(labels), labels, verbose=0)
    value, answers = counted(model, x, labels)
    assert value == pytest.approx((answers.argmax(1) == labels.argmax(1)).mean())
    assert units == 2 or abs(value - ((answers > 0.5) == (labels > 0.5)).mean()) > 0.02
    for suffix in ("keras", "h5"):
        ((detail, fix),) = said(model, tmp_path, suffix)
        assert f"takes the largest of {units} values" in detail
        assert '"binary_accuracy"' in fix


def test_a_binary_accuracy_of_a_softmax_counts_zeros(tmp_path, keras):
    labels = np.eye(6, dtype="float32")[np.random.default_rng(0).integers(0, 6, 60)]
    given = keras.metrics.BinaryAccuracy(name="acc")
    model = compiled(keras, 6, "softmax", BCE, [given])
    model.fit(x := inputs(labels), labels, verbose=0)
    value, answers = counted(model, x, labels)
    assert value > 0.6 > (answers.argmax(1) == labels.argmax(1)).mean()
    ((detail, fix),) = said(model, tmp_path)
    assert "counts the zeros of one-hot labels" in detail and '"categorical_accuracy"' in fix


@pytest.mark.parametrize("name", ["Precision", "Recall"])
@pytest.mark.parametrize("loss", [BCE, CCE])
def test_precision_and_recall_of_two_shares_are_the_accuracy(tmp_path, keras, name, loss):
    labels = np.eye(2, dtype="float32")[(np.random.default_rng(0).random(80) < 0.3).astype(int)]
    model = compiled(keras, 2, "softmax", loss, [getattr(keras.metrics, name)()])
    model.fit(x := inputs(labels), labels, verbose=0)
    value, answers = counted(model, x, labels)
    assert value == pytest.approx((answers.argmax(1) == labels.argmax(1)).mean())
    ((detail, fix),) = said(model, tmp_path)
    assert "equal the accuracy" in detail and f"keras.metrics.{name}(class_id=1)" in fix
    advised = compiled(keras, 2, "softmax", loss, [getattr(keras.metrics, name)(class_id=1)])
    advised.set_weights(model.get_weights())
    value, _ = counted(advised, x, labels)
    right = answers[:, 1] > 0.5
    hits = (right & (labels[:, 1] > 0.5)).sum()
    assert value == pytest.approx(
        hits / max(1, (right if name == "Precision" else labels[:, 1]).sum())
    )
    assert not said(advised, tmp_path)


@pytest.mark.parametrize(
    ("units", "last", "loss", "metric"),
    [
        (5, "sigmoid", BCE, "binary_accuracy"),
        (5, "softmax", CCE, "accuracy"),
        (5, "softmax", CCE, "Precision"),
        (1, "sigmoid", BCE, "Precision"),
        (1, "sigmoid", BCE, "accuracy"),
        (2, "softmax", CCE, "accuracy"),
    ],
)
def test_metrics_that_suit_their_classes(tmp_path, keras, units, last, loss, metric):
    model = compiled(keras, units, last, loss, [metric])
    model.fit(
        np.zeros((4, 4), "float32"), np.eye(max(units, 4), dtype="float32")[:4, :units], verbose=0
    )
    assert not said(model, tmp_path)
