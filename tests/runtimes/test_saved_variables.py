"""The variables of a SavedModel alone, restored into objects of either Keras."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def made(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])


def test_lists_of_a_saved_model_match_nothing_in_keras_3(tmp_path: Path) -> None:
    """`variables` lists each weight once more, in objects of Keras 2 only."""
    import keras
    import tensorflow as tf
    import tf_keras

    model = made(tf_keras)
    model.compile("adam", "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    model.save(tmp_path / "saved", save_format="tf")
    shutil.copytree(tmp_path / "saved" / "variables", tmp_path / "alone")
    prefix = tmp_path / "alone" / "variables"
    said = {
        each.runtime.partition("==")[0]: each.predicted.value
        for each in static_facts(prefix, Settings()).predictions
        if each.call == "Checkpoint.restore"
    }
    kept = model.get_weights()
    for name, library in (("tf-keras", tf_keras), ("tf", keras)):
        other = made(library)
        tf.train.Checkpoint(other).restore(str(prefix)).expect_partial()
        same = all(map(np.array_equal, other.get_weights(), kept))
        assert said[name] == ("loads" if same else "differs")
    assert said == {"tf-keras": "loads", "tf": "differs"}
