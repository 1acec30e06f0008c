"""The weights that a TensorFlow.js model names, and the files that hold them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath

from modelaudit.errors import ReadError
from modelaudit.facts import FileEntry, Json, Problem, ProblemKind, Tensor
from modelaudit.formats.io.bounded import file_entry
from modelaudit.formats.io.dtypes import stored_dtype
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.lfs_pointers import pointer_problem
from modelaudit.formats.io.problems import limit_problem
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.formats.io.tensor_stats import summarise_or_problem
from modelaudit.formats.keras.json_config import MAX_DIMENSION, MAX_RANK, mapping, sequence, text
from modelaudit.formats.tfjs.values import AffineNumbers, ShardedArray, Shards
from modelaudit.settings import Limits
from modelaudit.work_budget import is_spent

_TYPES = frozenset({"float32", "int32", "bool", "complex64", "uint8", "uint16", "float16"})
_STRING = "string"
_LENGTH = 4  # bytes of the length before each string
_MOST_STRINGS = 10_000  # in one weight
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")  # a byte in a URL
_MOST_FILES = 1000  # of a directory in which a renamed file is looked for
_MOST_MISSED = 20  # files for which it is


class ManifestWeights:
    """The weights of a manifest.

    Args:
        model: path of the JSON file, in whose directory the files are.
        manifest: value of `weightsManifest`.
        limits: bounds on what is read.

    Attributes:
        tensors: every weight whose place is known.
        files: the files that hold them.
        problems: what is missing or does not fit.
    """

    def __init__(self, model: Path, manifest: Json, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self.tensors: list[Tensor] = []
        self.files: dict[str, FileEntry] = {}
        self.problems: list[Problem] = []
        self._names: set[str] = set()
        self._stopped = False
        self._missed = 0
        for group in sequence(manifest):
            self._group(mapping(group))

    def _group(self, group: Mapping[str, Json]) -> None:
        paths = sequence(group.get("paths"))
        needed = self._needed(group) if len(paths) == 1 else 0
        shards = [self._shard(text(path), needed) for path in paths]
        held = [each for each in shards if each is not None]
        # Behind a file that is missing, no weight is where the manifest says.
        known = Shards(held) if held and len(held) == len(shards) else None
        at = 0
        for entry in () if self._stopped else sequence(group.get("weights")):
            if is_spent():
                self._stopped = True  # the files of later groups are still part of the model
                detail = f"stopped after {len(self.tensors):,} weights"
                self.problems.append(limit_problem(self._model.name, detail, "work"))
                return
            size = self._weight(mapping(entry), known, at)
            if size is None:
                return
            at += size
        if known is not None and at < known.size and not self._stopped:
            file = held[0].file
            shown = f"{file} has" if len(held) == 1 else f"{file} to {held[-1].file} have"
            detail = f"{shown} {known.size:,} bytes, of which the listed weights take {at:,}"
            self._add(ProblemKind.SIZE_MISMATCH, detail, file)

    def _needed(self, group: Mapping[str, Json]) -> int:
        """Bytes of all weights of a group; 0 if they are not known without the files."""
        total = 0
        for entry in map(mapping, sequence(group.get("weights"))):
            shape, dtype = _shape(entry.get("shape")), text(entry.get("dtype"))
            given = _quantization(entry.get("quantization"), dtype)
            stored = stored_dtype(given.dtype if given else dtype)
            if shape is None or stored is None or dtype == _STRING or is_spent():
                return 0
            total += math.prod(shape) * stored.itemsize
        return total

    def _shard(self, given: str, needed: int) -> FileWindow | None:
        """A file of weights; None with a problem if there is none.

        Args:
            given: its path in the manifest.
            needed: its size, if that is known; else 0.
        """
        # Loaders of TensorFlow.js put the place of the model before the path, as they find it.
        at_root = PurePosixPath(given)
        name = self._decoded(at_root.name if len(at_root.parts) == 2 and given[0] == "/" else given)
        plain = str(PurePosixPath(name))
        if not _is_plain(name):
            self._add(ProblemKind.UNSAFE_PATH, f"weights at {name!r}, which was not opened", name)
            return None
        if plain in self.files:
            self._add(ProblemKind.DUPLICATE_MEMBER, f"the file {name} is listed twice", name)
            return None
        path = self._model.parent / name
        if not is_inside(path, self._model.parent):
            detail = f"{name} is a link out of the model; not followed"
            self._add(ProblemKind.UNSAFE_PATH, detail, name)
            return None
        try:
            window = FileWindow.of_file(path, name)
        except ReadError as error:
            kind = ProblemKind.UNREADABLE if path.exists() else ProblemKind.MISSING_SHARD
            detail = error.reason if path.exists() else f"{name} is listed but not there"
            missed = kind is ProblemKind.MISSING_SHARD
            self._missed += missed
            looked = missed and self._missed <= _MOST_MISSED
            renamed = _renamed(path) if looked else ""
            detail += f"; {renamed} is, as if it had been renamed" if renamed else ""
            like = _of_size(path, needed) if looked and needed and not renamed else ""
            beside = self._model.parent / path.name  # the model was moved without its folder
            moved = looked and needed and not (renamed or like) and _of_size(beside, needed)
            if moved:
                detail += f"; {moved} beside the model is, of exactly the size that is needed"
            detail += f"; {like} is, of exactly the size that is needed" if like else ""
            self._add(kind, detail, name, renamed or like or moved or "", as_large=bool(like))
            return None
        self.files[plain] = file_entry(path, self._model.parent, "weights", self._limits)
        if pointer := pointer_problem(path, name):
            self.problems.append(pointer)
            return None
        return window

    def _decoded(self, name: str) -> str:
        """The name of the file: TensorFlow.js asks a server for a path, which is one of a URL."""
        coded = _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), name.encode())
        decoded = coded.decode(errors="replace")
        if decoded == name or not (_is_plain(name) and _is_plain(decoded)):
            return name
        folder = self._model.parent
        lost = not os.path.lexists(folder / name) and os.path.lexists(folder / decoded)
        return decoded if lost else name

    def _weight(self, entry: Mapping[str, Json], shards: Shards | None, at: int) -> int | None:
        """Add a weight; returns its bytes, None if what follows it cannot be found."""
        name, dtype = text(entry.get("name")), text(entry.get("dtype"))
        shape = _shape(entry.get("shape"))
        given = _quantization(entry.get("quantization"), dtype)
        if not name or shape is None or (dtype not in _TYPES and dtype != _STRING):
            self._add(ProblemKind.CONFIG_INVALID, f"a weight {name!r} of no type or shape", name)
            return None
        if given is not None and stored_dtype(given.dtype) is None:
            detail = f"{name} is quantised as {given.dtype}, which is not read"
            self._add(ProblemKind.UNSUPPORTED, detail, name)
            return None
        if given is not None and not math.isfinite(given.scale + given.minimum):
            detail = f"{name} is quantised with numbers that are not finite"
            self._add(ProblemKind.CONFIG_INVALID, detail, name)
            return None
        size = self._stored(shards, at, shape, given.dtype if given else dtype)
        if name in self._names:
            self._add(ProblemKind.DUPLICATE_MEMBER, f"{name} is listed twice", name)
            return size
        self._names.add(name)
        fits = shards is not None and size is not None and at + size <= shards.size
        if shards is not None and fits and dtype != _STRING:
            source = ShardedArray(shards, at, shape, dtype, given)
            tensor, problem = summarise_or_problem(
                name, shape, dtype, source.file, "weight", source, self._limits
            )
            self.problems.extend([problem] if problem else [])
        else:
            if shards is not None and not fits:
                detail = f"{name} ends behind the {shards.size:,} bytes of the files"
                self._add(ProblemKind.TENSOR_UNREADABLE, detail, name)
            role = "other" if dtype == _STRING else "weight"
            tensor = Tensor(name, shape, dtype, size or 0, self._model.name, role)
        self.tensors.append(tensor)
        return size

    def _stored(
        self, shards: Shards | None, at: int, shape: tuple[int, ...], dtype: str
    ) -> int | None:
        """Bytes of a weight; None for strings that are too many, or end behind the files."""
        held, count = stored_dtype(dtype), math.prod(shape)
        if held is not None and dtype != _STRING:
            return count * held.itemsize
        if shards is None or count > _MOST_STRINGS:
            return None
        start = at
        for _ in range(count):
            if at + _LENGTH > shards.size:
                return None
            length = b"".join(shards.pieces(at, _LENGTH, _LENGTH))
            at += _LENGTH + int.from_bytes(length, "little")
        return at - start

    def _add(
        self,
        kind: ProblemKind,
        detail: str,
        route: str,
        renamed: str = "",
        *,
        as_large: bool = False,
    ) -> None:
        evidence: dict[str, Json] = {"renamed": renamed} if renamed else {}
        evidence |= {"as_large": True} if as_large else {}
        self.problems.append(Problem(kind, self._model.name, detail, route, evidence=evidence))


def _shape(value: Json) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > MAX_RANK:
        return None
    sizes = [*_sizes(value)]
    return tuple(sizes) if len(sizes) == len(value) else None


def _sizes(values: list[Json]) -> Iterator[int]:
    for each in values:
        if isinstance(each, int) and not isinstance(each, bool) and 0 <= each < MAX_DIMENSION:
            yield each


def _is_plain(name: str) -> bool:
    """Whether a path leads to a file below the directory of the model, without links."""
    parts = PurePosixPath(name).parts
    unsafe = not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    return not unsafe


def _renamed(path: Path) -> str:
    """The one file beside it with the name that a second download, a copy or a user gives it."""
    first, ends = re.escape(path.stem), re.escape(path.suffix)
    pattern = re.compile(
        rf"(?:copy of )?{first}(?: ?\([0-9]{{1,2}}\)| - copy| copy|_[0-9])?{ends}(?:\.bin)?", re.I
    )
    plain = path.name.removesuffix(".bin")
    try:
        with os.scandir(path.parent) as listed:
            entries = [each.name for each in islice(listed, _MOST_FILES)]
    except OSError:
        return ""
    found = [name for name in entries if name == plain or pattern.fullmatch(name)]
    return found[0] if len(found) == 1 else ""


def _of_size(path: Path, needed: int) -> str:
    """The one file beside it, with its suffix, that has exactly this size."""
    try:
        with os.scandir(path.parent) as listed:
            found = [
                each.name
                for each in islice(listed, _MOST_FILES)
                if each.name.endswith(path.suffix or ".bin")
                and each.is_file(follow_symlinks=False)
                and each.stat(follow_symlinks=False).st_size == needed
            ]
    except OSError:
        return ""
    return found[0] if len(found) == 1 else ""


def _quantization(value: Json, dtype: str) -> AffineNumbers | None:
    given = mapping(value)
    if not given:
        return None
    stored = text(given.get("dtype"), dtype)
    return AffineNumbers(stored, _number(given.get("scale"), 1.0), _number(given.get("min"), 0.0))


def _number(value: Json, default: float) -> float:
    """A number, infinite beyond the range of floats; the default for other values."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return default
    try:
        return float(value)
    except OverflowError:
        return math.inf
