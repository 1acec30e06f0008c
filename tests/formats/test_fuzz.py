"""A short run of the mutations in `fuzz/`, and all inputs that once caused a fault."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import measured, run, seeds, tar_changes
from fuzz.mutate import Mutator
from fuzz.targets import TARGETS, Target
from modelaudit.facts import Json, ProblemKind
from modelaudit.pipeline import static_facts
from modelaudit.settings import Settings
from modelaudit.workers import worker_pool

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
        assert target.decide(folder) == target.audit(folder) == target.valid


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


def test_a_run_goes_on_where_it_stopped_and_measures_each_input(
    tmp_path: Path, valid: dict[str, tuple[Path, tuple[bytes, ...]]]
) -> None:
    """Without the guided part, which needs Atheris."""
    folder = tmp_path / "npz"
    (folder / "corpus").mkdir(parents=True)
    model, contents = valid["npz"]
    shutil.copytree(model, folder / "model")
    (folder / "corpus" / "seed-0").write_bytes(contents[0])
    tally = run.Tally("npz")
    for wanted in ("5", "12"):
        command = [sys.executable, "-m", "fuzz.plain", "npz", str(folder), wanted, "3"]
        subprocess.run(command, cwd=run.ROOT, check=True)
    for line in (folder / "log").read_text().splitlines():
        tally.add(line)
    assert tally.inputs == 12
    assert tally.endings.keys() <= ENDINGS
    assert 20 << 10 < tally.largest < run.LARGE_KIB
    assert (folder / "seeds").read_text() == "plain\t3\t0\nplain\t8\t5\n"


def test_an_input_that_kills_its_process_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b"input")

    def feed(_left: int, seed: int) -> NoReturn:
        if not seed:
            os.kill(os.getpid(), signal.SIGSEGV)
        with (tmp_path / "log").open("a") as log:
            log.write("plain\tread\t0.1\t90000\n")
        os._exit(0)

    measured.in_forks(tmp_path, "plain", 2, 0, feed)
    tally = run.Tally("x")
    for line in (tmp_path / "log").read_text().splitlines():
        tally.add(line)
    assert (tally.inputs, tally.faults) == (2, {"SIGSEGV": 1})
    assert [each.read_bytes() for each in (tmp_path / "found").iterdir()] == [b"input"]


def test_tar_archives_keep_valid_checksums(tmp_path: Path) -> None:
    data = seeds.packed_models(tmp_path)[1]
    read = 0
    for seed in range(40):
        changed = tar_changes.changed_tar(random.Random(seed), data, lambda piece: piece)
        quiet = contextlib.suppress(tarfile.TarError, EOFError)
        with quiet, tarfile.open(fileobj=io.BytesIO(changed)) as archive:
            read += len(archive.getnames()) > 0
    assert read > 30


@pytest.mark.parametrize(
    ("arguments", "said"), [(("--inputs", "1", "no-such-target"), "unknown target: no-such-target")]
)
def test_wrong_arguments_of_the_fuzzer_are_usage_errors(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", *arguments])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_documents_that_nest_as_deep_as_python_reads_them_are_mutated() -> None:
    """Mutations put deep values into each other."""
    deep = b'{"a": ' + b"[" * 900 + b"]" * 900 + b', "b": [1, "x"]}'
    made = {Mutator(random.Random(seed)).json(deep) for seed in range(60)}
    assert len(made) > 20
