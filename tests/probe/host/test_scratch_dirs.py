"""Directories left by killed runs, and those that a clean-up must not touch."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelaudit.probe.child import unprivileged
from modelaudit.probe.host import scratch_dirs
from tests.plain_rights import folder_of_a_plain_user
from tests.probe.host.test_disk_limit import nested
from tests.probe.restricted import ROOT, needs_linux, run_restricted

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a directory to another user"
)

OWNER = """
import os, time
from modelaudit.probe.host import scratch_dirs as scratch
with scratch.scratch_directory() as folder:
    child = os.fork() if {forking} else -1
    if child != 0:
        print(folder, child, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary files that no other run uses."""
    monkeypatch.setattr(scratch_dirs.tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextlib.contextmanager
def owner(
    temporary: Path, *, forking: bool = False
) -> Iterator[tuple[subprocess.Popen, Path, int]]:
    """A process with a directory, and its child's number."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.format(forking=forking)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder, child = process.stdout.readline().split()
        try:
            yield process, Path(folder), int(child)
        finally:
            process.kill()


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_directories_of_a_killed_run_are_removed(temporary: Path) -> None:
    with owner(temporary) as (process, folder, _):
        (folder / "inside").mkdir()
        scratch_dirs.remove_stale()
        assert (folder / "inside").is_dir()  # of a running run
        kill(process)
        assert folder.is_dir()
        scratch_dirs.remove_stale()
        assert not folder.exists()


def test_a_slot_that_outlives_its_run_keeps_the_directory(temporary: Path) -> None:
    with owner(temporary, forking=True) as (process, folder, child):
        try:
            kill(process)
            scratch_dirs.remove_stale()
            assert folder.is_dir()
        finally:
            os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while folder.exists() and time.monotonic() < deadline:
            scratch_dirs.remove_stale()
        assert not folder.exists()


def test_other_directories_are_kept(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    for folder in (elsewhere, temporary / "other-abc", temporary / "modelaudit-unlocked"):
        folder.mkdir()
    for folder in (elsewhere, temporary / "other-abc"):
        (folder / scratch_dirs.LOCK).touch()
    (temporary / "modelaudit-link").symlink_to(elsewhere)
    (temporary / "modelaudit-file").touch()
    linked = temporary / "modelaudit-linked"
    linked.mkdir()
    (linked / scratch_dirs.LOCK).symlink_to(elsewhere / scratch_dirs.LOCK)
    before = sorted(temporary.rglob("*"))
    scratch_dirs.remove_stale()
    assert sorted(temporary.rglob("*")) == before


@needs_root
def test_other_users_directories_are_kept(temporary: Path) -> None:
    folder = temporary / "modelaudit-theirs"
    folder.mkdir()
    (folder / scratch_dirs.LOCK).touch()
    os.chown(folder, unprivileged.NOBODY, -1)
    scratch_dirs.remove_stale()
    assert folder.is_dir()


def test_nothing_is_left_by_a_run_that_ends() -> None:
    with scratch_dirs.scratch_directory() as folder:
        assert (folder / scratch_dirs.LOCK).exists()
    assert not folder.exists()


def test_any_tree_is_removed_without_following_links(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a plain user, whom a mode keeps out: deep, closed, with links and odd names."""
    monkeypatch.setattr(scratch_dirs.tempfile, "tempdir", None)  # theirs is closed to that user
    kept = temporary / "kept"
    kept.mkdir()
    (kept / "file").touch()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_of_a_plain_user()) / "folder"
        (folder / "closed" / "inside").mkdir(parents=True)
        stack.enter_context(nested(folder / "closed", "deep", 1500))
        stack.enter_context(nested(folder, "x" * 250, 40))
        (folder / "closed" / "link").symlink_to(kept)
        (folder / "link").symlink_to(kept)
        os.close(os.open(os.fsencode(folder) + b"/\xff\n", os.O_CREAT | os.O_WRONLY))
        (folder / "closed" / "inside").chmod(0)
        (folder / "closed").chmod(0o300)
        scratch_dirs.remove(folder)
        assert not folder.exists()
    assert [*kept.iterdir()] == [kept / "file"]


def test_only_directories_are_removed(temporary: Path) -> None:
    scratch_dirs.remove(temporary / "missing")
    (temporary / "file").touch()
    (temporary / "link").symlink_to(temporary)
    for name in ("file", "link"):
        scratch_dirs.remove(temporary / name)
    assert (temporary / "file").exists()


@needs_linux
@needs_root
def test_unreadable_files_of_another_user_are_removed(
    tmp_path: Path,
) -> None:
    """As for root in a container that has dropped CAP_DAC_OVERRIDE."""
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir(0o700)
    folder = tmp_path / "folder"
    (folder / "closed" / "deep").mkdir(parents=True)
    (folder / "closed" / "deep" / "file").touch()
    (folder / "closed" / "link").symlink_to(neighbour)
    for path in (neighbour, folder, folder / "closed", folder / "closed" / "deep"):
        os.chown(path, unprivileged.NOBODY, -1)
        path.chmod(0o700)
    outcome = run_restricted(f"""
from pathlib import Path
from modelaudit.probe.child import unprivileged
from modelaudit.probe.host import scratch_dirs as scratch
kept = unprivileged.permitted() & ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
unprivileged.set_capabilities(kept, kept)
folder = Path({str(folder)!r})
try:
    closed = not list(folder.iterdir())
except PermissionError:
    closed = True
scratch.remove(folder)
outcome = {{"closed": closed, "there": folder.exists()}}
""")
    assert outcome == {"closed": True, "there": False}
    assert neighbour.stat().st_uid == unprivileged.NOBODY
