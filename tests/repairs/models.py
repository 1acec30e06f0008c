"""Models for the tests of repairs, and the comparison of two files in both Keras.

python -m tests.repairs.models make FOLDER          save the models, and inputs and outputs as .npz
python -m tests.repairs.models compare FOLDER …     print the largest difference to the outputs
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Keras = Any


def mobile(k: Keras) -> Any:
    """Depthwise convolutions in an inner model, as Teachable Machine exports them."""
    layers = k.layers
    features = k.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
        ]
    )
    head = k.Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    return k.Sequential([layers.Input((12, 12, 3)), features, head])


def recurrent(k: Keras) -> Any:
    """A recurrent network with the hard_sigmoid gates of Keras 2.0 to 2.2."""
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((6, 3)),
            layers.Bidirectional(
                layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)
            ),
            layers.GRU(3, recurrent_activation="hard_sigmoid"),
            layers.Dense(2, activation="hard_sigmoid"),
        ]
    )


def branches(k: Keras) -> Any:
    """Branches that join, an inner model used twice, and attention."""
    layers = k.layers
    shared = k.Sequential([layers.Input((5, 4)), layers.Dense(4, activation="relu")], name="both")
    x = layers.Input((5, 4), name="x")
    one, other = shared(x), shared(layers.Dense(4)(x))
    mixed = layers.MultiHeadAttention(2, 2)(one, other)
    joined = layers.Concatenate()([layers.LayerNormalization()(mixed), layers.Add()([one, other])])
    return k.Model(x, layers.Dense(2)(layers.Flatten()(joined)))


def scaled(k: Keras) -> Any:
    """Lambdas of one expression."""
    layers = k.layers
    x = layers.Input((8, 8, 1))
    y = layers.Conv2D(3, 3)(layers.Lambda(lambda x: x / 127.5 - 1)(x))
    y = layers.Lambda(lambda t: t[:, 0])(y)
    return k.Model(x, layers.Dense(2)(layers.Flatten()(y)))


def mixed(k: Keras) -> Any:
    """Mixed precision."""
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((7,)),
            layers.Dense(5, activation="relu", dtype="mixed_float16"),
            layers.Dense(2, dtype="float32"),
        ]
    )


tf: Any = None  # the saved code finds TensorFlow under this name


def distance(pair: Any, least: float = 1e-3) -> Any:
    """Statements, another function's result twice, and arguments."""
    left, right = pair[:, 0], pair[:, 1]
    apart = left - right
    total = tf.reduce_sum(apart * apart, axis=1, keepdims=True)
    return abs(tf.sqrt(tf.maximum(total, least)))


def compared(k: Keras) -> Any:
    """A Lambda of a function with a default, and an argument of the layer's own."""
    x = k.layers.Input((2, 4))
    near, far = k.layers.Lambda(distance), k.layers.Lambda(distance, arguments={"least": 0.7})
    return k.Model(x, k.layers.Dense(2)(k.layers.Concatenate()([near(x), far(x)])))


def local(k: Keras) -> Any:
    """Kernels of their own for each place, which Keras 3 does not have."""
    layers = k.layers
    return k.Sequential(
        [
            layers.LocallyConnected2D(3, (3, 2), (2, 1), activation="elu", input_shape=(9, 8, 2)),
            layers.Reshape((28, 3)),
            layers.LocallyConnected1D(4, 5, strides=3, use_bias=False, activation="softmax"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def batches(k: Keras) -> Any:
    """Batch normalization that is always in training mode, along two axes."""
    layers = k.layers
    x = layers.Input((6, 5))
    y = layers.BatchNormalization(epsilon=1e-2)(layers.Dense(3)(x), training=True)
    y = layers.BatchNormalization(axis=1, scale=False)(y, training=True)
    frozen = layers.BatchNormalization(trainable=False)(y, training=True)
    return k.Model(x, layers.Dense(2)(layers.Flatten()(frozen)))


def axes(k: Keras) -> Any:
    """A layer over two axes, which Keras 3 drops when it reads HDF5."""
    layers = k.layers
    return k.Sequential(
        [
            layers.Input((4, 3)),
            layers.BatchNormalization(axis=1),
            layers.Softmax(axis=[1, 2]),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


MODELS: tuple[Callable[[Keras], Any], ...] = (mobile, recurrent, branches, scaled, mixed)
NEW: tuple[Callable[[Keras], Any], ...] = (axes,)  # an HDF5 file of Keras 3
OLD: tuple[Callable[[Keras], Any], ...] = (
    compared,
    local,
    batches,
    axes,
)  # only Keras 2 builds them


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Path of each model, and the target that it is repaired for."""
    for build in MODELS:
        for suffix in (".h5", ".keras"):
            yield folder / f"keras2-{build.__name__}{suffix}", "tf==2.21"
            yield folder / f"keras3-{build.__name__}{suffix}", "tf-keras==2.21"
    for build in OLD:
        for suffix in (".h5", ".keras"):
            yield folder / f"keras2-{build.__name__}{suffix}", "tf==2.21"
    for build in NEW:
        yield folder / f"keras3-{build.__name__}.h5", "tf-keras==2.21"


def make(folder: Path) -> None:
    """Save every model with both Keras in both formats, with inputs and outputs."""
    import keras
    import tf_keras

    rng = np.random.default_rng(7)
    for name, library in (("keras2", tf_keras), ("keras3", keras)):
        for build in (*MODELS, *(OLD if library is tf_keras else NEW)):
            library.utils.set_random_seed(11)
            model = build(library)
            for variable in model.variables:
                shape = tuple(variable.shape)
                if variable.dtype in ("float32",) or str(variable.dtype).endswith("float32'>"):
                    variable.assign(np.abs(rng.normal(0.3, 0.4, shape)))
            x = rng.random((5, *model.inputs[0].shape[1:])).astype("float32")
            y = np.asarray(model(x, training=False), dtype="float64")
            np.savez(folder / f"{name}-{build.__name__}.npz", x=x, y=y)
            for suffix in (".h5", ".keras"):
                model.save(folder / f"{name}-{build.__name__}{suffix}")


def compare(folder: Path, repaired: list[Path]) -> dict[str, float]:
    """Largest difference between the saved outputs and those of each file in the other Keras."""
    import keras
    import tf_keras

    found = {}
    for path in repaired:
        saved = np.load(folder / f"{path.stem}.npz")
        other = keras if path.name.startswith("keras2") else tf_keras
        plain = other.models.load_model(path)  # as a user would: nothing is passed
        again = np.asarray(plain(saved["x"], training=False), dtype="float64")
        found[path.name] = float(np.abs(saved["y"] - again).max())
    return found


if __name__ == "__main__":
    tf = importlib.import_module("tensorflow")
    verb, where, *paths = sys.argv[1:]
    if verb == "make":
        make(Path(where))
    else:
        found = compare(Path(where), [Path(path) for path in paths])
        sys.stdout.write(json.dumps(found) + "\n")
