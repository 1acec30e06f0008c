"""What training left in models of a class of the program, whose layers the config does not list."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DRAW = np.random.default_rng(0)
RULES = [rule("MA433"), rule("MA439"), rule("MA440")]


def trained(k, x, hidden):
    class Net(k.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.hidden, self.head = hidden, k.layers.Dense(3, "softmax")

        def call(self, inputs, training=None):
            return self.head(self.hidden(inputs))

        def get_config(self):
            return {}

    k.utils.set_random_seed(1)
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy")
    model(x[:2])
    return train(model, x.astype("float32"), DRAW.integers(0, 3, len(x)), steps=40)


def said(k, x, hidden, path, **options):
    trained(k, x, hidden).save(path, **options)
    return [(each.code, each.severity.value) for each in found(RULES, path)]


ROW = DRAW.normal(size=(1, 10))
VARIED = DRAW.normal(size=(96, 10))


def test_an_archive_without_layers(keras, tmp_path):
    """The shapes say which weight is a kernel and which its bias."""

    def told(x):
        hidden = keras.layers.Dense(24, "tanh")
        return said(keras, x, hidden, tmp_path / "m.keras")

    assert told(np.tile(ROW, (96, 1))) == [("MA439", "medium")]
    assert told(5000 + 3000 * VARIED) == [("MA440", "low")]
    assert told(VARIED) == []


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_layers_of_an_archive(keras, tmp_path, kind):
    def told(x):
        hidden = getattr(keras.layers, kind)(12)
        return said(keras, x, hidden, tmp_path / "m.keras")

    assert told(np.tile(ROW[:, None, :3], (96, 6, 1))) == [("MA439", "medium")]
    assert told(DRAW.normal(size=(96, 6, 3))) == []


def test_a_saved_model_whose_graph_shows_the_layers(tmp_path):
    k = pytest.importorskip("tf_keras")

    def told(x, name):
        hidden = k.layers.Dense(24, "tanh")
        return said(k, x, hidden, tmp_path / name, save_format="tf")

    assert told(np.tile(ROW, (96, 1)), "alike") == [("MA439", "high")]
    assert told(5000 + 3000 * VARIED, "large") == [("MA440", "low")]
    assert told(VARIED, "varied") == []


def test_settings_of_layers_that_a_saved_model_tells(tmp_path):
    """Keras 2 writes the config of each layer beside a class that writes none."""
    k = pytest.importorskip("tf_keras")

    def told(hidden, x):
        trained(k, x, hidden).save(tmp_path / "sm", save_format="tf")
        rules = [rule("MA310"), rule("MA315"), rule("MA322")]
        return [(each.code, each.severity.value) for each in found(rules, tmp_path / "sm")]

    steps = VARIED[:, None].repeat(4, axis=1)
    assert told(k.layers.LSTM(12, activation="relu"), steps) == [("MA315", "low")]
    assert told(k.layers.LSTM(12), steps) == []
    assert told(k.layers.Dropout(0.95), VARIED) == [("MA310", "low")]
    assert told(k.layers.Dense(24, "relu"), VARIED) == []
