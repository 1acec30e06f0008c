"""A bounded cache of unpacked archives, in a private directory that may be deleted at any time.

An archive that did not change is not unpacked again, and its files keep their times, so that audits
of the models in it are reused like any others.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ProblemKind
from modelaudit.registry import worker_pool
from modelaudit.registry.archives.contents import holds_models, is_zip, stem
from modelaudit.registry.archives.unpack import unpack
from modelaudit.settings import CacheSettings, Limits

_LAYOUT = 1  # of the entries: another number makes them anew
_STATE = "unpacked.json"  # written last: an entry without it is incomplete
_PARTIAL = ".partial-"
# A run hardly takes longer; what it unpacked must stay for as long.
_IN_USE_SECONDS = 86_400.0


class UnpackedArchive(Struct, frozen=True):
    """An archive's files on disk.

    Attributes:
        tree: the directory that holds them; None if no name in the archive is that of a model.
        left_out: members that were not unpacked, each with the reason.
        unsafe: the same for members that may be an attack.
    """

    tree: Path | None
    left_out: tuple[tuple[str, str], ...] = ()
    unsafe: tuple[tuple[str, str], ...] = ()


class _Contents(Struct, frozen=True):
    """What `unpacked.json` says of an entry."""

    models: bool
    bytes: int
    left_out: tuple[tuple[str, str], ...]
    unsafe: tuple[tuple[str, str], ...]


class ArchiveCache:
    """Unpacks archives, and keeps them for later runs.

    Args:
        settings: where, and how many bytes.
        limits: for each archive.
    """

    def __init__(self, settings: CacheSettings, limits: Limits) -> None:
        self._root = Path(settings.directory) if settings.directory else _default_directory()
        self._most = settings.size
        self._limits = limits

    def unpacked(self, archive: Path) -> UnpackedArchive:
        """The archive's files; unpacked now unless it was before.

        Raises:
            ReadError: it cannot be read, a limit was exceeded, or there is no space.
        """
        # The names in a zip archive are read here: most are not of models, and need no process.
        if is_zip(archive) and not holds_models(archive, self._limits):
            return UnpackedArchive(None)
        try:
            entry = self._root / self._key(archive)
            state = _state(entry)
            if state is None:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                state = self._add(archive, entry)
            os.utime(entry)
        except OSError as error:
            reason = f"cannot be unpacked into the cache {self._root}: {error.strerror or error}"
            raise ReadError(ProblemKind.UNREADABLE, archive.name, reason) from error
        tree = entry / stem(archive.name) if state.models else None
        return UnpackedArchive(tree, state.left_out, state.unsafe)

    def _key(self, archive: Path) -> str:
        status = archive.stat()
        limits = self._limits
        told = [
            *(_LAYOUT, os.fsencode(archive).hex(), status.st_dev, status.st_ino, status.st_size),
            *(status.st_mtime_ns, status.st_ctime_ns),
            *(limits.archive_members, limits.archive_bytes, limits.archive_ratio),
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    def _add(self, archive: Path, entry: Path) -> _Contents:
        for old in self._root.glob(f"{_PARTIAL}*"):  # of a run that was killed
            if time.time() - old.stat().st_mtime > _IN_USE_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        partial_entry = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._root))
        try:
            before = self._key(archive)
            work = partial(_in_child, tree=partial_entry / stem(archive.name), limits=self._limits)
            (done,) = worker_pool.run_tasks(
                *([archive], work),
                jobs=1,
                seconds=self._limits.read_seconds,
                memory=self._limits.read_memory,
            )
            value = done.value or {"reason": done.lost or "could not be unpacked"}
            if "reason" in value:
                kind = ProblemKind(str(value.get("kind", ProblemKind.UNREADABLE)))
                raise ReadError(kind, archive.name, str(value["reason"]))
            if self._key(archive) != before:
                reason = "was modified while it was unpacked"
                raise ReadError(ProblemKind.UNREADABLE, archive.name, reason)
            state = msgspec.convert(value, _Contents)
            self._make_room(state.bytes, archive)
            (partial_entry / _STATE).write_bytes(msgspec.json.encode(state))
            with suppress(FileExistsError):  # another run was faster
                partial_entry.rename(entry)
            return state
        finally:
            shutil.rmtree(partial_entry, ignore_errors=True)

    def _make_room(self, needed: int, archive: Path) -> None:
        """Remove entries that were used least recently until `needed` bytes more may be kept."""
        entries = sorted(self._entries())
        total = needed + sum(size for _, size, _ in entries)
        for used, size, entry in entries:
            if total <= self._most or time.time() - used < _IN_USE_SECONDS:
                break
            shutil.rmtree(entry, ignore_errors=True)
            total -= size
        if total > self._most:
            reason = (
                f"cannot be unpacked: the cache would hold {total:,} bytes, over the limit of "
                f"{self._most:,} (option --cache-size)"
            )
            raise ReadError(ProblemKind.LIMIT_EXCEEDED, archive.name, reason)

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Time of the last use, bytes and path of every entry."""
        for entry in self._root.iterdir():
            state = None if entry.name.startswith(_PARTIAL) else _state(entry)
            if state is not None:
                yield entry.stat().st_mtime, state.bytes, entry


def _in_child(archive: Path, tree: Path, limits: Limits) -> dict[str, Json]:
    """`unpack` with its errors as values: decompressors of C libraries run in a process apart."""
    try:
        return unpack(archive, tree, limits)
    except ReadError as error:
        return {"kind": str(error.kind), "reason": error.reason}
    except OSError as error:
        return {"reason": f"cannot be unpacked: {error.strerror or error}"}


def _state(entry: Path) -> _Contents | None:
    """The state of a complete entry; None if there is none."""
    try:
        return msgspec.json.decode((entry / _STATE).read_bytes(), type=_Contents)
    except (OSError, msgspec.MsgspecError):
        return None


def _default_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelaudit" / "archives"
