"""The values that a store takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from modelaudit.facts import Json

# What the index and the history say of one audit; a JSON object.
ResultRow = Mapping[str, Json]


class RunState(StrEnum):
    """How far a run has come."""

    RUNNING = "running"  # the newest run while it has the lock; else it was killed
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"  # every model has its result
    REPORTED = "reported"  # and what changed was handed to whoever asked


@dataclass(frozen=True, slots=True)
class ModelKey:
    """One model of a registry: the absolute directory looked through, and the path from there."""

    root: str
    path: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run. `seconds` is wall clock; `notes` are sentences about the run as a whole."""

    id: int
    registry: str
    command: str
    tool: str
    rules: str
    started: str
    finished: str | None
    state: RunState
    exit_code: int | None
    audited: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every model has its result."""
        return self.state in (RunState.COMPLETE, RunState.REPORTED)


@dataclass(frozen=True, slots=True)
class CachedAudit:
    """What may be used again of a model's last audit.

    Attributes:
        audit: identity of the audit.
        key: what it depends on besides the model's files.
        content: digest of these files' bytes.
        files: their sizes, times and inodes, as text.
        settled: whether equal sizes, times and inodes mean equal bytes.
        seen_key: what the observations depend on; "" where there are none to use again.
    """

    audit: int
    key: str
    content: str
    files: str
    settled: bool
    seen_key: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One finished audit with what is needed to use it again; `cached` is None where it may not.

    `document` is the audit file's bytes, `seen` what running the model showed, encoded.
    """

    line: ResultRow
    document: bytes
    key: str = ""
    content: str = ""
    files: str = ""
    settled: bool = False
    seen_key: str = ""
    seen: str = ""

    @property
    def reusable(self) -> bool:
        """Whether a later run may take it instead of auditing the same model again."""
        return bool(self.key and self.content)
