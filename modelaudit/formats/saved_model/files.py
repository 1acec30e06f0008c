"""The files of a SavedModel directory, without following links out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import FileEntry, Json, Problem, ProblemKind
from modelaudit.formats.executables import HEAD_BYTES, program_by_bytes
from modelaudit.formats.io.bounded import display_path, file_entry
from modelaudit.formats.io.file_window import Window
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits

# TensorFlow takes the first that is there, in Python (loader_impl.py) as in C++ (reader.cc).
BINARY, TEXT = GRAPH_NAMES = ("saved_model.pb", "saved_model.pbtxt")
# Written in pieces where one message would be too large; the loaders of TensorFlow 2.21 take such
# a directory for a SavedModel and then do not find its graph.
SPLIT = "saved_model.cpb"
SPLIT_UNREAD = "a graph in pieces (protocol buffers in Riegeli records), not looked into here"
_METADATA = frozenset({"keras_metadata.pb", "fingerprint.pb"})


@dataclass(slots=True)
class Listing:
    """Files by POSIX path, and links and strangers among them."""

    paths: dict[str, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def list_files(root: Path, limits: Limits) -> Listing:
    """Every regular file below `root`; other SavedModels inside are models of their own.

    Links that stay inside are files like any other; links that lead out are problems.

    Raises:
        LimitExceeded: more than `files`.
    """
    listing = Listing()
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            children = sorted(directory.iterdir())
        except OSError as error:
            file = display_path(directory, root)
            reason = error.strerror or str(error)
            listing.problems.append(Problem(ProblemKind.UNREADABLE, file, reason))
            continue
        for path in children:
            file = display_path(path, root)
            if path.is_symlink() and not is_inside(path, root):
                target = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
                detail = f"a link to {target!r}, out of the model; not followed"
                problem = Problem(ProblemKind.UNSAFE_PATH, file, detail, evidence={"link": target})
                listing.problems.append(problem)
            elif path.is_file():
                listing.paths[file] = path
                if len(listing.paths) > limits.files:
                    raise LimitExceeded(file, "files", len(listing.paths), limits.files, "files")
            elif not path.is_dir():
                detail = "neither a file nor a directory: a special file, or a link to nothing"
                listing.problems.append(Problem(ProblemKind.UNREADABLE, file, detail))
            elif not path.is_symlink() and not _is_model(path):
                pending.append(path)
    return listing


def _is_model(directory: Path) -> bool:
    return any((directory / name).is_file() for name in GRAPH_NAMES)


def role_of(file: str) -> str:
    """What a file of a SavedModel is for, by its place."""
    first, _, rest = file.partition("/")
    if file in GRAPH_NAMES:
        return "graph"
    if file in _METADATA:
        return "metadata"
    if first == "variables" and rest.endswith(".index"):
        return "index"
    if first == "variables" and ".data-" in rest:
        return "weights"
    if first in ("assets", "assets.extra") and rest:
        return "asset"
    return "foreign"


def file_entries(listing: Listing, root: Path, limits: Limits) -> tuple[FileEntry, ...]:
    """Every file with size, digest and role, sorted by path."""
    return tuple(
        file_entry(path, root, role_of(file), limits)
        for file, path in sorted(listing.paths.items())
    )


def foreign_problems(listing: Listing) -> Iterator[Problem]:
    """What lies beside the graph and variables and should not.

    A `leftover` for each file that is no part of a SavedModel, `unsupported` for a graph in pieces,
    and remarks on programs in assets.
    """
    for file, path in sorted(listing.paths.items()):
        role = role_of(file)
        if role not in {"foreign", "asset"}:
            continue
        try:
            head = Window.of_file(path, file).head(HEAD_BYTES)
        except ReadError:
            head = b""
        evidence: dict[str, Json] = {"head": head.hex()}
        if file == SPLIT:
            yield Problem(ProblemKind.UNSUPPORTED, file, SPLIT_UNREAD)
        elif role == "foreign":
            detail = "no part of a SavedModel"
            yield Problem(ProblemKind.LEFTOVER, file, detail, evidence=evidence)
            continue
        if what := program_by_bytes(head):
            detail = f"is {what} by its first bytes"
            yield Problem(ProblemKind.OTHER, file, detail, evidence={"program": what, **evidence})
