"""Results of an audit: severities, findings and the outcome of every rule."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from modelaudit.facts import Json


class Severity(StrEnum):
    """The severity of a finding. Ordered: compare with `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (info) to 4 (critical)."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Confidence(StrEnum):
    """The confidence in a finding: `certain` follows from bytes, `low` is a hint."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CERTAIN = "certain"


class Outcome(StrEnum):
    """The outcome of a rule for one model. Every rule has one."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"
    WAIVED = "waived"


class Verdict(StrEnum):
    """The verdict for one model."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCOMPLETE = "incomplete"


# The order in which models are listed and runs are compared.
WORST_FIRST = (Verdict.FAIL, Verdict.INCOMPLETE, Verdict.WARN, Verdict.PASS)


class Location(Struct, frozen=True):
    """Where in a model: a file (POSIX, relative to the artefact's root) and a route inside it.

    The route is readable: `layers/conv2d_1/kernel`, `graph/functions/f/node`.
    """

    file: str = ""
    route: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.route}" if self.file and self.route else self.file or self.route


class Remedy(Struct, frozen=True):
    """What to do about a finding.

    Attributes:
        text: sentences, and code to paste.
        repair: the command of `modelaudit repair` that the text offers, "" if none.
        loads: whether the text is about loading the file; advice on compatibility always is.
    """

    text: str
    repair: str = ""
    loads: bool = False


class Finding(Struct, frozen=True):
    """One problem (or observation) in one model.

    `evidence` holds the measured values: by convention `measured`, `threshold` and `n` where
    applicable, and further values of the rule. Values are JSON.
    `key` is the part of the evidence that distinguishes findings of one rule at one location.
    `fix` says what to do, `repair` and `loads` what is in it; see `Remedy`.
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
    repair: str = ""
    loads: bool = False

    @property
    def outcome(self) -> Outcome:
        """`fail`, or `waived` if a waiver covers it."""
        return Outcome.WAIVED if self.waived_by else Outcome.FAIL

    @property
    def fingerprint(self) -> str:
        """Stable identity: unaffected by new runs, renaming of the model file and new wording.

        Derived from the rule, the route inside the model and `key`, never from positions, numbers
        or texts. The model's path is excluded, so that a baseline stays valid if a model is saved
        under another name.
        """
        salient = "\0".join((self.code, self.location.route, self.key))
        return hashlib.sha256(salient.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class RuleResult(Struct, frozen=True):
    """The outcome of one rule: its findings, or the reason why there are none.

    For rules without an answer, `moot` distinguishes those that do not apply to this kind of model
    from those that lacked data.
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
