"""States and positions of sequences, in models that Keras saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture.sequences import RULES
from tests.made.training import train
from tests.rules.saved import FORMATS, codes, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_states(k, tmp_path):
    layers = k.layers
    for layer in (
        layers.LSTM(4, stateful=True),
        layers.Bidirectional(layers.GRU(4, stateful=True)),
    ):
        given = layers.Input((12, 3), batch_size=2)
        model = k.Model(given, layers.Dense(1)(layer(given)))
        assert codes(RULES, model, tmp_path, ("keras",)) == [("MA325", "info")]


def test_one_label_for_all_positions(k, tmp_path):
    layers, dense = k.layers, k.layers.Dense
    low, info = [("MA327", "low")], [("MA327", "info")]

    def sequence(*hidden, loss="mse", units=1, shape=(12, 3), formats=FORMATS):
        model = sequential(k, shape, *hidden, dense(units), loss=loss)
        return codes(RULES, model, tmp_path, formats)

    recurrent = layers.LSTM(4, return_sequences=True)
    assert sequence(layers.Conv1D(4, 3, activation="relu")) == low
    assert sequence(layers.Conv1D(4, 12, activation="relu")) == []  # one position
    assert sequence(layers.MaxPooling1D(), recurrent) == low
    assert sequence(layers.Conv2D(4, 3), shape=(9, 9, 3)) == low
    # A value for each step of the input: of an input of such values, or where the author says so,
    # that is what is wanted.
    assert sequence(recurrent) == sequence(recurrent, loss="binary_crossentropy") == low
    series = layers.LSTM(4, return_sequences=True)
    assert sequence(series, shape=(12, 1)) == info
    each = layers.TimeDistributed(dense(1))
    model = sequential(k, (12, 3), layers.LSTM(4, return_sequences=True), each, loss="mse")
    assert codes(RULES, model, tmp_path, FORMATS) == info
    assert sequence(layers.LSTM(4)) == []
    assert sequence(layers.Conv1D(4, 3), units=5) == []
    # These raise an error for one label per input, so the labels were for positions.
    classes = {"loss": "sparse_categorical_crossentropy", "units": 2}
    assert sequence(layers.Conv1D(4, 3), **classes) == low
    assert sequence(layers.Conv1D(4, 3, padding="same"), **classes) == []
    assert sequence(layers.Conv2D(4, 3), loss="binary_crossentropy", shape=(9, 9, 3)) == low
    # Discriminators of patches, and decoders.
    patches = layers.Conv2D(1, 4, strides=2)
    assert codes(RULES, sequential(k, (32, 32, 3), patches), tmp_path) == []
    assert sequence(layers.LSTM(4), layers.RepeatVector(5), recurrent) == []
    # A shape that the author of a Lambda says: with the size of a batch, and with positions.
    archive = {"formats": ("keras",)}  # HDF5 files lack shapes behind a Lambda
    assert sequence(dense(4), _doubled(layers, (32, 4)), shape=(3,), **archive) == []
    assert sequence(layers.Conv1D(4, 3), _doubled(layers, (10, 4)), **archive) == low


def _doubled(layers, shape):
    return layers.Lambda(lambda x: x * 2, output_shape=shape)


def test_keras_compares_one_label_with_all_positions(k):
    """And so learns from each position alone, as the finding says."""
    layers = k.layers
    x, y = np.zeros((32, 12, 3)), np.arange(32.0)
    model = sequential(k, (12, 3), layers.Conv1D(4, 3), layers.Dense(1))
    train(model, x, y, steps=1)
    with pytest.raises(ValueError, match="rank"):
        hard = sequential(k, (12, 3), layers.Conv1D(4, 3), layers.Dense(1, "sigmoid"), loss="bce")
        train(hard, x, y, steps=1)
