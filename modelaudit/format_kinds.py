"""What a path can be, and what can be wrong with it, as closed sets of words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Format(StrEnum):
    """What a path truly is, told by its content."""

    LEGACY_H5_FULL = "legacy_h5_full"
    WEIGHTS_H5_LEGACY = "weights_h5_legacy"
    WEIGHTS_H5_V3 = "weights_h5_v3"
    KERAS_ARCHIVE = "keras_v3_zip"
    SAVEDMODEL_TF2 = "savedmodel_tf2"
    SAVEDMODEL_TF1 = "savedmodel_tf1_style"
    TF1_CHECKPOINT = "tf1_checkpoint_v2"
    TF1_CHECKPOINT_V1 = "tf1_checkpoint_v1"
    SESSION_BUNDLE = "session_bundle_v1"
    TF2_CHECKPOINT = "tf2_checkpoint"
    ORBAX = "orbax_checkpoint"
    FROZEN_GRAPH = "tf1_frozen_graphdef"
    GIT_LFS_POINTER = "git_lfs_pointer"
    EMPTY_FILE = "empty_file"
    CORRUPT_HDF5 = "corrupt_hdf5"
    CORRUPT_ARCHIVE = "corrupt_zip"
    CORRUPT_SAVEDMODEL = "corrupt_savedmodel"
    HDF5_OTHER = "hdf5_not_keras"
    ARCHIVE_OTHER = "zip_not_keras"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """Short name for people."""
        return FORMAT_LABELS[self]

    @property
    def is_directory(self) -> bool:
        """Whether a model of it is always a directory (an unpacked `.keras` file is one, too)."""
        return self in _DIRECTORIES

    @property
    def is_prefix(self) -> bool:
        """Whether a model of it is what the names of its files begin with."""
        return self in _PREFIXES


_DIRECTORIES = frozenset(
    (
        *(Format.SAVEDMODEL_TF2, Format.SAVEDMODEL_TF1, Format.CORRUPT_SAVEDMODEL),
        *(Format.SESSION_BUNDLE, Format.ORBAX),
    )
)
_PREFIXES = frozenset((Format.TF1_CHECKPOINT, Format.TF1_CHECKPOINT_V1, Format.TF2_CHECKPOINT))


FORMAT_LABELS: Mapping[Format, str] = {
    Format.LEGACY_H5_FULL: "Keras HDF5 model",
    Format.WEIGHTS_H5_LEGACY: "Keras HDF5 weights (legacy)",
    Format.WEIGHTS_H5_V3: "Keras HDF5 weights (v3)",
    Format.KERAS_ARCHIVE: "Keras archive (.keras)",
    Format.SAVEDMODEL_TF2: "SavedModel (TF2)",
    Format.SAVEDMODEL_TF1: "SavedModel (TF1 style)",
    Format.TF1_CHECKPOINT: "TF1 checkpoint (V2)",
    Format.TF1_CHECKPOINT_V1: "TF1 checkpoint (V1)",
    Format.SESSION_BUNDLE: "SessionBundle (V1)",
    Format.TF2_CHECKPOINT: "TF2 object checkpoint",
    Format.ORBAX: "Orbax checkpoint",
    Format.FROZEN_GRAPH: "Frozen GraphDef",
    Format.GIT_LFS_POINTER: "Git LFS pointer",
    Format.EMPTY_FILE: "Empty file",
    Format.CORRUPT_HDF5: "Damaged HDF5",
    Format.CORRUPT_ARCHIVE: "Damaged zip archive",
    Format.CORRUPT_SAVEDMODEL: "Damaged SavedModel",
    Format.HDF5_OTHER: "HDF5, not Keras",
    Format.ARCHIVE_OTHER: "Zip archive, not Keras",
    Format.UNREADABLE: "Unreadable",
    Format.UNKNOWN: "Unknown",
}


class ProblemKind(StrEnum):
    """Irregularities that a reader can meet. Rules map these to findings."""

    UNREADABLE = "unreadable"  # permission, I/O error
    TRUNCATED = "truncated"  # ends before its own header says
    TEXT_MANGLED = "text-mangled"  # passed through a text conversion (U+FFFD for bytes >= 0x80)
    LFS_POINTER = "lfs-pointer"
    EMPTY = "empty"
    CORRUPT = "corrupt"  # not parseable as what its magic bytes promise
    LIMIT_EXCEEDED = "limit-exceeded"
    MISSING_FILE = "missing-file"  # named or needed by the model, not there
    MISSING_SHARD = "missing-shard"
    SIZE_MISMATCH = "size-mismatch"  # index promises other sizes than the file has
    CRC_MISMATCH = "crc-mismatch"
    LEFTOVER = "leftover"  # foreign or temporary file inside the model
    STATE_FILE_MISMATCH = "state-file-mismatch"  # `checkpoint` names another prefix
    SUFFIX_MISMATCH = "suffix-mismatch"  # content is not what the name says
    DUPLICATE_MEMBER = "duplicate-member"
    UNSAFE_PATH = "unsafe-path"  # absolute, .., backslash, NUL, symlink out of the root
    HEADER_MISMATCH = "header-mismatch"
    EXTERNAL_REFERENCE = "external-reference"  # HDF5 external link/storage, virtual dataset
    UNSUPPORTED = "unsupported"  # recognised, not readable by design (V1 checkpoints)
    CONFIG_INVALID = "config-invalid"  # saved config is not valid JSON or not a Keras config
    TENSOR_UNREADABLE = "tensor-unreadable"
    OTHER = "other"
