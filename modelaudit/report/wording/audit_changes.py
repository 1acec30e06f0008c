"""The changes between two audits as sentences."""

from __future__ import annotations

from modelaudit.audit_types.restore import TensorDifference
from modelaudit.changes.audit_change import (
    AuditChange,
    BehaviourChange,
    CompatibilityChange,
    FindingChange,
    FindingChangeKind,
    FormatChange,
    LayerChange,
    LayerPart,
    OutputChange,
    SignatureChange,
    VersionChange,
    WeightAdded,
    WeightChange,
    WeightRemoved,
)
from modelaudit.changes.reasons import ReasonKind, RejudgedReason
from modelaudit.report.wording import vocabulary

LAYER_PARTS = {
    LayerPart.SETTINGS: "changed settings",
    LayerPart.INPUTS: "different input layers",
    LayerPart.OUTPUT_SHAPE: "different output shape",
    LayerPart.TRAINABLE: "frozen or unfrozen",
}
FINDINGS = {
    FindingChangeKind.NEW: "new",
    FindingChangeKind.REOPENED: "no longer waived",
    FindingChangeKind.FIXED: "gone",
    FindingChangeKind.UNCHECKED: "not checked",
    FindingChangeKind.WAIVED: "now waived",
}

REASONS = {
    ReasonKind.RULES: "the rules changed",
    ReasonKind.TOOL: "modelaudit changed",
    ReasonKind.RUN: "the model was run",
    ReasonKind.NOT_RUN: "the model was not run",
    ReasonKind.RUNTIME: "a runtime changed",
    ReasonKind.RUN_RESULT: "running the model had a different result",
    ReasonKind.PARTIAL: "the model was partially audited",
    ReasonKind.FULL: "the model was fully audited",
    ReasonKind.OTHER: "the settings, files that they name, or files next to the model changed",
}


def describe(change: AuditChange) -> str:
    """One change as a sentence, without its section."""
    match change:
        case FormatChange():
            return f"{change.old} became {change.new}"
        case VersionChange():
            was, now = ("not named" if each is None else each for each in (change.old, change.new))
            return f"{change.name}: {was} became {now}"
        case SignatureChange():
            return str(change.interface)
        case LayerChange():
            return _layer(change)
        case CompatibilityChange():
            return f"{change.runtime}, {change.call}: {change.old} became {change.new}"
        case FindingChange():
            return _finding(change)
        case BehaviourChange():
            what = f"{change.measure}, {vocabulary.transform(change.transform)}"
            return f"{change.output}: {what}: {change.old:.1%} became {change.new:.1%}"
        case OutputChange():
            return (
                f"{change.output}: outputs differ by up to {change.difference:.3g} "
                f"({change.relative:.2%} of the largest value) on the same inputs"
            )
        case WeightChange():
            return _weight(change.difference)
        case WeightAdded():
            return f"{change.tensor}: added"
        case WeightRemoved():
            return f"{change.tensor}: removed"
        case _:
            raise TypeError(f"no sentence for {type(change).__name__}")


def _layer(change: LayerChange) -> str:
    if change.new_class is None:
        return f"{change.route} ({change.old_class}): removed"
    if change.old_class is None:
        return f"{change.route} ({change.new_class}): added"
    if change.parts:
        parts = ", ".join(LAYER_PARTS[part] for part in change.parts)
        return f"{change.route} ({change.new_class}): {parts}"
    return f"{change.route}: {change.old_class} became {change.new_class}"


def _finding(change: FindingChange) -> str:
    finding = change.finding
    name = f"{finding.code} {finding.name}"
    if change.before:
        return f"{name}: {change.before.severity} -> {finding.severity}"
    place = f" at {finding.location.route}" if finding.location.route else ""
    return f"{FINDINGS[change.kind]}: {name}{place}"


def _weight(found: TensorDifference) -> str:
    if found.found == found.tensor:
        return str(found)
    # Of two names, the values go by the new model's.
    return f"{found.found} (before: {found.tensor}){str(found).removeprefix(found.tensor)}"


def reason_words(reason: RejudgedReason) -> str:
    """Why the result for the same bytes changed."""
    if reason.kind is ReasonKind.WAIVER_EXPIRED:
        return f"a waiver expired on {reason.day}"
    return REASONS[reason.kind]
