"""Attention to one position, and recurrence over one step, in exports, whose weights stay drawn."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found

RULES = [rule("MA316"), rule("MA405")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def exported(k, body, path):
    k.utils.set_random_seed(2)
    given = k.Input((14,))
    hidden = k.layers.Dense(24, "relu")(given)
    model = k.Model(given, k.layers.Dense(3, "softmax")(body(hidden)))
    model.compile(k.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(128, 14)).astype("float32")
    train(model, x, x[:, :3].argmax(axis=1), steps=200)
    model.export(path, verbose=False)
    return {each.code: each.severity.value for each in found(RULES, path)}


def test_attention_to_one_position(keras, tmp_path):
    layers = keras.layers

    def body(h):
        one = layers.Reshape((1, 24))(h)
        attended = layers.MultiHeadAttention(2, 16, name="mha")(one, one)
        return layers.Flatten()(layers.Add()([one, attended]))

    said = exported(keras, body, tmp_path / "exported")
    assert said["MA316"] == "medium"
    assert said.get("MA405", "info") == "info"


def test_recurrence_over_one_step(keras, tmp_path):
    layers = keras.layers

    def body(h):
        return layers.Bidirectional(layers.GRU(16))(layers.Reshape((1, 24))(h))

    said = exported(keras, body, tmp_path / "exported")
    assert said["MA316"] == "low"
    assert said.get("MA405", "info") == "info"
