"""The files that a model's audit depends on, and whether they changed.

A file counts as unchanged if its size, its two times and its inode are. They are compared with our
clock only to detect files that may have been modified at the moment of the snapshot; the bytes of
those are hashed instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct, field

from modelaudit.formats.class_labels import LABEL_FILES
from modelaudit.formats.io.bounded import display_path, file_entry, files_below
from modelaudit.formats.keras.architecture_files import architecture_names
from modelaudit.formats.vocabularies import VOCABULARY_FILES
from modelaudit.registry.file_groups import STATE_FILE, checkpoint_prefix, shard_prefix
from modelaudit.registry.task_allowance import Allowance
from modelaudit.restore.golden_record import record_path
from modelaudit.settings import MOST_SECONDS, Limits
from modelaudit.signing.check import signature_paths

# A file system's clock ticks in milliseconds (seconds on some); a write within the same tick as the
# snapshot does not change the times.
SETTLED_SECONDS = 2.0
# Copies, even over a slow network, seldom pause longer than this between two chunks.
FRESH_SECONDS = 300.0
_COUNTED_BYTES = 10_000_000  # for which `cpu_seconds` and `memory_bytes` are allowed


_BESIDE = (*LABEL_FILES, *VOCABULARY_FILES)
# Files of weights of TensorFlow.js, as it and its converter name them.
_SHARD = re.compile(r".*\.bin|group\d+-shard\d+of\d+", re.DOTALL)


class FileState(Struct, frozen=True):
    """The directory entry of a file. Times in nanoseconds; all fields are -1 if it is gone."""

    name: str
    size: int
    modified: int
    changed: int
    inode: int


class Snapshot(Struct, frozen=True):
    """The files of one model at one moment, in byte order of their names.

    `settled`: all of them were last modified well before that moment. `fresh`: one was modified so
    recently that its writer may not be done.
    """

    files: tuple[FileState, ...]
    settled: bool
    fresh: bool = False

    @property
    def text(self) -> str:
        """All states on one line, equal if the files are."""
        rows = [[f.name, f.size, f.modified, f.changed, f.inode] for f in self.files]
        return json.dumps(rows, separators=(",", ":"))

    @property
    def nbytes(self) -> int:
        """Total size in bytes."""
        return sum(max(file.size, 0) for file in self.files)


def allowance(models: Iterable[Path], limits: Limits) -> Allowance:
    """What reading and judging these models may take, by their size."""
    reader = SnapshotReader(limits)
    size = sum(reader.stored_bytes(model) for model in models)
    times = max(1.0, size / _COUNTED_BYTES)
    seconds = min(limits.cpu_seconds * times, MOST_SECONDS)
    memory = int(limits.memory_bytes * times)
    return Allowance(seconds, memory if memory < limits.read_memory else None)


class _DirectoryNames(Struct, frozen=True):
    """The names in a directory, and those that are parts of a checkpoint, by its prefix."""

    every: frozenset[str] = frozenset()
    parts: dict[str, list[str]] = field(default_factory=dict)


class SnapshotReader(Struct):
    """Takes snapshots; lists each directory once, so use a new object for every pass."""

    limits: Limits
    _names: dict[Path, _DirectoryNames] = field(default_factory=dict)

    def snapshot(self, model: Path) -> Snapshot:
        """The files that an audit of `model` reads: its own, and related ones next to it.

        Args:
            model: a file, a directory or the prefix of a checkpoint.
        """
        now = time.time_ns()
        files = tuple(_state(path, model) for path in sorted(set(self._paths(model))))
        newest = max((max(file.modified, file.changed) for file in files), default=0)
        settled, stale = (newest + each * 1e9 < now for each in (SETTLED_SECONDS, FRESH_SECONDS))
        return Snapshot(files, settled, not stale)

    def content(self, model: Path) -> str:
        """One SHA-256 over the names, sizes and bytes of the same files."""
        digest = hashlib.sha256()
        for path in sorted(set(self._paths(model))):
            entry = file_entry(path, model.parent, "", self.limits)
            digest.update(f"{entry.path}\0{entry.size}\0{entry.sha256}\n".encode())
        return digest.hexdigest()

    def stored_bytes(self, model: Path) -> int:
        """The bytes of the same files that the file system stores, so without those in holes."""
        return sum(_stored(path) for path in set(self._paths(model)))

    def _paths(self, model: Path) -> Iterator[Path]:
        if _is_directory(model):
            yield from files_below(model, self.limits.files)
            yield from (model / name for name in _BESIDE if (model / name).exists())
        else:
            yield from self._of_prefix(model)
        beside = self._list(model.parent).every
        yield from (model.parent / name for name in _BESIDE if name in beside)
        yield from (path for path in signature_paths(model) if path.name in beside)
        if record_path(model).name in beside:
            yield record_path(model)
        if not _is_directory(model):
            names = architecture_names(model)
            yield from (model.parent / name for name in names if name in beside)

    def _of_prefix(self, model: Path) -> Iterator[Path]:
        """The file itself, and the parts of a checkpoint: `x.index`, `x.data-…`, `x-00000-of-…`.

        Other files with a similar name do not belong to it: `x.part` may be its next version.
        """
        name = model.name
        beside = self._list(model.parent)
        parts = beside.parts.get(name, [])
        yield from (model.parent / each for each in parts)
        if name in beside.every:
            yield model
        if model.suffix == ".json":  # of TensorFlow.js, which lists its weights
            shards = (each for each in beside.every if _SHARD.fullmatch(each))
            yield from (model.parent / each for each in shards)
        if parts and STATE_FILE in beside.every:
            yield model.parent / STATE_FILE

    def _list(self, directory: Path) -> _DirectoryNames:
        if directory not in self._names:
            self._names[directory] = _names_in(directory)
        return self._names[directory]


def _names_in(directory: Path) -> _DirectoryNames:
    try:
        every = frozenset(each.name for each in directory.iterdir())
    except OSError:
        return _DirectoryNames()
    parts: dict[str, list[str]] = {}
    for name in every:
        for prefix in {checkpoint_prefix(name), shard_prefix(name)} - {None}:
            parts.setdefault(str(prefix), []).append(name)
    return _DirectoryNames(every, parts)


def _is_directory(path: Path) -> bool:
    """Whether it is a directory, as far as accessible."""
    try:
        return path.is_dir()
    except OSError:  # a parent directory is not accessible
        return False


def _stored(path: Path) -> int:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return 0
        if status.st_blocks or not status.st_size:
            return min(status.st_size, status.st_blocks * 512)
        # Nothing but holes, or a file system that counts no blocks.
        with path.open("rb") as file:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
    except OSError:
        return 0
    return status.st_size


def _state(path: Path, model: Path) -> FileState:
    name = display_path(path, model.parent)
    try:
        status = path.stat()
    except OSError:
        return FileState(name, -1, -1, -1, -1)
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    return FileState(name, size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


PAUSE_SECONDS = 0.25  # pause of a writer between two chunks; few pause longer


class FileStability:
    """The state of a model's files when this object is created.

    Args:
        model: a file, a directory or the prefix of a checkpoint.
        limits: bounds on what is read.

    Attributes:
        before: the files at that time.
    """

    def __init__(self, model: Path, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self.before: Snapshot = SnapshotReader(limits).snapshot(model)

    def unchanged(self, *, patient: bool = False) -> bool:
        """Whether the files are unchanged.

        With `patient`, recently modified files get a little more time: their writer may have
        paused in the middle of one.
        """
        if patient and not self.before.settled:
            time.sleep(PAUSE_SECONDS)
        return SnapshotReader(self._limits).snapshot(self._model).files == self.before.files
