"""Weights of layers of Keras and of those of a program, as Keras and tf-keras save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.checks.stored.plain_weights import is_plain
from modelaudit.settings import Limits


def adapted(layer: Any) -> Any:
    layer.adapt(np.ones((8, 4), "float32"))
    return layer


def nested(k: Any) -> Any:
    start = k.Input((4,))
    return k.Model(start, k.Sequential([k.layers.Dense(3), k.layers.BatchNormalization()])(start))


# Each layer of Keras with weights, and the shape of its input.
LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "Dense": (lambda k: k.layers.Dense(3), (4,)),
    "named": (lambda k: k.layers.Dense(3, name="head_of_brands"), (4,)),
    "EinsumDense": (lambda k: k.layers.EinsumDense("ab,bc->ac", 3, bias_axes="c"), (4,)),
    "Embedding": (lambda k: k.layers.Embedding(9, 4), (5,)),
    "Conv1D": (lambda k: k.layers.Conv1D(3, 2), (6, 2)),
    "Conv2D": (lambda k: k.layers.Conv2D(3, 2), (6, 6, 2)),
    "Conv3D": (lambda k: k.layers.Conv3D(3, 2), (4, 4, 4, 2)),
    "Conv2DTranspose": (lambda k: k.layers.Conv2DTranspose(3, 2), (6, 6, 2)),
    "DepthwiseConv2D": (lambda k: k.layers.DepthwiseConv2D(2), (6, 6, 2)),
    "SeparableConv2D": (lambda k: k.layers.SeparableConv2D(3, 2), (6, 6, 2)),
    "BatchNormalization": (lambda k: k.layers.BatchNormalization(), (4,)),
    "LayerNormalization": (lambda k: k.layers.LayerNormalization(), (4,)),
    "GroupNormalization": (lambda k: k.layers.GroupNormalization(2), (4,)),
    "PReLU": (lambda k: k.layers.PReLU(), (4,)),
    "Normalization": (lambda k: adapted(k.layers.Normalization()), (4,)),
    "SpectralNormalization": (lambda k: k.layers.SpectralNormalization(k.layers.Dense(3)), (4,)),
    "TimeDistributed": (lambda k: k.layers.TimeDistributed(k.layers.Dense(3)), (5, 4)),
    "SimpleRNN": (lambda k: k.layers.SimpleRNN(3), (5, 2)),
    "LSTM": (lambda k: k.layers.LSTM(3), (5, 2)),
    "GRU": (lambda k: k.layers.GRU(3), (5, 2)),
    "RNN": (lambda k: k.layers.RNN(k.layers.LSTMCell(3)), (5, 2)),
    "cells": (lambda k: k.layers.RNN([k.layers.LSTMCell(3), k.layers.GRUCell(2)]), (5, 2)),
    "Bidirectional": (lambda k: k.layers.Bidirectional(k.layers.LSTM(3)), (5, 2)),
    "ConvLSTM2D": (lambda k: k.layers.ConvLSTM2D(3, 2), (3, 6, 6, 2)),
    "Dropout": (lambda k: k.Sequential([k.layers.Dropout(0.1), k.layers.Dense(2)]), (4,)),
    "model in a model": (nested, (4,)),
}


def own(k: Any) -> Any:
    class Gated(k.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.weight = self.add_weight(shape=(shape[-1],), name="weight")
            super().build(shape)

        def call(self, value: Any) -> Any:
            return value * self.weight

    return Gated()


def own_of_layers(k: Any) -> Any:
    class Block(k.layers.Layer):  # type: ignore[misc]
        def __init__(self, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.inside = k.layers.Dense(3)

        def call(self, value: Any) -> Any:
            return self.inside(value)

    return Block()


def model_of(k: Any, make: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    """Functional, and trained for a step, so that it has an optimizer and metrics as well."""
    start = k.Input(shape, dtype="int32" if make is LAYERS["Embedding"][0] else "float32")
    model = k.Model(start, make(k)(start))
    model.compile("adam", "mse", metrics=["mae"])
    value = np.zeros((2, *shape), start.dtype if isinstance(start.dtype, str) else start.dtype.name)
    model.train_on_batch(value, np.zeros_like(model.predict(value, verbose=0)))
    return model


def saved(model: Any, folder: Path, tensorflow: ModuleType, legacy: bool) -> list[Path]:
    archive = folder / "w.weights.h5"
    model.save_weights(archive)
    paths = [archive]
    if legacy:
        model.save_weights(folder / "w.h5")
        paths.append(folder / "w.h5")
    tensorflow.train.Checkpoint(model=model).write(str(folder / "c"))
    return [*paths, folder / "c.index"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("legacy", [False, True])
def test_layers_of_keras(
    tmp_path: Path,
    name: str,
    legacy: bool,
    tensorflow: ModuleType,
    old: ModuleType,
    new: ModuleType,
) -> None:
    if legacy and name == "SpectralNormalization":  # tf-keras 2.21 cannot make it
        name = "Dense"
    model = model_of(old if legacy else new, *LAYERS[name])
    for path in saved(model, tmp_path, tensorflow, legacy):
        artifact = read(path, Limits())
        kept = [each for each in artifact.tensors if "optimizer" not in each.name]
        if len(kept) > 1:  # Keras 3 leaves cells in a list out of a checkpoint
            assert is_plain(artifact), path.name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [own, own_of_layers])
@pytest.mark.parametrize("legacy", [False, True])
def test_layers_of_a_program(
    tmp_path: Path,
    make: Callable[[Any], Any],
    legacy: bool,
    tensorflow: ModuleType,
    old: ModuleType,
    new: ModuleType,
) -> None:
    model = model_of(old if legacy else new, make, (4,))
    for path in saved(model, tmp_path, tensorflow, legacy):
        assert not is_plain(read(path, Limits())), path.name


@pytest.mark.filterwarnings("ignore")
def test_models_of_a_program(tmp_path: Path, tensorflow: ModuleType, new: ModuleType) -> None:
    class Twin(new.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.heads = new.Sequential([new.layers.Dense(3), new.layers.Dense(2)])

        def call(self, value: Any) -> Any:
            return self.heads(value)

    model = Twin()
    model(np.ones((1, 4), "float32"))
    for path in saved(model, tmp_path, tensorflow, legacy=False):
        assert not is_plain(read(path, Limits())), path.name
