"""Whose audits an output directory holds: a night of one registry must not replace another's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.store.records import RunState, StoredRun
from modelaudit.store.store import Store


def registry_name(paths: Collection[Path]) -> str:
    """The same for the same directories, in whatever order they are given."""
    return ", ".join(sorted({str(path.resolve()) for path in paths}))


def claim_registry(
    store: Store, out: Path, registry: str, roots: Collection[str], *, moved: bool
) -> None:
    """Make sure that the nights into `out` are those of `registry`.

    Args:
        store: the history in `out`.
        out: a directory of reports.
        registry: whose night begins.
        roots: the directories that its models are relative to.
        moved: it is the registry of the nights so far, in another place.

    Raises:
        UsageError: they are another's; or a registry of several directories has moved, so that
            which became which is unknown.
    """
    owner = _owner(store)
    if not owner or owner == registry:
        return
    if not moved:
        raise UsageError(
            f"{out} holds the audits of {owner}; give {registry} a directory of its own, "
            "or add --moved if it is the same registry in another place"
        )
    last = store.last(owner, RunState.COMPLETE, RunState.REPORTED)
    before = {place.root for place in store.results(last.id)} if last else set()
    if len(before) > 1 or len(roots) > 1:
        raise UsageError("--moved takes a registry of one directory")
    store.move((owner, registry), *zip(before, roots, strict=False))


def other_registry_note(runs: Sequence[StoredRun], out: Path, registry: str) -> str:
    """A sentence where the last of the earlier runs into `out` was of another registry, else ""."""
    if not runs or runs[-1].registry == registry:
        return ""
    return f"{out} also holds audits of {runs[-1].registry}; its index now shows {registry}"


def _owner(store: Store) -> str:
    """The registry of the last night, "" where there was none: a single audit owns nothing."""
    nights = [run.registry for run in store.runs() if run.command == "nightly"]
    return nights[-1] if nights else ""
