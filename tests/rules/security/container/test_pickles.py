"""Pickles that have the name of a model, with and without the data of a model in them."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Problem, ProblemKind
from modelaudit.file_formats import Format
from modelaudit.findings import Finding, Severity
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.registry.discover import discover
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rules
from modelaudit.rules.security import RULES
from modelaudit.rules.security.container.pickles import instead
from modelaudit.settings import Limits, Settings
from tests.made.files import minimal_h5, minimal_keras
from tests.made.lambda_models import lambda_model


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def _found(path: Path) -> list[Finding]:
    results = run_rules(RULES, static_facts(path, Settings()))
    return [finding for result in results for finding in result.findings]


def _aligned(data: bytes, **more: object) -> bytes:
    """A pickle in which HDF5 data begin where libhdf5 looks for them behind a user block."""
    for size in range(512):
        found = pickle.dumps({"pad": "x" * size, "data": data, **more}, protocol=4)
        if found.find(data) == 512:
            return found
    raise AssertionError


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m.keras"])
@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ({"loss": [0.5, 0.25]}, Severity.MEDIUM),
        (collections.OrderedDict(a=1), Severity.MEDIUM),
        ({"kernel": np.ones((2, 3))}, Severity.MEDIUM),
        (Harmful(), Severity.HIGH),
        ([np.ones(2), Harmful()], Severity.HIGH),
        (np.polynomial.Polynomial([1]), Severity.HIGH),  # not known
    ],
)
def test_what_it_names_decides(
    tmp_path: Path, value: object, severity: Severity, name: str, protocol: int
) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    (found,) = _found(path)
    assert (found.code, found.severity) == ("MA739", severity)
    assert found.title == "A pickle has the name of a model"


@pytest.mark.parametrize("cut", [0, 200])
@pytest.mark.parametrize("protocol", [2, 4])
def test_data_in_it_that_are_no_model_do_not_make_it_a_damaged_one(
    tmp_path: Path, protocol: int, cut: int
) -> None:
    """Protocol 2 writes bytes as text: archives in it are mangled."""
    archive = minimal_keras(tmp_path / "a.keras").read_bytes()
    path = tmp_path / "models" / "m.h5"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({"archive": archive[cut:]}, protocol=protocol))
    if protocol == 2 or cut:
        (only,) = discover(path.parent).candidates
        assert only.format is Format.UNKNOWN
        assert read(path, Limits()).format is Format.UNKNOWN
    assert [each.code for each in _found(path)] == ["MA739"]


@pytest.mark.parametrize("size", [0, 600])
def test_hdf5_in_it_is_not_called_damaged(tmp_path: Path, size: int) -> None:
    data = minimal_h5(tmp_path / "a.h5").read_bytes()[:size] or b"\x89HDF\r\n\x1a\n" + b"?" * 99
    path = tmp_path / "models" / "m.h5"
    path.parent.mkdir()
    path.write_bytes(_aligned(data))
    (only,) = discover(path.parent).candidates
    assert only.format is Format.UNKNOWN
    assert read(path, Limits()).format is Format.UNKNOWN
    assert [each.code for each in _found(path)] == ["MA739"]


@pytest.mark.parametrize(("suffix", "loads"), [(".h5", False), (".keras", True)])
def test_a_pickled_archive_is_read_and_not_renamed(
    tmp_path: Path, suffix: str, loads: bool
) -> None:
    """Keras loads a pickle with a `.keras` archive in it as that archive, by the suffix alone."""
    path = tmp_path / f"m{suffix}"
    path.write_bytes(pickle.dumps({"m": minimal_keras(tmp_path / "a.keras").read_bytes()}))
    artifact = read(path, Limits())
    assert artifact.format is Format.KERAS_ARCHIVE
    assert len(artifact.tensors) == 2
    (found,) = _found(path)
    assert (found.code, found.severity) == ("MA739", Severity.MEDIUM)
    assert ("which Keras loads without unpickling" in found.detail) is loads
    assert ("in a file of this name" in found.detail) is not loads


def test_arrays_of_joblib_are_data() -> None:
    array = ["joblib.numpy_pickle.NumpyArrayWrapper", "numpy.ndarray", "numpy.dtype"]
    model = "keras.saving.pickle_utils.deserialize_model_from_bytecode"
    for names, severity in (
        (array, Severity.MEDIUM),
        ([*array, model], Severity.MEDIUM),
        ([*array, model, "joblib.load"], Severity.HIGH),
    ):
        evidence = {"program": "a pickle", "names": names, "whole": False}
        problem = Problem(ProblemKind.UNSUPPORTED, "m.h5", "is a pickle", evidence=evidence)
        assert instead(rule("MA739"), problem).severity is severity


def test_code_in_a_pickled_model_is_found(tmp_path: Path) -> None:
    data = lambda_model(tmp_path, "lambda x: __import__('os').system('true')").read_bytes()
    path = tmp_path / "pickled.h5"
    path.write_bytes(_aligned(data))
    assert {each.code for each in _found(path)} >= {"MA702", "MA739"}


@pytest.mark.parametrize("before", [b"\x80\x04N.", b"\x80\x04\x00\x00", pickle.dumps(Harmful())])
def test_an_archive_behind_a_pickle_is_other_data_still(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(before + minimal_keras(tmp_path / "a.keras").read_bytes())
    found = {each.code: each.severity for each in _found(path)}
    assert found["MA733"] is Severity.HIGH


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_of_a_model_is_medium(tmp_path: Path, package: str, protocol: int) -> None:
    keras = pytest.importorskip(package)
    model = keras.Sequential([keras.layers.Dense(2)])
    model.build((None, 3))
    path = tmp_path / "m.h5"
    path.write_bytes(pickle.dumps(model, protocol=protocol))
    with pytest.raises(OSError, match="signature"):
        keras.models.load_model(path)
    found = {each.code: each for each in _found(path)}
    assert found.keys() == {"MA739"}
    assert found["MA739"].severity is Severity.MEDIUM
    assert "as pickles of Keras models do" in found["MA739"].detail


@pytest.mark.slow
def test_keras_loads_the_archive_in_a_pickle(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    path = tmp_path / "m.keras"
    path.write_bytes(pickle.dumps(model))
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
