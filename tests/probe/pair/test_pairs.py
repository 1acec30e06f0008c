"""Models and their exports in the sandbox; TensorFlow's own interpreter is the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Format
from modelaudit.formats.reader import read
from modelaudit.probe.host.feed import ActivationRequest, Feed
from modelaudit.probe.pair.model import ExportNumbers, PairCause, PairVerdict
from modelaudit.probe.pair.run import compare_saved
from modelaudit.probe.pair.source import find_source
from modelaudit.probe.pair.tensors import made_tensors
from modelaudit.probe.run import probe_with
from modelaudit.restore.exports import compare_export
from modelaudit.settings import Limits, ProbeSettings, Settings
from tests.probe.sessions import one, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(lite_models, tmp_path_factory):
    """Images for all models, and the classes that the source gives them."""
    rng = np.random.default_rng(5)
    golden = np.load(lite_models / "golden.npz")
    x = np.concatenate([golden["x"], rng.random((32, 16, 16, 3), np.float32)])
    x *= rng.uniform(0.3, 1, (40, 1, 1, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(path, x=x, y=np.arange(40) % 5)
    return path


@pytest.fixture(scope="module")
def paired(keras3, lite_models, images):
    def of(source, export, data=True):
        sides = [read(lite_models / each, Limits()) for each in (source, export)]
        settings = ProbeSettings(data=str(images) if data else None)
        return compare_saved(*sides, compare_export(*sides), settings, [keras3])

    return of


@pytest.mark.parametrize(
    ("name", "verdict", "numbers"),
    [
        ("float", PairVerdict.EQUAL, ExportNumbers.FLOAT),
        ("float16", PairVerdict.QUANTISED, ExportNumbers.FLOAT16),
        ("dynamic", PairVerdict.QUANTISED, ExportNumbers.WEIGHTS),
        ("int8", PairVerdict.QUANTISED, ExportNumbers.INTEGER),
    ],
)
def test_right_exports_are_the_same_model(paired, name, verdict, numbers):
    found = paired("source.keras", f"{name}.tflite")
    assert (found.verdict, found.numbers, found.causes) == (verdict, numbers, ())
    (output,) = found.outputs
    assert (output.n, found.inputs) == (40, "user")
    assert output.agreed >= 36
    assert output.accuracy is not None
    assert (output.step is not None) == (name == "int8")


@pytest.mark.parametrize("data", [True, False])
def test_an_export_that_expects_bytes(paired, data):
    found = paired("source.keras", "bytes.tflite", data)
    assert found.verdict is PairVerdict.DIFFERENT
    (cause,) = found.causes
    assert (cause.kind, cause.detail, cause.certain) == (PairCause.VALUES, "*255", True)
    assert cause.numbers["target"] == "0-255"
    (mended,) = found.mended
    assert (mended.agreed, mended.n) == ((40, 40) if data else (128, 128))
    assert mended.median < 1e-4 < found.outputs[0].median


def test_other_statistics_of_normalization(paired):
    found = paired("folded.keras", "other_statistics.tflite")
    assert [(each.kind, each.detail) for each in found.causes] == [
        (PairCause.NORMALIZATION, "conv")
    ]
    assert found.parts_at == "conv"
    assert paired("folded.keras", "folded_float.tflite").verdict is PairVerdict.EQUAL


def test_models_that_take_other_inputs_are_not_compared(paired):
    found = paired("lstm.keras", "float.tflite")
    assert found.verdict is PairVerdict.UNKNOWN
    assert "inputs" in found.reason


def test_inner_tensors_are_those_of_the_interpreter(keras3, lite_models, tensorflow):
    """Also of a batch larger than the one of the file, and the outputs stay the same."""
    path = lite_models / "folded_int8.tflite"
    x = np.random.default_rng(2).random((5, 16, 16, 3), np.float32)
    lite = read(path, Limits()).lite
    routes = tuple(map(str, made_tensors(lite, 5)))
    with opened(keras3, path, Format.TFLITE) as session:
        assert session.put({"x": x}) is None
        before = session.predict([Feed("x")])
        seen = one(session.activations([Feed("x")], [ActivationRequest(routes)], batch_size=4))
        after = session.predict([Feed("x")])
    np.testing.assert_array_equal(next(iter(before.values())), next(iter(after.values())))
    kinds = tensorflow.lite.experimental.OpResolverType
    interpreter = tensorflow.lite.Interpreter(
        model_path=str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, x)
    interpreter.invoke()
    assert set(seen) == set(routes)
    for details in interpreter.get_tensor_details():
        if str(details["index"]) in routes:
            scale, zero = details["quantization"]
            stored = interpreter.get_tensor(details["index"]).astype(np.float64)
            real = (stored - zero) * scale if scale else stored
            np.testing.assert_allclose(seen[str(details["index"])], real, rtol=1e-5, atol=1e-6)


def test_an_audit_runs_an_export_with_its_source(keras3, lite_models, images):
    sides = [read(lite_models / each, Limits()) for each in ("source.keras", "bytes.tflite")]
    settings = Settings(probe=ProbeSettings(data=str(images)))
    source = find_source(sides[1], [sides[0].root], lambda path: read(path, Limits()))
    assert source is not None
    (cause,) = probe_with([keras3])(sides[1], settings, source).pair.causes
    assert (cause.kind, cause.detail) == (PairCause.VALUES, "*255")
    assert probe_with([keras3])(sides[1], settings, None).pair is None
