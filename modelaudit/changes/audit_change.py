"""The kinds of change between two audits."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.audit_types.restore import TensorDifference
from modelaudit.changes.interface import InterfaceChange
from modelaudit.findings import Finding


class ChangedSection(StrEnum):
    """What part of a model or its audit changed, in the order in which changes are listed."""

    FORMAT = "format"
    VERSIONS = "versions"
    SIGNATURE = "signature"
    ARCHITECTURE = "architecture"
    COMPATIBILITY = "compatibility"
    FINDINGS = "findings"
    BEHAVIOUR = "behaviour"
    WEIGHTS = "weights"


class AuditChange(Struct, frozen=True):
    """One change; each kind of change is a subclass."""

    section: ClassVar[ChangedSection]
    measured: ClassVar[bool] = False  # one of many numbers that were measured for both models

    @property
    def breaking(self) -> bool:
        """Whether a client of the old model may fail on the new one."""
        return False


class FormatChange(AuditChange, frozen=True):
    """Another file format."""

    section = ChangedSection.FORMAT
    old: str
    new: str


class VersionChange(AuditChange, frozen=True):
    """Another version of what saved the model; None where the file does not state it."""

    section = ChangedSection.VERSIONS
    name: str
    old: str | int | None
    new: str | int | None


class SignatureChange(AuditChange, frozen=True):
    """A change of a signature, or of an input or output."""

    section = ChangedSection.SIGNATURE
    interface: InterfaceChange

    @property
    def breaking(self) -> bool:
        """Whether a client of the old model may fail on the new one."""
        return self.interface.breaking


class LayerPart(StrEnum):
    """What changed of a layer that has the same class."""

    SETTINGS = "settings"
    INPUTS = "input layers"
    OUTPUT_SHAPE = "output shape"
    TRAINABLE = "trainable"


class LayerChange(AuditChange, frozen=True):
    """A layer that changed; a class is None where the model has no such layer."""

    section = ChangedSection.ARCHITECTURE
    route: str
    old_class: str | None
    new_class: str | None
    parts: tuple[LayerPart, ...] = ()


class CompatibilityChange(AuditChange, frozen=True):
    """Another prediction of what a runtime does with the model."""

    section = ChangedSection.COMPATIBILITY
    runtime: str
    call: str
    old: LoadOutcome
    new: LoadOutcome


class FindingChangeKind(StrEnum):
    """What became of a finding; see `FindingChanges`."""

    NEW = "new"
    REOPENED = "reopened"
    REGRADED = "regraded"
    FIXED = "fixed"
    UNCHECKED = "unchecked"
    WAIVED = "waived"


class FindingChange(AuditChange, frozen=True):
    """A change of a finding: as it is now, or was; `before` if its severity changed."""

    section = ChangedSection.FINDINGS
    kind: FindingChangeKind
    finding: Finding
    before: Finding | None = None


class BehaviourChange(AuditChange, frozen=True):
    """Another accuracy or agreement of an output under a transform, as shares in [0, 1]."""

    section = ChangedSection.BEHAVIOUR
    measured = True
    output: str
    measure: str
    transform: str
    old: float
    new: float


class OutputChange(AuditChange, frozen=True):
    """Another output for the same inputs.

    `difference` is the largest absolute one, `relative` that divided by the largest output.
    """

    section = ChangedSection.BEHAVIOUR
    output: str
    difference: float
    relative: float


class WeightChange(AuditChange, frozen=True):
    """A weight that differs."""

    section = ChangedSection.WEIGHTS
    difference: TensorDifference


class WeightAdded(AuditChange, frozen=True):
    """A weight of the new model only."""

    section = ChangedSection.WEIGHTS
    tensor: str


class WeightRemoved(AuditChange, frozen=True):
    """A weight of the old model only."""

    section = ChangedSection.WEIGHTS
    tensor: str
