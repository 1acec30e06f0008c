"""Temporary directories of runtimes and children, including cleanup after killed runs.

A killed run cannot remove its directory. Hence each directory has a lock that the kernel releases
when the last process of the run ends; the same user's next run removes unlocked directories.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX, LOCK = "modelaudit-", "lock"
DEEPEST = 100  # maximum nesting of directories that are taken over before removal


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Create a directory that exists for the duration of the context, or of its processes."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / f"{LOCK}.new").open("w") as lock:
            # Without lock support (some network file systems) it is not removed by other runs.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Renamed only now, so that other runs find it locked, or not at all.
                (folder / f"{LOCK}.new").rename(folder / LOCK)
            yield folder
    finally:
        remove(folder)


def remove_stale() -> None:
    """Remove directories of this user's runs that no longer exist."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as listing:
        for entry in listing:
            with contextlib.suppress(OSError):
                if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                    _sweep(Path(entry.path))


def _sweep(folder: Path) -> None:
    """Remove a directory, unless it belongs to another user or is locked.

    Raises:
        OSError: it is locked, or has no lock.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        owners = {folder.lstat().st_uid, os.fstat(descriptor).st_uid}
        if owners == {os.geteuid()}:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
    finally:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a directory, including files of a child that ran as another user."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    # Root may lack the capability to read others' directories, but it may take them over.
    with contextlib.suppress(OSError):
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _take_over(parent, folder.name, DEEPEST)
        finally:
            os.close(parent)
    shutil.rmtree(folder, ignore_errors=True)


def _take_over(parent: int, name: str, depth: int) -> None:
    """Make a directory and its subdirectories our own, without following links."""
    with contextlib.suppress(OSError):
        os.chown(name, os.geteuid(), -1, dir_fd=parent, follow_symlinks=False)
        inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            with os.scandir(inside) as listing:
                below = [each.name for each in listing if each.is_dir(follow_symlinks=False)]
            for each in below if depth else ():
                _take_over(inside, each, depth - 1)
        finally:
            os.close(inside)
