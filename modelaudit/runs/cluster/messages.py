"""What the driver and the processes on the nodes tell each other, as lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.file_formats import Format
from modelaudit.runs.write_reports import ReportOrder
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store.typed_json import decode, encode

T = TypeVar("T")


class NodeOrder(Struct, frozen=True):
    """What holds for every model of a run.

    Attributes:
        settings: of the run.
        created: ISO 8601 time in UTC for the audits.
        reports: what to write of each audit.
        roots: directories of the models, see `local_probe`.
        known: see `audit_all`.
        probe: whether any model is to be run.
        formats: of the models, whose readers a node imports once.
    """

    settings: Settings
    created: str
    reports: ReportOrder
    roots: tuple[Path, ...]
    known: tuple[str, ...] | None
    probe: bool
    formats: tuple[Format | None, ...] = ()


class NodeTask(Struct, frozen=True):
    """One model, and the fields of its `CachedProbe`."""

    target: AuditTarget
    recalled: tuple[str, str, str] | None = None


class NodeResult(Struct, frozen=True):
    """What became of one model.

    Attributes:
        row: its `ResultRow`; {} if there is none.
        notes: see `FinishedModel`.
        warnings: what the driver prints.
        stop: why the run cannot go on, "" if it can.
        unseen: that the node does not see the model, "" if it does.
        lost: why the process on the node ended before it answered, "" if it did not.
    """

    row: dict[str, Json] = {}
    notes: dict[str, Json] = {}
    warnings: tuple[str, ...] = ()
    stop: str = ""
    unseen: str = ""
    lost: str = ""


def to_line(message: Struct) -> bytes:
    """A message as one line."""
    return json.dumps(encode(message)).encode() + b"\n"


def from_line(kind: type[T], line: bytes) -> T:
    """The inverse of `to_line`.

    Raises:
        ValueError: it is no such message.
    """
    return decode(kind, json.loads(line))
