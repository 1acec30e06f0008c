"""What changed between two audits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import asdict

from modelaudit.audit_types.architecture import LayerRow, PortRow
from modelaudit.audit_types.behaviour import BehaviourSection, OutputBehaviour
from modelaudit.audit_types.loading import CompatibilityRow
from modelaudit.audit_types.values import finite
from modelaudit.changes.audit_change import (
    AuditChange,
    BehaviourChange,
    CompatibilityChange,
    FindingChange,
    FindingChangeKind,
    FormatChange,
    LayerChange,
    LayerPart,
    SignatureChange,
    VersionChange,
    WeightAdded,
    WeightChange,
    WeightRemoved,
)
from modelaudit.changes.interface import (
    InterfaceChange,
    known_names,
    port_changes,
    signature_changes,
)
from modelaudit.changes.judgement import audit_findings
from modelaudit.restore.audited_weights import compare_audited
from modelaudit.restore.model import WeightComparison
from modelaudit.schema import Audit

SHOWN = 0.005  # smallest change of a share that counts: half a percent


def compare_audits(
    old: Audit, new: Audit, weights: WeightComparison | None = None
) -> tuple[AuditChange, ...]:
    """All changes between two audits, in the order of `ChangedSection`.

    Args:
        weights: the comparison of the weights, if more is known than the audits hold.
    """
    return (
        *_format(old, new),
        *map(SignatureChange, _interface(old, new)),
        *_layers(old.architecture.layers, new.architecture.layers),
        *_compatibility(old.compatibility, new.compatibility),
        *_findings(old, new),
        *_behaviour(old.behaviour, new.behaviour),
        *_weights(weights or compare_audited(old, new)),
    )


def _format(old: Audit, new: Audit) -> Iterator[AuditChange]:
    before, after = old.model.format_label, new.model.format_label
    if before != after:
        yield FormatChange(before, after)
    was, now = (asdict(audit.model.saved_with) for audit in (old, new))
    for name in sorted(was.keys() - {"date_saved"}):
        if was[name] != now[name]:
            yield VersionChange(name, was[name], now[name])


def _interface(old: Audit, new: Audit) -> Iterator[InterfaceChange]:
    """Signatures of SavedModels; for Keras files, the inputs and outputs of the config."""
    was, now = old.architecture, new.architecture
    if old.signatures and new.signatures:
        yield from signature_changes(old.signatures, new.signatures)
    elif not was.empty and not now.empty:
        yield from _ports("input", was.inputs, now.inputs)
        yield from _ports("output", was.outputs, now.outputs)


def _ports(side: str, old: Iterable[PortRow], new: Iterable[PortRow]) -> Iterator[InterfaceChange]:
    """Keras passes inputs by position, so that its own names for them do not matter."""
    before, after = ({port.route: port for port in ports} for ports in (old, new))
    known = known_names(before, after)
    yield from port_changes(
        "model", side, before, {known.get(name, name): port for name, port in after.items()}
    )


def _layers(old: Sequence[LayerRow], new: Sequence[LayerRow]) -> Iterator[AuditChange]:
    before = {layer.route: layer for layer in old}
    after = {layer.route: layer for layer in new}
    if not before or not after:
        return
    for route, was in before.items():
        now = after.get(route)
        if now is None:
            yield LayerChange(route, was.class_name, None)
        elif was.class_name != now.class_name:
            yield LayerChange(route, was.class_name, now.class_name)
        elif parts := _changed_parts(was, now):
            yield LayerChange(route, was.class_name, now.class_name, parts)
    for route, now in after.items():
        if route not in before:
            yield LayerChange(route, None, now.class_name)


def _changed_parts(was: LayerRow, now: LayerRow) -> tuple[LayerPart, ...]:
    differ = {
        LayerPart.SETTINGS: was.config_digest != now.config_digest,
        LayerPart.INPUTS: was.inbound != now.inbound,
        LayerPart.OUTPUT_SHAPE: was.output_shape != now.output_shape,
        LayerPart.TRAINABLE: was.trainable != now.trainable,
    }
    return tuple(part for part, differs in differ.items() if differs)


def _compatibility(
    old: Iterable[CompatibilityRow], new: Iterable[CompatibilityRow]
) -> Iterator[AuditChange]:
    """Predictions for the runtimes that both audits were asked about."""
    before = {(row.runtime, row.call): row.predicted for row in old}
    for row in new:
        was = before.get((row.runtime, row.call), row.predicted)
        if was is not row.predicted:
            yield CompatibilityChange(row.runtime, row.call, was, row.predicted)


def _findings(old: Audit, new: Audit) -> Iterator[AuditChange]:
    found = audit_findings(old, new)
    for kind, mine in (
        (FindingChangeKind.NEW, found.new),
        (FindingChangeKind.REOPENED, found.reopened),
        (FindingChangeKind.FIXED, found.fixed),
        (FindingChangeKind.UNCHECKED, found.unchecked),
        (FindingChangeKind.WAIVED, found.waived),
    ):
        yield from (FindingChange(kind, finding) for finding in mine)
    for was, now in found.regraded:
        yield FindingChange(FindingChangeKind.REGRADED, now, was)


def _behaviour(old: BehaviourSection, new: BehaviourSection) -> Iterator[AuditChange]:
    """Accuracy and agreement under transforms, if both models ran on the same inputs."""
    if old.inputs is UNSET or old.inputs != new.inputs:
        return
    before = {output.name: output for output in old.outputs}
    for output in new.outputs:
        was = before.get(output.name)
        if was is None and len(before) == len(new.outputs) == 1:
            was = next(iter(before.values()))
        if was is None:
            continue
        then, now = _shares(was), _shares(output)
        for key in sorted(then.keys() & now.keys()):
            if abs(then[key] - now[key]) >= SHOWN:
                yield BehaviourChange(output.name, *key, then[key], now[key])


def _shares(output: OutputBehaviour) -> dict[tuple[str, str], float]:
    """What was measured, by measure and transform."""
    shares: dict[tuple[str, str], float | None] = {
        ("accuracy", key): finite(share) for key, share in output.accuracy.items()
    }
    shares |= {("agreement", effect.name): effect.agreement for effect in output.transforms}
    return {key: share for key, share in shares.items() if share is not None}


def _weights(found: WeightComparison) -> Iterator[AuditChange]:
    yield from map(WeightChange, found.differing)
    yield from map(WeightRemoved, found.missing)
    yield from map(WeightAdded, found.unexpected)
