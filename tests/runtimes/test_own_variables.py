"""Layers with a `tf.Variable` of their own, saved by tf-keras; Keras 3 is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits


def network(keras: Any, table: bool) -> Any:
    """A layer with a bias and, if asked, a table of indices into it."""
    tensorflow = pytest.importorskip("tensorflow")

    class Window(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.bias = self.add_weight(name="bias", shape=(3,), initializer="zeros")
            if table:
                self.index = tensorflow.Variable(np.eye(3, dtype="int64"), trainable=False)
            self.built = True

        def call(self, value: Any) -> Any:
            return value + self.bias

    start = keras.layers.Input((3,))
    return keras.Model(start, keras.layers.Dense(2)(Window()(start)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("table", [False, True])
def test_a_table_of_indices(tmp_path: Path, table: bool) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "w.weights.h5"
    network(older, table).save_weights(path)
    artifact = read(path, Limits())
    asked = [
        (as_installed(find_profile(target)), LoadRequest(LoadCall.LOAD_WEIGHTS))
        for target in ("tf==2.21.0", "tf-keras==2.21.0")
    ]
    here, there = (each.predicted for each in predict_calls(artifact, asked))
    assert there is LoadOutcome.LOADS
    network(older, table).load_weights(path)
    other = network(newer, table)
    if table:
        assert here is LoadOutcome.FAILS
        with pytest.raises(ValueError, match="could not be loaded"):
            other.load_weights(path)
    else:
        assert here is LoadOutcome.LOADS
        other.load_weights(path)
