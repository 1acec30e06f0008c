"""The text file `checkpoint`, which contains the path of the latest checkpoint in a directory."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path, PurePosixPath, PureWindowsPath

from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.checkpoint.index import index_path, is_nameless
from modelaudit.formats.checkpoint.state_fields import HISTORY, LATEST
from modelaudit.formats.graph.parse import parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import display_path, read_bytes
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits

STATE_FILE = "checkpoint"
_STEP = re.compile(r"[-_.]\d+")  # in a prefix: which save of a model it is


class StateFile(Struct, frozen=True):
    """The latest checkpoint and all checkpoints, as paths in the file."""

    latest: str
    all: tuple[str, ...]

    def facts(self) -> dict[str, Json]:
        """The paths as JSON."""
        return {"latest": self.latest, "all": [*self.all]}


def read_state_file(
    directory: Path, root: Path, limits: Limits
) -> tuple[StateFile | None, list[Problem]]:
    """Read the state file of a directory, if there is one, and report unsafe paths in it."""
    path = directory / STATE_FILE
    file = display_path(path, root)
    if not path.is_file():
        return None, []
    if not is_inside(path, root):
        detail = "a link out of the model"
        return None, [Problem(ProblemKind.UNSAFE_PATH, file, detail, evidence={"link": file})]
    try:
        data = read_bytes(path, limits.text_bytes, file, "text_bytes")
        message = parse_text(pb.CheckpointState, data, file, limits)
    except ReadError as error:
        return None, [problem_of(error, file)]
    state = StateFile(message.model_checkpoint_path, tuple(message.all_model_checkpoint_paths))
    own = {str(directory.absolute()), str(directory.resolve())}
    fields = {LATEST: (state.latest,), HISTORY: state.all}
    outside = {key: [n for n in names if _leads_out(n, own)] for key, names in fields.items()}
    paths = [*dict.fromkeys(name for names in outside.values() for name in names)]
    if not paths:
        return state, []
    more = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
    detail = f"names a checkpoint outside its directory: {paths[0]!r}{more}"
    if not any(map(_leads_out_of_posix, paths)):
        taken = ", where `tf.train.latest_checkpoint` finds none" if outside[LATEST] else ""
        detail = (
            f"names a checkpoint outside its directory on Windows: {paths[0]!r}{more}; elsewhere "
            f"this is a name in the directory{taken}"
        )
    evidence: dict[str, Json] = {"path": paths[0]}
    evidence |= {key: [*dict.fromkeys(names)] for key, names in outside.items() if names}
    return state, [Problem(ProblemKind.UNSAFE_PATH, file, detail, evidence=evidence)]


def state_mismatch(state: StateFile, prefix: Path, root: Path) -> Problem | None:
    """The problem if the state file does not refer to `prefix`.

    An older checkpoint in the history is not a problem, as long as the latest one exists. A latest
    checkpoint that is not the last of the history is one. Of several models that share a directory
    the state file names the last that was saved, which is no problem of the others.
    """
    latest = _base(state.latest)
    history = [_base(name) for name in state.all]
    in_order = not history or history[-1] == latest
    directory = index_path(prefix).parent
    exists = bool(latest) and _exists(index_path(directory / latest))
    own = latest == prefix.name or (is_nameless(prefix) and not latest)
    if in_order and (own or (prefix.name in history and exists)):
        return None
    other = is_nameless(prefix) or _STEP.sub("", latest) != _STEP.sub("", prefix.name)
    if in_order and exists and other:
        return None
    if in_order and exists:
        detail = f"refers to {state.latest!r} and does not list {prefix.name!r}"
    elif in_order:
        detail = f"refers to {state.latest!r}, which does not exist"
    else:
        detail = f"has {state.latest!r} as latest, but its history ends with {history[-1]!r}"
    return Problem(
        ProblemKind.STATE_FILE_MISMATCH,
        display_path(directory / STATE_FILE, root),
        detail,
        evidence={
            "latest": state.latest,
            "prefix": prefix.name,
            "exists": exists,
            "in_order": in_order,
        },
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long
        return False


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _leads_out(name: str, own: Container[str]) -> bool:
    """Whether a path leads out of the directory; `own` are its absolute paths.

    `tf.train.Saver` writes absolute paths if it is given one.
    """
    directory = PurePosixPath(name) if name.endswith("/") else PurePosixPath(name).parent
    if str(directory) in own and "\0" not in name:
        return False
    windows = PureWindowsPath(name)  # handles `/`, `\` and drives
    return bool(windows.anchor) or ".." in windows.parts or _leads_out_of_posix(name)


def _leads_out_of_posix(name: str) -> bool:
    r"""Whether this is so where `\` and drives are characters of names."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "://" in name or "\0" in name
