"""The number of bytes that a child has written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelaudit.probe.host import disk_limit, scratch_dirs
from tests.plain_rights import folder_of_a_plain_user


def test_bytes_of_all_files_are_added(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a", "below/b", "below/c"):
        (tmp_path / name).write_bytes(b"x" * 40_000)
    assert disk_limit.excess(tmp_path, 200_000) == ""
    assert disk_limit.excess(tmp_path, 100_000) == "wrote more than 100,000 bytes of files"


def test_links_count_as_themselves(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (tmp_path / "inside" / "to_file").symlink_to(tmp_path / "large")
    (tmp_path / "inside" / "to_folder").symlink_to(tmp_path)
    assert disk_limit.excess(tmp_path / "inside", 20_000) == ""


def test_empty_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_limit, "ENTRIES", 5)
    for number in range(6):
        (tmp_path / str(number)).touch()
    assert disk_limit.excess(tmp_path, 1 << 20) == "made more than 5 files"


def test_a_hole_takes_no_space(tmp_path: Path) -> None:
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 1 << 30)
    assert disk_limit.excess(tmp_path, 1 << 20) == ""


def test_a_removed_folder_is_empty(tmp_path: Path) -> None:
    assert disk_limit.excess(tmp_path / "gone", 0) == ""


def test_an_unreadable_folder_counts_as_over_the_limit() -> None:
    with folder_of_a_plain_user() as folder:
        (folder / "closed").mkdir(mode=0o300)
        assert "made a directory unreadable" in disk_limit.excess(folder, 1 << 20)


@contextlib.contextmanager
def nested(folder: Path, name: str, depth: int) -> Iterator[None]:
    """Directories inside one another, whose path may be too long for the system and pytest."""
    inside = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir(name, dir_fd=inside)
            outside, inside = inside, os.open(name, os.O_RDONLY, dir_fd=inside)
            os.close(outside)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
        yield
    finally:
        os.close(inside)
        scratch_dirs.remove(folder / name)


@pytest.mark.parametrize(
    ("name", "depth", "said"),
    [
        ("d", disk_limit.DEEPEST, ""),
        ("d", disk_limit.DEEPEST + 1, "nested more than 100 directories"),
        ("x" * 200, 30, "made a directory unreadable to the supervisor"),
    ],
)
def test_deep_folders_hide_nothing(tmp_path: Path, name: str, depth: int, said: str) -> None:
    with nested(tmp_path, name, depth):
        assert disk_limit.excess(tmp_path, 1 << 30) == said
    assert not any(tmp_path.iterdir())
