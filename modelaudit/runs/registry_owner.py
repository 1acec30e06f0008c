"""The registry that owns an output directory: a nightly run must not replace another's audits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.store.records import RunState, StoredRun
from modelaudit.store.store import Store


def registry_name(paths: Collection[Path]) -> str:
    """One name for the same directories in any order."""
    return ", ".join(sorted({str(path.resolve()) for path in paths}))


def claim_registry(
    store: Store, out: Path, registry: str, roots: Collection[str], *, moved: bool
) -> None:
    """Check that the nightly runs into `out` are those of `registry`.

    Args:
        store: the history in `out`.
        out: a directory of reports.
        registry: the registry of the starting run.
        roots: the directories that its models are relative to.
        moved: the registry of the earlier runs has moved to this path.

    Raises:
        UsageError: they belong to another registry; or a registry of several directories has moved,
            so that the directories cannot be matched.
    """
    owner = _owner(store)
    if not owner or owner == registry:
        return
    if not moved:
        raise UsageError(
            f"{out} holds the audits of {owner}; use another --out directory for {registry}, "
            "or add --moved if this is the same registry at a new path"
        )
    last = store.last(owner, RunState.COMPLETE, RunState.REPORTED)
    before = {place.root for place in store.results(last.id)} if last else set()
    if len(before) > 1 or len(roots) > 1:
        raise UsageError("--moved requires a registry of a single directory")
    store.move((owner, registry), *zip(before, roots, strict=False))


def other_registry_note(runs: Sequence[StoredRun], out: Path, registry: str) -> str:
    """A note if the last run into `out` was of another registry, otherwise ""."""
    if not runs or runs[-1].registry == registry:
        return ""
    return f"{out} also holds audits of {runs[-1].registry}; its index now shows {registry}"


def _owner(store: Store) -> str:
    """The registry of the last nightly run, "" if there was none; `audit` does not count."""
    nights = [run.registry for run in store.runs() if run.command == "nightly"]
    return nights[-1] if nights else ""
