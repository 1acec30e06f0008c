"""Files with another config and the same weights."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.formats.reader import read_artifact
from modelaudit.repairs.containers import RepairEdits, scaled, write_archive, write_hdf5
from modelaudit.settings import Limits, Settings

NONE = RepairEdits()
FOREIGN = ("run.sh", "assets/../../up.txt", "model.weights.h5.bak", "payload.pkl")


def archive(path: Path, *groups: str) -> Path:
    weights = path.with_suffix(".weights")
    with h5py.File(weights, "w") as file:
        for number, group in enumerate(groups):
            file.create_group(group)["0"] = np.full(2, number, "f4")
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        target.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        target.write(weights, "model.weights.h5")
        target.writestr("assets/words.txt", "one two")
        for name in FOREIGN:
            target.writestr(name, "not of Keras")
    return path


def written(source: Path, out: Path, *, keras3: bool, keras: str = "3.15.1") -> dict[str, float]:
    artifact = read_artifact(source, Settings().limits)
    write_archive(artifact, out, {}, NONE, keras, Limits(), keras3=keras3)
    with zipfile.ZipFile(out) as target, h5py.File(target.open("model.weights.h5")) as file:
        assert json.loads(target.read("metadata.json"))["keras_version"] == keras
        assert target.read("assets/words.txt") == b"one two"
        assert set(target.namelist()).isdisjoint(FOREIGN)
        names: list[str] = []
        file.visit(names.append)
        return {name: float(file[name][0]) for name in names if name.endswith("/0")}


@pytest.mark.parametrize(("keras3", "name"), [(True, "query_dense"), (False, "_query_dense")])
def test_parts_of_attention_have_the_names_of_the_generation(
    tmp_path: Path, keras3: bool, name: str
) -> None:
    groups = ("layers/mha/query_dense/vars", "layers/mha/_key_dense/vars")
    source = archive(tmp_path / "a.keras", *groups)
    found = written(source, tmp_path / "b.keras", keras3=keras3)
    assert found[f"layers/mha/{name}/vars/0"] == 0.0
    assert len(found) == 2


OLD = "_layer_checkpoint_dependencies"


@pytest.mark.parametrize(
    ("names", "renamed"),
    [
        (("add_1", "dense", "dense_2", "dense_4"), ("add_1", "dense", "dense_1", "dense_2")),
        (("dense", "dense_1", "dense_2"), ("dense", "dense_1", "dense_2")),
        (("dense", "dense_10", "dense_2"), ("dense", "dense_5", "dense_1")),
        (("a/dense", "a/dense_2", "a_2"), ("a/dense", "a/dense_1", "a_1")),
        ((f"a/{OLD}/b", f"a/{OLD}/b_2", "a_2"), ("a/layers/b", "a/layers/b_1", "a_1")),
    ],
)
def test_layers_that_keras_2_13_counted_twice_are_counted_once(
    tmp_path: Path, names: tuple[str, ...], renamed: tuple[str, ...]
) -> None:
    source = archive(tmp_path / "a.keras", *(f"{OLD}/{name}/vars" for name in names))
    found = written(source, tmp_path / "b.keras", keras3=True)
    wanted = {f"layers/{name}/vars/0": float(number) for number, name in enumerate(renamed)}
    assert found == wanted
    same = written(source, tmp_path / "c.keras", keras3=False, keras="2.13.1")
    assert same.keys() == {f"{OLD}/{name}/vars/0" for name in names}


def test_backslashes_of_windows_become_groups(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.keras", "layers\\dense/vars", "layers\\dense_1/vars")
    found = written(source, tmp_path / "b.keras", keras3=True)
    assert found == {"layers/dense/vars/0": 0.0, "layers/dense_1/vars/0": 1.0}


def test_groups_of_windows_are_counted_once_too(tmp_path: Path) -> None:
    """Both in one file: Keras 2.12 and 2.13 on Windows."""
    names = (f"{OLD}\\{name}" for name in ("conv", "dense", "dense_2"))
    source = archive(tmp_path / "a.keras", *(f"{name}/vars" for name in names))
    for number, keras3 in enumerate((False, True)):
        found = written(source, tmp_path / f"{number}.keras", keras3=keras3)
        assert found == {
            "layers/conv/vars/0": 0.0,
            "layers/dense/vars/0": 1.0,
            "layers/dense_1/vars/0": 2.0,
        }


def test_renamed_layers_are_renamed_in_the_lists_too(tmp_path: Path) -> None:
    source = tmp_path / "a.h5"
    with h5py.File(source, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a/b", b"c"]
        for name in ("a/b", "c"):
            group.create_group(name).attrs["weight_names"] = [b"kernel"]
            group[name]["kernel"] = np.ones(3, "f4")
    edits = RepairEdits(renamed={"a/b": "a_b"})
    artifact = read_artifact(source, Settings().limits)
    write_hdf5(artifact, tmp_path / "b.h5", {"x": 1}, edits, "3.15.1", training=False)
    with h5py.File(tmp_path / "b.h5") as file:
        assert list(file["model_weights"].attrs["layer_names"]) == [b"a_b", b"c"]
        assert file["model_weights/a_b/kernel"][0] == 1.0
        assert json.loads(file.attrs["model_config"]) == {"x": 1}


def test_gates_are_scaled_by_blocks_of_columns() -> None:
    values = np.arange(16, dtype="f4").reshape(2, 8)
    found = scaled(values, (2.0, 1.0, 0.5, 1.0))
    assert found.dtype == values.dtype
    assert found.tolist()[0] == [0, 2, 2, 3, 2, 2.5, 6, 7]


def test_an_unpacked_archive_is_written_as_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with zipfile.ZipFile(archive(tmp_path / "a.keras", "layers/dense/vars")) as source:
        source.extractall(
            folder, [name for name in source.namelist() if ".." not in name.split("/")]
        )
    assert written(folder, tmp_path / "b.keras", keras3=True) == {"layers/dense/vars/0": 0.0}
