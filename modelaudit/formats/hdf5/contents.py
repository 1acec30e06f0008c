"""Contents of a Keras HDF5 file: layout, tensors, and the saved order of layers and weights."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from functools import partial
from itertools import islice

import h5py
from msgspec import Struct, field

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind, Tensor
from modelaudit.formats.hdf5.attribute_texts import attribute_bytes
from modelaudit.formats.hdf5.attributes import Attributes, read_attributes, stray_texts
from modelaudit.formats.hdf5.decompression_bombs import bomb_in_chunk, bomb_in_total
from modelaudit.formats.hdf5.embedded_programs import (
    executable_in_dataset,
    executables_in_attributes,
)
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.heaps import damaged_heaps
from modelaudit.formats.hdf5.keras_layout import FULL, LEGACY, OTHER, V3, layout_of
from modelaudit.formats.hdf5.link_walk import DatasetEntry, LinkedObjects, walk
from modelaudit.formats.hdf5.name_lists import listed_groups, read_or_note, variable_names
from modelaudit.formats.hdf5.open_file import (
    HDF5_ERRORS,
    Superblock,
    bytes_outside,
    hdf5_reason,
    opened_hdf5,
    read_superblock,
    text_of,
)
from modelaudit.formats.hdf5.tensors import source_of
from modelaudit.formats.io.density import DATASETS
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem
from modelaudit.formats.io.tensor_stats import summarise_or_problem
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import is_spent

# What a model was compiled with; one inside another model keeps its own.
_OF_TRAINING = re.compile(r"(?:^|/)(optimizer|_?metrics|_?compile_metrics)/(?:.*/)?vars/\d+$")
_DECODED = 8  # a tensor that libhdf5 must decode takes as long as so many others
_PIECES = 8  # chunks that take as long to decode as reading a tensor

_LAYER_GROUP = re.compile(r"layers/[^/]+")
_OLDER_GROUP = re.compile(r"(?:^|/)_layer_checkpoint_dependencies/[^/]+\Z")  # of Keras 2.12 to 2.14
_TEXTS = ("keras_version", "backend", "model_config", "training_config")
_KERAS_ATTRIBUTES = frozenset((*_TEXTS, "layer_names", "weight_names", "name", "dtype"))
_OWN = frozenset(name.encode() for name in _TEXTS)


class Hdf5Contents(Struct, frozen=True):
    """Everything that is read from one HDF5 file.

    Attributes:
        layout: h5_full, h5_legacy, h5_v3 or other.
        tensors: one per dataset.
        problems: irregularities found while reading.
        texts: the root's keras_version, backend, model_config and training_config, as stored.
        groups: h5_full and h5_legacy: layer name -> dataset routes, both in saved order.
        var_names: h5_v3: route of a `vars` group -> its `name` attribute.
        stray: strings elsewhere that may be JSON, as (`route@name` of an attribute, text).
        extra: value of `Artifact.extra["h5"]`.
    """

    layout: str
    tensors: tuple[Tensor, ...]
    problems: tuple[Problem, ...]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    var_names: Mapping[str, str] = field(default_factory=dict)
    stray: tuple[tuple[str, bytes], ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def by_container(self) -> bool:
        """Whether tensors are stored by object (h5_v3), not by the name of their layer."""
        return self.layout == V3


def read_contents(window: FileWindow, limits: Limits) -> Hdf5Contents:
    """Read a whole HDF5 file. Every tensor is read once, and no other file is opened.

    Raises:
        ReadError: `corrupt` or `truncated` if libhdf5 cannot open the file.
    """
    with window.kept_open() as kept:
        return _checked(window, kept, limits)


def _checked(window: FileWindow, kept: FileWindow, limits: Limits) -> Hdf5Contents:
    """The contents, if libhdf5 can be given the file; `kept` is the window, kept open meanwhile."""
    superblock = read_superblock(kept)
    cut = _cut_off(window, superblock)
    heaps = damaged_heaps(kept, superblock.start if superblock else 0)
    if heaps.names is not None:
        reason = f"local heap (link names) at byte {heaps.names:,} is damaged: its free list loops"
        raise ReadError(ProblemKind.CORRUPT, window.file, reason)
    try:
        with opened_hdf5(window) as file:
            heap = HeapReferences(kept, superblock.start if superblock else 0)
            return _read(file, window, superblock, heap, heaps.texts, limits)
    except ReadError as error:
        if cut is not None:
            raise ReadError(cut.kind, cut.file, cut.detail) from error
        raise


def _read(
    file: h5py.File,
    window: FileWindow,
    superblock: Superblock | None,
    heap: HeapReferences,
    damaged: int | None,
    limits: Limits,
) -> Hdf5Contents:
    readable = heap if damaged is None else None
    try:
        contents = walk(file, window.file, window.size, limits, readable)
        layout = layout_of(file)
    except HDF5_ERRORS as error:
        raise ReadError(ProblemKind.CORRUPT, window.file, hdf5_reason(error)) from error
    problems = [*contents.problems, *bytes_outside(window, superblock)]
    attributes = read_attributes(contents, _OWN, window, limits, problems, readable)
    problems += executables_in_attributes(attributes.read, window)
    tensors = _tensors(file, contents, layout, window, limits, problems)
    extra: dict[str, Json] = {
        "layout": layout,
        "superblock": superblock.version if superblock else None,
        "user_block": superblock.start if superblock else 0,
        "foreign_attributes": _foreign_attributes(attributes),
    }
    if damaged is not None:
        detail = f"global heap (strings) at byte {damaged:,} is damaged: config and names not read"
        evidence: dict[str, Json] = {"hdf5": "heap", "measured": damaged}
        problems.append(Problem(ProblemKind.CORRUPT, window.file, detail, evidence=evidence))
        return Hdf5Contents(layout, tensors, tuple(problems), extra=extra)
    read = partial(attribute_bytes, heap=heap)
    texts = {
        name: value
        for name in _TEXTS
        if (value := read_or_note(read, file, name, limits, problems, (window.file, "")))
        is not None
    }
    stray = stray_texts(attributes.read)
    groups: dict[str, tuple[str, ...]] = {}
    var_names: dict[str, str] = {}
    if layout in {FULL, LEGACY}:
        base = "model_weights" if layout == FULL else ""
        groups, listed = listed_groups(contents, base, window, limits, problems, heap)
        extra |= listed
    elif layout == V3:
        var_names = variable_names(contents, window.file, limits, problems, heap)
        extra["vars_names"] = dict(var_names)
        extra["layer_groups"] = [r[7:] for r, _ in contents.groups if _LAYER_GROUP.fullmatch(r)]
        extra["older_groups"] = [r for r, _ in contents.groups if _OLDER_GROUP.search(r)]
    return Hdf5Contents(layout, tensors, tuple(problems), texts, groups, var_names, stray, extra)


def _cut_off(window: FileWindow, superblock: Superblock | None) -> Problem | None:
    if superblock is None or superblock.end is None or superblock.end <= window.size:
        return None
    missing = superblock.end - window.size
    detail = (
        f"ends at byte {window.size:,}, its header declares {superblock.end:,}: "
        f"{missing:,} bytes ({missing / superblock.end:.1%}) are missing"
    )
    evidence: dict[str, Json] = {"measured": window.size, "threshold": superblock.end}
    return Problem(ProblemKind.TRUNCATED, window.file, detail, evidence=evidence)


def _foreign_attributes(attributes: Attributes) -> list[Json]:
    """Attributes of groups that no version of Keras writes, as `route@name`."""
    return [
        f"{route or '/'}@{text_of(name)}"
        for route, name in attributes.of_groups
        if text_of(name).rstrip("0123456789") not in _KERAS_ATTRIBUTES
    ]


def _tensors(
    file: h5py.File,
    contents: LinkedObjects,
    layout: str,
    window: FileWindow,
    limits: Limits,
    problems: list[Problem],
) -> tuple[Tensor, ...]:
    """One tensor per dataset; an unreadable one keeps its shape and dtype and adds a problem."""
    bomb = bomb_in_total(contents, window.file, limits)
    if bomb is not None:
        problems.append(bomb)
        return ()
    deadline = time.monotonic() + limits.read_seconds
    most, bound = DATASETS.most(window.size, limits)
    done: dict[int, Tensor] = {}
    tensors: list[Tensor] = []
    total = work = 0
    aside = layout == FULL and any(route == "model_weights" for route, _ in contents.groups)
    for found in contents.datasets:
        first = done.get(found.address)
        if first is not None:  # another hard link to a dataset that was read before
            tensors.append(replace(first, name=found.route))
            continue
        work += 1
        if found.unreadable is None:
            total += math.prod(found.shape) * found.kind.itemsize
            if found.offset is None:
                work += max(_DECODED, _pieces(found) // _PIECES) - 1
        setting = ""
        if work > most:
            setting = bound
        elif total > limits.total_bytes:
            setting = "total_bytes"
        elif time.monotonic() > deadline:
            setting = "read_seconds"
        elif is_spent():
            setting = "work"
        if setting:
            detail = f"stopped after {len(tensors)} of {len(contents.datasets)} tensors"
            problems.append(limit_problem(window.file, detail, setting, found.route))
            break
        role = _role(found.route, layout, aside=aside)
        tensor = _tensor(file, found, role, window, limits, problems)
        done[found.address] = tensor
        tensors.append(tensor)
    return tuple(tensors)


def _pieces(found: DatasetEntry) -> int:
    """How many chunks a dataset has."""
    return math.prod(-(-n // c) for n, c in zip(found.shape, found.chunks or (), strict=False))


def _tensor(
    file: h5py.File,
    found: DatasetEntry,
    role: str,
    window: FileWindow,
    limits: Limits,
    problems: list[Problem],
) -> Tensor:
    kind, route = found.kind, found.route
    role = role if kind.numeric else "other"
    nbytes = math.prod(found.shape) * kind.itemsize
    unread = Tensor(route, found.shape, kind.name, nbytes, window.file, role)
    if found.unreadable is not None or not found.has_data:
        return unread
    try:
        bomb = bomb_in_chunk(file, found, window.file)
        if bomb is not None:
            problems.append(bomb)
            return unread
        source = source_of(window, found.path, found.shape, kind, found.offset, found.chunks)
    except (ReadError, *HDF5_ERRORS) as error:
        reason = error.reason if isinstance(error, ReadError) else hdf5_reason(error)
        word = error.kind if isinstance(error, ReadError) else ProblemKind.TENSOR_UNREADABLE
        problems.append(Problem(ProblemKind(word), window.file, reason, route))
        return unread
    program = executable_in_dataset(found, source, window)
    if program is not None:
        problems.append(program)
    tensor, problem = summarise_or_problem(
        route, found.shape, kind.name, window.file, role, source, limits
    )
    if problem is not None:
        problems.append(problem)
    elif not kind.numeric:
        head = b"".join(islice((bytes(piece) for piece in source.raw(16)), 1))[:16]
        evidence: dict[str, Json] = {"hdf5": "type", "type": kind.name, "head": head.hex()}
        detail = f"non-numeric element type {kind.name}; first bytes {head.hex(' ')}"
        problems.append(Problem(ProblemKind.UNSUPPORTED, window.file, detail, route, evidence))
    return tensor


def _role(route: str, layout: str, *, aside: bool) -> str:
    plain = route.replace("\\", "/")
    first, _, rest = plain.partition("/")
    if layout != OTHER and not rest:
        return "other"  # of the program: Keras stores every weight in a group of its layer
    if first == ("optimizer_weights" if layout == FULL else "optimizer"):
        return "optimizer"
    if layout == V3 and (kept := _OF_TRAINING.search(plain)):
        return "optimizer" if kept[1] == "optimizer" else "metric"
    if aside and first != "model_weights":
        return "other"  # Keras reads the weights of a whole model from that group only
    if "/seed_generator/" in f"/{rest}/":
        return "other"  # state of a random number generator
    return "weight"
