"""Exports of Keras 3 that were made by a call in training mode; TensorFlow is the oracle."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PROGRAM = """
    import keras
    from keras import layers

    class Scaled(keras.layers.Layer):
        def __init__(self, **given):
            super().__init__(**given)
            self.scale = layers.Conv2D(3, 1)
            self.norm = layers.BatchNormalization()

        def call(self, x, training={default}):
            return self.norm(self.scale(x), training={said})

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = Scaled()
            self.pool = layers.GlobalAveragePooling2D()

        def call(self, x{outer}):
            return self.pool(self.first(x))
"""
# The default of the inner layer, what it says to the normalization, and the model's parameter.
CASES = {
    "by default": ("True", "training", ""),
    "by default inside": ("True", "training", ", training=None"),
    "by default of the model": ("None", "training", ", training=True"),
    "kept by the model": ("True", "training", ", training=False"),
    "always": ("False", "True", ""),
    "never": ("None", "training", ""),
}


def exported(folder: Path, case: str) -> tuple[Path, Path, Any]:
    """The program, the export of its model after training, and the model."""
    default, said, outer = CASES[case]
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM).format(default=default, said=said, outer=outer))
    spec = importlib.util.spec_from_file_location("program", program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Network()
    model.compile("adam", "mse")
    model.fit(images(), np.ones((16, 3), "float32"), epochs=2, verbose=0)
    model.export(folder / "m", verbose=False)
    return program, folder / "m", model


def images() -> Any:
    return np.random.default_rng(0).normal(size=(16, 4, 4, 2)).astype("float32") + 2


def predicted(path: Path, program: Path | None) -> Prediction:
    profile = as_installed(find_profile("tf==2.21.0"))
    code = read_source_code([str(program)]) if program else None
    asked = [(profile, LoadRequest(LoadCall.SAVED_MODEL))]
    (found,) = predict_calls(read(path, Limits()), asked, code)
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_an_export_computes(tmp_path: Path, case: str) -> None:
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("keras")
    program, path, model = exported(tmp_path, case)
    loaded = tf.saved_model.load(path)
    serve = loaded.serve
    answers = np.asarray(serve(images()))
    same = np.allclose(answers, model(images(), training=False), atol=1e-5)
    alone = np.allclose(answers[:1], serve(images()[:1]), atol=1e-5)
    assert same is (case in ("always", "kept by the model", "never"))
    assert alone is (case in ("kept by the model", "never"))

    found = predicted(path, program)
    assert found.predicted is (LoadOutcome.LOADS if same else LoadOutcome.DIFFERS)
    assert [each.code for each in found.because] == ["export-in-training-mode"] * (not same)
    said = predicted(path, None)  # it may be one of the two, and `unless` says so
    assert said.predicted is (LoadOutcome.LOADS if alone else LoadOutcome.DIFFERS)
    findings = run_rule(rule("MA330"), Facts(read(path, Limits()))).findings
    assert [str(each.severity) for each in findings] == ["medium"] * (not alone)


@pytest.mark.parametrize("first", [True, False])
def test_layers_behind_an_augmentation_run_in_training_mode(tmp_path: Path, first: bool) -> None:
    """Such a layer trains unless it is told otherwise, and so do those that are called after it."""
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    start = hidden = keras.Input((4, 4, 2))
    parts = [keras.layers.RandomFlip(), keras.layers.BatchNormalization()]
    for layer in parts if first else reversed(parts):
        hidden = layer(hidden)
    model = keras.Model(start, keras.layers.GlobalAveragePooling2D()(hidden))
    model.export(tmp_path / "m", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "m")
    (mean,) = (each for each in loaded.variables if "moving_mean" in each.name)
    loaded.serve(images())
    assert bool(np.abs(np.asarray(mean)).max() > 0) is first
    findings = run_rule(rule("MA330"), Facts(read(tmp_path / "m", Limits()))).findings
    assert bool(findings) is first


@pytest.mark.parametrize("follows", [True, False])
def test_a_layer_that_answers_by_what_it_updates(tmp_path: Path, follows: bool) -> None:
    """It does not normalize by the batch, as a batch normalization in training mode does."""
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")

    class Centred(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            given = {"shape": shape[-1:], "initializer": "zeros", "trainable": False}
            self.moving_mean = self.add_weight(name="moving_mean", **given)

        def call(self, x: Any) -> Any:
            mean = keras.ops.mean(x, axis=(0, 1, 2))
            self.moving_mean.assign(0.9 * self.moving_mean + 0.1 * mean)
            return x - (self.moving_mean.value if follows else mean)

    start = keras.Input((4, 4, 2))
    keras.Model(start, Centred()(start)).export(tmp_path / "m", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "m")
    (mean,) = (each for each in loaded.variables if "moving_mean" in each.name)
    first = np.asarray(loaded.serve(images()))
    mean.assign(mean + 5)
    again = np.asarray(loaded.serve(images()))
    assert bool(np.abs(first - again).max() > 1) is follows
    findings = run_rule(rule("MA330"), Facts(read(tmp_path / "m", Limits()))).findings
    assert bool(findings) is not follows
