"""Writing a model's file with another config and the same weights."""

from __future__ import annotations

import errno
import json
import os
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Json
from modelaudit.formats.hdf5.open_file import HDF5_ERRORS, hdf5_reason, opened_hdf5
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.archive import CONFIG, METADATA, WEIGHTS
from modelaudit.formats.zip.archive_members import ArchiveParts, DirectoryParts, ZipParts
from modelaudit.repairs.translate.translation import Node
from modelaudit.runtimes.checks.stored.weight_layouts import OLD_LAYOUT
from modelaudit.runtimes.profile import numbers
from modelaudit.settings import Limits

# Sublayers of MultiHeadAttention by their attributes: in Keras 2 with an underscore.
ATTENTION = ("query_dense", "key_dense", "value_dense", "output_dense")
LAYERS = "model_weights"
_WEIGHTS = re.compile(r"model(?:_\d{5})?\.weights\.(?:h5|npz|json)")
OPTIMIZER = "optimizer_weights"
# Versions of Keras with other names of groups in archives.
_OWN_NAMES = ((2, 12), (2, 13), (2, 14))
PIECE = 4 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


class RepairEdits(Struct, frozen=True):
    """What differs on purpose between the original and the new file.

    Attributes:
        factors: tensor name -> a factor for each gate (see `scaled`).
        renamed: route of a layer -> its new route.
        replaced: new routes of layers with another class, or that are left out.
        shapes: tensor name -> its new shape, with the same bytes.
    """

    factors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    replaced: Collection[str] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def write_hdf5(
    artifact: Artifact, out: Path, config: Node, edits: RepairEdits, keras: str, *, training: bool
) -> None:
    """Write an HDF5 file with the weights of another.

    Args:
        artifact: the original, an HDF5 file.
        edits: changes to the weights.
        keras: version of Keras that the config is written for.
        training: keep the training settings and the optimizer's state.

    Raises:
        ReadError: the original cannot be read.
        OSError: the new file cannot be written.
    """
    window = FileWindow.of_file(artifact.root)
    with opened_hdf5(window) as source, _reading(window.file), h5py.File(out, "w") as target:
        _copy_hdf5(source, target, config, edits, keras, training=training)


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Errors of libhdf5 as errors of the file that is read, but for those of writing."""
    try:
        yield
    except HDF5_ERRORS as error:
        full = next((each for each in _FULL if f"errno = {each}" in str(error)), None)
        if full is not None:
            raise OSError(full, os.strerror(full)) from error
        raise ReadError("corrupt", file, hdf5_reason(error)) from error


def _copy_hdf5(
    source: h5py.File,
    target: h5py.File,
    config: Node,
    edits: RepairEdits,
    keras: str,
    *,
    training: bool,
) -> None:
    target.attrs["model_config"] = json.dumps(config).encode()
    target.attrs["keras_version"] = keras.encode()
    target.attrs["backend"] = b"tensorflow"
    for name in (LAYERS, *([OPTIMIZER] if training else ())):
        if name in source:
            source.copy(source[name], target, name)
    if LAYERS in target:
        _scale(target, edits.factors)
        _reshape(target, edits.shapes)
        _rename_layers(target[LAYERS], edits.renamed)
        target[LAYERS].attrs["keras_version"] = keras.encode()
    if training and "training_config" in source.attrs:
        target.attrs["training_config"] = source.attrs["training_config"]


def _rename_layers(group: h5py.Group, renamed: Mapping[str, str]) -> None:
    """Rename the groups of layers, and their names in the attributes that list them.

    Layers of a model inside have none: its group has their weights by the names of the weights.
    """
    lists = {
        key: [name if isinstance(name, bytes) else name.encode() for name in group.attrs[key]]
        for key in group.attrs
        if key.startswith("layer_names")
    }
    listed = {name for names in lists.values() for name in names}
    known = {
        old: new
        for old, new in renamed.items()
        if old in group and old != new and old.encode() in listed
    }
    for old in sorted(known, key=lambda name: -name.count("/")):  # what is inside another first
        group.move(old, known[old])
    for key, names in lists.items() if known else ():
        new_names = {old.encode(): new.encode() for old, new in known.items()}
        group.attrs[key] = np.asarray([new_names.get(name, name) for name in names])


def _scale(file: h5py.File, factors: Mapping[str, tuple[float, ...]]) -> None:
    """Multiply the blocks of columns of tensors by their factors."""
    for name, gates in factors.items():
        file[name][...] = scaled(file[name][...], gates)


def _reshape(file: h5py.File, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give tensors another shape."""
    for name, shape in shapes.items():
        values = file[name][...].reshape(shape)
        del file[name]
        file.create_dataset(name, data=values)


def scaled(values: NDArray[Any], gates: tuple[float, ...]) -> NDArray[Any]:
    """A tensor whose last axis has a block for each gate, with each block multiplied.

    Args:
        values: of any shape (…, gates * units).
        gates: a factor for each gate.
    """
    units = values.shape[-1] // len(gates)
    multiplied: NDArray[Any] = values * np.repeat(np.asarray(gates), units)
    return multiplied.astype(values.dtype)


