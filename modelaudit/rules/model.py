"""The declaration of a rule, and what a rule gets to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelaudit.facts import Artifact, Json, Signature
from modelaudit.findings import Confidence, Finding, Location, Severity
from modelaudit.measures.summary import Behaviour, Measurements
from modelaudit.probe.protocol import Observation
from modelaudit.restore.golden_check import Golden
from modelaudit.restore.proof import RestoreProof
from modelaudit.runtimes.model import Prediction
from modelaudit.settings import Settings


class Family(StrEnum):
    """A rule's family; its code's first digit."""

    INTEGRITY = "integrity"  # MA1xx
    COMPATIBILITY = "compatibility"  # MA2xx
    ARCHITECTURE = "architecture"  # MA3xx
    WEIGHTS = "weights"  # MA4xx
    SYMMETRY = "symmetry"  # MA5xx
    BEHAVIOUR = "behaviour"  # MA6xx
    SECURITY = "security"  # MA7xx
    REGISTRY = "registry"  # MA8xx


class Need(StrEnum):
    """What must be there before a rule can say anything. What is missing is the reason given."""

    ARTIFACT = "artifact"  # always there
    ARCHITECTURE = "architecture"
    TENSORS = "tensors"
    GRAPH = "graph"
    MEASUREMENTS = "measurements"
    OBSERVATION = "observation"  # a probe was tried
    BEHAVIOUR = "behaviour"  # a probe answered


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one model when it is judged."""

    artifact: Artifact
    settings: Settings = field(default_factory=Settings)
    measurements: Measurements | None = None
    observations: tuple[Observation, ...] = ()
    elsewhere: tuple[Observation, ...] = ()  # further attempts, compared with the one that loaded
    behaviour: Behaviour | None = None
    predictions: tuple[Prediction, ...] = ()
    probe_skipped: str = ""  # why no probe was tried, if none was
    path: str = ""  # of the model, POSIX, relative to the root of the audit
    restore: RestoreProof | None = None  # of the first runtime that loaded the model
    golden: Golden | None = None  # the record beside the model
    previous: Artifact | None = None  # the version before it, in a directory of versions
    promised: Signature | None = None  # inputs and outputs as MLflow's `MLmodel` file has them
    unseen: str = ""  # why nothing of it is known, where that is no fault of the model's


class NotApplicable(Exception):
    """A check raises this to say why it has no answer for this model."""


class DoesNotArise(NotApplicable):
    """Its question makes no sense for a model of this kind: nothing was left unchecked."""


Check = Callable[["Rule", Facts], Iterable[Finding]]
Example = Callable[[], Facts]


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold that the settings may move.

    Attributes:
        value: where it is unless they do; None where that is worked out for each model.
        low, high: the least and the largest that makes sense.
        unit: what it is counted in, in words that go behind the number.
    """

    value: float | None
    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        value = "" if self.value is None else f"{self.value:g} "
        return f"{value}{self.unit}; the settings may set {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One question asked of every model.

    Attributes:
        code: MAnnn, stable for ever.
        name: kebab-case, stable for ever.
        severity, confidence: defaults of its findings; a check may lower or raise them.
        needs: what must be there; a missing need ends the rule as not-applicable with the reason.
        summary: one line, says what is wrong when it fails.
        pass_title: one line, says what holds when it passes.
        why: why it matters, for a reviewer who is not an expert.
        fix: what to do, with the code to paste where there is some.
        bad, good: make the smallest facts on which it fails and passes; the tests run them.
        limit: its threshold, where settings may move it.
        since: version that introduced it.
        references: URLs or identifiers.
    """

    code: str
    name: str
    family: Family
    severity: Severity
    confidence: Confidence
    needs: tuple[Need, ...]
    summary: str
    pass_title: str
    why: str
    fix: str
    check: Check
    bad: Example
    good: Example
    limit: Limit | None = None
    since: str = "0.1.0"
    references: tuple[str, ...] = ()

    def chosen(self, facts: Facts) -> float | None:
        """What the settings say of its threshold; None where they leave it as it is."""
        return facts.settings.threshold(self.code, self.name)

    def threshold(self, facts: Facts) -> float:
        """Its threshold as it holds for this model; of rules whose limit has a value."""
        assert self.limit is not None and self.limit.value is not None
        chosen = self.chosen(facts)
        return self.limit.value if chosen is None else chosen

    def finding(
        self,
        detail: str,
        *,
        file: str = "",
        route: str = "",
        evidence: Mapping[str, Json] | None = None,
        key: str = "",
        title: str = "",
        fix: str = "",
        severity: Severity | None = None,
        confidence: Confidence | None = None,
    ) -> Finding:
        """A finding of this rule; what is not given comes from the declaration."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            confidence=confidence or self.confidence,
            title=title or self.summary,
            detail=detail,
            location=Location(file, route),
            evidence=evidence or {},
            fix=fix or self.fix,
            key=key,
        )
