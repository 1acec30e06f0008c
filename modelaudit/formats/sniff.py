"""Detection of the format of a path from its first and last bytes, never from its suffix."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.file_formats import (
    BY_MAGIC,
    HDF5_SIGNATURE,
    TFLITE_IDENTIFIER,
    ZIP_SIGNATURES,
    Container,
    Content,
    Format,
)
from modelaudit.formats.graph.sniff import checkpoint_meta, graph_file, saved_model_graph
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.preset_names import is_preset
from modelaudit.formats.orbax.sniff import is_orbax
from modelaudit.formats.pickles import is_one_pickle
from modelaudit.formats.plugin_formats import claimed
from modelaudit.formats.saved_model.files import GRAPH_NAMES, SPLIT
from modelaudit.formats.tar.members import BLOCK
from modelaudit.formats.tfjs.sniff import HEAD_BYTES, tfjs_format
from modelaudit.formats.zip.directory import has_end_record, read_directory
from modelaudit.graphs import VARIABLE_KEY_END
from modelaudit.settings import Limits

_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
_OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
_OF_OBJECTS = VARIABLE_KEY_END.encode()
_FIRST_ELEMENT = re.compile(rb" +0_0")  # of a cache of tf.data: the padded number, the component
_INDEX_BYTES = 1 << 20
_V1_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_WITHOUT_GRAPH = {
    Format.TF2_CHECKPOINT: Format.SAVEDMODEL_TF2,
    Format.TF1_CHECKPOINT: Format.SAVEDMODEL_TF1,
}
# Names of arrays as frameworks give them to weights, numbers that NumPy gives, and names of files.
_WEIGHT = re.compile(
    r"(^|[/_.])(kernel|bias|weights?|gamma|beta|embeddings|moving_mean)(:0|_?\d*)$|/vars/\d"
)
_NUMBERED = re.compile(r"arr_\d+")
_WEIGHTS_FILE = re.compile(r"weight|checkpoint|ckpt|param|model", re.IGNORECASE)
_SETTLED = 1_000_000_000  # ns; within less, a second change of a directory may have the same time
_CLASS_NAME = b'"class_name"'
_KERAS_WEIGHTS = ("model.weights.h5", "model.weights.npz", "model.weights.json")


def sniff(path: Path, hdf5: Callable[[FileWindow], Format] | None = None) -> Format:
    """The format of a file, a directory, or a checkpoint prefix (which need not be a file).

    Reads a few KiB and never raises. Unreadable paths are `Format.UNREADABLE`, unknown formats
    `Format.UNKNOWN`.

    Args:
        path: the path.
        hdf5: determines the format of an HDF5 file; by default it is opened with libhdf5 in this
            process.
    """
    try:
        if path.is_dir():
            return _directory(path)
        if path.is_file():
            window = FileWindow.of_file(path)
            form = _file(window, hdf5 or _hdf5)
            if form is not Format.UNKNOWN and form is not Format.EMPTY_FILE:
                return form
            if claimed(window.head(BLOCK)):
                return Format.PLUGIN
            # Some programs create an empty file named like the prefix, for code that tests for it.
            beside = _prefix(path)
            return form if beside is Format.UNKNOWN else beside
        if path.exists():
            return Format.UNKNOWN  # a device, a socket, a FIFO
        return _prefix(path)
    except (ReadError, OSError, ValueError):
        return Format.UNREADABLE


def _file(window: FileWindow, hdf5: Callable[[FileWindow], Format]) -> Format:
    head = window.head(512)
    if not head:
        return Format.EMPTY_FILE
    if head.startswith(HDF5_SIGNATURE):
        return hdf5(window)
    if head.startswith(ZIP_SIGNATURES):
        return _archive(window)
    if head[4:8] == TFLITE_IDENTIFIER:
        return Format.TFLITE
    if head.lstrip()[:1] == b"{" and (model := tfjs_format(window.head(HEAD_BYTES))):
        return model
    told = next((form for magic, form in BY_MAGIC if head.startswith(magic)), None)
    if told is not None:
        return told
    if window.head(8, window.size - 8) == _TABLE_MAGIC:
        return _table(window)
    graph = graph_file(window, head)
    if graph is not None:
        return graph
    if _hdf5_behind_user_block(window):
        return hdf5(window)
    form = _archive(window) if has_end_record(window) else Format.UNKNOWN
    return _or_pickle(window, form)


def _or_pickle(window: FileWindow, form: Format) -> Format:
    """What the data in a pickle are; unknown, as the pickle is, if they are no model."""
    model = form.info.content in (Content.MODEL, Content.WEIGHTS)
    return form if model or not is_one_pickle(window) else Format.UNKNOWN


def _hdf5_behind_user_block(window: FileWindow) -> int:
    """Offset of the HDF5 data, 0 if there are none."""
    offset = 512
    while offset < window.size:
        if window.head(8, offset) == HDF5_SIGNATURE:
            return offset
        offset *= 2
    return 0


def second_format(path: Path, first: Format) -> Format | None:
    """What else a file is to a loader: a model archive at the end of other data, or HDF5 data.

    Keras chooses by the suffix; libhdf5 finds data behind other bytes, zipfile before them.
    """
    window = FileWindow.of_file(path)
    if first.info.container is not Container.ZIP:
        archive = _archive(window) if has_end_record(window) else None
        return archive if archive is Format.KERAS_ARCHIVE else None
    own = window.head(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    behind = _hdf5_behind_user_block(window)
    members = read_directory(window, Limits()).members if behind else ()
    inside = any(each.header < behind < each.start + each.stored for each in members)
    return Format.HDF5_OTHER if own or (behind and not inside) else None


def _hdf5(window: FileWindow) -> Format:
    from modelaudit.formats.hdf5.keras_layout import sniff_layout  # importing h5py takes long

    return _or_pickle(window, sniff_layout(window))


def _archive(window: FileWindow) -> Format:
    try:
        names = {member.name for member in read_directory(window, Limits()).members}
    except ReadError:
        return Format.CORRUPT_ARCHIVE
    if is_weights(window.path, names):
        return Format.NPZ_WEIGHTS
    without_config = "metadata.json" in names and bool(names & {*_KERAS_WEIGHTS})
    keras = _is_keras(names) or without_config
    return Format.KERAS_ARCHIVE if keras else Format.ARCHIVE_OTHER


def is_weights(path: Path, names: Collection[str]) -> bool:
    """Whether the members of an archive are arrays that are named like weights.

    `np.savez(path, *model.get_weights())` numbers them; then the name of the file has to say so.
    """
    plain = [name.removesuffix(".npy") for name in names]
    if not plain or any(name == full for name, full in zip(plain, names, strict=True)):
        return False
    if all(_NUMBERED.fullmatch(name) for name in plain):
        return bool(_WEIGHTS_FILE.search(path.stem))
    return any(map(_WEIGHT.search, plain))


def is_unpacked(directory: Path, names: Collection[str]) -> bool:
    """Whether a directory has the members of a `.keras` archive.

    Applications have a `config.json` of their own, too, beside weights with the name that Keras
    gives them: without `metadata.json`, it has to name a class.
    """
    if not _is_keras({*names}) or "metadata.json" in names:
        return _is_keras({*names})
    try:
        return _CLASS_NAME in FileWindow.of_file(directory / "config.json").head(HEAD_BYTES)
    except ReadError:
        return True  # what cannot be read is told by the reader


def _is_keras(names: set[str]) -> bool:
    return "config.json" in names and ("metadata.json" in names or bool(names & {*_KERAS_WEIGHTS}))


def _table(window: FileWindow) -> Format:
    """Format of a sorted string table: the index of a V2 checkpoint, or a V1 checkpoint.

    Both start with the empty key. Its value is a header of three numbers in V2, and a list of
    tensors (a nested message) in V1.
    """
    head = window.head(_INDEX_BYTES)
    if _OBJECT_GRAPH in head or _OF_OBJECTS in head:  # the graph may be in another part
        return Format.TF2_CHECKPOINT
    if _FIRST_ELEMENT.search(head[:64]):
        return Format.DATA_CACHE
    starts_with_empty_key = head[:2] == b"\0\0"
    value = head[3 if head[2:3] < b"\x80" else 4 :]
    if starts_with_empty_key and value[:1] == b"\x0a":
        return Format.TF1_CHECKPOINT_V1
    return Format.TF1_CHECKPOINT


def _prefix(prefix: Path) -> Format:
    """Format of a checkpoint prefix, from its `.index` file, V1 shards or `.meta` file."""
    index = _beside(prefix, ".index")
    if index.is_file():
        return _checkpoint_part(index) if index.stat().st_size else Format.UNKNOWN
    shard = _first_shards(prefix.parent).get(prefix.name)
    if shard is not None and _checkpoint_part(prefix.parent / shard) in _TABLES:
        return Format.TF1_CHECKPOINT_V1
    meta = _beside(prefix, ".meta")
    if meta.is_file():
        return checkpoint_meta(FileWindow.of_file(meta)) or Format.UNKNOWN
    return Format.UNKNOWN


def _first_shards(directory: Path) -> Mapping[str, str]:
    """The first shard of each V1 checkpoint in a directory, by the prefix."""
    if not directory.is_dir():
        return {}
    changed = directory.stat().st_mtime_ns
    if time.time_ns() - changed < _SETTLED:
        return _listed(directory)
    return _listed_once(directory, changed)


def _listed(directory: Path) -> Mapping[str, str]:
    try:
        names = [each.name for each in directory.iterdir()]
    except PermissionError:  # its files may be readable even so
        return {}
    shards = sorted(filter(_V1_SHARD.search, names), reverse=True)
    return {_V1_SHARD.sub("", name): name for name in shards}


@lru_cache(maxsize=1)
def _listed_once(directory: Path, _changed: int) -> Mapping[str, str]:
    """The same for all files of a directory that does not change: it may have very many."""
    return _listed(directory)


def _checkpoint_part(path: Path) -> Format:
    """Format of a file that is named like part of a checkpoint; HDF5 files do not count."""
    return _file(FileWindow.of_file(path), lambda _: Format.UNKNOWN)


_TABLES = frozenset((Format.TF1_CHECKPOINT_V1, Format.TF1_CHECKPOINT))


def plain_graph(directory: Path) -> Path | None:
    """The file of a directory that is named like the graph of a SavedModel, but is a GraphDef."""
    for name in GRAPH_NAMES:
        if (directory / name).is_file():
            try:
                form = saved_model_graph(FileWindow.of_file(directory / name))
            except (ReadError, OSError):
                return None
            return directory / name if form is Format.FROZEN_GRAPH else None
    return None


def _directory(directory: Path) -> Format:
    for name in GRAPH_NAMES:
        if (directory / name).is_file():
            return saved_model_graph(FileWindow.of_file(directory / name))
    if (directory / SPLIT).is_file():
        return Format.SAVEDMODEL_TF2
    if (directory / "export.meta").is_file():
        return Format.SESSION_BUNDLE
    if (directory / ".index").is_file():  # a checkpoint whose prefix ends in a slash
        return _checkpoint_part(directory / ".index")
    names = {entry.name for entry in directory.iterdir()}
    if is_preset(directory, names):
        return Format.KERASHUB_PRESET
    if is_unpacked(directory, names):
        return Format.KERAS_ARCHIVE
    if is_orbax(names):
        return Format.ORBAX
    if (directory / "variables" / "variables.index").is_file():
        # The graph is missing, but the checkpoint shows the version of TensorFlow that saved it.
        form = _prefix(directory / "variables" / "variables")
        return _WITHOUT_GRAPH.get(form, Format.CORRUPT_SAVEDMODEL)
    return Format.UNKNOWN


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)
