"""All file formats, one entry each.

Labels, magic bytes, docs/formats.md and the messages for files that are not read come from these
entries. `formats/sniff.py` distinguishes formats with the same first bytes, and
`formats/reader.py` maps each format to its reader. Files of other frameworks are in
`formats/other_formats.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum, auto

from msgspec import Struct

from modelaudit.errors import ProblemKind

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
TFLITE_IDENTIFIER = b"TFL3"  # behind the offset of the root
# The HDF5 signature after the conversions that it is designed to detect, in this order: bytes
# replaced by U+FFFD, Latin-1 read as UTF-8, eighth bit removed, line endings converted.
MANGLED_HDF5 = (
    *(b"\xef\xbf\xbdHDF", b"\xc2\x89HDF", b"\x09HDF\r\n", b"\x89HDF\n\x1a\n"),
    *(b"\x89HDF\r\r\n\x1a", b"\x89HDF\r\n\x1a\r\n"),
)


class Container(Enum):
    """The container of a model."""

    HDF5 = auto()
    ZIP = auto()
    SAVED_MODEL = auto()  # a directory with a graph
    SESSION_BUNDLE = auto()  # the predecessor of the SavedModel
    CHECKPOINT = auto()  # files with a common prefix
    ORBAX = auto()  # a directory of the Orbax checkpoint library
    PRESET = auto()  # a directory of KerasHub
    GRAPH = auto()
    FLATBUFFER = auto()
    JSON = auto()  # a JSON file, and the files that it names
    NONE = auto()


class Content(Enum):
    """The content of a container."""

    MODEL = auto()  # layers with their weights, no graph
    WEIGHTS = auto()  # weights without a config
    PRESET = auto()  # weights, and the arguments from which a library builds the layers
    GRAPH = auto()  # a TensorFlow graph, with or without weights
    EXPORT = auto()  # layers with their weights, which another program runs
    OTHER = auto()  # not a model
    DAMAGED = auto()
    NONE = auto()


class FormatInfo(Struct, frozen=True):
    """A file format.

    Attributes:
        label: short name for people.
        told_by: how the format is detected from bytes or names.
        what: what is read from it, if anything.
        container, content: the container of the model, and its content.
        suffixes: a file with one of these is expected to have the format.
        magic: first bytes that identify the format.
        problem: for a format that is not read: the problem reported for its files.
    """

    label: str
    told_by: str
    what: str
    container: Container = Container.NONE
    content: Content = Content.NONE
    suffixes: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()
    problem: tuple[ProblemKind, str] | None = None


class Format(StrEnum):
    """The format of a path, detected from its content."""

    LEGACY_H5_FULL = "legacy_h5_full"
    WEIGHTS_H5_LEGACY = "weights_h5_legacy"
    WEIGHTS_H5_V3 = "weights_h5_v3"
    NPZ_WEIGHTS = "npz_weights"
    KERAS_ARCHIVE = "keras_v3_zip"
    SAVEDMODEL_TF2 = "savedmodel_tf2"
    SAVEDMODEL_TF1 = "savedmodel_tf1_style"
    TF1_CHECKPOINT = "tf1_checkpoint_v2"
    TF1_CHECKPOINT_V1 = "tf1_checkpoint_v1"
    SESSION_BUNDLE = "session_bundle_v1"
    TF2_CHECKPOINT = "tf2_checkpoint"
    ORBAX = "orbax_checkpoint"
    KERASHUB_PRESET = "kerashub_preset"
    FROZEN_GRAPH = "tf1_frozen_graphdef"
    TFLITE = "tflite"
    TFJS_LAYERS = "tfjs_layers"
    TFJS_GRAPH = "tfjs_graph"
    GIT_LFS_POINTER = "git_lfs_pointer"
    EMPTY_FILE = "empty_file"
    CORRUPT_HDF5 = "corrupt_hdf5"
    CORRUPT_ARCHIVE = "corrupt_zip"
    CORRUPT_SAVEDMODEL = "corrupt_savedmodel"
    HDF5_OTHER = "hdf5_not_keras"
    ARCHIVE_OTHER = "zip_not_keras"
    DATA_CACHE = "tf_data_cache"
    PLUGIN = "plugin"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"

    @property
    def info(self) -> FormatInfo:
        """The format's entry in `FORMATS`."""
        return FORMATS[self]

    @property
    def label(self) -> str:
        """Short name for people."""
        return self.info.label

    @property
    def is_directory(self) -> bool:
        """Whether a model in it is always a directory (an unpacked `.keras` file also is one)."""
        return self.info.container in DIRECTORIES

    @property
    def is_prefix(self) -> bool:
        """Whether a model in it is given by the common prefix of its files."""
        return self.info.container is Container.CHECKPOINT

    @property
    def is_saved_model(self) -> bool:
        """Whether `tf.saved_model.load` reads it."""
        return self in (Format.SAVEDMODEL_TF1, Format.SAVEDMODEL_TF2)


