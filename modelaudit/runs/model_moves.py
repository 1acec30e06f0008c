"""Earlier and later names of a model, according to the runs of its registry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from modelaudit.changes.models import ModelChange, ModelChangeKind, compare_runs
from modelaudit.result_row import ResultRow
from modelaudit.runs.missing_models import older_versions
from modelaudit.store.records import ModelKey, StoredRun
from modelaudit.store.store import Store


class ModelDisappearance(Struct, frozen=True):
    """A model is no longer in a run: renamed, gone or superseded.

    `path` is its new name or that of the newer version, "" if it is gone; `since` is when the run
    started.
    """

    kind: ModelChangeKind
    path: str
    since: str


class ModelMoves(Struct, frozen=True):
    """Appearances and disappearances of one model, by run number.

    `came` gives its earlier name, "" if it was new.
    """

    came: Mapping[int, str]
    left: Mapping[int, ModelDisappearance]


def model_moves(store: Store, place: ModelKey, seen: Collection[StoredRun]) -> ModelMoves:
    """Find where a model appears in and disappears from the runs of its registries.

    Runs that were not completed, or that found no model at all, are ignored.

    Args:
        store: the open history.
        seen: the runs that contain it.
    """
    registries, having = {run.registry for run in seen}, {run.id for run in seen}
    filled = store.with_models()
    came: dict[int, str] = {}
    left: dict[int, ModelDisappearance] = {}
    whole: dict[
        tuple[str, bool], StoredRun
    ] = {}  # the last run by registry, and whether it contains the model
    last: StoredRun | None = None
    for run in store.runs():
        here = run.id in having
        if not here and not (run.is_whole and run.id in filled and run.registry in registries):
            continue
        was_here = last is not None and last.id in having
        base = whole.get((run.registry, not here))
        if last and here and not was_here:
            came[run.id] = _earlier_name(store, place, base, run)
        elif last and was_here and not here:
            left[last.id] = _left(store, place, base, run)
        if run.is_whole:
            whole[run.registry, here] = run
        last = run
    return ModelMoves(came, left)


def _left(
    store: Store, place: ModelKey, base: StoredRun | None, run: StoredRun
) -> ModelDisappearance:
    """What happened to a model that is in `base` but not in `run`."""
    gone, _, changes = _changes_between(store, base, run)
    for change in changes:
        if change.was and change.was is gone.get(place):
            path = change.now.path if change.now else change.newer
            return ModelDisappearance(change.kind, path, run.started)
    return ModelDisappearance(ModelChangeKind.GONE, "", run.started)


def _earlier_name(store: Store, place: ModelKey, base: StoredRun | None, run: StoredRun) -> str:
    """The name in `base` of a model that `run` has under a different name."""
    _, come, changes = _changes_between(store, base, run)
    for change in changes:
        if change.was and change.now and change.now is come.get(place):
            return change.was.path
    return ""


def _changes_between(
    store: Store, base: StoredRun | None, run: StoredRun
) -> tuple[Mapping[ModelKey, ResultRow], Mapping[ModelKey, ResultRow], Sequence[ModelChange]]:
    """The models that disappeared and appeared between two runs, and what happened to them."""
    if base is None:
        return {}, {}, ()
    gone, come = store.rows(base.id, beside=run.id), store.rows(run.id, beside=base.id)
    return gone, come, compare_runs(gone, come, dict(older_versions(gone, store.results(run.id))))
