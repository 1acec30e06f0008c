"""Weights of layers of the program's own, whose keys in a SavedModel lead past their layer."""

from __future__ import annotations

import pytest

from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_weights_deep_in_an_own_layer_are_its_own(tmp_path):
    k = pytest.importorskip("tf_keras")
    layers = k.layers

    class Block(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.steps = [layers.Dense(4), layers.Dense(4)]

        def call(self, x):
            for step in self.steps:
                x = step(x)
            return x

    class Stack(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.blocks = [Block(), Block()]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

        def get_config(self):
            return super().get_config()

    given = layers.Input((4,))
    model = k.Model(given, layers.Dense(2)(Stack(name="stack")(given)))
    model.save(tmp_path / "m", save_format="tf")
    artifact = read_saved_model(tmp_path / "m", Limits())
    stored = [t.name for t in artifact.tensors if t.role == "weight"]
    assert sum(name.startswith("variables/") for name in stored) == 8  # past the layer
    assert len(stored) == len(model.weights)
    assert artifact.extra["unclaimed"] == []
    assert {layer.name for layer in artifact.architecture.layers if layer.custom} == {"stack"}
