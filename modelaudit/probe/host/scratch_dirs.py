"""Directories for runtimes and for what models write, of which none outlives its run for long.

A run that is killed cannot take its directory away. So each holds a lock that the kernel lets go of
with the last process of the run, and the next run of the same user takes away what nobody holds.
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
DEEPEST = 100  # directories within each other that are taken over to be removed


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new directory for as long as the context lasts, or its processes live."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / f"{LOCK}.new").open("w") as lock:
            # Without locks (some network file systems) it is never swept.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Under its name only now: who sweeps meets it locked, or not at all.
                (folder / f"{LOCK}.new").rename(folder / LOCK)
            yield folder
    finally:
        remove(folder)


def remove_stale() -> None:
    """Take away this user's directories that runs left behind which are gone."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as listing:
        for entry in listing:
            with contextlib.suppress(OSError):
                if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                    _sweep(Path(entry.path))


def _sweep(folder: Path) -> None:
    """Take one away, unless it is another user's or somebody holds its lock.

    Raises:
        OSError: so it is, or it has no lock.
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
    """Take a directory away, with what a child wrote that ran as another user."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    # Root may lack the capability to look into others' directories, but it gave them away itself.
    with contextlib.suppress(OSError):
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _take_over(parent, folder.name, DEEPEST)
        finally:
            os.close(parent)
    shutil.rmtree(folder, ignore_errors=True)


def _take_over(parent: int, name: str, depth: int) -> None:
    """Make a directory, and those in it, this user's own; no link is followed on the way."""
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
