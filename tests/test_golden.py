"""Golden records: reproducible inputs, tamper-evident files, replays that detect changes."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Artifact, Format, ProblemKind, TensorStats
from modelaudit.golden import callback
from modelaudit.golden import record as record_live
from modelaudit.probe import run
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.restore.golden_check import compare_replay
from modelaudit.restore.golden_record import (
    KEPT_ELEMENTS,
    GoldenRecord,
    RecordedInput,
    canonical_digest,
    read_record,
    record_path,
    recorded_output,
    write_record,
)
from modelaudit.restore.model import Weight
from modelaudit.restore.record_inputs import Recipe, make
from modelaudit.settings import Limits, Settings
from tests.sharing import with_tensorflow

ROOT = Path(__file__).resolve().parents[1]


def a_record(**changes: object) -> GoldenRecord:
    y = np.linspace(-1, 1, 12, dtype="f4").reshape(4, 3)
    stats = TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 0)
    fields = {
        "made": {"keras": "3.15.1"},
        "model_sha256": "ab",
        "inputs": (
            RecordedInput("image", Recipe("image", (4, 8, 8, 3), "float32", 0.0, 1.0, 7)),
            RecordedInput("more", values=np.arange(8, dtype="i4").reshape(4, 2)),
        ),
        "outputs": (recorded_output("scores", y),),
        "tensors": (Weight(("conv/kernel",), (3, 3), "float32", "0" * 64, stats),),
        "noise": 1e-7,
    }
    return GoldenRecord(**(fields | changes))


def test_inputs_are_those_of_pcg64_by_whole_numbers() -> None:
    """The first samples, computed from numpy's raw stream by hand."""
    made = make(Recipe("x", (1, 5), "float32", -1.0, 3.0, 11))
    bits = np.random.PCG64(11).random_raw(5)
    np.testing.assert_array_equal(made[0], [(int(b) >> 40) / 2**24 * 4 - 1 for b in bits])
    tokens = make(Recipe("t", (3, 4), "int32", 2, 9, 11))
    assert tokens.dtype == np.int32
    assert tokens.min() >= 2
    assert tokens.max() <= 9


def test_later_samples_have_larger_cells() -> None:
    x = make(Recipe("x", (3, 8, 8, 2), "float32", 0.0, 1.0, 5))
    assert len(np.unique(x[0, ..., 0])) == 64
    assert len(np.unique(x[1, ..., 0])) == 16
    assert len(np.unique(x[2, ..., 0])) == 4


@given(st.integers(0, 2**63), st.sampled_from(["float32", "float16", "uint8", "int64", "bool"]))
def test_inputs_stay_in_range_and_depend_on_the_seed_alone(seed: int, dtype: str) -> None:
    recipe = Recipe("x", (3, 9), dtype, 0.0, 1.0 if dtype.startswith("float") else 200.0, seed)
    if dtype == "bool":
        recipe = Recipe("x", (3, 9), dtype, 0.0, 1.0, seed)
    x = make(recipe)
    assert x.dtype == dtype
    assert x.min() >= recipe.low
    assert x.max() <= recipe.high
    np.testing.assert_array_equal(x, make(recipe))


