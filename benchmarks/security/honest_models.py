"""Forty-two benign models: fourteen small Keras networks, each in three formats.

    python -m benchmarks.security.honest_models DIR [NETWORKS]

They contain what scanners tend to report in benign models: loops of recurrent layers, vocabularies,
random layers, several inputs and outputs, stored statistics. Nothing is trained.
"""

from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path

import keras
from keras import layers


def _image(*inner, side=16, channels=3):
    return keras.Sequential([keras.Input((side, side, channels)), *inner])


def _words(*inner):
    lookup = layers.TextVectorization(output_sequence_length=8)
    lookup.set_vocabulary(["a", "model", "reads", "these", "words"])
    return keras.Sequential([keras.Input((), dtype="string"), lookup, *inner])


def _two_inputs():
    image, number = keras.Input((16, 16, 3), name="image"), keras.Input((4,), name="number")
    flat = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(image))
    joined = layers.concatenate([flat, layers.Dense(8)(number)])
    return keras.Model([image, number], [layers.Dense(2, name="a")(joined), joined])


def _unet():
    image = keras.Input((16, 16, 1))
    down = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    deep = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(down)
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(deep)
    return keras.Model(image, layers.Conv2D(1, 1)(layers.add([down, up])))


def _attention():
    tokens = keras.Input((10,), dtype="int32")
    x = layers.Embedding(50, 16)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    return keras.Model(tokens, layers.Dense(3, activation="softmax")(x[:, 0]))


def networks():
    """Built networks by name."""
    return {
        "dense": keras.Sequential([keras.Input((8,)), layers.Dense(16), layers.Dense(2)]),
        "convolutions": _image(layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(4)),
        "separable": _image(layers.SeparableConv2D(8, 3), layers.DepthwiseConv2D(3)),
        "batch_norm": _image(layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU()),
        "augmented": _image(
            layers.RandomFlip(), layers.RandomRotation(0.1), layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3), layers.Dropout(0.5), layers.GlobalMaxPooling2D(),
        ),
        "volume": keras.Sequential([keras.Input((6, 6, 6, 1)), layers.Conv3D(4, 3)]),
        "signal": keras.Sequential(
            [keras.Input((32, 2)), layers.Conv1D(8, 5), layers.MaxPooling1D(), layers.Flatten()]
        ),
        "lstm": keras.Sequential([keras.Input((12, 4)), layers.LSTM(8), layers.Dense(1)]),
        "gru": keras.Sequential(
            [keras.Input((None,)), layers.Embedding(30, 8), layers.Bidirectional(layers.GRU(8))]
        ),
        "words": _words(layers.Embedding(10, 4), layers.GlobalAveragePooling1D(), layers.Dense(2)),
        "categories": keras.Sequential(
            [keras.Input((3,)), layers.Discretization([0.0, 1.0]),
             layers.CategoryEncoding(num_tokens=3, output_mode="multi_hot"), layers.Dense(2)]
        ),
        "two_inputs": _two_inputs(),
        "unet": _unet(),
        "attention": _attention(),
    }  # fmt: skip


def build(folder: Path, most: int | None = None) -> None:
    """Write every network, or the first ones, as `.keras`, `.h5` and SavedModel."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in islice(networks().items(), most):
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.export(os.fspath(folder / f"{name}_savedmodel"), verbose=False)


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    build(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
