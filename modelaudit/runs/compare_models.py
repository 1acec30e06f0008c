"""What changed from one model to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from modelaudit import schema
from modelaudit.audit_types.loading import Status
from modelaudit.changes.audit_change import AuditChange, OutputChange
from modelaudit.changes.audits import compare_audits
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Artifact, Json, ProblemKind
from modelaudit.formats.export_names import EXPORTS
from modelaudit.formats.sniff import sniff
from modelaudit.golden import replay_saved
from modelaudit.pipeline import Probe, add_probe, finish_audit, static_facts
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.pair.model import ExportPair
from modelaudit.probe.pair.run import compare_saved, untold
from modelaudit.probe.protocol import endings
from modelaudit.probe.run import probe_with, start_runtimes
from modelaudit.registry.remote.address import Place
from modelaudit.report.wording.audit_changes import describe
from modelaudit.restore.audited_weights import compare_audited
from modelaudit.restore.compare import compare
from modelaudit.restore.exports import compare_export
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.weight_sources import stored_weights
from modelaudit.runs.found_models import find_models
from modelaudit.runs.isolated_read import run_in_child
from modelaudit.schema import Audit
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store.typed_json import decode, encode
from modelaudit.structs import NotebookResult

CREATED = "1970-01-01T00:00:00Z"  # the audits made here are not stored
_FIRST = 64  # bytes in which an audit says that it is one


class ModelDiff(NotebookResult, frozen=True):
    """Two models side by side.

    Attributes:
        old: audit of the old model.
        new: audit of the new model.
        changes: what changed; the module `modelaudit.changes.audit_change` has the kinds.
        weights: the comparison of the weights.
        of_models: both models themselves were read, not audits of them.
        answers: both models on the same inputs; None if they were not run for the comparison.
        pair: a model and its export on the same inputs; None for other pairs of models.
    """

    old: Audit
    new: Audit
    changes: tuple[AuditChange, ...]
    weights: WeightComparison
    of_models: bool = False
    answers: GoldenCheck | None = None
    pair: ExportPair | None = None

    def __repr__(self) -> str:
        """Both models, and how much changed."""
        count = f"{len(self.changes)} change{'s' if len(self.changes) != 1 else ''}"
        return f"<ModelDiff {self.old.model.path!r} -> {self.new.model.path!r}: {count}>"

    @property
    def same(self) -> bool:
        """Nothing has changed, or an export is the same model as its source."""
        return self.equal if self.pair is None else self.pair.same

    @property
    def equal(self) -> bool:
        """Nothing that was compared has changed."""
        return not self.changes

    @property
    def sentences(self) -> tuple[str, ...]:
        """The changes as text: `weights: dense/kernel: scaled by 2`."""
        return tuple(f"{each.section}: {describe(each)}" for each in self.changes)

    @property
    def breaking(self) -> bool:
        """A program that calls the old model may fail on the new one."""
        return any(change.breaking for change in self.changes)


class _Side(Struct, frozen=True):
    audit: Audit
    artifact: Artifact | None = None
    refused: str = ""  # why it was not run, "" if it was


def compare_models(old: Audit | Place, new: Audit | Place, settings: Settings) -> ModelDiff:
    """Compare two models, or their audits.

    Models are read and run in a child process, according to `settings`.

    Args:
        old: a model, which may be at a URL, an audit file or an audit.
        new: another one.
        settings: for the models; audits are used unchanged.

    Raises:
        UsageError: a path does not contain exactly one model.
        ReadError: a model could not be read.
        SchemaError: a file is not an audit file.
    """
    inputs = [_loaded(each, settings) for each in (old, new)]
    models = [each for each in inputs if isinstance(each, AuditTarget)]
    if not models:
        before, after = (each for each in inputs if isinstance(each, Audit))
        return _comparison(_Side(before), _Side(after), settings)
    with ExitStack() as stack:
        handles: Sequence[RuntimeHandle] = ()
        if settings.probe.enabled:
            roots = [model.path.resolve().parent for model in models]
            handles = stack.enter_context(start_runtimes(settings, roots))
        probe = probe_with(handles) if settings.probe.enabled else None

        def work(_: None) -> dict[str, Json]:
            before, after = (_side(each, settings, probe) for each in inputs)
            return _to_json(_comparison(before, after, settings, handles))

        (answer,) = run_in_child([None], work, settings, lambda _: [each.path for each in models])
    if answer.lost:
        names = " and ".join(str(each) for each in (old, new) if not isinstance(each, Audit))
        raise ReadError(ProblemKind.UNREADABLE, names, answer.lost)
    return _from_json(answer.value)


def is_audit_file(place: Place) -> bool:
    """Whether a place is treated as an audit file instead of a model, which may be JSON too."""
    if not isinstance(place, Path) or not place.is_file() or place.suffix != ".json":
        return False
    with place.open("rb") as file:
        first = file.read(_FIRST)
    return b'"schema_version"' in first or sniff(place) not in EXPORTS


def _loaded(source: Audit | Place, settings: Settings) -> Audit | AuditTarget:
    if isinstance(source, Audit):
        return source
    if isinstance(source, Path) and is_audit_file(source):
        return schema.load(source)
    found = find_models((source,), settings)
    if found.problems and not found.targets:
        raise ReadError(ProblemKind.UNREADABLE, str(source), found.problems[0].detail)
    if len(found.targets) != 1:
        raise UsageError(
            f"{source} contains {len(found.targets)} models; diff compares two single models"
        )
    return found.targets[0]


def _side(target: Audit | AuditTarget, settings: Settings, probe: Probe | None) -> _Side:
    if isinstance(target, Audit):
        return _Side(target)
    own = settings.for_model(target.relative, target.path)
    facts = add_probe(static_facts(target.path, own), probe)
    ran = any(each.status is Status.LOADED for each in facts.observations)
    refused = "" if ran else f"{target.path.name} was not run: {endings(facts.observations)}"
    return _Side(finish_audit(facts, target, CREATED, {}), facts.artifact, refused)


def _answers(
    before: _Side, after: _Side, settings: Settings, handles: Sequence[RuntimeHandle]
) -> GoldenCheck | None:
    """Both models on the same inputs; None if not requested or not possible."""
    if not (settings.probe.enabled and before.artifact and after.artifact):
        return None
    return replay_saved(before.artifact, after.artifact, settings.probe, handles)


def _comparison(
    before: _Side, after: _Side, settings: Settings, handles: Sequence[RuntimeHandle] = ()
) -> ModelDiff:
    if not (before.artifact and after.artifact):
        weights = compare_audited(before.audit, after.audit)
        return _diff(before.audit, after.audit, weights, False, None)
    source, export = before.artifact, after.artifact
    if export.format not in EXPORTS or source.format in EXPORTS:
        weights = compare(stored_weights(source), stored_weights(export))
        answers = _answers(before, after, settings, handles)
        return _diff(before.audit, after.audit, weights, True, answers)
    weights = compare_export(source, export)
    if not settings.probe.enabled:
        return _diff(before.audit, after.audit, weights, True, None)
    refused = before.refused or after.refused
    if refused:
        pair = untold(export, refused)
    else:
        pair = compare_saved(source, export, weights, settings.probe, handles)
    return _diff(before.audit, after.audit, weights, True, None, pair)


def _diff(
    old: Audit,
    new: Audit,
    weights: WeightComparison,
    of_models: bool,
    answers: GoldenCheck | None,
    pair: ExportPair | None = None,
) -> ModelDiff:
    changes = (*compare_audits(old, new, weights), *_changed_outputs(answers))
    return ModelDiff(old, new, changes, weights, of_models, answers, pair)


def _changed_outputs(answers: GoldenCheck | None) -> Iterator[AuditChange]:
    for output in answers.outputs if answers else ():
        if not output.reproduced:
            yield OutputChange(output.name, output.difference, output.relative)


def _to_json(found: ModelDiff) -> dict[str, Json]:
    """What is needed to make the comparison again in the parent process."""
    return {
        "old": schema.to_json(found.old),
        "new": schema.to_json(found.new),
        "weights": encode(found.weights),
        "of_models": found.of_models,
        "answers": encode(found.answers),
        "pair": encode(found.pair),
    }


def _from_json(data: Mapping[str, Any]) -> ModelDiff:
    answers, pair = data["answers"], data["pair"]
    return _diff(
        schema.from_json(data["old"]),
        schema.from_json(data["new"]),
        decode(WeightComparison, data["weights"]),
        data["of_models"],
        answers and decode(GoldenCheck, answers),
        pair and decode(ExportPair, pair),
    )
