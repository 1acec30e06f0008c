"""Softmaxes over the columns of maps whose channels come first, as Keras saves them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found

RULES = [rule("MA322")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def maps(k, *last, filters=3, activation=None, order="channels_first"):
    given = k.Input((2, 8, 8) if order == "channels_first" else (8, 8, 2))
    x = k.layers.Conv2D(4, 3, padding="same", data_format=order)(given)
    x = k.layers.Conv2D(filters, 1, data_format=order, activation=activation)(x)
    for layer in last:
        x = layer(x)
    return k.Model(given, x)


def test_channels_that_come_first(k, tmp_path):
    def told(*last, **options):
        return codes(RULES, maps(k, *last, **options), tmp_path, ("keras", "h5"))

    layers = k.layers
    assert told(activation="softmax") == [("MA322", "medium")]
    assert told(layers.Activation("softmax")) == [("MA322", "medium")]
    assert told(layers.Dropout(0.1), layers.Softmax()) == [("MA322", "medium")]
    assert told(layers.Softmax(axis=1)) == []
    assert told(layers.Softmax(axis=[2, 3])) == []  # one place of each map
    assert told(layers.Permute((2, 3, 1)), layers.Softmax()) == []
    assert told(layers.Softmax(), filters=1) == []  # a place in each row
    assert told(activation="softmax", order="channels_last") == []


def test_the_layer_that_is_advised_gives_shares(k, tmp_path):
    model = maps(k, k.layers.Softmax(name="shares"))
    model.save(tmp_path / "m.keras")
    (only,) = found(RULES, tmp_path / "m.keras")
    assert "3 channels" in only.detail
    assert "keras.layers.Softmax(axis=1, name='shares')" in only.fix
    scores = np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype("float32")
    sums = {axis: np.array(k.layers.Softmax(axis=axis)(scores)).sum(1) for axis in (-1, 1)}
    assert np.allclose(sums[1], 1) and not np.allclose(sums[-1], 1)
