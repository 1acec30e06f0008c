"""Files of a SavedModel directory. Links that lead out of it are not followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import FileEntry, Json, Problem, ProblemKind
from modelaudit.formats.executables import HEAD_BYTES, executable_kind
from modelaudit.formats.io.bounded import display_path, file_entry
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits

# TensorFlow loads the first one that exists, in Python (loader_impl.py) and C++ (reader.cc).
BINARY, TEXT = GRAPH_NAMES = ("saved_model.pb", "saved_model.pbtxt")
# Written in several pieces if one message would be too large. The loaders of TensorFlow 2.21 accept
# such a directory as a SavedModel and then do not find its graph.
SPLIT = "saved_model.cpb"
SPLIT_UNREAD = "a graph split into several protocol buffers (Riegeli records), which is not read"
# The shards of a V1 checkpoint, or its only file.
_V1_VARIABLES = re.compile(r"variables(-\d{5}-of-\d{5})?")
# The last one is that of TF-Agents, whose loader reads it.
_METADATA = frozenset({"keras_metadata.pb", "fingerprint.pb", "policy_specs.pbtxt", "model.sig"})


class ModelFiles(Struct):
    """Files of a directory by POSIX path, and problems with links and special files."""

    paths: dict[str, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def list_files(root: Path, limits: Limits) -> ModelFiles:
    """List all regular files below `root`, except in nested SavedModels, which are other models.

    Links to targets inside `root` count as files; other links are problems.

    Raises:
        LimitExceeded: more than `files` files.
    """
    listing = ModelFiles()
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
                detail = f"a link to {target!r}, outside the model; not followed"
                problem = Problem(ProblemKind.UNSAFE_PATH, file, detail, evidence={"link": target})
                listing.problems.append(problem)
            elif path.is_file():
                listing.paths[file] = path
                if len(listing.paths) > limits.files:
                    raise LimitExceeded(file, "files", len(listing.paths), limits.files, "files")
            elif not path.is_dir():
                detail = "neither a file nor a directory: a special file, or a dangling link"
                listing.problems.append(Problem(ProblemKind.UNREADABLE, file, detail))
            elif not path.is_symlink() and not any((path / name).is_file() for name in GRAPH_NAMES):
                pending.append(path)
    return listing


def role_of(file: str) -> str:
    """Role of a file in a SavedModel, from its path."""
    first, _, rest = file.partition("/")
    if file in GRAPH_NAMES:
        return "graph"
    if file in _METADATA:
        return "metadata"
    if first == "variables" and rest.endswith(".index"):
        return "index"
    if first == "variables" and (".data-" in rest or _V1_VARIABLES.fullmatch(rest)):
        return "weights"
    if first in ("assets", "assets.extra") and rest:
        return "asset"
    return "foreign"


def file_entries(listing: ModelFiles, root: Path, limits: Limits) -> tuple[FileEntry, ...]:
    """All files with size, digest and role, sorted by path."""
    return tuple(
        file_entry(path, root, role_of(file), limits)
        for file, path in sorted(listing.paths.items())
    )


def unexpected_file_problems(listing: ModelFiles) -> Iterator[Problem]:
    """Problems of files other than graph, variables and metadata.

    `leftover` for files that do not belong to a SavedModel, `unsupported` for a split graph, and
    `other` for programs among the assets.
    """
    for file, path in sorted(listing.paths.items()):
        role = role_of(file)
        if role not in {"foreign", "asset"}:
            continue
        try:
            head = FileWindow.of_file(path, file).head(HEAD_BYTES)
        except ReadError:
            head = b""
        evidence: dict[str, Json] = {"head": head.hex()}
        if file == SPLIT:
            yield Problem(ProblemKind.UNSUPPORTED, file, SPLIT_UNREAD)
        elif role == "foreign":
            detail = "does not belong to a SavedModel"
            yield Problem(ProblemKind.LEFTOVER, file, detail, evidence=evidence)
            continue
        if what := executable_kind(head):
            detail = f"is {what} by its first bytes"
            yield Problem(ProblemKind.OTHER, file, detail, evidence={"program": what, **evidence})
