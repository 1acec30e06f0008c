"""TensorFlow Lite models in the sandbox: as the Keras models that they were converted from."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Format
from modelaudit.formats.reader import read
from modelaudit.pipeline import audit_model
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.observe import observe
from modelaudit.probe.run import probe_with
from modelaudit.settings import Limits, ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from tests.made import lite_files
from tests.probe.sessions import SETTINGS, only, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def golden_lite(lite_models):
    with np.load(lite_models / "golden.npz") as arrays:
        return dict(arrays)


def predicted(handle, path, x):
    with opened(handle, path, Format.TFLITE) as session:
        assert session.put({"x": x}) is None
        (port,) = session.observation.inputs
        return port, only(session.predict([Feed("x")]))


# Tolerances: rounding, half precision, and steps of 1/256 of an output of softmax.
@pytest.mark.parametrize(
    ("name", "error"), [("float", 1e-5), ("float16", 1e-3), ("dynamic", 0.02), ("int8", 0.02)]
)
def test_exports_give_what_their_source_gives(keras3, lite_models, golden_lite, name, error):
    port, y = predicted(keras3, lite_models / f"{name}.tflite", golden_lite["x"])
    assert (port.dtype, port.shape) == ("float32", (None, 16, 16, 3))
    np.testing.assert_allclose(y, golden_lite["y"], atol=error)


def test_images_of_bytes_are_fed_as_they_are(keras3, lite_models, golden_lite):
    """The input is quantised for 0 to 1 in steps of 1/255, so a byte is a pixel."""
    images = np.rint(golden_lite["x"] * 255).astype(np.uint8)
    port, y = predicted(keras3, lite_models / "uint8.tflite", images)
    assert port.dtype == "uint8"
    np.testing.assert_allclose(y, golden_lite["y"], atol=0.02)


def test_activations_of_sixteen_bits(keras3, lite_models, golden_lite):
    _, y = predicted(keras3, lite_models / "int16x8.tflite", golden_lite["x"])
    np.testing.assert_allclose(y, golden_lite["small"], atol=0.01)


def test_a_fixed_batch_and_the_state_between_calls(keras3, lite_models, golden_lite):
    """Each row starts with an empty state, as the source does."""
    port, y = predicted(keras3, lite_models / "lstm.tflite", golden_lite["rows"])
    assert port.shape == (1, 6, 4)
    np.testing.assert_allclose(y, golden_lite["recurrent"], atol=1e-5)


def test_a_custom_operator_is_a_failure_with_its_name(keras3, tmp_path):
    made = lite_files.schema()
    model = lite_files.conv_model()
    out = model.subgraphs[0].outputs[0]
    more = lite_files.add_tensor(model, "more", (1, 6, 6, 4))
    lite_files.add_operator(model, made.BuiltinOperator.CUSTOM, [out], [more], custom="Mine")
    path = tmp_path / "custom.tflite"
    path.write_bytes(lite_files.packed(model))
    seen, session = observe(keras3, read(path, Limits()), SETTINGS)
    assert (seen.status, session) == (Status.FAILED, None)
    assert "Mine" in seen.error


def test_the_behaviour_of_an_export_is_that_of_its_source(keras3, lite_models):
    """Flips, collapse and orientation, from the first file to the audit."""
    settings = Settings(probe=ProbeSettings(samples=32))
    audits = {}
    for name in ("source.keras", "float.tflite"):
        path = lite_models / name
        target = AuditTarget(path, path.parent, name, name)
        audits[name] = audit_model(target, settings, "2026-01-01T00:00:00Z", probe_with([keras3]))
    source, export = (audit.behaviour for audit in audits.values())
    assert source.inputs.value_range == export.inputs.value_range
    theirs, ours = source.outputs[0], export.outputs[0]
    assert ours.kind == theirs.kind
    assert ours.collapse.collapsed == theirs.collapse.collapsed
    assert ours.collapse.information == pytest.approx(theirs.collapse.information, rel=1e-3)
    assert ours.transforms
    for mine, other in zip(ours.transforms, theirs.transforms, strict=True):
        assert mine.name == other.name
        assert other.js is not None
        assert mine.js == pytest.approx(other.js, rel=1e-2, abs=1e-6)
