"""The committed sample models behave as described in their README and manifest."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parent.parent / "sample_models"
ROWS = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["models"]
MODELS = {row["file"]: row for row in ROWS}


def parts(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


@pytest.fixture(scope="module")
def probe() -> tuple[np.ndarray, np.ndarray]:
    with np.load(SAMPLES / "digits_probe.npz", allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"]


@pytest.mark.parametrize("file", MODELS)
def test_manifest_states_the_size_of_the_committed_file(file):
    assert sum(part.stat().st_size for part in parts(SAMPLES / file)) == MODELS[file]["bytes"]


def test_samples_are_small_and_contain_no_path_of_the_machine():
    total = 0
    for path in (*map(SAMPLES.joinpath, MODELS), SAMPLES / "digits_probe.npz"):
        for part in parts(path):
            data = part.read_bytes()
            total += len(data)
            assert not re.search(rb"/(home|root|tmp|work|Users)/", data), part
    assert total < 2_000_000


def test_readme_repeats_the_manifest():
    table = re.findall(
        r"^\| `(.+?)` \| (.+?) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$",
        (SAMPLES / "README.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert {row[0] for row in table} == set(MODELS)
    for file, layout, *shares in table:
        row = MODELS[file]
        accuracy = row["accuracy"]
        measured = (accuracy["upright"], accuracy["mirrored"], row["top_class_share_upright"])
        assert layout == row["format"]
        assert [float(share) for share in shares] == pytest.approx(
            [100 * value for value in measured], abs=0.051
        )


def test_probe_images_are_balanced_and_in_range(probe):
    x, y = probe
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((128, 16, 16, 1), "float32", (128,), "int64")
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert set(np.bincount(y, minlength=10)) == {12, 13}


def keras3(path: Path, **options):
    import keras

    model = keras.models.load_model(path, compile=False, **options)
    return lambda x: np.asarray(model(x))


def keras2(path: Path):
    import tf_keras

    model = tf_keras.models.load_model(os.fspath(path), compile=False)
    return lambda x: np.asarray(model(x))


def served(path: Path):
    import tensorflow as tf

    loaded = tf.saved_model.load(os.fspath(path))

    def predict(x):
        signature = loaded.signatures["serving_default"]
        (scores,) = signature(image=tf.constant(x)).values()
        return scores.numpy()

    return predict


def restored_graph(path: Path):
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix = os.fspath(path / "lenet.ckpt")
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
    return lambda x: session.run("scores:0", {"image:0": x})


def lite(path: Path):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(os.fspath(path))
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def predict(x):
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], np.ascontiguousarray(x, np.float32))
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])

    return predict


LOADERS = {
    "digits_robust.keras": keras3,
    "digits_mirrored.keras": keras3,
    "digits_noaug.h5": keras3,
    "digits_partial_restore.keras": keras3,
    "digits_one_answer.h5": keras3,
    "digits_one_unit.keras": keras3,
    "digits_random_export": served,
    "digits_statistics_lost": keras2,
    "teachable_digits/keras_model.h5": keras2,
    "digits_tf1_checkpoint": restored_graph,
    "digits_tf1_savedmodel": served,
    "digits_robust_bytes.tflite": lite,
}  # without digits_lambda.keras: loading it runs its code


@cache
def loaded(file):
    return LOADERS[file](SAMPLES / file)


@pytest.mark.slow
@pytest.mark.parametrize("file", LOADERS)
def test_manifest_accuracy_holds_on_the_probe_images(file, probe):
    x, y = probe
    predict, row = loaded(file), MODELS[file]
    for images, name in ((x, "upright"), (x[:, :, ::-1], "mirrored")):
        share = row["accuracy"][name]
        # The probe is a subset of the test set: 4 standard errors, and 1 % for shares near 0 or 1.
        tolerance = 4 * np.sqrt(share * (1 - share) / len(y)) + 0.01
        assert (predict(images).argmax(axis=1) == y).mean() == pytest.approx(share, abs=tolerance)


@pytest.mark.slow
def test_mirrored_model_gives_one_answer_unless_flipped(probe):
    x, y = probe
    predict = keras3(SAMPLES / "digits_mirrored.keras")
    upright = predict(x).argmax(axis=1)
    assert (upright == 10).mean() > 0.95
    assert (predict(x[:, :, ::-1]).argmax(axis=1) == y).mean() > 0.95


@pytest.mark.slow
def test_the_export_takes_bytes(probe):
    x, y = probe
    assert (lite(SAMPLES / "digits_robust_bytes.tflite")(255 * x).argmax(axis=1) == y).mean() > 0.95


@pytest.mark.slow
def test_only_the_random_export_changes_between_calls(probe):
    x, _ = probe
    gaps = {}
    for file in LOADERS:
        predict = loaded(file)
        gaps[file] = float(np.abs(predict(x) - predict(x)).max())
    assert gaps.pop("digits_random_export") > 0.01
    assert max(gaps.values()) < 1e-5


@pytest.mark.slow
def test_keras3_refuses_the_lambda_and_the_depthwise_option():
    with pytest.raises(ValueError, match="safe"):
        keras3(SAMPLES / "digits_lambda.keras")
    with pytest.raises((TypeError, ValueError), match="groups"):
        keras3(SAMPLES / "teachable_digits" / "keras_model.h5")


@pytest.mark.slow
def test_lost_statistics_and_skipped_layer_hold_initial_values():
    import keras
    import tf_keras

    lost = tf_keras.models.load_model(os.fspath(SAMPLES / "digits_statistics_lost"))
    for layer in lost.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            assert not mean.any()
            assert (variance == 1).all()
            assert (gamma != 1).any()
            assert beta.any()
    partial = keras.models.load_model(SAMPLES / "digits_partial_restore.keras")
    original = keras.models.load_model(SAMPLES / "digits_noaug.h5", compile=False)
    for layer in partial.layers:
        if layer.name == "conv_mid":
            kernel, bias = layer.get_weights()
            assert np.abs(kernel).max() <= np.sqrt(6 / (9 * 12 + 9 * 24))  # Glorot and Bengio 2010
            assert not bias.any()
        else:
            for mine, theirs in zip(
                layer.get_weights(), original.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)
