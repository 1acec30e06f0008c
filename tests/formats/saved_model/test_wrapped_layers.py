"""Layers of another Keras in a SavedModel: `keras_metadata.pb` lists what wraps them alone."""

from __future__ import annotations

import importlib
import shutil

import numpy as np
import pytest

from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def saved(folder, layers):
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential(layers)
    model.compile("sgd", "mse")
    model(np.ones((2, 4, 3), "float32"))
    model.save(folder, save_format="tf")
    return model


def test_wrapped_layers_are_of_the_same_save(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    others = importlib.import_module("tensorflow.python.keras.layers.recurrent")
    dense = importlib.import_module("tensorflow.python.keras.layers.core").Dense
    model = saved(tmp_path / "wrapped", [others.GRU(5), dense(2)])
    artifact = read_saved_model(tmp_path / "wrapped", Limits())
    assert [type(layer).__name__ for layer in model.layers] == ["ModuleWrapper"] * 2
    assert "foreign_metadata" not in artifact.extra
    again = tf_keras.models.load_model(tmp_path / "wrapped")
    rows = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    assert np.array_equal(again.predict(rows, verbose=0), model.predict(rows, verbose=0))

    # A smaller model was saved there before, and its file was left.
    saved(tmp_path / "smaller", [tf_keras.layers.LSTM(5)])
    saved(tmp_path / "larger", [tf_keras.layers.LSTM(5), tf_keras.layers.Dense(2)])
    shutil.copy(tmp_path / "smaller" / "keras_metadata.pb", tmp_path / "larger")
    left = read_saved_model(tmp_path / "larger", Limits())
    assert left.extra["foreign_metadata"] is True
