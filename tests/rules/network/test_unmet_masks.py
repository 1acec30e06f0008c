"""Masks that no step meets, and layers that take the wrong axis of a series, with sound twins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def told(keras, tmp_path):
    def judged(code, *layers, shape=(9, 3)):
        return codes([rule(code)], sequential(keras, shape, *layers), tmp_path)

    return judged


@pytest.mark.parametrize("value, severities", [(-1.0, ["low"]), (0.0, ["low"])])
def test_a_mask_behind_a_normalization(keras, told, tmp_path, value, severities):
    layers = keras.layers

    def read(*before):
        behind = (layers.Masking(value), layers.LSTM(4), layers.Dense(1))
        return [severity for _, severity in told("MA324", *before, *behind)]

    assert read(layers.BatchNormalization()) == severities
    (only,) = found([rule("MA324")], tmp_path / "model.keras")
    assert "before `batch_normalization" in only.fix
    assert read(layers.Dense(4)) == severities
    assert read() == read(layers.Reshape((9, 3))) == []
    assert read(layers.Rescaling(0.1)) == ([] if value == 0 else ["low"])
    after = (layers.Masking(value), layers.BatchNormalization(), layers.LSTM(4), layers.Dense(1))
    assert told("MA324", *after) == []


def test_a_mask_of_nan(keras, told):
    layers = keras.layers
    read = (layers.LSTM(4), layers.Dense(1))
    assert told("MA324", layers.Masking(math.nan), *read) == [("MA324", "medium")]
    assert told("MA324", layers.Masking(-1.0), *read) == []
    steps = np.full((1, 3, 2), math.nan)
    assert np.asarray(layers.Masking(math.nan).compute_mask(steps)).all()  # none is masked


def test_series_that_are_pooled_along_their_features(keras, told, tmp_path):
    layers = keras.layers

    def pooled(order, name="GlobalAveragePooling1D", before=None):
        pool = getattr(layers, name)(data_format=order)
        first = before or layers.Conv1D(4, 3)
        return told("MA311", first, pool, layers.Dense(1), shape=(24, 3))

    assert pooled("channels_first") == [("MA311", "low")]
    (only,) = found([rule("MA311")], tmp_path / "model.keras")
    assert "the steps for the channels" in only.detail
    assert pooled("channels_first", "GlobalMaxPooling1D") == [("MA311", "low")]
    assert pooled("channels_last") == []


def test_an_embedding_of_one_number_that_a_sequence_is_read_of(keras, told):
    layers = keras.layers

    def words(size, *behind):
        return told("MA312", layers.Embedding(50, size), *behind, layers.Dense(3), shape=(9,))

    assert words(1, layers.LSTM(4)) == [("MA312", "low")]
    assert words(1, layers.SpatialDropout1D(0.1), layers.Conv1D(4, 3)) == [("MA312", "low")]
    assert words(8, layers.LSTM(4)) == []
    assert words(1, layers.Flatten()) == []  # a weight of each word, as in a linear model


@pytest.mark.parametrize("axis, severities", [(1, ["low"]), (-1, [])])
def test_a_normalization_over_steps_behind_an_addition(keras, tmp_path, axis, severities):
    layers = keras.layers
    given = keras.Input((9, 8))
    x = layers.Dense(8)(given)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    x = layers.Dense(1)(layers.Flatten()(layers.LayerNormalization(axis=axis)(x)))
    judged = codes([rule("MA322")], keras.Model(given, x), tmp_path)
    assert [severity for _, severity in judged] == severities
