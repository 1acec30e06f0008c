"""Temporary directories of runtimes and children, including cleanup after killed runs.

A killed run cannot remove its directory. Hence each directory has a lock that the kernel releases
when the last process of the run ends; the same user's next run removes unlocked directories.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX, LOCK = "modelaudit-", "lock"
READ_NOTHING: int = getattr(os, "O_PATH", os.O_RDONLY)  # opens what may not be read, on Linux


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
    """Remove a directory, however deep it is, including directories of a child that closed them.

    Subdirectories are moved up into `folder` before they are emptied, so that no path is long, and
    nothing is recursive. Links are removed, not followed.
    """
    with contextlib.suppress(OSError), _opened(folder.parent) as parent:
        _take_over(folder.name, parent)
        with _opened(folder.name, parent) as top:
            while _emptied(top, top):
                pass
        os.rmdir(folder.name, dir_fd=parent)


def _emptied(top: int, folder: int) -> bool:
    """Remove the files in `folder`, and do the same for its subdirectories or move them to `top`.

    Returns:
        Whether a subdirectory of `top` is gone; others may have taken its place.
    """
    with os.scandir(folder) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    gone = False
    for name, is_folder in entries:
        with contextlib.suppress(OSError):
            if not is_folder:
                os.unlink(name, dir_fd=folder)
                continue
            _take_over(name, folder)
            if folder != top:
                os.rename(name, secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=top)
                continue
            with _opened(name, top) as inside:
                _emptied(top, inside)
            os.rmdir(name, dir_fd=top)
            gone = True
    return gone


@contextlib.contextmanager
def _opened(path: str | Path, parent: int | None = None, how: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = os.open(path, how | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take_over(name: str, parent: int) -> None:
    """Make a directory our own and readable, without following links."""
    # Root may lack the capability to read others' directories, but it may take them over.
    with contextlib.suppress(OSError):
        os.chown(name, os.geteuid(), -1, dir_fd=parent, follow_symlinks=False)
    with contextlib.suppress(OSError), _opened(name, parent, READ_NOTHING) as folder:
        Path(f"/proc/self/fd/{folder}").chmod(0o700)
