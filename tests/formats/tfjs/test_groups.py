"""A weight, or a group of them, that is not read hides none of the later groups."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Artifact, ProblemKind
from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from modelaudit.work_budget import Phase, WorkBudget

LARGE, SMALL = (100, 100), (3, 3)
GROUPS = {"a.bin": {"a/kernel": LARGE}, "b.bin": {"b/kernel": SMALL, "b/bias": (3,)}}


def written(path: Path, *missing: str, value: float = 1.0) -> Path:
    """A model of two layers, each with a file of weights of its own."""
    manifest = []
    for file, weights in GROUPS.items():
        size = sum(int(np.prod(shape)) for shape in weights.values())
        if file not in missing:
            np.full(size, value if file == "b.bin" else 1.0, "<f4").tofile(path / file)
        listed = [
            {"name": name, "shape": [*shape], "dtype": "float32"} for name, shape in weights.items()
        ]
        manifest.append({"paths": [file], "weights": listed})
    dense = {"units": 100, "use_bias": False, "batch_input_shape": [None, 100], "name": "a"}
    layers = [
        {"class_name": "Dense", "config": dense},
        {"class_name": "Dense", "config": {"units": 3, "name": "b"}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    topology = {"keras_version": "2.15.0", "model_config": config}
    document = {"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}
    model = path / "model.json"
    model.write_text(json.dumps(document))
    return model


def names(artifact: Artifact) -> list[str]:
    return [each.name for each in artifact.tensors]


@pytest.mark.parametrize("most", [Limits().tensor_bytes, 1000])
def test_a_large_weight_does_not_hide_the_next_group(tmp_path: Path, most: int) -> None:
    found = read(written(tmp_path), Limits(tensor_bytes=most))
    assert names(found) == ["a/kernel", "b/kernel", "b/bias"]
    assert [each.path for each in found.files] == ["model.json", "a.bin", "b.bin"]
    assert len(found.problems) == (most == 1000)


def test_behind_a_large_weight_a_missing_file_is_told(tmp_path: Path) -> None:
    found = read(written(tmp_path, "b.bin"), Limits(tensor_bytes=1000))
    kinds = [each.kind for each in found.problems]
    assert kinds == [ProblemKind.LIMIT_EXCEEDED, ProblemKind.MISSING_SHARD]


@pytest.mark.parametrize("part", ["a.bin", "b.bin"])
def test_a_file_that_git_lfs_did_not_fetch_holds_no_weights(tmp_path: Path, part: str) -> None:
    """Its text is no number, and that it is short says nothing of the model."""
    model = written(tmp_path)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'5' * 64}\nsize 40000\n"
    (tmp_path / part).write_text(pointer)
    found = read(model, Limits())
    assert [(each.kind, each.file) for each in found.problems] == [(ProblemKind.LFS_POINTER, part)]
    assert not found.complete
    read_ones = [each.name for each in found.tensors if each.source is not None]
    assert read_ones == [*GROUPS["b.bin" if part == "a.bin" else "a.bin"]]


def _clock_that_jumps(after: int) -> Callable[[], float]:
    """A clock that stands for `after` readings and a first one, and then is far ahead."""
    readings = itertools.count()
    return lambda: 1e9 if next(readings) > after else 0.0


def test_the_digest_has_the_files_of_groups_that_were_not_read(tmp_path: Path) -> None:
    digests, stopped = [], 0
    for value in (1.0, 2.0):
        folder = tmp_path / str(value)
        folder.mkdir()
        model = written(folder, value=value)
        whole = read(model, Limits())
        digests.append(whole.sha256)
        for after in range(1, 60):
            budget = WorkBudget(1.0, _clock_that_jumps(after), lambda: 1.0)
            with budget.during(Phase.READING):
                found = read(model, Limits())
            told = [each for each in found.problems if each.detail.startswith("stopped after")]
            if told:
                stopped += 1
                assert len(told) == 1
                assert found.sha256 == whole.sha256
    assert stopped > 2
    assert len({*digests}) == 2


def test_a_file_by_another_spelling_is_listed_twice(tmp_path: Path) -> None:
    model = written(tmp_path)
    document = json.loads(model.read_text())
    document["weightsManifest"][1]["paths"] = [".//a.bin"]
    model.write_text(json.dumps(document))
    found = read(model, Limits())
    assert ProblemKind.DUPLICATE_MEMBER in [each.kind for each in found.problems]
    assert [each.path for each in found.files] == ["model.json", "a.bin"]


@pytest.mark.parametrize("name", ["graph", "fused", "layers"])
def test_json_that_is_refused_is_no_other_format(name: str, tmp_path: Path) -> None:
    made = Path(__file__).parent.parent.parent / "made" / "tfjs"
    model = made / name / "model.json" if name != "layers" else written(tmp_path)
    whole = read(model, Limits())
    alone = hashlib.sha256(model.read_bytes()).hexdigest()
    reads = itertools.count()
    with WorkBudget(1.0, lambda: 1e9 * next(reads), lambda: 1.0).during(Phase.READING):
        spent = read(model, Limits())
    for cut in (spent, read(model, Limits(json_nodes=5)), read(model, Limits(config_bytes=9))):
        assert [each.kind for each in cut.problems] == [ProblemKind.LIMIT_EXCEEDED]
        assert not cut.complete
        assert cut.format is whole.format
        assert cut.sha256 is None
    assert whole.complete
    assert whole.sha256 not in {None, alone}
