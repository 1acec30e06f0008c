"""The output directory: names that are safe anywhere, and writes that are never half done."""

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
# What `write_atomic` calls a file until it is whole: the name, and eight characters of tempfile's.
LEFTOVER = re.compile(r"\.[a-z]+\.[a-z]+\.[a-z0-9_]{8}")


def slug(relative: str) -> str:
    """A readable file name for a model's path: lower case ASCII letters, digits, `.`, `_`, `-`.

    A digest of the path is added wherever something was lost, so that two paths never share one.
    """
    plain = UNSAFE.sub("-", relative.lower()).strip("-.")
    if plain == relative and len(plain) <= SLUG_LENGTH:
        return plain
    digest = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain[:SLUG_LENGTH].rstrip('-.')}-{digest}" if plain else digest


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make `directory` and keep other runs from writing to it for as long as the context lasts.

    Raises:
        UsageError: it cannot be made or written to.
        LockHeld: another run writes to it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = (directory / ".lock").open("w")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{directory}: cannot be written to: {reason}") from error
    with handle:
        try:
            _lock(handle)
        except BlockingIOError as error:
            raise LockHeld(f"{directory}: another run is writing to it") from error
        yield


def _lock(handle: IO[str]) -> None:
    """Take the lock; whoever only asked `is_locked` gives it back in a moment."""
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
    """Whether a run writes to `directory` now."""
    try:
        with (directory / ".lock").open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no run ever wrote here, or others may not look
        return False
    return False


def remove_old_reports(directory: Path, slugs: Collection[str], runs: int) -> None:
    """Take away the reports of models that are not in `slugs`, and all but the newest run pages.

    Nothing goes that was not written here, and never what `latest` points to.
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
    """Write beside the target, flush to disk, then rename: readers see the old file or the new.

    Raises:
        OSError: nothing was changed at `path`, which it names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_beside(path, data)
    except OSError as error:  # of a name that nobody gave
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    _flush_directory(path.parent)


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


def _flush_directory(directory: Path) -> None:
    """Make the new name itself last. Some file systems cannot, and need not, do that."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def remove_leftovers(directory: Path) -> None:
    """Take away what a killed run had half written. Only for who holds the directory's lock."""
    for place in (directory, *directory.glob("models/*"), *directory.glob("runs/*")):
        for path in place.glob(".*"):
            if LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
