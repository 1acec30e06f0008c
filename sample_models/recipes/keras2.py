"""Samples written by Keras 2 (tf_keras), as most published models are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tf_keras

from recipes.data import SIDE, Split
from recipes.keras3 import keras_predict
from recipes.measure import Predict
from recipes.nets import conv_net, train
from recipes.sample import Sample, broken, upright_only

WRITER = f"tf-keras {tf_keras.__version__}"


def build(split: Split, out: Path) -> Iterator[Sample]:
    """Write every Keras 2 sample into `out`."""
    yield _teachable(split, out)
    yield _statistics_lost(split, out)


def _teachable(split: Split, out: Path) -> Sample:
    """Nest models as browser-based trainers do: a depthwise trunk, then a small dense head."""
    net = tf_keras.Sequential([_depthwise_trunk(), _dense_head()], name="sequential_4")
    train(tf_keras, net, split.train_x, split.train_y, epochs=40)
    folder = out / "teachable_digits"
    folder.mkdir()
    net.save(folder / "keras_model.h5")
    labels = "".join(f"{digit} Digit {digit}\n" for digit in range(10))
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
    return Sample(
        "teachable_digits/keras_model.h5",
        "Keras HDF5",
        "intact, but Keras 3 rejects it: DepthwiseConv2D has the Keras 2 option `groups`",
        WRITER,
        WRITER,
        _load_refused_by_keras3,
        upright_only,
    )


def _depthwise_trunk() -> Any:
    layers = tf_keras.layers
    image = layers.Input((SIDE, SIDE, 1), name="input_1")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="Conv1")(image)
    x = layers.BatchNormalization(name="bn_Conv1")(x)
    x = layers.ReLU(6.0, name="Conv1_relu")(x)
    for block, width in enumerate((32, 64), start=1):
        x = layers.MaxPooling2D(name=f"block_{block}_pool")(x)
        x = layers.DepthwiseConv2D(
            3, padding="same", use_bias=False, name=f"block_{block}_depthwise"
        )(x)
        x = layers.BatchNormalization(name=f"block_{block}_depthwise_BN")(x)
        x = layers.ReLU(6.0, name=f"block_{block}_depthwise_relu")(x)
        x = layers.Conv2D(width, 1, use_bias=False, name=f"block_{block}_project")(x)
        x = layers.BatchNormalization(name=f"block_{block}_project_BN")(x)
        x = layers.ReLU(6.0, name=f"block_{block}_project_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return tf_keras.Sequential([tf_keras.Model(image, x, name="model1")], name="sequential_1")


def _dense_head() -> Any:
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(50, activation="relu", name="dense_Dense1"),
            layers.Dense(10, activation="softmax", use_bias=False, name="dense_Dense2"),
        ],
        name="sequential_3",
    )


def _load_refused_by_keras3(path: Path) -> Predict:
    try:
        keras.models.load_model(path, compile=False)
    except (TypeError, ValueError) as refused:
        if "groups" not in str(refused):
            raise
    else:
        raise RuntimeError(f"{path.name}: Keras 3 loaded it")
    return _load_keras2(path)


def _statistics_lost(split: Split, out: Path) -> Sample:
    """Copy only the *trainable* variables: batch normalization keeps mean 0 and variance 1."""
    trained = train(tf_keras, conv_net(tf_keras), split.train_x, split.train_y)
    copied = conv_net(tf_keras)
    for target, source in zip(copied.trainable_variables, trained.trainable_variables, strict=True):
        target.assign(source)
    copied.save(out / "digits_statistics_lost", save_format="tf")
    return Sample(
        "digits_statistics_lost",
        "SavedModel, Keras 2",
        "batch normalization statistics lost: moving mean 0, moving variance 1, the rest trained",
        WRITER,
        WRITER,
        _load_keras2,
        broken,
    )


def _load_keras2(path: Path) -> Predict:
    return keras_predict(tf_keras.models.load_model(os.fspath(path), compile=False))
