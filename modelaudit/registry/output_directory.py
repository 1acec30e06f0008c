"""The output directory: portable file names, locking, and atomic writes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from modelaudit.errors import LockHeld, UsageError

SLUG_LENGTH = 80
LOCK_TRIES, LOCK_SECONDS = 3, 0.05
UNSAFE = re.compile(r"[^a-z0-9._]+")
# Temporary names of `write_atomic`: the name, and eight characters from tempfile.
LEFTOVER = re.compile(r"\.[a-z]+\.[a-z]+\.[a-z0-9_]{8}")


def slug(relative: str) -> str:
    """A readable file name for a model's path: lower-case ASCII letters, digits, `.`, `_`, `-`.

    A digest of the path is appended if characters were replaced, so that names are unique.
    """
    plain = UNSAFE.sub("-", relative.lower()).strip("-.")
    if plain == relative and len(plain) <= SLUG_LENGTH:
        return plain
    digest = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain[:SLUG_LENGTH].rstrip('-.')}-{digest}" if plain else digest


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Create `directory` and lock it against other runs while the context is active.

    Raises:
        UsageError: it cannot be created or written to.
        LockHeld: another run is writing to it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = (directory / ".lock").open("w")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write to {directory}: {reason}") from error
    with handle:
        try:
            _lock(handle)
        except BlockingIOError as error:
            raise LockHeld(f"{directory}: another run is writing to it") from error
        yield


def _lock(handle: IO[str]) -> None:
    """Take the lock; a caller of `is_locked` releases it within moments."""
    for left in reversed(range(LOCK_TRIES)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(LOCK_SECONDS)
        else:
            return


def is_locked(directory: Path) -> bool:
    """Whether a run is writing to `directory`."""
    try:
        with (directory / ".lock").open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never used by a run, or not accessible
        return False
    return False


def remove_old_reports(directory: Path, slugs: Collection[str], runs: int) -> None:
    """Remove the reports of models that are not in `slugs`, and all but the newest run pages.

    Only our own files are removed, and never what `latest` points to.
    """
    for folder in directory.glob("models/*"):
        if folder.name not in slugs:
            for path in (*folder.glob("audit.json"), *folder.glob("report.*")):
                path.unlink()
            with contextlib.suppress(OSError):
                folder.rmdir()
    newest = Path(os.path.realpath(directory / "latest")).name
    pages = [path for path in directory.glob("runs/*") if path.name != newest]
    pages.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for folder in pages[max(runs - 1, 0) :]:
        for path in folder.glob("index.*"):
            path.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary file, flush to disk, then rename: readers see the old file or the new.

    Raises:
        OSError: `path`, which the error names, is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_beside(path, data)
    except OSError as error:  # about the temporary name
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    # Flush the directory entry to disk. Some file systems cannot, and need not, do that
    with contextlib.suppress(OSError):
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write_beside(path: Path, data: bytes) -> None:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def remove_leftovers(directory: Path) -> None:
    """Remove partially written files of a killed run. Requires the directory's lock."""
    for place in (directory, *directory.glob("models/*"), *directory.glob("runs/*")):
        for path in place.glob(".*"):
            if LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
