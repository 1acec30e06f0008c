"""`audit.json` as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from modelaudit.audit_types.architecture import ArchitectureSection
from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.audit_types.kernels import SymmetrySection
from modelaudit.audit_types.loading import CompatibilityRow, ObservationRow
from modelaudit.audit_types.model import ExitSection, ModelSection, ToolSection
from modelaudit.audit_types.restore import RestoreSection
from modelaudit.audit_types.rules import FindingRow, SkippedRule
from modelaudit.audit_types.signing import SigningSection
from modelaudit.audit_types.values import AuditSection, RuleCode
from modelaudit.audit_types.weights import WeightsSection
from modelaudit.facts import FileEntry, Signature
from modelaudit.findings import Verdict


class AuditFile(AuditSection, frozen=True, kw_only=True):
    """The audit of one saved model.

    Keys may be added in a minor version; none is renamed or removed without a major one.
    """

    schema_version: Literal["1.0"]
    """Version of this format."""
    tool: ToolSection
    """What made the audit."""
    created: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """When the audit began, UTC."""
    exit: ExitSection
    """The exit code that this model alone would give, and why."""
    model: ModelSection
    """What was audited."""
    verdict: Verdict
    """The answer for this model."""
    reason: str
    """One or two sentences that explain the verdict."""
    findings: tuple[FindingRow, ...]
    """What failed rules found, worst first; waived findings are included."""
    passed: tuple[RuleCode, ...]
    """Codes of the rules that passed."""
    skipped: tuple[SkippedRule, ...]
    """Rules without an answer. None of them is a pass."""
    compatibility: tuple[CompatibilityRow, ...]
    """In which runtimes the model loads."""
    architecture: ArchitectureSection
    """Layers and their shapes, as the file states them; `{}` if it holds no architecture."""
    weights: WeightsSection
    """Every tensor of the file."""
    symmetry: SymmetrySection
    """Measures of the weights alone; `{}` if nothing was measured."""
    behaviour: BehaviourSection
    """What running the model showed. Only `skipped_reason` is there if the model was not run."""
    restore: RestoreSection
    """Tensors of the file compared by bytes with those of the loaded model."""
    diagnosis: Diagnosis
    """Why the model answers as it does."""
    signing: SigningSection = SigningSection()
    """Signatures beside the model that vouch for its files; `{}` if there is none."""
    signatures: tuple[Signature, ...] = ()
    """Signatures of a SavedModel."""
    files: tuple[FileEntry, ...] = ()
    """Every file of the model."""
    observations: tuple[ObservationRow, ...] = ()
    """Every attempt to load and run the model, with versions and sandbox."""
    timings: Mapping[str, float] = {}
    """Seconds by phase."""