def test_a_record_round_trips(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    path = write_record(a_record(), model)
    assert path == record_path(model) == tmp_path / "model.keras.golden.json"
    back = read_record(model, Limits())
    assert back is not None
    assert back.tensors == a_record().tensors
    assert back.inputs[0] == a_record().inputs[0]
    np.testing.assert_array_equal(back.inputs[1].values, a_record().inputs[1].values)
    np.testing.assert_array_equal(back.outputs[0].values, a_record().outputs[0].values)
    assert back.digest == json.loads(path.read_text())["sha256"]
    assert read_record(tmp_path / "other.keras", Limits()) is None
    assert read_record(tmp_path / ("n" * 250), Limits()) is None


def test_the_limits_of_the_settings_hold_for_a_record_that_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.keras"
    write_record(a_record(), model)
    loaded = Observation("here", "load_model", Status.LOADED)
    monkeypatch.setattr(run, "observe", lambda *_: (loaded, nullcontext()))
    monkeypatch.setattr(run, "prove", lambda *_: None)
    monkeypatch.setattr(run, "study", lambda *_: Unprobeable("not asked"))
    artifact = Artifact(root=model, format=Format.KERAS_ARCHIVE)
    handle = SimpleNamespace(runtime=SimpleNamespace(legacy=False))
    seen = run.probe_with([handle])(artifact, Settings(limits=Limits(config_bytes=10)))
    assert seen.golden.kind == ProblemKind.LIMIT_EXCEEDED
    assert "setting config_bytes" in seen.golden.problem


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 10**6), to=st.integers(32, 126))
def test_any_edited_character_is_detected(tmp_path: Path, at: int, to: int) -> None:
    model = tmp_path / "model.keras"
    path = write_record(a_record(), model)
    text = bytearray(path.read_bytes())
    at %= len(text)
    before = bytes(text)
    text[at] = to
    path.write_bytes(bytes(text))
    try:
        same = json.loads(before) == json.loads(bytes(text))
    except ValueError:
        same = False
    if same:  # white space
        assert read_record(model, Limits()) is not None
    else:
        with pytest.raises(ReadError):
            read_record(model, Limits())


HOSTILE = (
    {"inputs": [{"name": "x", "shape": [1 << 39, 1 << 39], "dtype": "float32"}]},
    {"inputs": [{"name": "x", "shape": [-1], "dtype": "float32", "low": 0, "high": 1, "seed": 1}]},
    {"inputs": [{"name": "x", "shape": [2], "dtype": "float32", "low": 0, "high": 1, "seed": -1}]},
    {"inputs": [{"name": "x", "shape": [3], "dtype": "object", "data": "AAAA"}]},
    {"inputs": [{"name": "x", "shape": [3], "dtype": "float32", "data": "AAAA"}]},
    {"inputs": [{"name": "x", "shape": [3], "dtype": "float32", "data": "~"}]},
    {"inputs": 3},
    {"outputs": [{"name": "y", "shape": [4, 3], "step": 0, "dtype": "float32", "data": ""}]},
    {"outputs": [{"name": "y", "shape": [9], "step": 1, "dtype": "float32", "data": ""}]},
    {"tensors": [{"name": "w", "shape": [1], "dtype": "float32", "sha256": "../../etc"}]},
    {"tensors": [{}]},
    {"made": []},
    {"noise": "much"},
    {"golden_version": 99},
)


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_hostile_records_with_a_valid_digest_are_read_errors(tmp_path: Path, change: dict) -> None:
    model = tmp_path / "model.keras"
    path = write_record(a_record(), model)
    content = {k: v for k, v in json.loads(path.read_text()).items() if k != "sha256"} | change
    path.write_text(json.dumps(content | {"sha256": canonical_digest(content)}))
    with pytest.raises(ReadError) as caught:
        read_record(model, Limits())
    assert caught.value.file == path.name


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 10_000, "\xff", '{"golden_version": NaN}'])
def test_files_that_are_not_records_are_read_errors(tmp_path: Path, text: str) -> None:
    record_path(tmp_path / "m.h5").write_bytes(text.encode("latin-1"))
    with pytest.raises(ReadError):
        read_record(tmp_path / "m.h5", Limits())


def test_large_outputs_are_kept_in_part() -> None:
    big = np.arange(3 * KEPT_ELEMENTS, dtype="f4").reshape(3, -1)
    kept = recorded_output("map", big)
    assert kept.values.size <= KEPT_ELEMENTS
    record = a_record(outputs=(kept,))
    (same,) = compare_replay(record, {"map": big}, 0.0)
    assert same.difference == 0
    (other,) = compare_replay(record, {"map": big + 1000}, 0.0)
    assert not other.reproduced


