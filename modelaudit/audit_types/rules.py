"""What the rules found, and the rules without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from modelaudit.audit_types.values import AuditSection, RuleCode
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Severity


class LocationRow(AuditSection, frozen=True, kw_only=True):
    """A file and the route inside it; both are empty for the whole model."""

    file: str
    """POSIX path relative to the model."""
    route: str
    """What a person would follow: `layers/conv2d_1/kernel`, `graph/functions/f/node`."""


class FindingRow(AuditSection, frozen=True, kw_only=True):
    """One thing that is wrong with the model, or worth knowing."""

    code: RuleCode
    """The rule."""
    name: Annotated[str, Meta(pattern="^[a-z0-9-]+$")]
    """Name of the rule."""
    severity: Severity
    """How bad it is if true."""
    confidence: Confidence
    """How certain it is."""
    title: str
    """What is wrong, in one line."""
    detail: str
    """The same with the measured values."""
    location: LocationRow
    """Where it is."""
    evidence: Mapping[str, Json]
    """What was measured: usually `measured`, `threshold` and `n`, and whatever else was found."""
    fix: str
    """What to do."""
    key: str = ""
    """Distinguishes findings of one rule at one location."""
    waived_by: str | None
    """Reason of the waiver that covers it; null if none does."""
    outcome: Literal["fail", "waived"]
    """waived if a waiver covers it."""
    fingerprint: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    """Identity of the finding. It stays the same when the model is audited again or renamed."""
    repair: str = ""
    """The command of `modelaudit repair` that `fix` offers; empty if it offers none."""
    loads: bool = False
    """Whether `fix` is about loading the file: code that loads it, or advice on compatibility."""


class SkippedRule(AuditSection, frozen=True, kw_only=True):
    """A rule that has no answer for this model, which is not a pass."""

    code: RuleCode
    """The rule."""
    name: str = ""
    """Name of the rule."""
    outcome: Literal["not-applicable", "error"]
    """Whether the rule lacked something to check, or failed itself."""
    reason: Annotated[str, Meta(min_length=1)]
    """Why the question does not arise, or what kept the rule from answering."""
    moot: bool = False
    """True if the question does not arise for this kind of model, so nothing was left unchecked."""
