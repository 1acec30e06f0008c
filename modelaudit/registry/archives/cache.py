"""Unpacks archives into the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ProblemKind
from modelaudit.registry.archives.contents import holds_models, is_zip, stem
from modelaudit.registry.archives.unpack import unpack
from modelaudit.registry.cache_directory import PARTIAL, CacheDirectory
from modelaudit.registry.snapshot import allowance
from modelaudit.settings import CacheSettings, Limits
from modelaudit.workers import worker_pool
from modelaudit.workers.shared_work import SharedWork

_LAYOUT = 4  # of the entries: another number makes them anew
_STATE = "unpacked.json"


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
        self._directory = CacheDirectory(settings)
        self._limits = limits

    def unpacked(self, archive: Path, shared: SharedWork) -> UnpackedArchive:
        """The archive's files; unpacked now unless it was before, which takes `shared` work.

        Raises:
            ReadError: it cannot be read, a limit was exceeded, or there is no space.
        """
        # The names in a zip archive are read here: most are not of models, and need no process.
        if is_zip(archive) and not holds_models(archive, self._limits):
            return UnpackedArchive(None)
        try:
            entry = self._directory.root / self._key(archive)
            state = _state(entry) if self._directory.is_complete(entry) else None
            if state is None:
                self._directory.create()
                state = self._add(archive, entry, shared)
        except OSError as error:
            where = self._directory.root
            reason = f"cannot be unpacked into the cache {where}: {error.strerror or error}"
            raise ReadError(ProblemKind.UNREADABLE, archive.name, reason) from error
        tree = entry / stem(archive.name) if state.models else None
        return UnpackedArchive(tree, state.left_out, state.unsafe)

    def _key(self, archive: Path) -> str:
        status = archive.stat()
        limits = self._limits
        told = [
            *(_LAYOUT, os.fsencode(archive).hex(), status.st_dev, status.st_ino, status.st_size),
            *(status.st_mtime_ns, status.st_ctime_ns),
            *(limits.archive_members, limits.archive_bytes, limits.archive_ratio, limits.density),
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    def _add(self, archive: Path, entry: Path, shared: SharedWork) -> _Contents:
        partial_entry = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self._directory.root))
        try:
            before = self._key(archive)
            work = partial(_in_child, tree=partial_entry / stem(archive.name), limits=self._limits)
            (done,) = worker_pool.run_tasks(
                *([archive], work),
                jobs=1,
                seconds=self._limits.read_seconds,
                memory=self._limits.read_memory,
                allowed=lambda each: allowance([each], self._limits),
                shared=lambda _: shared,
            )
            value = done.value or {"reason": done.lost or "could not be unpacked"}
            if "reason" in value:
                limited = ProblemKind.LIMIT_EXCEEDED if done.limit else ProblemKind.UNREADABLE
                kind = ProblemKind(str(value.get("kind", limited)))
                setting = str(value.get("setting", done.limit))
                raise ReadError(kind, archive.name, str(value["reason"]), setting)
            if self._key(archive) != before:
                reason = "was modified while it was unpacked"
                raise ReadError(ProblemKind.UNREADABLE, archive.name, reason)
            state = msgspec.convert(value, _Contents)
            self._directory.make_room(state.bytes, archive.name)
            (partial_entry / _STATE).write_bytes(msgspec.json.encode(state))
            self._directory.complete(partial_entry, state.bytes)
            with suppress(FileExistsError):  # another run was faster
                partial_entry.rename(entry)
            return state
        finally:
            shutil.rmtree(partial_entry, ignore_errors=True)


def _in_child(archive: Path, tree: Path, limits: Limits) -> dict[str, Json]:
    """`unpack` with its errors as values: decompressors of C libraries run in a process apart."""
    try:
        return unpack(archive, tree, limits)
    except ReadError as error:
        return {"kind": str(error.kind), "reason": error.reason, "setting": error.setting}
    except OSError as error:
        return {"reason": f"cannot be unpacked: {error.strerror or error}"}


def _state(entry: Path) -> _Contents | None:
    """The state of a complete entry; None if there is none."""
    try:
        return msgspec.json.decode((entry / _STATE).read_bytes(), type=_Contents)
    except (OSError, msgspec.MsgspecError):
        return None
