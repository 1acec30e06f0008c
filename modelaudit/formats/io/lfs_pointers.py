"""Pointers that Git LFS leaves in the place of files that were not fetched."""

from __future__ import annotations

import re
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Json, Problem, ProblemKind
from modelaudit.file_formats import Format
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.structs import replace

_MOST_BYTES = 1024  # the specification's limit
_MOST_FILES = 100
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_SIZE = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)


def pointer_problem(path: Path, file: str) -> Problem | None:
    """The problem that a file is a pointer; None if it is none, or cannot be read.

    Args:
        path: the file.
        file: its name in messages.
    """
    try:
        window = FileWindow.of_file(path)
        data = window.head(_MOST_BYTES) if window.size <= _MOST_BYTES else b""
    except ReadError:
        return None
    if not data.startswith(Format.GIT_LFS_POINTER.info.magic):
        return None
    oid, size = _OID.search(data), _SIZE.search(data)
    evidence: dict[str, Json] = {
        "oid": oid[1].decode() if oid else None,
        "promised": int(size[1]) if size else None,
    }
    promised = f" of {int(size[1]):,} bytes" if size else ""
    detail = f"is a Git LFS pointer to a file{promised} that was not fetched"
    return Problem(ProblemKind.LFS_POINTER, file, detail, evidence=evidence)


def with_pointers(artifact: Artifact) -> Artifact:
    """The artifact with one problem for each part of it that is a pointer.

    What a reader says of such a part (too short, no such format, a tensor beyond its end) only
    follows from that.
    """
    folder = artifact.root if artifact.root.is_dir() else artifact.root.parent
    pointers: dict[str, Problem] = {}
    for file in [*dict.fromkeys(each.file for each in artifact.problems)][:_MOST_FILES]:
        if found := pointer_problem(folder / file, file):
            pointers[file] = found
    if not pointers:
        return artifact
    others = [each for each in artifact.problems if each.file not in pointers]
    return replace(artifact, problems=(*pointers.values(), *others), complete=False)
