"""Pickles that have the name of a model, and models inside pickles. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from modelaudit.facts import Artifact, Json, Problem, ProblemKind
from modelaudit.file_formats import Content, Format
from modelaudit.formats.executables import HEAD_BYTES, is_pickle
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.pickle_names import PICKLE_BYTES, pickle_names
from modelaudit.structs import replace

_OPAQUE = (Format.UNKNOWN, Format.UNREADABLE, Format.GIT_LFS_POINTER, Format.PLUGIN)
_AROUND = ("prefix", "suffix")  # bytes before and after an archive


def pickle_problem(path: Path) -> Problem | None:
    """That a file is a pickle by its first bytes, with what it names; None if it is none.

    Raises:
        ReadError: the file cannot be read.
    """
    window = FileWindow.of_file(path)
    head = window.head(HEAD_BYTES)
    if not is_pickle(head):
        return None
    said = pickle_names(window.head(PICKLE_BYTES))
    evidence: dict[str, Json] = {"program": "a pickle", "head": head.hex()}
    evidence |= {"names": [*said.names], "whole": said.whole}
    return Problem(ProblemKind.UNSUPPORTED, path.name, "is a Python pickle", evidence=evidence)


def is_one_pickle(window: FileWindow) -> bool:
    """Whether a file is a pickle up to its end, so that what is found in it is a value of it.

    Of a long one, only the first opcodes are read.

    Raises:
        ReadError: the file cannot be read.
    """
    if not is_pickle(window.head(HEAD_BYTES)):
        return False
    said = pickle_names(window.head(PICKLE_BYTES))
    if said.whole:
        return said.end == window.size
    return bool(said.names) and window.size > PICKLE_BYTES


def as_pickle(artifact: Artifact, path: Path) -> Artifact:
    """A file that is a pickle is told as one, with what loaders find in it if that is a model.

    Raises:
        ReadError: the file cannot be read.
    """
    if artifact.format in _OPAQUE or not path.is_file() or not path.stat().st_size:
        return artifact
    pickled = pickle_problem(path) if is_one_pickle(FileWindow.of_file(path)) else None
    if pickled is None:
        return artifact
    if artifact.format.info.content in (Content.DAMAGED, Content.OTHER):
        return Artifact(
            root=artifact.root,
            format=Format.UNKNOWN,
            files=artifact.files,
            sha256=artifact.sha256,
            complete=False,
            problems=(pickled,),
        )
    named = any(each.kind is ProblemKind.SUFFIX_MISMATCH for each in artifact.problems)
    inside: dict[str, Json] = {"inside": artifact.format.label, "found": not named}
    pickled = replace(pickled, evidence={**pickled.evidence, **inside})
    kept = (
        each
        for each in artifact.problems
        if each.kind is not ProblemKind.SUFFIX_MISMATCH and each.evidence.get("zip") not in _AROUND
    )
    return replace(artifact, problems=(pickled, *kept))
