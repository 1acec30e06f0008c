"""The model that an export was made from, found by its name and its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.facts import Artifact
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.pair.model import ExportNumbers, ExportPair, PairCause, PairVerdict
from modelaudit.probe.pair.source import by_weights, find_source
from modelaudit.probe.pair.wording import verdict_text
from modelaudit.restore.exports import compare_export
from modelaudit.restore.model import WeightComparison
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.command_line import SAMPLES

# Made by `sample_models/make.py` from digits_robust.keras, behind a rescaling, which is folded into
# the first of three convolutions with its bias and its normalization: 6 of 20 weights.
EXPORT = "digits_robust_bytes.tflite"


@pytest.fixture
def folder(tmp_path):
    """A folder of samples; keys are the new names, in the order in which they are looked at."""

    def make(export: str = EXPORT, **sources: str):
        shutil.copy(SAMPLES / EXPORT, tmp_path / export)
        places = []
        for sample, name in sources.items():
            places.append(tmp_path / name)
            shutil.copy(SAMPLES / f"{sample}.keras", places[-1])
        export_file = read_artifact(tmp_path / export, Limits())
        return find_source(export_file, places, lambda path: read_artifact(path, Limits()))

    return make


def test_a_source_of_another_name_is_found_by_its_weights(folder):
    found = folder(digits_mirrored="a.keras", digits_robust="b.keras", digits_one_unit="c.keras")
    assert (found.artifact.root.name, found.named, found.taken_for) == ("b.keras", False, "")
    assert (found.weights.compared, found.weights.identical) == (20, 14)
    # The weights say no more: whether the six matter is seen when both are run.
    assert found.pair.verdict is PairVerdict.UNKNOWN


def test_biases_of_zero_are_no_weights_in_common(folder, monkeypatch):
    """Every model that was not trained has them."""
    real = find_source.__globals__["compare_export"]

    def only_biases(source, export):
        found = real(source, export)
        kernels = tuple(each.tensor for each in source.kernels)
        return replace(found, compared=20, identical=20 - len(kernels), missing=kernels)

    monkeypatch.setitem(find_source.__globals__, "compare_export", only_biases)
    assert folder(digits_robust="b.keras") is None


def test_a_model_without_its_weights_is_no_source(folder):
    assert folder(digits_mirrored="a.keras") is None
    assert folder() is None


def test_a_model_with_its_name_and_other_weights_differs(folder):
    found = folder("net_int8.tflite", digits_mirrored="net.keras")
    assert (found.named, found.pair.verdict) == (True, PairVerdict.DIFFERENT)
    assert found.pair.causes[0].numbers["tensors"] == found.weights.compared


def test_of_two_with_its_name_it_is_the_one_with_its_weights(folder):
    found = folder("net.tflite", digits_mirrored="net.keras", digits_robust="net_saved.keras")
    assert (found.artifact.root.name, found.named) == ("net_saved.keras", True)


def test_an_export_with_all_weights_of_another_model(folder, monkeypatch):
    real = find_source.__globals__["compare_export"]

    def all_or_none(source, export):
        found = real(source, export)
        whole = source.root.name == "b.keras"
        if whole:
            return replace(found, identical=found.compared, unexpected=(), missing=(), differing=())
        return replace(found, identical=0)

    monkeypatch.setitem(find_source.__globals__, "compare_export", all_or_none)
    found = folder("net.tflite", digits_mirrored="net.keras", digits_robust="b.keras")
    assert (found.artifact.root.name, found.taken_for) == ("net.keras", "b.keras")
    assert found.pair.verdict is PairVerdict.DIFFERENT


def test_running_both_decides_unless_it_says_nothing(folder):
    found = folder(digits_robust="b.keras")
    assert found.after(None) == found
    numbers = found.pair.numbers
    ran = found.after(ExportPair(PairVerdict.QUANTISED, numbers))
    assert (ran.ran, ran.pair.verdict) == (True, PairVerdict.QUANTISED)
    silent = found.after(ExportPair(PairVerdict.UNKNOWN, numbers, reason="no inputs"))
    assert (silent.ran, silent.not_run, silent.pair) == (False, "no inputs", found.pair)


def test_files_are_read_up_to_a_limit(tmp_path, monkeypatch):
    shutil.copy(SAMPLES / EXPORT, tmp_path / EXPORT)
    seen: list[Path] = []

    def read(path: Path):
        seen.append(path)
        return read_artifact(path, Limits())

    monkeypatch.setitem(find_source.__globals__, "MOST_BYTES", 1)
    places = [SAMPLES / "digits_mirrored.keras", SAMPLES / "digits_robust.keras"]
    assert find_source(read(tmp_path / EXPORT), places, read) is None
    assert seen[1:] == places[:1]


def test_other_statistics_of_normalizations_are_named():
    weights = WeightComparison(10, 2, missing=("norm/gamma",) * 8, refolded=("norm", "norm_1"))
    (cause,) = by_weights(weights, ExportNumbers.FLOAT).causes
    assert (cause.kind, cause.detail) == (PairCause.NORMALIZATION, "norm")
    kernel = TensorDifference("kernel", "c", TensorChange.VALUES, distance=1.0)
    (cause,) = by_weights(replace(weights, differing=(kernel,)), ExportNumbers.FLOAT).causes
    assert (cause.kind, cause.detail) == (PairCause.WEIGHTS, "kernel")


@pytest.mark.parametrize(
    ("kind", "verdict", "numbers"),
    [
        ("", PairVerdict.EQUAL, ExportNumbers.FLOAT),
        ("float16", PairVerdict.QUANTISED, ExportNumbers.FLOAT16),
        ("uint16", PairVerdict.QUANTISED, ExportNumbers.WEIGHTS16),
        ("uint8", PairVerdict.QUANTISED, ExportNumbers.WEIGHTS),
    ],
)
def test_models_of_tensorflow_js(tmp_path, kind, verdict, numbers):
    export = in_tensorflow_js(tmp_path, kind)
    places = [SAMPLES / "digits_mirrored.keras", SAMPLES / "digits_robust.keras"]
    found = find_source(export, places, lambda path: read_artifact(path, Limits()))
    assert found.artifact.root == places[1]
    assert (found.pair.verdict, found.pair.numbers) == (verdict, numbers)
    # Nothing was run, so nothing is said of outputs.
    assert verdict_text(found.pair) == (
        "the weights of the export are those of the source; it was not run"
    )
    assert find_source(export, places[:1], lambda path: read_artifact(path, Limits())) is None


def test_steps_that_hide_all_weights_show_none(tmp_path):
    export = in_tensorflow_js(tmp_path, "coarse")
    source = read_artifact(SAMPLES / "digits_robust.keras", Limits())
    weights = compare_export(source, export)
    assert (weights.compared, weights.identical, weights.differing) == (20, 0, ())
    assert by_weights(weights, ExportNumbers.WEIGHTS).verdict is PairVerdict.DIFFERENT


def in_tensorflow_js(tmp_path: Path, kind: str) -> Artifact:
    """A sample as the converter writes it: weights by their names, one behind the other."""
    source = read_artifact(SAMPLES / "digits_robust.keras", Limits())
    values = {each.name: each.source.array() for each in source.tensors}
    specs, data = [], b""
    for layer in source.architecture.layers:
        for role, name in layer.variables.items():
            spec, stored = stored_as(kind, values[name])
            specs.append({"name": f"{layer.name}/{role}", **spec})
            data += stored
    weights = [{"paths": ["weights.bin"], "weights": specs}]
    document = {"format": "layers-model", "modelTopology": {}, "weightsManifest": weights}
    (tmp_path / "weights.bin").write_bytes(data)
    (tmp_path / "model.json").write_text(json.dumps(document))
    return read_artifact(tmp_path / "model.json", Limits())


def stored_as(kind: str, value: np.ndarray) -> tuple[dict, bytes]:
    spec = {"shape": [*value.shape], "dtype": "float32"}
    if not kind:
        return spec, value.astype("<f4").tobytes()
    if kind == "float16":
        return {**spec, "quantization": {"dtype": kind}}, value.astype("<f2").tobytes()
    if kind == "coarse":
        numbers = {"dtype": "uint8", "scale": 1e6, "min": 0.0}
        return {**spec, "quantization": numbers}, bytes(value.size)
    low = min(float(value.min()), 0.0)
    scale = (max(float(value.max()), 0.0) - low) / np.iinfo(kind).max or 1.0
    numbers = np.round((value.astype(np.float64) - low) / scale).astype(kind)
    return {**spec, "quantization": {"dtype": kind, "scale": scale, "min": low}}, numbers.tobytes()
