"""A short run of the mutations in `fuzz/`, and all inputs that once caused a fault."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import run
from fuzz.mutate import Mutator
from fuzz.targets import TARGETS, Target
from modelaudit.facts import Json, ProblemKind
from modelaudit.pipeline import static_facts
from modelaudit.registry import worker_pool
from modelaudit.settings import Settings

FOUND = sorted((Path(__file__).parent / "found").iterdir())
ENDINGS = {"read", *map(str, ProblemKind)}


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> dict[str, tuple[Path, tuple[bytes, ...]]]:
    """For each target a folder with a valid model, and all valid contents of its mutated file."""
    top = tmp_path_factory.mktemp("seeds")
    found = {}
    for target in TARGETS:
        folder = top / target.name / "model"
        folder.parent.mkdir()
        found[target.name] = (folder, target.contents(folder))
    return found


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_are_valid(target: Target, valid) -> None:
    folder, contents = valid[target.name]
    for data in contents:
        target.put(folder, data)
        assert target.decide(folder) == target.audit(folder) == "read"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 3))
def test_mutated_files_give_a_typed_result(target: Target, valid, seed, changes) -> None:
    folder, contents = valid[target.name]
    rng = random.Random(seed)
    data = rng.choice(contents)
    for _ in range(changes):
        data = Mutator(rng).mutate(target.kind, data)
    target.put(folder, data)
    look = target.audit if seed % 4 == 0 else target.decide
    assert look(folder) in ENDINGS


def _read(path: Path) -> dict[str, Json]:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / path.name
        if path.suffix == ".json":  # the config of an archive
            place = Path(name)
            next(each for each in TARGETS if each.name == "config-json").build(place / "model")
            shutil.copy(path, place / "model" / "config.json")
            place /= "model"
        else:
            shutil.copy(path, place)
        artifact = static_facts(place, Settings()).artifact
    return {"problems": [str(problem.kind) for problem in artifact.problems]}


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_inputs_of_past_faults_end_in_time(path: Path) -> None:
    (done,) = worker_pool.run_tasks([path], _read, jobs=1, seconds=20.0, memory=2 << 30)
    assert not done.lost
    assert done.value is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--inputs", "1", "no-such-target"), "unknown target: no-such-target"),
        (("--inputs", "1", "--keep", "KEPT"), "has results of an earlier run"),
    ],
)
def test_wrong_arguments_of_the_fuzzer_are_usage_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    (tmp_path / TARGETS[0].name).mkdir()
    argv = [str(tmp_path) if each == "KEPT" else each for each in arguments]
    monkeypatch.setattr(sys, "argv", ["fuzz", *argv])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
