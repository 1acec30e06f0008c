"""A sample exported for phones: TensorFlow Lite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from recipes.data import SIDE, Images, Split
from recipes.measure import Predict
from recipes.sample import Sample, broken


def build(_: Split, out: Path) -> Iterator[Sample]:
    """Write every TensorFlow Lite sample into `out`."""
    yield bytes_export(out)


def bytes_export(out: Path) -> Sample:
    """Export `digits_robust.keras` for images of bytes, with weights of 8 bits.

    The division by 255 went into the export, so programs that still divide do it twice.
    """
    robust = keras.models.load_model(out / "digits_robust.keras", compile=False)
    image = keras.Input((SIDE, SIDE, 1), name="image")
    net = keras.Model(image, robust(keras.layers.Rescaling(1 / 255)(image)))
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    (out / "digits_robust_bytes.tflite").write_bytes(converter.convert())
    writer = f"tensorflow {tf.__version__}"
    return Sample(
        "digits_robust_bytes.tflite",
        "TensorFlow Lite",
        "input range mismatch: an export of digits_robust.keras that expects 0 to 255",
        writer,
        writer,
        load_lite,
        broken,
    )


def load_lite(path: Path) -> Predict:
    """Load with TensorFlow's interpreter."""
    interpreter = tf.lite.Interpreter(os.fspath(path))
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def predict(x: Images) -> np.ndarray:
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], np.ascontiguousarray(x, np.float32))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(result["index"]))

    return predict