def write_archive(
    artifact: Artifact,
    out: Path,
    config: Node,
    edits: RepairEdits,
    keras: str,
    limits: Limits,
    *,
    keras3: bool,
) -> None:
    """Write a .keras archive with the weights of another.

    Args:
        artifact: the original, a .keras archive.
        edits: changes to the weights.
        keras: version of Keras that the config is written for.
        keras3: whether that is Keras 3, which names some groups of weights differently.

    Raises:
        ReadError: the original cannot be read.
        OSError: the new file cannot be written.
    """
    parts = opened_archive(artifact, limits)
    stated = artifact.extra.get("metadata")
    metadata = {**(stated if isinstance(stated, dict) else {}), "keras_version": keras}
    with zipfile.ZipFile(out, "w") as target:
        target.writestr(METADATA, json.dumps(metadata))
        target.writestr(CONFIG, json.dumps(config))
        for name in dict.fromkeys(filter(_kept, parts.names())):
            window = parts.window(name)
            with target.open(name, "w", force_zip64=True) as member:
                if name == WEIGHTS:
                    renumber = renames_groups(artifact, keras)
                    with _edited(window, out, edits, keras3=keras3, renumber=renumber) as weights:
                        _copy(weights, member)
                else:
                    for piece in window.pieces(0, window.size, PIECE):
                        member.write(piece)


def opened_archive(artifact: Artifact, limits: Limits) -> ArchiveParts:
    """The members of a .keras archive, which may be unpacked.

    Raises:
        ReadError: it is no archive.
    """
    if artifact.root.is_dir():
        return DirectoryParts(artifact.root, limits)
    return ZipParts(FileWindow.of_file(artifact.root), limits)


def _kept(name: str) -> bool:
    """Whether a member is one that Keras reads; whatever else the archive holds stays behind."""
    inside = name.startswith("assets/") and ".." not in name.split("/")
    return inside or _WEIGHTS.fullmatch(name) is not None


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(PIECE):
        target.write(piece)


@contextmanager
def _edited(
    window: FileWindow, beside: Path, edits: RepairEdits, *, keras3: bool, renumber: bool
) -> Iterator[IO[bytes]]:
    """The weights file with the edits, and the names of groups that the Keras reads."""
    path = beside.with_name(beside.name + ".weights")
    try:
        with path.open("wb") as handle:
            for piece in window.pieces(0, window.size, PIECE):
                handle.write(piece)
        with _reading(window.file), h5py.File(path, "r+") as file:
            _scale(file, edits.factors)
            _move(file, _joined_by_windows(file))
            if renumber:
                _renumber(file)
            _move(file, _names(file, keras3=keras3))
        with path.open("rb") as handle:
            yield handle
    finally:
        with suppress(OSError):
            path.unlink()


def renames_groups(artifact: Artifact, keras: str) -> bool:
    """Whether groups of weights get other names and numbers for a version of Keras."""
    names = (tensor.name for tensor in artifact.tensors)
    return numbers(keras)[:2] not in _OWN_NAMES and any(OLD_LAYOUT in name for name in names)


def _renumber(file: h5py.File) -> None:
    """Number layers one by one: Keras 2.12 and 2.13 wrote dense, dense_2, dense_4 …

    They count a layer with weights twice. That is known by numbers that are all even.
    """
    found: list[str] = []
    file.visit(found.append)
    groups = frozenset(path for path in found if isinstance(file[path], h5py.Group))
    counted: dict[str, list[str]] = {}
    for path in groups:
        base = path.rpartition("_")[0]
        if base in groups and _number(path):
            counted.setdefault(base, []).append(path)
    # Deeper groups first, so that the paths of the others stay; of these, lower numbers first.
    for base in sorted(counted, key=lambda base: -base.count("/")):
        if not any(_number(path) % 2 for path in counted[base]):
            for path in sorted(counted[base], key=_number):
                file.move(path, f"{base}_{_number(path) // 2}")
    found.clear()
    file.visit(lambda path: found.append(path) if path.endswith(OLD_LAYOUT) else None)
    for path in found[::-1]:  # inner models first
        file.move(path, f"{path.removesuffix(OLD_LAYOUT)}layers")


def _number(path: str) -> int:
    """The number after the last underscore; 0 without one."""
    last = path.rpartition("_")[2]
    return int(last) if last.isdecimal() else 0


def _move(file: h5py.File, names: Iterable[tuple[str, str]]) -> None:
    for old, new in names:
        file.require_group(new.rpartition("/")[0] or "/")
        file.move(old, new)


def _joined_by_windows(file: h5py.File) -> list[tuple[str, str]]:
    """Groups at the root that Keras on Windows named with backslashes, as (old, new) paths.

    Other systems take these for parts of a name. A group may hold others, so those with the
    shortest names come first.
    """
    joined = sorted((name for name in file if "\\" in name), key=len)
    return [(name, name.replace("\\", "/")) for name in joined]


def _names(file: h5py.File, *, keras3: bool) -> list[tuple[str, str]]:
    """Groups to rename, as (old, new) paths; the deepest first."""
    found: list[tuple[str, str]] = []

    def visit(path: str) -> None:
        head, _, last = path.rpartition("/")
        plain = last.removeprefix("_")
        wanted = plain if keras3 else f"_{plain}"
        if plain in ATTENTION and last != wanted:
            found.append((path, f"{head}/{wanted}"))

    file.visit(visit)
    return sorted(found, key=lambda pair: -pair[0].count("/"))


def container_of(path: Path) -> Format | None:
    """The format of a file with this suffix; None for an unknown one."""
    known: Mapping[str, Format] = {
        ".h5": Format.LEGACY_H5_FULL,
        ".hdf5": Format.LEGACY_H5_FULL,
        ".keras": Format.KERAS_ARCHIVE,
    }
    return known.get(path.suffix)


def first_config(artifact: Artifact) -> dict[str, Json] | None:
    """The saved config of the model; None if there is none."""
    value = artifact.documents[0].value if artifact.documents else None
    return value if isinstance(value, dict) else None
