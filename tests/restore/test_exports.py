"""The weights of a Keras model, looked for in TensorFlow Lite exports of TensorFlow's converter."""

from __future__ import annotations

import zipfile

import h5py
import numpy as np
import pytest
from msgspec import Struct

from modelaudit.audit_types.restore import TensorChange
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.formats.reader import read
from modelaudit.graphs import Quantization
from modelaudit.restore.exports import FOLDED, QUANTISED, compare_export
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(lite_models):
    def of(source, export):
        sides = [
            each if not isinstance(each, str) else read(lite_models / each, Limits())
            for each in (source, export)
        ]
        return compare_export(*sides)

    return of


@pytest.mark.parametrize("name", ["float", "float16", "dynamic", "int8", "uint8"])
def test_every_weight_is_in_the_export(compared, name):
    found = compared("source.keras", f"{name}.tflite")
    assert (found.compared, found.identical) == (8, 8)
    assert found.differing == found.missing == found.unexpected == ()
    assert (QUANTISED in found.forms) == (name != "float")


@pytest.mark.parametrize("name", ["folded_float", "folded_int8"])
def test_batch_normalization_is_folded(compared, name):
    """Kernels are multiplied, and means, variances, gammas and betas go into kernels and biases."""
    found = compared("folded.keras", f"{name}.tflite")
    assert found.differing == found.missing == found.unexpected == ()
    assert found.compared == found.identical
    assert found.forms[FOLDED] == 11  # 2 kernels, 1 bias, 2 times 4 weights of the normalization


def test_other_statistics_of_every_normalization_are_named(compared):
    """The converted model has other means, and variances times one factor."""
    found = compared("folded.keras", "other_statistics.tflite")
    assert found.refolded == ("conv", "depth")
    assert compared("folded.keras", "folded_int8.tflite").refolded == ()


def test_a_recurrent_layer(compared):
    found = compared("lstm.keras", "lstm.tflite")
    assert found.identical == found.compared
    assert found.differing == found.missing == ()


def altered(lite_models, tmp_path, change, name="source.keras"):
    """The source with other weights than were exported."""
    path = tmp_path / "altered.keras"
    with zipfile.ZipFile(lite_models / name) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "model.weights.h5":
                (tmp_path / "w.h5").write_bytes(data)
                with h5py.File(tmp_path / "w.h5", "r+") as file:
                    change(file)
                data = (tmp_path / "w.h5").read_bytes()
            new.writestr(member, data)
    return read(path, Limits())


def test_another_kernel_is_named(compared, lite_models, tmp_path):
    def change(file):
        kernel = file["layers/conv2d/vars/0"]
        kernel[...] = np.random.default_rng(1).normal(size=kernel.shape)

    found = compared(altered(lite_models, tmp_path, change), "int8.tflite")
    assert [(each.tensor.rpartition("/")[0], each.change) for each in found.differing] == [
        ("layers/conv2d/vars", TensorChange.VALUES)
    ]
    assert found.identical == found.compared - 1


@pytest.mark.parametrize(("steps", "differing"), [(0.4, 0), (2.0, 1)])
def test_a_change_beyond_the_steps_is_seen(compared, lite_models, tmp_path, steps, differing):
    """Of the export itself: float weights have no steps, and those of int8 hide small changes."""

    def change(file):
        kernel = file["layers/dense/vars/0"]
        values = kernel[()]
        at = np.abs(values).argmin()
        # The smallest weight is stored as 0, or as one step.
        values.reshape(-1)[at] = steps * np.abs(values).max(axis=0)[at % values.shape[1]] / 127
        kernel[...] = values

    source = altered(lite_models, tmp_path, change)
    assert len(compared(source, "dynamic.tflite").differing) == differing
    assert len(compared(source, "float.tflite").differing) == 1


def test_other_statistics_of_a_normalization_are_seen(compared, lite_models, tmp_path):
    def change(file):
        file["layers/batch_normalization/vars/2"][...] += 1.0

    source = altered(lite_models, tmp_path, change, "folded.keras")
    found = compared(source, "folded_float.tflite")
    assert found.differing
    assert found.identical < found.compared


class _Values(Struct):
    """Values in memory, as the readers give those of a file."""

    values: np.ndarray
    quantization: Quantization | None = None

    def array(self):
        return self.values

    def chunks(self, max_bytes=4 << 20):
        yield self.values.reshape(-1)


def _held(name, values, quantization=None):
    held = np.asarray(values, np.float32)
    kept = _Values(held, quantization)
    return Tensor(name, held.shape, "float32", held.nbytes, "model", source=kept)


def test_a_constant_without_axes_is_compared_with_a_part_of_one_value(tmp_path):
    """The bias of an LSTM with one unit has four gates of one value each."""
    scale = Quantization((0.02,), (3,), 0)
    bias = _held("bias", [1.0, 2.0, 3.0, 4.0])
    gates = [_held(f"gate{n}", n + 1.0, scale) for n in range(4)]
    sides = [
        Artifact(root=tmp_path, format=kind, tensors=tuple(tensors))
        for kind, tensors in ((Format.KERAS_ARCHIVE, [bias]), (Format.TFLITE, gates))
    ]
    found = compare_export(*sides)
    assert (found.compared, found.identical, found.missing) == (1, 1, ())


def test_a_convolution_along_one_axis_with_other_weights(tmp_path):
    """The converter adds an axis to its kernel, whose numbers have a scale per channel."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((20, 3)), layers.Conv1D(6, 3), layers.Flatten(), layers.Dense(2)]
    )
    model.save(tmp_path / "source.keras")
    for weights in model.weights:
        weights.assign(np.random.default_rng(2).normal(size=weights.shape))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    inputs = np.random.default_rng(3).normal(size=(8, 1, 20, 3)).astype("float32")
    converter.representative_dataset = lambda: ([each] for each in inputs)
    (tmp_path / "export.tflite").write_bytes(converter.convert())
    source, export = (read(tmp_path / n, Limits()) for n in ("source.keras", "export.tflite"))
    found = compare_export(source, export)
    assert found.identical == 0
    assert found.compared == 4
