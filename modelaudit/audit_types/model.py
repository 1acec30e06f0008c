"""What made the audit, what was audited, and how the run ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from modelaudit.audit_types.values import AuditSection, Count, ModelSha256
from modelaudit.facts import Provenance
from modelaudit.findings import Confidence, Severity


class ToolSection(AuditSection, frozen=True, kw_only=True):
    """The program that made the audit."""

    name: str
    """Name of the distribution."""
    version: str
    """Version of the program."""
    rules_digest: str
    """Changes when any rule changes. Compare the findings of two audits only where it is equal."""
    rules: Mapping[str, Count] | UnsetType = UNSET
    """Number of rules by outcome: pass, fail, not-applicable, error, waived."""


class ExitSection(AuditSection, frozen=True, kw_only=True):
    """The exit code that this model alone would give, and why."""

    code: Count
    """Exit code: 0, 1 for a failed model, 3 for an incomplete audit."""
    reasons: tuple[str, ...]
    """Why the code is not 0; empty if it is."""
    fail_on: Severity | UnsetType = UNSET
    """Severity from which a finding fails this model, from `--fail-on` or a policy."""


class InputModality(Struct, frozen=True):
    """The kind of data that the model takes, as far as it can be inferred."""

    kind: str
    """image, volume, video, text, table, audio, series or unknown."""
    confidence: Confidence
    """How certain this is."""
    because: str
    """What shows it."""


class LabelsFile(AuditSection, frozen=True, kw_only=True):
    """A file with the names of the classes, in the model's directory or beside it."""

    file: str
    """Its name."""
    sha256: ModelSha256
    """Its digest."""


class ModelSection(AuditSection, frozen=True, kw_only=True):
    """Which model it is, where it is, and what saved it."""

    root: str
    """Absolute directory that the audit was pointed at."""
    path: str
    """POSIX path relative to `root`."""
    slug: Annotated[str, Meta(pattern="^[a-z0-9._-]+$")]
    """Name of the model's directory in `models/`."""
    format: str
    """Format, as a code."""
    format_label: str = ""
    """Format, as people call it."""
    sha256: ModelSha256 | None
    """Digest of the paths, sizes and digests of all files; null if one could not be read."""
    bytes: Count
    """Size of all files in bytes."""
    files: Count
    """Number of files; `files` at the top level lists them."""
    saved_with: Provenance
    """Versions that the file states. They are claims of the file, not measurements."""
    complete: bool
    """False if some part could not be read; `findings` say which."""
    origin: str | UnsetType = UNSET
    """Where the registry says that the model comes from, in one line. Absent if it does not."""
    labels: LabelsFile | UnsetType = UNSET
    """The file with the names of the classes. Absent if there is none."""
    modality: InputModality | None = None
    """The kind of its inputs; null in audits of earlier versions."""
