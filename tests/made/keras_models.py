"""Models written by Keras 3 and by Keras 2 (tf_keras), all for images of shape (8, 8, 3).

Every builder writes into `folder` and returns the scores for `x`, computed before saving.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SHAPE = (8, 8, 3)


def keras3(folder: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    """Write the Keras 3 files; the keys are their names."""
    import keras

    keras.utils.set_random_seed(1)
    plain, branches, nested = _sequential(keras), _branches(keras), _nested(keras)
    shared = _shared(keras)
    plain.save(folder / "keras3_sequential.keras")
    branches.save(folder / "keras3_branches.keras")
    nested.save(folder / "keras3_nested.keras")
    shared.save(folder / "keras3_shared.keras")
    plain.save(folder / "keras3_sequential.h5")
    nested.save(folder / "keras3_nested.h5")
    plain.save_weights(folder / "keras3_sequential.weights.h5")
    plain.export(folder / "keras3_export", format="tf_saved_model", verbose=False)
    y = _scores(plain, x)
    return {
        "keras3_sequential.keras": y,
        "keras3_branches.keras": _scores(branches, x),
        "keras3_nested.keras": _scores(nested, x),
        "keras3_shared.keras": _scores(shared, [x, x[::-1]]),
        "keras3_sequential.h5": y,
        "keras3_nested.h5": _scores(nested, x),
        "keras3_sequential.weights.h5": y,
        "keras3_export": y,
    }


def keras2(folder: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    """Write the Keras 2 files; the keys are their names."""
    import tf_keras

    tf_keras.utils.set_random_seed(2)
    plain, nested = _sequential(tf_keras), _nested(tf_keras)
    plain.compile("adam", "sparse_categorical_crossentropy")
    plain.fit(x, np.arange(len(x)) % 5, verbose=0)  # one step, for optimizer state
    plain.save(folder / "keras2_sequential.h5")
    nested.save(folder / "keras2_nested.h5")
    plain.save(folder / "keras2_sequential.keras")
    plain.save_weights(folder / "keras2_weights.h5")
    plain.save(folder / "keras2_savedmodel", save_format="tf")
    y = _scores(plain, x)
    return {
        "keras2_sequential.h5": y,
        "keras2_nested.h5": _scores(nested, x),
        "keras2_sequential.keras": y,
        "keras2_weights.h5": y,
        "keras2_savedmodel": y,
    }


def sequential_for_weights(k: ModuleType) -> Any:
    """The architecture of the weights-only files."""
    return _sequential(k)


def _scores(model: Any, x: Any) -> np.ndarray:
    return np.asarray(model(x, training=False))


def _sequential(k: ModuleType) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            layers.Input(SHAPE, name="image"),
            layers.Conv2D(4, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(5, activation="softmax", name="head"),
        ],
        name="plain",
    )


def _branches(k: ModuleType) -> Any:
    """Join a residual branch by `Add` and a strided one by `Concatenate`."""
    layers = k.layers
    image = layers.Input(SHAPE, name="image")
    stem = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(image)
    left = layers.Conv2D(4, 3, padding="same", name="left")(stem)
    joined = layers.Add(name="add")([stem, left])
    wide = layers.Conv2D(6, 5, strides=2, padding="same", name="wide")(stem)
    pooled = layers.MaxPooling2D(2, name="pool")(joined)
    both = layers.Concatenate(name="concat")([pooled, wide])
    flat = layers.Flatten(name="flatten")(both)
    return k.Model(image, layers.Dense(5, activation="softmax", name="head")(flat), name="branches")


def _nested(k: ModuleType) -> Any:
    """Put a functional trunk with a depthwise convolution inside a Sequential."""
    layers = k.layers
    image = layers.Input(SHAPE, name="trunk_image")
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(image)
    x = layers.ReLU(6.0, name="relu6")(x)
    x = layers.GlobalAveragePooling2D(name="average")(layers.Conv2D(6, 1, name="project")(x))
    trunk = k.Model(image, x, name="trunk")
    head = layers.Dense(5, activation="softmax", name="head")
    return k.Sequential([layers.Input(SHAPE, name="image"), trunk, head], name="nested")


def _shared(k: ModuleType) -> Any:
    """Call one convolution on two inputs."""
    layers = k.layers
    left, right = layers.Input(SHAPE, name="left"), layers.Input(SHAPE, name="right")
    conv = layers.Conv2D(4, 3, padding="same", activation="relu", name="twice")
    average = layers.GlobalAveragePooling2D(name="average")
    gap = layers.Subtract(name="difference")([average(conv(left)), average(conv(right))])
    return k.Model([left, right], layers.Dense(5, name="head")(gap), name="shared")
