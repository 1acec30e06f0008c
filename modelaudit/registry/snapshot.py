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
from modelaudit.formats.io.bounded import display_path, file_entry, files_below, printable
from modelaudit.formats.keras.architecture_files import architecture_names
from modelaudit.formats.vocabularies import VOCABULARY_FILES
from modelaudit.registry.file_groups import STATE_FILE, checkpoint_prefix, shard_prefix
from modelaudit.restore.golden_record import record_name, record_path
from modelaudit.settings import MOST_SECONDS, Limits
from modelaudit.signing.check import signature_names, signature_paths
from modelaudit.workers.task_allowance import Allowance

# A file system's clock ticks in milliseconds (seconds on some); a write within the same tick as the
# snapshot does not change the times.
SETTLED_SECONDS = 2.0
# Copies, even over a slow network, seldom pause longer than this between two chunks.
FRESH_SECONDS = 300.0
_COUNTED_BYTES = 10_000_000  # for which `cpu_seconds` and `memory_bytes` are allowed


_BESIDE = (*LABEL_FILES, *VOCABULARY_FILES)
_written = json.JSONEncoder(separators=(",", ":")).encode
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
        return _written(rows)

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
    return Allowance(seconds, memory if memory < limits.read_memory else None, limits.work * times)


class _DirectoryNames(Struct, frozen=True):
    """The names in a directory, and those that are parts of a checkpoint, by its prefix.

    `related` and `json` are those among them of labels and vocabularies, and of JSON files.
    """

    every: frozenset[str] = frozenset()
    parts: dict[str, list[str]] = field(default_factory=dict)
    related: tuple[str, ...] = ()
    json: frozenset[str] = frozenset()


class SnapshotReader(Struct):
    """Takes snapshots; lists each directory once, so use a new object for every pass."""

    limits: Limits
    _names: dict[str, _DirectoryNames] = field(default_factory=dict)

    def snapshot(self, model: Path) -> Snapshot:
        """The files that an audit of `model` reads: its own, and related ones next to it.

        Args:
            model: a file, a directory or the prefix of a checkpoint.
        """
        now = time.time_ns()
        files = tuple(file_state(path, shown) for path, shown in self._files(model))
        newest = max((max(file.modified, file.changed) for file in files), default=0)
        settled, stale = (newest + each * 1e9 < now for each in (SETTLED_SECONDS, FRESH_SECONDS))
        return Snapshot(files, settled, not stale)

    def content(self, model: Path) -> str:
        """One SHA-256 over the names, sizes and bytes of the same files."""
        digest = hashlib.sha256()
        for path, _ in self._files(model):
            entry = file_entry(Path(path), model.parent, "", self.limits)
            digest.update(f"{entry.path}\0{entry.size}\0{entry.sha256}\n".encode())
        return digest.hexdigest()

    def stored_bytes(self, model: Path) -> int:
        """The bytes of the same files that the file system stores, so without those in holes."""
        return sum(_stored(path) for path, _ in self._files(model))

    def _files(self, model: Path) -> Iterator[tuple[str, str]]:
        """Paths and names of the files, in their order.

        Registries have many models that are files, so paths of these are text.
        """
        if os.path.isdir(model):
            for path in sorted({*self._of_directory(model)}):
                yield os.fspath(path), display_path(path, model.parent)
        else:
            directory = os.path.dirname(model) or os.curdir
            for name in sorted({*self._of_prefix(directory, model.name)}):
                yield os.path.join(directory, name), printable(name)

    def _of_directory(self, model: Path) -> Iterator[Path]:
        yield from files_below(model, self.limits.files)
        yield from (model / name for name in _BESIDE if (model / name).exists())
        beside = self._list(os.fspath(model.parent))
        yield from (model.parent / name for name in beside.related)
        yield from (path for path in signature_paths(model) if path.name in beside.every)
        if record_path(model).name in beside.every:
            yield record_path(model)

    def _of_prefix(self, directory: str, name: str) -> Iterator[str]:
        """The file itself, and the parts of a checkpoint: `x.index`, `x.data-…`, `x-00000-of-…`.

        Other files with a similar name do not belong to it: `x.part` may be its next version.
        """
        beside = self._list(directory)
        parts = beside.parts.get(name, [])
        yield from parts
        own = (name, record_name(name), *signature_names(name))
        yield from (each for each in own if each in beside.every)
        yield from beside.related
        if (
            beside.json and Path(name).suffix == ".json"
        ):  # of TensorFlow.js, which lists its weights
            yield from (each for each in beside.every if _SHARD.fullmatch(each))
        if parts and STATE_FILE in beside.every:
            yield STATE_FILE
        if beside.json:
            yield from (each for each in architecture_names(Path(name)) if each in beside.json)

    def _list(self, directory: str) -> _DirectoryNames:
        if directory not in self._names:
            self._names[directory] = _names_in(directory)
        return self._names[directory]


def _names_in(directory: str) -> _DirectoryNames:
    try:
        every = frozenset(os.listdir(directory))
    except OSError:
        return _DirectoryNames()
    parts: dict[str, list[str]] = {}
    for name in every:
        for prefix in {checkpoint_prefix(name), shard_prefix(name)} - {None}:
            parts.setdefault(str(prefix), []).append(name)
    related = tuple(name for name in _BESIDE if name in every)
    json = frozenset(name for name in every if name.endswith(".json"))
    return _DirectoryNames(every, parts, related, json)


def _stored(path: str) -> int:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return 0
        if status.st_blocks or not status.st_size:
            return min(status.st_size, status.st_blocks * 512)
        # Nothing but holes, or a file system that counts no blocks.
        with open(path, "rb") as file:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
    except OSError:
        return 0
    return status.st_size


def file_state(path: str, name: str) -> FileState:
    """The directory entry of the file at `path`, under this name."""
    try:
        status = os.stat(path)
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
