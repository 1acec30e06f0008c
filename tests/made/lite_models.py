"""TensorFlow Lite models made by TensorFlow's converter, one for each kind of export.

    python -m tests.made.lite_models FOLDER

All image models take (16, 16, 3) and give 5 scores. `golden.npz` holds inputs and what the Keras
models that were converted give for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def build(folder: Path) -> None:
    """Write `NAME.tflite` for each kind of export."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = keras.layers.Conv2DTranspose(4, 3, strides=2)(x)
    x = keras.layers.Dense(5, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.save(folder / "source.keras")
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    small = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))
    converter, sets = tf.lite.TFLiteConverter, tf.lite.OpsSet

    def convert(name: str, made: Any, **settings: Any) -> None:
        types = settings.pop("types", None)
        for setting, value in settings.items():
            setattr(made, setting, value)
        if types:
            made.target_spec.supported_types = types
        (folder / f"{name}.tflite").write_bytes(made.convert())

    def images() -> Iterator[list[np.ndarray]]:
        rng = np.random.default_rng(0)
        for _ in range(4):
            yield [rng.random((1, 16, 16, 3), np.float32)]

    smaller: dict[str, Any] = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    integers = {**smaller, "representative_dataset": images}
    convert("float", converter.from_keras_model(model))
    bytes_ = keras.Model(inputs, model(keras.layers.Rescaling(1 / 255)(inputs)))
    convert("bytes", converter.from_keras_model(bytes_))  # expects 0 to 255
    convert("float16", converter.from_keras_model(model), types=[tf.float16], **smaller)
    convert("dynamic", converter.from_keras_model(model), **smaller)
    for name in ("int8", "uint8"):
        dtype, made = tf.as_dtype(name), converter.from_keras_model(model)
        made.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8]
        convert(*(name, made), inference_input_type=dtype, inference_output_type=dtype, **integers)
    made = converter.from_keras_model(small)
    made.target_spec.supported_ops = [
        sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    convert("int16x8", made, **integers)
    _folded(folder, convert, integers)
    _programs(folder, convert, tf)
    steps = keras.Input((6, 4), batch_size=1)
    recurrent = keras.Model(steps, keras.layers.Dense(2)(keras.layers.LSTM(5)(steps)))
    convert("lstm", converter.from_keras_model(recurrent))
    recurrent.save(folder / "lstm.keras")
    rng = np.random.default_rng(3)
    x, rows = rng.random((8, 16, 16, 3), np.float32), rng.random((3, 6, 4), np.float32)
    np.savez(
        folder / "golden.npz",
        x=x,
        y=model(x).numpy(),
        small=small(x).numpy(),
        rows=rows,
        recurrent=np.concatenate([recurrent(rows[i : i + 1]).numpy() for i in range(3)]),
    )


def _folded(folder: Path, convert: Any, integers: dict[str, Any]) -> None:
    """A model whose batch normalization is folded, with statistics as after training."""
    import keras
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential(
        [
            *(keras.Input((16, 16, 3)), layers.Conv2D(8, 3, use_bias=False, name="conv")),
            *(layers.BatchNormalization(name="norm"), layers.ReLU()),
            *(layers.DepthwiseConv2D(3, name="depth"), layers.BatchNormalization(name="norm_2")),
            *(layers.GlobalAveragePooling2D(), layers.Dense(5, name="head")),
        ]
    )
    rng = np.random.default_rng(8)
    for name in ("norm", "norm_2"):
        layer = model.get_layer(name)
        layer.set_weights([rng.uniform(0.5, 2, weights.shape) for weights in layer.get_weights()])
    model.save(folder / "folded.keras")
    converter = tf.lite.TFLiteConverter
    convert("folded_float", converter.from_keras_model(model))
    made = converter.from_keras_model(model)
    made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    convert("folded_int8", made, **integers)
    for layer in (model.get_layer("norm"), model.get_layer("norm_2")):
        gamma, beta, mean, variance = layer.get_weights()
        layer.set_weights([gamma, beta, mean + 0.3, rng.uniform(0.5, 2) * variance])
    convert("other_statistics", converter.from_keras_model(model))


def _programs(folder: Path, convert: Any, tf: Any) -> None:
    """Several signatures, a loop, and an operation of TensorFlow."""
    converter = tf.lite.TFLiteConverter
    row = tf.TensorSpec((1, 4), tf.float32)

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def forward(self, x):
            return {"y": x @ self.w}

        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def back(self, z):
            return {"x": z @ tf.transpose(self.w)}

        @tf.function(input_signature=[row])
        def loop(self, x):
            n = tf.constant(0)
            while tf.reduce_sum(x) < 100.0 and n < 50:
                x = x * 2.0 + 1.0
                n += 1
            return {"x": x, "n": n}

        @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
        def read(self, path):
            return {"content": tf.io.read_file(path)}

    module = Module()
    signatures = {"forward": module.forward, "back": module.back}
    tf.saved_model.save(module, str(folder / "module"), signatures=signatures)
    convert("signatures", converter.from_saved_model(str(folder / "module")))
    loop = module.loop.get_concrete_function()
    convert("while", converter.from_concrete_functions([loop], module))
    made = converter.from_concrete_functions([module.read.get_concrete_function()], module)
    made.target_spec.supported_ops = [
        *(tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS)
    ]
    convert("flex", made)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
