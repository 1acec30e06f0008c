"""Files written by Keras, compared tensor by tensor with the live model."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from tests.made.training import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(3, name="half", dtype="bfloat16"),
        ],
        name="written",  # automatic names depend on models made by other tests
    )
    model.compile("adam", "mse")
    train(model, np.ones((4, 8, 8, 1)), np.ones((4, 3)), steps=1)
    return model


def digests(variables) -> list[str]:
    return sorted(hashlib.sha256(np.asarray(v).tobytes()).hexdigest() for v in variables)


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_every_variable_is_in_the_file_with_its_bytes(model, tmp_path, name):
    path = tmp_path / name
    (model.save_weights if "weights" in name else model.save)(path)
    artifact = read(path, Limits())
    assert artifact.complete and not artifact.problems
    assert sorted(t.sha256 for t in artifact.tensors if t.role == "weight") == digests(
        model.weights
    )
    assert {t.sha256 for t in artifact.tensors if t.role == "optimizer"} == set(
        digests(model.optimizer.variables)
    )
    halves = [t for t in artifact.tensors if t.dtype == "bfloat16" and t.role == "weight"]
    kernel = next(t for t in halves if len(t.shape) == 2)
    expected = np.asarray(model.get_layer("half").kernel).astype(np.float32)
    np.testing.assert_array_equal(kernel.source.array(), expected)


def test_legacy_file_with_bfloat16_which_keras_cannot_restore(model, tmp_path):
    """The legacy format does not store the type: the bytes are kept, but not their meaning."""
    import keras

    path = tmp_path / "m.h5"
    model.save(path)
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(path)
    artifact = read(path, Limits())
    named = {p.route for p in artifact.problems if p.evidence.get("type") == "opaque"}
    half = model.get_layer("half").weights
    assert {n for n in named if n.startswith("model_weights")} == {
        f"model_weights/{layer}" for layer in ("half/written/half/kernel", "half/written/half/bias")
    }
    assert not artifact.complete
    assert set(digests(half)) < {t.sha256 for t in artifact.tensors}
    floats = [v for v in model.weights if v.dtype == "float32"]
    assert sorted(t.sha256 for t in artifact.tensors if t.role == "weight") == digests(floats)


@pytest.mark.parametrize("swapped", [False, True])
def test_layers_with_lora_in_hdf5(keras, tmp_path, swapped):
    """`enable_lora` freezes the kernel, which moves it to the end of its layer's group."""
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(7, 6, name="words"),
            keras.layers.Conv1D(4, 3, name="conv"),
            keras.layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", name="places"),
            keras.layers.Dense(4, name="mix"),
            keras.layers.Dense(4, name="head"),
        ]
    )
    for layer in model.layers:
        layer.enable_lora(2)
    path = tmp_path / "model.h5"
    model.save(path)
    if swapped:
        with h5py.File(path, "r+") as file:
            mix, head = (file["model_weights"][name] for name in ("mix", "head"))
            mine, other = (list(group.attrs["weight_names"]) for group in (mix, head))
            for source, target, names in ((mix, head, mine), (head, mix, other)):
                for name in names:
                    target[name] = source[name][()]
            mix.attrs["weight_names"], head.attrs["weight_names"] = other, mine
    artifact = read(path, Limits())
    if swapped:
        assert artifact.extra["misordered"]
        return
    assert (artifact.extra["misordered"], artifact.extra["unclaimed"]) == ([], [])
    stored = {tensor.name: tensor for tensor in artifact.tensors}
    for layer in artifact.architecture.layers:
        for role, name in layer.variables.items():
            (live,) = (w for w in model.get_layer(layer.name).weights if w.name == role)
            np.testing.assert_array_equal(stored[name].source.array(), live.numpy())
