"""The records of a store."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from modelaudit.result_row import ResultRow


class RunState(StrEnum):
    """State of a run."""

    RUNNING = "running"  # the newest run while it holds the lock; otherwise it was killed
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"  # every model has its result
    REPORTED = "reported"  # and the changes were reported


class ModelKey(Struct, frozen=True):
    """One model of a registry: the absolute root directory or its URL, and the path below it."""

    root: str
    path: str


class StoredRun(Struct, frozen=True):
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


class CachedAudit(Struct, frozen=True):
    """The cache entry of a model's last audit.

    Attributes:
        audit: ID of the audit.
        key: digest of what it depends on besides the model's files.
        content: digest of these files' bytes.
        files: their sizes, times and inodes, as text.
        settled: whether equal sizes, times and inodes mean equal bytes.
        seen_key: digest of what the observations depend on; "" if there are none to reuse.
    """

    audit: int
    key: str
    content: str
    files: str
    settled: bool
    seen_key: str


class AuditRecord(Struct, frozen=True):
    """One finished audit with its cache entry; `cached` is None if it must not be reused.

    `document` is the audit file's bytes, `seen` the encoded result of running the model.
    """

    row: ResultRow
    document: bytes
    key: str = ""
    content: str = ""
    files: str = ""
    settled: bool = False
    seen_key: str = ""
    seen: str = ""

    @property
    def reusable(self) -> bool:
        """Whether a later run may reuse it instead of auditing the same model again."""
        return bool(self.key and self.content)
