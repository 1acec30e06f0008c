"""Every exception that modelaudit raises on purpose."""

from __future__ import annotations


class ModelAuditError(Exception):
    """Root of the tree: catch this to catch whatever modelaudit raises on purpose."""


class UsageError(ModelAuditError):
    """The caller asked for something that cannot be: a bad option, setting or path."""


class ReadError(ModelAuditError):
    """A file could not be read as what it seems to be.

    Args:
        kind: stable kebab-case word for the reason, one of `facts.ProblemKind`'s values.
        file: path of the file, relative to the artefact's root (or as given).
        reason: one sentence for a person; names no file, since `file` does.
    """

    def __init__(self, kind: str, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.kind = kind
        self.file = file
        self.reason = reason


class LimitExceeded(ReadError):
    """A bound on untrusted input was hit (size, ratio, depth, count).

    `setting` is the field of `settings.Limits` that moves the bound, "" for one that is fixed.
    """

    def __init__(
        self, file: str, limit: str, measured: float, allowed: float, setting: str = ""
    ) -> None:
        reason = f"limit {limit} exceeded: {measured:,.0f} over {allowed:,.0f}"
        super().__init__(
            "limit-exceeded", file, f"{reason} (setting {setting})" if setting else reason
        )
        self.limit = limit
        self.setting = setting
        self.measured = measured
        self.allowed = allowed


class ProbeError(ModelAuditError):
    """The probe's own machinery failed (not the model: a model that fails is an observation)."""


class SchemaError(ModelAuditError):
    """An audit file is not one, or is of a schema that this version cannot upgrade."""


class LockHeld(ModelAuditError):
    """Another run holds the lock of the output directory."""


class Interrupted(KeyboardInterrupt):
    """A run was told to stop; its text says how far it came and how it goes on."""


class StoreError(ModelAuditError):
    """The history of runs cannot be opened, read or written."""
