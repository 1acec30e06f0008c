"""The files an audit depends on, and detecting that they changed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from modelaudit.registry.snapshot import SnapshotReader, allowance
from modelaudit.settings import MOST_SECONDS, Limits
from tests.growth import LINEAR, growth
from tests.made import files

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def look(model: Path):
    return SnapshotReader(Limits()).snapshot(model)


def content(model: Path) -> str:
    return SnapshotReader(Limits()).content(model)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """One model of every layout on disk, next to each other."""
    shutil.copytree(SAMPLES / "digits_tf1_savedmodel", tmp_path / "saved")
    shutil.copytree(SAMPLES / "digits_tf1_checkpoint", tmp_path, dirs_exist_ok=True)
    files.minimal_h5(tmp_path / "a.h5")
    files.minimal_h5(tmp_path / "lenet.ckpt2.h5")
    return {
        "file": tmp_path / "a.h5",
        "directory": tmp_path / "saved",
        "prefix": tmp_path / "lenet.ckpt",
    }


def names(model: Path) -> list[str]:
    return [file.name for file in look(model).files]


def test_the_files_of_a_model(models) -> None:
    assert names(models["file"]) == ["a.h5"]
    whole = {
        p.relative_to(models["directory"].parent).as_posix()
        for p in models["directory"].rglob("*")
        if p.is_file()
    }
    assert set(names(models["directory"])) == whole
    parts = {"checkpoint", "lenet.ckpt.data-00000-of-00001", "lenet.ckpt.index", "lenet.ckpt.meta"}
    assert set(names(models["prefix"])) == parts


@pytest.mark.parametrize("kind", ["file", "directory", "prefix"])
@pytest.mark.parametrize("name", ["labels.txt", "vocab.txt", "{}.golden.json"])
def test_related_files_next_to_a_model_count(models, kind, name) -> None:
    model = models[kind]
    before = look(model).text, content(model)
    (model.parent / name.format(model.name)).write_text("x")
    assert look(model).text != before[0]
    assert content(model) != before[1]


@pytest.mark.parametrize("kind", ["file", "prefix"])
def test_a_version_being_uploaded_is_not_part_of_a_model(models, kind) -> None:
    model = models[kind]
    before = look(model).text, content(model)
    model.with_name(f"{model.name}.part").write_text("x")
    assert (look(model).text, content(model)) == before


@pytest.mark.parametrize("kind", ["file", "directory", "prefix"])
def test_every_kind_of_change_is_detected(models, kind) -> None:
    model = models[kind]
    first = model.parent / look(model).files[-1].name
    assert look(model).text == look(model).text

    before = look(model).text, content(model)
    os.utime(first, ns=(1, 1))
    assert look(model).text != before[0]
    assert content(model) == before[1]

    before, status = (look(model).text, content(model)), first.stat()
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    time.sleep(0.01)
    first.write_bytes(data)  # same size, and its time restored
    os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert look(model).text != before[0]
    assert content(model) != before[1]

    before = look(model).text, content(model)
    shutil.copy2(first, first.with_name("copy"))
    first.with_name("copy").replace(first)  # the same bytes in another inode
    assert look(model).text != before[0]
    assert content(model) == before[1]

    first.unlink()
    assert look(model).text != before[0]
    assert content(model) != before[1]


def test_a_very_recent_file_is_not_considered_unchanged(tmp_path, monkeypatch) -> None:
    model = files.minimal_h5(tmp_path / "a.h5")
    assert not look(model).settled
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 3 * 10**9)
    assert (look(model).settled, look(model).fresh) == (True, True)
    monkeypatch.setattr(time, "time_ns", lambda: now + 301 * 10**9)
    assert not look(model).fresh
    monkeypatch.setattr(time, "time_ns", lambda: now - 10**18)  # the clock was set back 30 years
    assert not look(model).settled


def test_a_removed_model_has_no_files(tmp_path) -> None:
    assert look(tmp_path / "gone.h5").files == ()
    assert look(tmp_path / "gone" / "deep.h5").files == ()
    (tmp_path / "link.h5").symlink_to("nowhere")
    (state,) = look(tmp_path / "link.h5").files
    assert state.size == -1


def test_what_a_model_may_take_grows_with_the_size_of_all_files(tmp_path) -> None:
    limits = Limits(cpu_seconds=3.0, memory_bytes=1000, read_memory=2600)

    def seconds(models: list[Path]) -> float:
        return allowance(models, limits).seconds

    for name, size in (("small.h5", 1), ("large.h5", 25_000_000)):
        (tmp_path / name).write_bytes(b"x" * size)
    small, large = tmp_path / "small.h5", tmp_path / "large.h5"
    assert seconds([small]) == seconds([]) == 3.0
    assert seconds([large]) == 7.5
    assert seconds([large, large]) == 15.0
    assert seconds([tmp_path]) == pytest.approx(7.5)
    assert seconds([tmp_path / "gone"]) == 3.0
    assert [allowance(each, limits).memory for each in ([small], [large])] == [1000, 2500]
    assert allowance([large, large], limits).memory is None  # more than a process has
    slow = Limits(cpu_seconds=MOST_SECONDS)
    assert allowance([large], slow).seconds == MOST_SECONDS  # which a timer can count


@pytest.mark.parametrize("data", [b"", b"x" * 4096], ids=["nothing", "a block"])
def test_holes_allow_nothing(tmp_path, data) -> None:
    sparse = tmp_path / "sparse.h5"
    sparse.write_bytes(data)
    os.truncate(sparse, 10**11)
    limits = Limits()
    assert allowance([sparse], limits) == allowance([], limits)


def test_the_cost_of_a_directory_is_linear_in_its_files(tmp_path) -> None:
    def prepare(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.h5").touch()
        return [folder / f"{number}.h5" for number in range(count)]

    def work(models):
        reader = SnapshotReader(Limits())
        return [reader.snapshot(model) for model in models]

    assert growth(prepare, work, 300) < LINEAR