def test_outputs_are_matched_by_name_or_by_their_only_shape() -> None:
    record = a_record()
    y = record.outputs[0].values.reshape(4, 3)
    for outputs in ({"scores": y}, {"output_0": y}, {"a": y, "b": y[:, :1]}):
        (found,) = compare_replay(record, outputs, 0.0)
        assert found.reproduced
    for outputs in ({}, {"a": y, "b": y}, {"scores": y[:2]}):
        assert isinstance(compare_replay(record, outputs, 0.0), str)


@given(hnp.arrays("f4", (4, 3), elements=st.floats(-5, 5, width=32)), st.floats(0, 1))
def test_the_tolerance_is_the_larger_of_rounding_and_noise(y: np.ndarray, noise: float) -> None:
    record = a_record(outputs=(recorded_output("scores", y),), noise=0.0)
    shifted = y + np.float32(0.5)
    (found,) = compare_replay(record, {"scores": shifted}, noise)
    assert found.difference == pytest.approx(np.abs(shifted.astype(float) - y).max())
    assert found.tolerance == pytest.approx(max(2e-5 * (1 + np.abs(y).max()), 10 * noise))
    assert found.reproduced is (found.difference <= found.tolerance)


def test_nan_equals_nan_and_no_number() -> None:
    y = np.array([[np.nan, 1.0]], "f4")
    record = a_record(outputs=(recorded_output("scores", y),))
    assert compare_replay(record, {"scores": y}, 0.0)[0].reproduced
    assert compare_replay(record, {"scores": np.ones_like(y)}, 0.0)[0].difference == np.inf


class Doubler:
    """An object with `variables` that is called with arrays."""

    class Variable(np.ndarray):
        name = "gain:0"

    def __init__(self, gain: float) -> None:
        self.variables = [np.array([gain], "f4").view(self.Variable)]

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"y": x * self.variables[0][0]}


def test_callables_are_recorded_with_the_user_s_inputs(tmp_path: Path) -> None:
    saved = tmp_path / "model.h5"
    saved.write_bytes(b"\x89HDF\r\n\x1a\n")
    x = np.arange(6, dtype="f4").reshape(3, 2)
    with pytest.raises(UsageError, match="inputs"):
        record_live(Doubler(2.0), saved)
    record_live(Doubler(2.0), saved, inputs=x)
    back = read_record(saved, Limits())
    assert back is not None
    np.testing.assert_array_equal(back.outputs[0].values, (2 * x).ravel())
    assert [weight.name for weight in back.tensors] == ["gain"]


def test_a_callback_needs_a_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("keras", "tf_keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError, match="Keras"):
        callback("model.keras")


TRAIN = """
import sys
import numpy as np
K = __import__(sys.argv[2])
import modelaudit.golden as golden
path = sys.argv[1]
model = K.Sequential([K.layers.Input((6,)), K.layers.Dense(3, name="head")])
model.compile("sgd", "mse")
saves = K.callbacks.ModelCheckpoint(path)
x, y = np.ones((8, 6), "f4"), np.zeros((8, 3), "f4")
model.fit(x, y, epochs=2, verbose=0, callbacks=[saves, golden.callback(path, K.callbacks.Callback)])
"""


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["keras", "tf_keras"])
def test_the_callback_records_what_was_saved(tmp_path: Path, keras: str) -> None:
    import h5py

    from modelaudit.restore.conversions import digest

    path = tmp_path / "model.h5"
    with_tensorflow("-c", TRAIN, path, keras)
    found = read_record(path, Limits())
    assert found is not None
    stored = {}
    with h5py.File(path) as file:
        group = file["model_weights/head"]
        for name in group.attrs["weight_names"]:
            tail = name.rpartition("/")[2].removesuffix(":0")
            stored[f"head/{tail}"] = digest(group[name][()])
    assert {weight.name: weight.sha256 for weight in found.tensors} == stored
    assert found.outputs[0].shape == (16, 3)
