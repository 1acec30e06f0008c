"""Metrics of several outputs, and fixes that depend on metrics or on the layers around."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training import metric_mismatches
from tests.rules.saved import found as saved_findings
from tests.rules.test_made_designs import dense, found, layer, names

MULTI = {"class_name": "AUC", "config": {"name": "auc", "multi_label": True}}
BINARY = {"class_name": "BinaryAccuracy", "config": {"name": "binary_accuracy"}}
# What Keras 2 stores for "accuracy" under binary_crossentropy.
CHOSEN = {
    "class_name": "MeanMetricWrapper",
    "config": {"name": "accuracy", "fn": "binary_accuracy"},
}
PER_CLASS = {
    "class_name": "MeanMetricWrapper",
    "config": {"name": "binary_accuracy", "fn": "binary_accuracy"},
}


def two_outputs(k):
    given = k.layers.Input((6,))
    hidden = k.layers.Dense(8, "relu")(given)
    species = k.layers.Dense(3, "softmax", name="species")(hidden)
    mass = k.layers.Dense(1, name="mass")(hidden)
    return k.Model(given, [species, mass])


LOSSES = {"species": "sparse_categorical_crossentropy", "mass": "mse"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("kind", ["tf", "h5"])
def test_keras_2_stores_metrics_in_the_order_of_sorted_names(tmp_path, kind, wrong):
    import tf_keras

    model = two_outputs(tf_keras)
    metrics = {"species": ["accuracy"], "mass": ["accuracy" if wrong else "mae"]}
    model.compile("adam", LOSSES, metrics=metrics)
    x = np.zeros((8, 6), "float32")
    model.fit(x, {"species": np.zeros(8), "mass": np.zeros(8)}, verbose=0)
    path = tmp_path / ("model.h5" if kind == "h5" else "model")
    model.save(path)
    routes = [each.location.route for each in saved_findings(metric_mismatches.RULES, path)]
    assert routes == (["mass"] if wrong else [])


@pytest.mark.slow
@pytest.mark.parametrize("metrics", [[["accuracy"], ["mae"]], [["mae"], ["accuracy"]]])
def test_keras_3_stores_lists_of_metrics_in_the_order_of_outputs(tmp_path, metrics):
    import keras

    model = two_outputs(keras)
    model.compile("adam", [*LOSSES.values()], metrics=metrics)
    model.save(tmp_path / "model.keras")
    findings = saved_findings(metric_mismatches.RULES, tmp_path / "model.keras")
    assert [each.location.route for each in findings] == ["mass"] * (metrics[0] == ["mae"])


def test_metrics_that_judge_each_class_by_itself_ask_for_a_sigmoid():
    def head(*metrics, loss="binary_crossentropy"):
        return found("MA306", dense(5, "softmax"), training={"loss": loss, "metrics": [*metrics]})

    for metric in (MULTI, BINARY, PER_CLASS, "binary_accuracy"):
        said = head("accuracy", metric)
        assert names(said, 'activation="sigmoid"', 'loss="binary_crossentropy"') == "low"
        assert "categorical" not in said[0][1]
    single = {"class_name": "AUC", "config": {"name": "auc", "multi_label": False}}
    for metric in (single, CHOSEN, "accuracy", "categorical_accuracy"):
        assert names(head(metric), 'loss="categorical_crossentropy"') == "low"


def test_a_metric_of_two_classes_tells_them_from_a_number():
    def head(metric):
        ((_, fix),) = found(
            "MA305", dense(1, "softmax"), training={"loss": "mse", "metrics": [metric]}
        )
        return fix

    assert 'loss="binary_crossentropy"' in head("binary_accuracy")
    assert "For a number" in head("mae")


def test_a_mean_over_a_softmax_of_classes_loses_the_softmax():
    pooling = layer("GlobalAveragePooling1D", given=(None, 6, 1), shape=(None, 1))
    back = layer("Reshape", given=(None, 6), shape=(None, 6, 1), target_shape=[6, 1])
    last = dense(1, "sigmoid", name="head")
    shares = layer("Dense", units=6, activation="softmax", shape=(None, 6))
    classes = found("MA305", shares, back, pooling, last)
    assert names(classes, "Remove the softmax of `dense`") == "high"
    assert "position" not in classes[0][1]
    # Scores of positions, which a softmax makes the weights of an attention.
    scores = layer("Dense", given=(None, 6, 4), shape=(None, 6, 1), units=1, activation="linear")
    flat = layer("Flatten", given=(None, 6, 1), shape=(None, 6))
    softmax = layer("Softmax", given=(None, 6), shape=(None, 6), axis=-1)
    attention = found("MA305", scores, flat, softmax, back, pooling, last)
    assert names(attention, "To weight positions, multiply the values") == "high"


@pytest.mark.parametrize("depth", [7, 20])
def test_code_replaces_every_sigmoid_of_a_row(depth):
    first = dense(8, "sigmoid", name="first")
    row = [dense(9, "sigmoid", name=f"s{number}") for number in range(depth)]
    norm = layer("BatchNormalization")
    ((_, fix),) = found("MA315", first, norm, *row, dense(1, "linear", name="head"))
    shown = min(depth, 12)
    assert fix.count('activation="relu"') == shown and "first" not in fix and "head" not in fix
    assert fix.index("'s0'") < fix.index("'s1'")
    assert ("in 8 more" in fix) == (depth == 20)
