"""Dictionaries of weights in checkpoints of Keras 2, which Keras 3 does not look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from tests.runtimes.restore_predictions import DATA, predicted

OF_KERAS_2 = """
import tensorflow as tf
from keras import Model, layers


class Curve(layers.Layer):
    def __init__(self):
        super().__init__()
        self.grid = tf.Variable(tf.random.normal((4,)), name="grid")

    def call(self, value):
        return tf.sin(value * self.grid)


class OfCurves(Model):
    def __init__(self):
        super().__init__()
        self.curves = [Curve() for _ in range(2)]

    def call(self, value):
        for curve in self.curves:
            value = curve(value)
        return value


class Fields(layers.Layer):
    def __init__(self):
        super().__init__()
        given = {"shape": (4, 3), "initializer": "normal"}
        self.tables = {
            "table_" + str(n): self.add_weight(name="t" + str(n), **given) for n in range(2)
        }

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(3,), initializer="normal")
        self.shift = self.add_weight(name="shift", shape=(3,), initializer="normal")

    def call(self, value):
        value = tf.matmul(value, self.tables["table_0"]) * tf.matmul(value, self.tables["table_1"])
        return value * self.scale + self.shift


class Table(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(name="t", shape=(4, 3), initializer="normal")
        self.scale = self.add_weight(name="scale", shape=(3,), initializer="normal")

    def call(self, value):
        return tf.matmul(value, self.table) * self.scale


class OfFields(Model):
    def __init__(self):
        super().__init__()
        self.fields = Fields()

    def call(self, value):
        return self.fields(value)


class OfTable(Model):
    def __init__(self):
        super().__init__()
        self.fields = Table()

    def call(self, value):
        return self.fields(value)
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["OfFields", "OfCurves", "OfTable"])
def test_dictionaries_of_weights_in_a_checkpoint_of_keras_2(tmp_path: Path, name: str) -> None:
    """Keras 2 saves them by their keys, for which Keras 3 does not look."""
    tensorflow = pytest.importorskip("tensorflow")
    path, code = tmp_path / "ckpt", tmp_path / "models.py"
    code.write_text(OF_KERAS_2)
    made = []
    for generation in ("tf_keras", "keras"):
        pytest.importorskip(generation).backend.clear_session()
        names: dict[str, Any] = {"__name__": "models"}
        text = OF_KERAS_2.replace("from keras ", f"from {generation} ")
        exec(compile(text, "models.py", "exec"), names)
        made.append(names[name]())
        made[-1](DATA)
    saved, other = made
    tensorflow.train.Checkpoint(model=saved).write(str(path))
    tensorflow.train.Checkpoint(model=other).read(str(path)).expect_partial()
    same = np.allclose(np.asarray(saved(DATA)), np.asarray(other(DATA)), atol=1e-6)
    assert same is (name == "OfTable")
    outcome = LoadOutcome.LOADS if same else LoadOutcome.DIFFERS
    assert predicted(path, code).predicted is outcome
