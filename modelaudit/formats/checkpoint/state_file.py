"""The text file `checkpoint` that names the latest checkpoint of its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.checkpoint.index import index_path
from modelaudit.formats.graph.parse import parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import display_path, read_bytes
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.settings import Limits

STATE_FILE = "checkpoint"


@dataclass(frozen=True, slots=True)
class StateFile:
    """`latest` and `all` are the paths as written."""

    latest: str
    all: tuple[str, ...]

    def facts(self) -> dict[str, Json]:
        """As JSON."""
        return {"latest": self.latest, "all": [*self.all]}


def read_state_file(
    directory: Path, root: Path, limits: Limits
) -> tuple[StateFile | None, list[Problem]]:
    """The state file of a directory, if there is one, and what is wrong with its paths."""
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
        return None, [Problem(ProblemKind(error.kind), file, error.reason)]
    state = StateFile(message.model_checkpoint_path, tuple(message.all_model_checkpoint_paths))
    unsafe = dict.fromkeys(name for name in (state.latest, *state.all) if _leads_out(name))
    problems = [
        Problem(
            ProblemKind.UNSAFE_PATH,
            file,
            f"names a checkpoint outside of its directory: {name!r}",
            evidence={"path": name},
        )
        for name in unsafe
    ]
    return state, problems


def state_mismatch(state: StateFile, prefix: Path, root: Path) -> Problem | None:
    """Whether the state file leads somewhere else than to `prefix`.

    An older checkpoint that the history lists in its place is none: the latest is elsewhere by
    right. A latest that is not the last of the history is one, whichever it is.
    """
    latest = _base(state.latest)
    history = [_base(name) for name in state.all]
    in_order = not history or history[-1] == latest
    exists = bool(latest) and _exists(index_path(prefix.with_name(latest)))
    if in_order and (latest == prefix.name or (prefix.name in history and exists)):
        return None
    if in_order and exists:
        detail = f"names {state.latest!r}, and does not know {prefix.name!r}"
    elif in_order:
        detail = f"names {state.latest!r}, which is not there"
    else:
        detail = f"names {state.latest!r} as latest, its own history ends with {history[-1]!r}"
    return Problem(
        ProblemKind.STATE_FILE_MISMATCH,
        display_path(prefix.with_name(STATE_FILE), root),
        detail,
        evidence={"latest": state.latest, "prefix": prefix.name, "exists": exists},
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than names can be
        return False


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _leads_out(name: str) -> bool:
    windows = PureWindowsPath(name)  # knows `/`, `\` and drives
    return bool(windows.anchor) or ".." in windows.parts or "://" in name or "\0" in name
