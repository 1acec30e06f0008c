"""What an audit says: severities, findings and the outcome of every rule."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelaudit.facts import Json


class Severity(StrEnum):
    """How bad it is if true. Ordered: compare with `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (info) to 4 (critical)."""
        return list(Severity).index(self)


class Confidence(StrEnum):
    """How sure the reading is: `certain` follows from bytes, `low` is a hint."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CERTAIN = "certain"


class Outcome(StrEnum):
    """How a rule ended for one model. There is no silent ending."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"
    WAIVED = "waived"


class Verdict(StrEnum):
    """The answer for one model."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCOMPLETE = "incomplete"


# The order in which models are shown and in which one run is worse than another.
WORST_FIRST = (Verdict.FAIL, Verdict.INCOMPLETE, Verdict.WARN, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a model: a file (POSIX, relative to the artefact's root) and a route inside it.

    The route is what a person would follow: `layers/conv2d_1/kernel`, `graph/functions/f/node`.
    """

    file: str = ""
    route: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.route}" if self.file and self.route else self.file or self.route


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong (or worth knowing) about one model.

    `evidence` holds what was measured; by custom the keys `measured`, `threshold` and `n`
    where they make sense, and whatever else the rule found. Values are JSON.
    `key` is the part of the evidence that tells two findings of one rule at one location apart.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    title: str
    detail: str
    location: Location = Location()
    evidence: Mapping[str, Json] = field(default_factory=dict)
    fix: str = ""
    key: str = ""
    waived_by: str | None = None

    @property
    def outcome(self) -> Outcome:
        """`fail`, or `waived` where a waiver covers it."""
        return Outcome.WAIVED if self.waived_by else Outcome.FAIL

    @property
    def fingerprint(self) -> str:
        """Stable identity: survives re-runs, renaming of the model file and new wording.

        Made of the rule, the route inside the model and the salient evidence key, never of
        positions, numbers or texts. The model's own path is left out on purpose, so that a
        baseline holds when a model is re-saved under another name.
        """
        salient = "\0".join((self.code, self.location.route, self.key))
        return hashlib.sha256(salient.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How one rule ended: its findings, or the reason why there are none.

    `moot` tells, of rules without an answer, those whose question does not arise for a model of
    this kind from those that lacked something to look at.
    """

    code: str
    name: str
    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    moot: bool = False

    @property
    def unanswered(self) -> bool:
        """Whether it lacked something to look at, or failed itself."""
        lacking = self.outcome is Outcome.NOT_APPLICABLE and not self.moot
        return lacking or self.outcome is Outcome.ERROR
