"""All exceptions that modelaudit raises deliberately, and the kinds of problems of a file."""

from __future__ import annotations

from enum import StrEnum


class ProblemKind(StrEnum):
    """Irregularities that a reader can meet. Rules map these to findings."""

    UNREADABLE = "unreadable"  # permission, I/O error
    TRUNCATED = "truncated"  # ends before its own header says
    TEXT_MANGLED = "text-mangled"  # passed through a text conversion (U+FFFD for bytes >= 0x80)
    LFS_POINTER = "lfs-pointer"
    EMPTY = "empty"
    CORRUPT = "corrupt"  # cannot be parsed as the format of its magic bytes
    LIMIT_EXCEEDED = "limit-exceeded"
    MISSING_FILE = "missing-file"  # referenced or required by the model, but missing
    MISSING_SHARD = "missing-shard"
    SIZE_MISMATCH = "size-mismatch"  # sizes in the index differ from the file
    CRC_MISMATCH = "crc-mismatch"
    LEFTOVER = "leftover"  # foreign or temporary file inside the model
    STATE_FILE_MISMATCH = "state-file-mismatch"  # `checkpoint` names another prefix
    SUFFIX_MISMATCH = "suffix-mismatch"  # content does not match the name
    DUPLICATE_MEMBER = "duplicate-member"
    UNSAFE_PATH = "unsafe-path"  # absolute, .., backslash, NUL, symlink out of the root
    HEADER_MISMATCH = "header-mismatch"
    EXTERNAL_REFERENCE = "external-reference"  # HDF5 external link/storage, virtual dataset
    UNSUPPORTED = "unsupported"  # recognised, not readable by design (V1 checkpoints)
    CONFIG_INVALID = "config-invalid"  # saved config is not valid JSON or not a Keras config
    TENSOR_UNREADABLE = "tensor-unreadable"
    OTHER = "other"


class ModelAuditError(Exception):
    """Base class of all exceptions that modelaudit raises deliberately."""


class UsageError(ModelAuditError):
    """An invalid request: a wrong option, setting or path."""


class MissingPackage(UsageError):
    """Something was requested that needs a package of the full installation."""


class ReadError(ModelAuditError):
    """A file could not be read as its apparent format.

    Args:
        kind: machine-readable reason, one of the values of `ProblemKind`.
        file: path of the file, relative to the artefact's root (or as given).
        reason: one sentence for people, without the file name.
        setting: the field of `settings.Limits` that ended reading, "" if none did.
    """

    def __init__(self, kind: str, file: str, reason: str, setting: str = "") -> None:
        super().__init__(f"{file}: {reason}")
        self.kind = kind
        self.file = file
        self.reason = reason
        self.setting = setting


class LimitExceeded(ReadError):
    """A bound on untrusted input was hit (size, ratio, depth, count)."""

    def __init__(
        self, file: str, limit: str, measured: float, allowed: float, setting: str = ""
    ) -> None:
        reason = f"limit {limit} exceeded: {measured:,.0f} over {allowed:,.0f}"
        said = f"{reason} (setting {setting})" if setting else reason
        super().__init__("limit-exceeded", file, said, setting)
        self.limit = limit
        self.measured = measured
        self.allowed = allowed


class WorkSpent(LimitExceeded):
    """The audit has taken as much work as one of a model of this size may."""

    def __init__(self, allowed: float) -> None:
        super().__init__("", "units of work", allowed, allowed, "work")
        self.reason = f"took more than {allowed:,.0f} units of work (setting work)"
        self.args = (self.reason,)


class ProbeError(ModelAuditError):
    """The probe itself failed (a model that fails is an observation instead)."""


class SchemaError(ModelAuditError):
    """A file is not an audit file, or has a schema version that cannot be read."""


class LockHeld(ModelAuditError):
    """Another run holds the lock of the output directory."""


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; the message says how far it got and how to continue."""


class StoreError(ModelAuditError):
    """The history of runs cannot be opened, read or written."""