FORMATS: Mapping[Format, FormatInfo] = {
    Format.LEGACY_H5_FULL: FormatInfo(
        label="Keras HDF5 model",
        told_by="HDF5 with `model_config` or `model_weights`",
        what="layers, weights and training settings of Keras 1, 2 and 3",
        container=Container.HDF5,
        content=Content.MODEL,
        suffixes=(".h5", ".hdf5"),
    ),
    Format.WEIGHTS_H5_LEGACY: FormatInfo(
        label="Keras HDF5 weights (legacy)",
        told_by="HDF5 with `layer_names`",
        what="weights; layers with `--architecture`",
        container=Container.HDF5,
        content=Content.WEIGHTS,
    ),
    Format.WEIGHTS_H5_V3: FormatInfo(
        label="Keras HDF5 weights (v3)",
        told_by="HDF5 with a group `vars`",
        what="weights; layers with `--architecture`",
        container=Container.HDF5,
        content=Content.WEIGHTS,
    ),
    Format.NPZ_WEIGHTS: FormatInfo(
        label="NumPy archive of weights (.npz)",
        told_by="zip of arrays that are named like weights; or `arr_0` … in a file named so",
        what="weights",
        container=Container.ZIP,
        content=Content.WEIGHTS,
    ),
    Format.KERAS_ARCHIVE: FormatInfo(
        label="Keras archive (.keras)",
        told_by="zip or unpacked directory with `config.json`, and `metadata.json` or weights",
        what="config, metadata, weights, assets, and the zip container itself",
        container=Container.ZIP,
        content=Content.MODEL,
        suffixes=(".keras",),
    ),
    Format.SAVEDMODEL_TF2: FormatInfo(
        label="SavedModel (TF2)",
        told_by="directory with `saved_model.pb` or `.pbtxt` and an object graph",
        what="graphs, signatures, weights, assets, Keras metadata, exports of Keras 3",
        container=Container.SAVED_MODEL,
        content=Content.GRAPH,
        suffixes=(".pb",),
    ),
    Format.SAVEDMODEL_TF1: FormatInfo(
        label="SavedModel (TF1 style)",
        told_by="the same without an object graph",
        what="graphs, signatures, weights, assets",
        container=Container.SAVED_MODEL,
        content=Content.GRAPH,
    ),
    Format.TF1_CHECKPOINT: FormatInfo(
        label="TF1 checkpoint (V2)",
        told_by="`.index` that is a table of tensors, or `.meta` whose saver writes V2",
        what="weights with all checksums, the graph of `.meta`",
        container=Container.CHECKPOINT,
        content=Content.GRAPH,
        suffixes=(".ckpt",),
    ),
    Format.TF1_CHECKPOINT_V1: FormatInfo(
        label="TF1 checkpoint (V1)",
        told_by="shards that are tables, or `.meta` whose saver writes V1",
        what="the graph of `.meta`, no weights",
        container=Container.CHECKPOINT,
    ),
    Format.SESSION_BUNDLE: FormatInfo(
        label="SessionBundle (V1)",
        told_by="directory with `export.meta`",
        what="the checkpoint `export` with its graph, assets",
        container=Container.SESSION_BUNDLE,
        content=Content.GRAPH,
    ),
    Format.TF2_CHECKPOINT: FormatInfo(
        label="TF2 object checkpoint",
        told_by="`.index` with an object graph",
        what="weights with all checksums; layers with `--architecture`",
        container=Container.CHECKPOINT,
        content=Content.WEIGHTS,
    ),
    Format.ORBAX: FormatInfo(
        label="Orbax checkpoint",
        told_by="directory with Orbax files",
        what="Keras config and the JSON files, no weights",
        container=Container.ORBAX,
    ),
    Format.KERASHUB_PRESET: FormatInfo(
        label="KerasHub preset",
        told_by="directory with `config.json` and `metadata.json` of KerasHub or KerasNLP",
        what="configs of backbone, task and preprocessor, weights, files of the tokenizer",
        container=Container.PRESET,
        content=Content.PRESET,
    ),
    Format.FROZEN_GRAPH: FormatInfo(
        label="GraphDef",
        told_by="a GraphDef or MetaGraphDef, binary or as text",
        what="the graph and its constants",
        container=Container.GRAPH,
        content=Content.GRAPH,
    ),
    Format.TFLITE: FormatInfo(
        label="TensorFlow Lite model",
        told_by="`TFL3` at byte 4",
        what="subgraphs, signatures, constants, quantization, metadata and the archive behind it",
        container=Container.FLATBUFFER,
        content=Content.GRAPH,
        suffixes=(".tflite",),
    ),
    Format.TFJS_LAYERS: FormatInfo(
        label="TensorFlow.js layers model",
        told_by="JSON with `modelTopology`",
        what="layers, training settings, and weights in any number of files, quantised or not",
        container=Container.JSON,
        content=Content.EXPORT,
    ),
    Format.TFJS_GRAPH: FormatInfo(
        label="TensorFlow.js graph model",
        told_by='the same with `"format": "graph-model"` or the nodes of a graph',
        what="the graph, its signature, and the same weights",
        container=Container.JSON,
        content=Content.GRAPH,
    ),
    Format.GIT_LFS_POINTER: FormatInfo(
        label="Git LFS pointer",
        told_by="the first line",
        what="digest and size of the referenced file",
        magic=(b"version https://git-lfs.github.com/spec/v1\n",),
    ),
    Format.EMPTY_FILE: FormatInfo(
        label="Empty file",
        told_by="0 bytes",
        what="nothing",
        problem=(ProblemKind.EMPTY, "is empty: 0 bytes"),
    ),
    Format.CORRUPT_HDF5: FormatInfo(
        label="Damaged HDF5",
        told_by="HDF5 that cannot be opened, or was transferred as text",
        what="undamaged parts",
        container=Container.HDF5,
        content=Content.DAMAGED,
        magic=MANGLED_HDF5,
    ),
    Format.CORRUPT_ARCHIVE: FormatInfo(
        label="Damaged zip archive",
        told_by="zip whose directory cannot be read",
        what="undamaged parts",
        container=Container.ZIP,
        content=Content.DAMAGED,
    ),
    Format.CORRUPT_SAVEDMODEL: FormatInfo(
        label="Incomplete or damaged SavedModel",
        told_by="`saved_model.pb` that is renamed or cannot be parsed, or a lone `variables/`",
        what="undamaged parts",
        container=Container.SAVED_MODEL,
        content=Content.DAMAGED,
    ),
    Format.HDF5_OTHER: FormatInfo(
        label="HDF5, not Keras",
        told_by="HDF5 without Keras data",
        what="nothing",
        container=Container.HDF5,
        content=Content.OTHER,
    ),
    Format.ARCHIVE_OTHER: FormatInfo(
        label="Zip archive, not Keras",
        told_by="zip without Keras data",
        what="models inside, as in a directory",
        container=Container.ZIP,
        content=Content.OTHER,
        problem=(ProblemKind.UNSUPPORTED, "is a zip archive without a Keras model"),
    ),
    Format.DATA_CACHE: FormatInfo(
        label="Cache of tf.data",
        told_by="`.index` whose keys count elements",
        what="nothing",
        container=Container.CHECKPOINT,
        content=Content.OTHER,
        problem=(ProblemKind.UNSUPPORTED, "is a cache of `tf.data.Dataset.cache`, no model"),
    ),
    Format.PLUGIN: FormatInfo(
        label="File of a plug-in",
        told_by="first bytes that a [plug-in](plugins.md) names",
        what="what the plug-in reads",
    ),
    Format.UNREADABLE: FormatInfo(
        label="Unreadable",
        told_by="permission or I/O error",
        what="nothing",
    ),
    Format.UNKNOWN: FormatInfo(
        label="Unknown",
        told_by="none of the above",
        what="nothing",
        problem=(ProblemKind.UNSUPPORTED, "is not a known model format"),
    ),
}
DIRECTORIES = (Container.SAVED_MODEL, Container.SESSION_BUNDLE, Container.ORBAX, Container.PRESET)
DAMAGED: Mapping[Container, Format] = {
    form.info.container: form for form in Format if form.info.content is Content.DAMAGED
}
"""Container -> the format reported if it cannot be read."""
BY_MAGIC = tuple((magic, form) for form in Format for magic in form.info.magic)
"""(first bytes, the format that they identify)."""
MODEL_SUFFIXES = frozenset(suffix for form in Format for suffix in form.info.suffixes)
"""A file with one of these suffixes is expected to be a model, so it always gets a row."""


def formats(*contents: Content) -> frozenset[Format]:
    """All formats with such a content."""
    return frozenset(form for form in Format if form.info.content in contents)
