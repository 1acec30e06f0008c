"""Recurrent and embedding weights against the initializers of Keras, fresh and trained."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.measures.kernels.other_weights import frozen_variables, other_matrices
from modelaudit.measures.measure import measure
from modelaudit.settings import Limits
from tests.measures.artifacts import artifact
from tests.sharing import with_tensorflow

PROGRAM = """
import json, sys
import keras, numpy as np
L = keras.layers
keras.utils.set_random_seed(5)

def build():
    tokens = L.Input((9,), dtype="int32")
    x = L.Embedding(40, 24, name="embedding")(tokens)
    x = L.Bidirectional(L.LSTM(16, return_sequences=True), name="both")(x)
    x = L.GRU(24, name="gru")(x)
    return keras.Model(tokens, L.Dense(4, name="head")(x))

model = build()
model.save(sys.argv[1] + "/fresh.keras")
x = np.random.default_rng(0).integers(0, 40, (2048, 9))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(5e-3), loss)
model.fit(x, (x > 20).sum(1) % 4, batch_size=32, epochs=2, verbose=0)
model.save(sys.argv[1] + "/trained.keras")
gru = model.get_layer("gru").weights[1]
gru.assign(keras.initializers.Orthogonal(seed=1)(gru.shape))
model.save(sys.argv[1] + "/redrawn.keras")
model.save_weights(sys.argv[1] + "/redrawn.weights.h5")
print(json.dumps("done"))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recurrent")
    with_tensorflow("-c", PROGRAM, folder)
    return folder


def fitting(path: Path) -> dict[str, str]:
    found = measure(read(path, Limits())).initialization
    return {each.route: each.state for each in found if each.tests.get("fits") is True}


@pytest.mark.slow
def test_weights_as_drawn_are_told_from_trained_ones(models: Path) -> None:
    fresh = fitting(models / "fresh.keras")
    assert {route: state for route, state in fresh.items() if route != "head"} == {
        "embedding/embeddings": "fresh"
        if fresh["embedding/embeddings"] == "fresh"
        else "undecidable",
        "both/forward_lstm/kernel": "fresh",
        "both/forward_lstm/recurrent_kernel": "fresh",
        "both/backward_lstm/kernel": "fresh",
        "both/backward_lstm/recurrent_kernel": "fresh",
        "gru/kernel": "fresh",
        "gru/recurrent_kernel": "fresh",
    }
    assert fitting(models / "trained.keras").keys() <= {"head"}


@pytest.mark.slow
def test_one_redrawn_weight_of_a_layer_is_found(models: Path) -> None:
    assert fitting(models / "redrawn.keras").keys() - {"head"} == {"gru/recurrent_kernel"}
    alone = fitting(models / "redrawn.weights.h5")
    assert [route for route in alone if "gru" in route] == ["layers/gru/cell/recurrent_kernel"]


@pytest.mark.parametrize(("law", "fits"), [("orthogonal", True), ("glorot", True), ("t", False)])
def test_a_recurrent_kernel_of_a_checkpoint_may_start_like_other_kernels(law, fits):
    """TensorFlow's tutorials draw it as a Glorot uniform; a trained one is like neither."""
    rng = np.random.default_rng(0)
    values = {
        "orthogonal": np.linalg.qr(rng.normal(size=(96, 32)))[0].T,
        "glorot": rng.uniform(-1, 1, (32, 96)) * np.sqrt(6 / 128),
        "t": rng.standard_t(4, (32, 96)) * 0.1,
    }[law]
    (found,) = other_matrices(artifact({"cell/recurrent_kernel": values.astype("float32")}), ())
    assert found.tests["fits"] is fits


@pytest.mark.parametrize(("law", "fits"), [("keras", True), ("glorot", True), ("trained", False)])
def test_an_embedding_of_a_checkpoint_may_start_like_kernels(law, fits):
    rng = np.random.default_rng(0)
    values = {
        "keras": rng.uniform(-0.05, 0.05, (120, 16)),
        "glorot": rng.uniform(-1, 1, (120, 16)) * np.sqrt(6 / 136),
        "trained": rng.uniform(-1, 1, (120, 16)) * np.sqrt(6 / 136) + rng.normal(size=16) * 0.05,
    }[law]
    (found,) = other_matrices(artifact({"words/embeddings": values.astype("float32")}), ())
    assert found.tests["fits"] is fits


@pytest.mark.slow
@pytest.mark.parametrize("with_config", [True, False])
def test_layers_that_were_set_not_trainable_before_a_save(tmp_path, with_config):
    """The flag of a variable is that of its layer when it was built; Keras 2 lists what trains."""
    import tensorflow as tf
    import tf_keras

    class Stack(tf_keras.Model):
        def __init__(self):
            super().__init__()
            of = tf_keras.layers
            self.norms = [of.LayerNormalization(trainable=False), of.LayerNormalization()]
            self.inner = tf_keras.Sequential([of.Dense(7), of.BatchNormalization()])
            self.late, self.last = of.Dense(11), of.Dense(3)

        def call(self, x):
            for norm in self.norms:
                x = norm(x)
            return self.last(self.late(self.inner(x)))

    model = Stack()
    model(tf.zeros((2, 5)))
    model.late.trainable = False  # after it was built
    path = tmp_path / "model"
    (model.save if with_config else partial(tf.saved_model.save, model))(str(path))
    artifact = read_saved_model(path, Limits())
    frozen = frozen_variables(artifact)
    sizes = sorted(tensor.size for tensor in artifact.tensors if tensor.name in frozen)
    assert sizes == sorted(int(tf.size(each)) for each in model.non_trainable_weights)
