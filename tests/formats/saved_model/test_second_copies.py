"""Weights that an export of Keras 3 holds twice, in a model whose layers share their names."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = importlib.import_module("keras")

    class Stack(keras.Model):
        def __init__(self):
            super().__init__()
            self.steps = [keras.layers.Dense(4, bias_initializer="normal") for _ in range(3)]

        def call(self, x):
            for step in self.steps:
                x = step(x)
            return x

    model = Stack()
    model(np.ones((1, 4)))
    path = tmp_path_factory.mktemp("export") / "m"
    model.export(str(path), verbose=False)
    return path


def test_layers_of_one_name_are_no_copies_of_each_other(exported: Path) -> None:
    artifact = read_saved_model(exported, Limits())
    assert artifact.extra["restore"]["divergent"] == []
    weights = [each for each in artifact.tensors if each.role == "weight"]
    assert len(weights) == 6
    assert len({each.sha256 for each in weights}) == 6


def test_a_copy_that_was_changed_is_told(exported: Path) -> None:
    tf = importlib.import_module("tensorflow")
    prefix = str(exported / "variables" / "variables")
    stored = tf.train.load_checkpoint(prefix)
    values = {name: stored.get_tensor(name) for name in stored.get_variable_to_shape_map()}
    changed = "_all_variables/2/.ATTRIBUTES/VARIABLE_VALUE"
    values[changed] = values[changed] + np.float32(1)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=[*values],
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(value) for value in values.values()],
    )
    (pair,) = read_saved_model(exported, Limits()).extra["restore"]["divergent"]
    assert pair["copy"] == "_all_variables/2"
    used = values[f"{pair['used']}/.ATTRIBUTES/VARIABLE_VALUE"]
    assert np.array_equal(used + np.float32(1), values[changed])
