"""The work of an audit is that for the bytes of its own model's files, each counted once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from modelaudit.formats.io import work_allowance
from modelaudit.formats.io.work_allowance import budget_of
from modelaudit.settings import Limits

SIZE = 20_000_000


def times(path: Path) -> float:
    """The work of the model at a path, by that of a small one."""
    return budget_of(path, Limits()).units / Limits().work


def large(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(SIZE))
    return path


def test_a_file_with_many_names_counts_once(tmp_path: Path) -> None:
    first = large(tmp_path / "m" / "a.bin")
    assert times(tmp_path / "m") == pytest.approx(2)
    for number in range(20):
        os.link(first, tmp_path / "m" / f"{number}.bin")
        (tmp_path / "m" / f"{number}.link").symlink_to(first)
    assert times(tmp_path / "m") == pytest.approx(2)
    large(tmp_path / "m" / "b.bin")
    assert times(tmp_path / "m") == pytest.approx(4)


@pytest.mark.parametrize("indent", [None, 2])
def test_of_a_manifest_the_listed_files_count(tmp_path: Path, indent: int | None) -> None:
    folder = tmp_path / "m"
    for name in ("a.bin", "parts/b", "other.bin", "../out.bin", "group1-shard1of1"):
        large(folder / name)
    groups = [{"paths": ["a.bin", "parts/b"], "weights": []}, {"weights": [], "paths": ["a.bin"]}]
    groups += [{"paths": ["missing.bin", "../out.bin", str(tmp_path / "out.bin"), "x\0"]}]
    note = 'the text "paths": ["other.bin"] is not a list'
    document = {"weightsManifest": groups, "modelTopology": {"name": note, "paths": 3}}
    (folder / "model.json").write_text(json.dumps(document, indent=indent))
    assert times(folder / "model.json") == pytest.approx(4, rel=1e-3)
    (folder / "plain.json").write_text('{"modelTopology": {}}')
    assert times(folder / "plain.json") == 1


@pytest.mark.parametrize("text", [b'"paths":[', b'"paths":["', b'"paths"  ', b'"paths":["a",'])
def test_manifests_are_looked_through_once(tmp_path: Path, text: bytes) -> None:
    taken = []
    for count in (20_000, 200_000):
        path = tmp_path / f"{count}.json"
        path.write_bytes(text * count)
        start = time.process_time()
        assert times(path) == pytest.approx(1)
        taken.append(time.process_time() - start)
    assert taken[1] < 40 * taken[0] + 0.1  # 100 times if each looked through the rest


def test_of_a_checkpoint_its_own_parts_count(tmp_path: Path) -> None:
    for name in ("m.index", "m.data-00000-of-00002", "m.data-00001-of-00002", "m.meta"):
        large(tmp_path / name)
    for name in ("m-1.index", "m-1.data-00000-of-00001", "m.h5", "m.png", "n.index"):
        large(tmp_path / name)
    assert times(tmp_path / "m") == times(tmp_path / "m.index") == pytest.approx(8)
    assert times(tmp_path / "m-1") == pytest.approx(4)
    large(tmp_path / "old-00000-of-00001")
    assert times(tmp_path / "old") == pytest.approx(2)


def test_a_directory_is_listed_once_for_all_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (tmp_path / f"ckpt-{number}.index").touch()
    listed = []
    real = os.scandir
    monkeypatch.setattr(work_allowance.os, "scandir", lambda p: listed.append(p) or real(p))
    os.utime(tmp_path, (1e9, 1e9))
    for number in range(30):
        assert times(tmp_path / f"ckpt-{number}") == 1
    assert len(listed) == 1
    large(tmp_path / "ckpt-3.data-00000-of-00001")
    assert times(tmp_path / "ckpt-3") == pytest.approx(2)


def test_a_file_that_must_not_be_looked_at_has_the_least_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", refused)
    assert times(tmp_path / "m.h5") == 1
    monkeypatch.undo()
    assert times(tmp_path / "nowhere" / "ckpt") == 1
