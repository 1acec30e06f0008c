"""Layers other than convolutions and dense ones, initialised by Keras and trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.reader import read_artifact
from modelaudit.measures.kernels.other_weights import trained_layers
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow

SUFFIXES = (".keras", ".h5")
LAYERS = {
    "LSTM": lambda keras: keras.layers.LSTM(8),
    "GRU": lambda keras: keras.layers.GRU(8),
    "SimpleRNN": lambda keras: keras.layers.SimpleRNN(8),
    "Bidirectional": lambda keras: keras.layers.Bidirectional(keras.layers.LSTM(4)),
    "normal": lambda keras: keras.layers.LSTM(8, kernel_initializer="random_normal"),
}


def routes(model, path: Path) -> list[str]:
    model.save(path)
    artifact = read_artifact(path, Settings().limits)
    tested = {kernel.route for kernel in artifact.kernels}
    return [each.route for each in trained_layers(artifact, tested)]


@pytest.mark.parametrize("name", LAYERS)
def test_initial_layers_are_fresh_and_trained_after_two_steps(keras, tensorflow, tmp_path, name):
    keras.utils.set_random_seed(3)
    layer = LAYERS[name](keras)
    model = keras.Sequential([keras.Input((6, 3)), layer, keras.layers.Dense(2)])
    for suffix in SUFFIXES:
        assert routes(model, tmp_path / f"drawn{suffix}") == []
    optimizer, rng = keras.optimizers.Adam(0.1), np.random.default_rng(0)
    model.compile(optimizer, "mse")
    x, y = rng.normal(size=(32, 6, 3)).astype("f4"), rng.normal(size=(32, 2)).astype("f4")
    for _ in range(2):
        with tensorflow.GradientTape() as tape:
            loss = tensorflow.reduce_mean(tensorflow.square(model(x, training=True) - y))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
    for suffix in SUFFIXES:
        moved = routes(model, tmp_path / f"trained{suffix}")
        assert moved, suffix
        assert all(route.startswith(layer.name) for route in moved)


def test_a_trained_embedding_exceeds_the_bound_of_its_initializer(keras, tmp_path):
    embedding = keras.layers.Embedding(20, 4)
    model = keras.Sequential([keras.Input((5,), dtype="int32"), embedding, keras.layers.Flatten()])
    assert routes(model, tmp_path / "drawn.keras") == []
    embedding.set_weights([embedding.get_weights()[0] + 0.2])
    assert routes(model, tmp_path / "trained.keras") == [embedding.name]
