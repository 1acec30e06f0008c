"""Means over the positions that a softmax runs over, against what Keras answers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA305")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    ("shape", "axis", "pooling", "constant"),
    [
        ((12, 5), 1, "GlobalAveragePooling1D", True),
        ((12, 5), -2, "GlobalAveragePooling1D", True),
        ((12, 5), -1, "GlobalAveragePooling1D", False),
        ((12, 5), 1, "GlobalMaxPooling1D", False),
        ((6, 7, 5), 1, "GlobalAveragePooling2D", True),
        ((6, 7, 5), 2, "GlobalAveragePooling2D", True),
        ((6, 7, 5), 3, "GlobalAveragePooling2D", False),
    ],
)
@pytest.mark.parametrize("exported", [False, True])
def test_a_mean_over_the_axis_of_a_softmax(
    keras, tmp_path, shape, axis, pooling, constant, exported
):
    layers = keras.layers
    given = keras.Input(shape)
    shares = layers.Softmax(axis=axis, name="shares")(layers.Dense(4)(given))
    model = keras.Model(given, getattr(layers, pooling)()(shares))
    answers = model.predict(np.random.default_rng(0).normal(size=(9, *shape)), verbose=0)
    assert bool(np.ptp(answers, axis=0).max() < 1e-6) is constant
    path = tmp_path / ("exported" if exported else "m.keras")
    if exported:
        model.export(path, verbose=False)
    else:
        model.save(path)
    said = found(RULES, path)
    assert [each.severity.value for each in said] == ["high"] * constant
    assert all("Softmax(axis=-1" in each.fix for each in said)


CASES = {
    "mean of the shares": ((12, 5), -1, lambda ops, p: ops.mean(p, axis=-1), True),
    "sum of the shares": ((12, 5), -1, lambda ops, p: ops.sum(p, axis=2, keepdims=True), True),
    "mean of all": ((12, 5), -1, lambda ops, p: ops.mean(p, axis=(1, 2), keepdims=True), True),
    "mean over positions": ((12, 5), -1, lambda ops, p: ops.mean(p, axis=1), False),
    "sum over another axis": ((12, 5), 1, lambda ops, p: ops.sum(p, axis=-1), False),
    "vector": ((5,), -1, lambda ops, p: ops.mean(p, axis=1, keepdims=True), True),
    "largest": ((5,), -1, lambda ops, p: ops.max(p, axis=1, keepdims=True), False),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("saved", ["m.keras", "m.h5", "exported"])
def test_an_operation_over_the_axis_of_a_softmax(keras, tmp_path, case, saved):
    shape, axis, reduce, constant = CASES[case]
    layers = keras.layers
    given = keras.Input(shape)
    shares = layers.Softmax(axis=axis)(layers.Dense(4)(given))
    reduced = layers.Flatten()(reduce(keras.ops, shares))
    model = keras.Model(given, layers.Dense(2)(reduced))
    answers = model.predict(np.random.default_rng(0).normal(size=(9, *shape)), verbose=0)
    assert bool(np.ptp(answers, axis=0).max() < 1e-5) is constant
    path = tmp_path / saved
    if saved == "exported":
        model.export(path, verbose=False)
    else:
        model.save(path)
    said = found(RULES, path)
    assert [each.severity.value for each in said] == ["high"] * constant
    wanted = "axis=1" if len(shape) > 1 else "Remove the mean"
    assert all(wanted in each.fix for each in said)


@pytest.mark.parametrize("case", ["mean of the shares", "mean over positions", "vector"])
def test_an_operation_of_tensorflow_over_the_axis_of_a_softmax(tmp_path, case):
    tf_keras = pytest.importorskip("tf_keras")
    import tensorflow as tf

    shape, _, _, constant = CASES[case]
    axis = 1 if case == "mean over positions" else -1
    given = tf_keras.Input(shape)
    shares = tf_keras.layers.Dense(4, activation="softmax")(given)
    reduced = tf.reduce_mean(shares, axis=axis, keepdims=True)
    model = tf_keras.Model(given, tf_keras.layers.Dense(2)(reduced))
    for name in ("m.keras", "m.h5", "saved"):
        model.save(tmp_path / name)
        said = [each.severity.value for each in found(RULES, tmp_path / name)]
        assert said == ["high"] * constant, name
