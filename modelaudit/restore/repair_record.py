"""The record of a repair beside a repaired file."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from modelaudit.audit_types.repair import SUFFIX, Repair
from modelaudit.audit_types.values import custom_type
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.settings import Limits


class RepairRecord(Struct, frozen=True):
    """What lies beside a model as the record of its repair.

    Attributes:
        file: its name.
        repair: the record; None if it cannot be read.
        problem: why not.
        same_file: whether the model is the file that the record describes, by its digest.
    """

    file: str
    repair: Repair | None = None
    problem: str = ""
    same_file: bool = False


def read_repair(artifact: Artifact, limits: Limits) -> RepairRecord | None:
    """The record beside a model; None without one."""
    path = Path(f"{artifact.root}{SUFFIX}")
    try:
        if not path.is_file():
            return None
    except OSError:  # the directory cannot be read, which the reader of the model says
        return None
    try:
        data = read_bytes(path, limits.config_bytes, path.name)
        found = msgspec.json.decode(data, type=Repair, dec_hook=custom_type)
    except (ReadError, msgspec.MsgspecError, ValueError) as error:
        return RepairRecord(path.name, problem=str(error)[:200])
    digest = found.repaired.sha256 if found.repaired else None
    return RepairRecord(path.name, found, same_file=bool(digest) and digest == artifact.sha256)
