"""Mistakes in models whose form hid them: dicts of outputs, einsum heads, own classes, ConvLSTM."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def said(path, *codes):
    facts = static_facts(path, Settings())
    found = [each for code in codes for each in run_rule(rule(code), facts).findings]
    return [(each.code, str(each.severity), each.fix or "") for each in found]


def stepped(model):
    """As after a training, so that the loss counts as used."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(100)
    for variable in model.optimizer.variables:
        if len(variable.shape) > 1:
            variable.assign(np.full(variable.shape, 1e-3))
    return model


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_losses_by_the_keys_of_a_dict_of_outputs(keras, tmp_path, name):
    layers = keras.layers

    def network(last):
        x = keras.Input((6,))
        hidden = layers.Dense(8, activation="relu")(x)
        kind = layers.Dense(4, activation=last, name="logits")(hidden)
        size = layers.Dense(1, name="number")(hidden)
        model = keras.Model(x, {"kind": kind, "size": size})
        losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
        model.compile("adam", losses, metrics={"size": ["accuracy"]})
        stepped(model).save(tmp_path / name)
        return said(tmp_path / name, "MA306", "MA319", "MA320")

    codes = [each[:2] for each in network("relu")]
    assert codes == [("MA306", "high"), ("MA320", "low")]
    assert [each[:2] for each in network("softmax")] == [("MA320", "low")]


def test_outputs_of_inner_models(keras, tmp_path):
    layers, ce = keras.layers, "sparse_categorical_crossentropy"

    def codes(model, losses):
        model.compile("adam", losses)
        stepped(model).save(tmp_path / "m.keras")
        return [each[:2] for each in said(tmp_path / "m.keras", "MA306", "MA319")]

    def two(last):
        x = keras.Input((6,))
        hidden = layers.Dense(8, activation="relu")(x)
        ends = [layers.Dense(1)(hidden), layers.Dense(4, activation=last)(hidden)]
        inner = keras.Model(x, ends, name="inner")
        given = keras.Input((6,))
        size, kind = inner(given)
        return codes(keras.Model(given, [kind, size]), [ce, "mse"])

    def steps(last):
        dense = layers.Dense(4, activation=last)
        each = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), dense])
        given = keras.Input((5, 6))
        return codes(keras.Model(given, layers.TimeDistributed(each)(given)), ce)

    assert two("relu") == steps("relu") == [("MA306", "high")]
    assert two("softmax") == steps("softmax") == []


def test_one_unit_of_an_einsum(keras, tmp_path):
    layers = keras.layers

    def network(units):
        head = layers.EinsumDense("ab,bc->ac", units, activation="softmax", bias_axes="c")
        model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), head])
        model.compile("adam", "binary_crossentropy" if units == 1 else "categorical_crossentropy")
        stepped(model).save(tmp_path / "m.keras")
        return said(tmp_path / "m.keras", "MA305", "MA306")

    ((code, severity, fix),) = [each for each in network(1) if each[0] == "MA305"]
    assert (code, severity) == ("MA305", "high")
    assert 'activation="sigmoid"' in fix
    assert network(3) == []


def test_a_convlstm_that_was_never_trained(keras, tmp_path):
    layers = keras.layers
    cells = layers.ConvLSTM2D(8, 3, padding="same")
    inner = [cells, layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(4)]
    model = keras.Sequential([keras.Input((4, 8, 8, 1)), *inner])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.save(tmp_path / "m.keras")
    assert [each[:2] for each in said(tmp_path / "m.keras", "MA404", "MA405")] == [
        ("MA404", "high")
    ]
    # Its bias starts at 0, and at 1 for the gate that forgets.
    assert np.unique(cells.cell.bias).tolist() == [0.0, 1.0]
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    model.save(tmp_path / "m.keras")
    assert said(tmp_path / "m.keras", "MA404", "MA405") == []


def test_the_head_of_a_class_of_the_users_own(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")

    class Network(tf_keras.Model):
        def __init__(self, units, last):
            super().__init__()
            self.hidden = tf_keras.layers.Dense(8, activation="relu")
            self.last = tf_keras.layers.Dense(units, activation=last)

        def call(self, x):
            return self.last(self.hidden(x))

    def network(units, last):
        model = Network(units, last)
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
        model.fit(x, (x[:, :1] > 0).astype("float32"), verbose=0)
        path = tmp_path / f"{units}{last}"
        model.save(path, save_format="tf")
        return [each[:2] for each in said(path, "MA305", "MA306")]

    assert network(1, "softmax") == [("MA305", "high")]
    assert network(1, None) == [("MA306", "medium")]
    assert network(1, "sigmoid") == []
