"""Names and writes in the output directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.output_directory import remove_leftovers, slug, write_atomic


@given(st.text(min_size=1))
def test_slugs_are_safe_anywhere(path: str) -> None:
    name = slug(path)
    assert re.fullmatch(r"[a-z0-9._-]{1,100}", name)
    assert not name.startswith((".", "-"))


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_slugs_differ_where_paths_do(paths: list[str]) -> None:
    assert len({slug(path) for path in paths}) == len(paths)


def test_plain_names_stay_readable() -> None:
    assert slug("model.keras") == "model.keras"
    assert slug("vision/Model v2.h5").startswith("vision-model-v2.h5-")


def test_a_write_replaces_whole_files(tmp_path) -> None:
    path = tmp_path / "deep" / "report.html"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["report.html"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "report.html"
    write_atomic(path, b"old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_failed_write_names_the_requested_file(tmp_path, monkeypatch) -> None:
    place = tmp_path / "x"
    place.mkdir()
    for path in (Path("/proc/x"), place, tmp_path / ("n" * 300)):
        with pytest.raises(OSError, match="\\[Errno") as caught:
            write_atomic(path, b"data")
        assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert os.listdir(tmp_path) == ["x"]


def test_written_files_follow_the_umask(tmp_path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "x", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_partial_files_of_a_killed_run_are_removed(tmp_path) -> None:
    """The names come from the writer itself, which is stopped before the rename."""
    places = [tmp_path, tmp_path / "models" / "a.h5", tmp_path / "runs" / "2026"]
    for place, name in zip(places, ("index.html", "audit.json", "index.json"), strict=True):
        write_atomic(place / name, b"whole")
        pid = os.fork()
        if pid == 0:
            os.fsync = lambda _: os._exit(0)
            write_atomic(place / name, b"half")
        os.waitpid(pid, 0)
        assert len(os.listdir(place)) >= 2
    (tmp_path / ".lock").touch()
    (tmp_path / "models" / "a.h5" / ".hidden").touch()
    remove_leftovers(tmp_path)
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".hidden", ".lock", "audit.json", "index.html", "index.json"]
