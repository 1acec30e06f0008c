"""A profile that was collected without an experiment decides nothing that depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Architecture, Artifact, Document, Format, Json, Layer
from modelaudit.runtimes.catalogue import find_profile, shipped_profiles
from modelaudit.runtimes.predict import predict
from modelaudit.structs import replace

OF_KERAS_3 = find_profile("tf==2.21.0")
LISTED: Json = [{"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 3]}}]


def saved(tmp_path: Path, config: Json) -> Artifact:
    """An HDF5 file with a Sequential model."""
    return Artifact(
        tmp_path / "m.h5",
        Format.LEGACY_H5_FULL,
        architecture=Architecture("Sequential", "", "keras2", (Layer("d", "d", "Dense"),), (), ()),
        documents=(
            Document("m.h5", "model_config", {"class_name": "Sequential", "config": config}),
        ),
    )


def without(tmp_path: Path, name: str) -> Path:
    """The newest profile, as a version of its own that was collected without an experiment."""
    data = dict(OF_KERAS_3.data)
    data["versions"] = {**data["versions"], "tensorflow": "2.99.0"}
    data["behaviours"] = {key: value for key, value in data["behaviours"].items() if key != name}
    (tmp_path / "own.json").write_text(json.dumps(data))
    return tmp_path / "own.json"


@pytest.mark.parametrize(
    ("config", "predicted"),
    [
        (LISTED, LoadOutcome.UNKNOWN),
        (
            {"layers": [{"class_name": "InputLayer", "config": {"batch_shape": [None, 3]}}]},
            LoadOutcome.LOADS,
        ),
    ],
)
def test_a_missing_experiment_leaves_open_what_depends_on_it(
    tmp_path: Path, config: Json, predicted: LoadOutcome
) -> None:
    own = without(tmp_path, "sequential_forms")
    (found,) = predict(saved(tmp_path, config), ("tf==2.99.0",), own=(own,))
    assert found.predicted is predicted
    assert [each.code for each in found.because] == ["no-experiment"] * (
        predicted is LoadOutcome.UNKNOWN
    )


@pytest.mark.parametrize(("mode", "open_"), [("tf_idf", True), ("int", False)])
def test_a_missing_case_of_an_experiment(tmp_path: Path, mode: str, open_: bool) -> None:
    own = without(tmp_path, "restores")
    data = json.loads(own.read_text())
    known = {**OF_KERAS_3.data["behaviours"]["restores"]}
    assert known.pop("TextVectorization.tf_idf") == known["TextVectorization"] == ["keras"]
    data["behaviours"]["restores"] = {**known, "TextVectorization": ["h5"]}
    own.write_text(json.dumps(data))
    layer = Layer("t", "t", "TextVectorization", config={"output_mode": mode})
    config: Json = {"layers": [{"class_name": "InputLayer", "config": {"batch_shape": [None, 1]}}]}
    file = saved(tmp_path, config)
    assert file.architecture is not None
    file = replace(file, architecture=replace(file.architecture, layers=(layer,)))
    (found,) = predict(file, ("tf==2.99.0",), own=(own,))
    assert found.predicted is (LoadOutcome.UNKNOWN if open_ else LoadOutcome.LOADS)


def test_with_the_experiment_it_is_decided(tmp_path: Path) -> None:
    (found,) = predict(saved(tmp_path, LISTED), ("tf==2.21.0",))
    assert found.predicted is LoadOutcome.FAILS


def test_included_profiles_have_no_result_of_an_unknown_experiment() -> None:
    wanted = set(OF_KERAS_3.data["behaviours"])
    for entry in shipped_profiles():
        assert set(entry.read().data["behaviours"]) <= wanted, entry.place
