"""The declaration of a rule, and the facts that a rule reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Literal, TypeVar

from msgspec import Struct, field

from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.model import InputModality
from modelaudit.audit_types.signing import SigningSection
from modelaudit.facts import Artifact, Json, Signature
from modelaudit.findings import Confidence, Finding, Location, Remedy, RuleResult, Severity
from modelaudit.measures.architecture.modality import model_modality
from modelaudit.measures.architecture.modality_words import ModalityWords, words_for
from modelaudit.measures.summary import Behaviour, Measurements
from modelaudit.probe.pair.source import ExportSource
from modelaudit.probe.protocol import Observation
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.restore.proof import RestoreProof
from modelaudit.restore.repair_record import RepairRecord
from modelaudit.runtimes.model import Prediction
from modelaudit.settings import Settings
from modelaudit.terminal_text import plain
from modelaudit.work_budget import Phase, WorkBudget

# Names in a file can be of any length, and each finding about what they name repeats them.
_MOST_TEXT, _MOST_ROUTE = 10_000, 4_096


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
    """What a rule requires before it can run. A missing need is the reason for not-applicable."""

    ARTIFACT = "artifact"  # always present
    CONFIG = "config"  # any JSON config that a loader might use
    ARCHITECTURE = "architecture"
    LAYERS = "layers"  # of an architecture, or that the operations of a graph show
    TENSORS = "tensors"
    GRAPH = "graph"
    MEASUREMENTS = "measurements"
    OBSERVATION = "observation"  # a probe was attempted
    BEHAVIOUR = "behaviour"  # a probe returned outputs
    SIDES = "sides"  # inputs have sides that a flip exchanges
    DIAGNOSIS = "diagnosis"  # the causes of the behaviour; such rules run after all others

    __hash__ = str.__hash__  # each rule looks its needs up, and that of `Enum` is slow


class Facts(Struct, frozen=True, dict=True):
    """Everything known about one model when the rules run."""

    artifact: Artifact
    settings: Settings = field(default_factory=Settings)
    measurements: Measurements | None = None
    observations: tuple[Observation, ...] = ()
    elsewhere: tuple[Observation, ...] = ()  # further attempts, compared with the one that loaded
    behaviour: Behaviour | None = None
    predictions: tuple[Prediction, ...] = ()
    installed: str = ""  # the installed TensorFlow, by its name in predictions
    probe_skipped: str = ""  # why no probe was attempted, if none was
    path: str = ""  # of the model, POSIX, relative to the root of the audit
    restore: RestoreProof | None = None  # of the first runtime that loaded the model
    golden: GoldenCheck | None = None  # the golden record next to the model
    repaired: RepairRecord | None = None  # the record of a repair next to the model
    signing: SigningSection | None = None  # the signatures beside the model
    previous: Artifact | None = None  # the version before it, in a directory of versions
    source: ExportSource | None = None  # the model that this export was made from
    previous_name: str = ""  # what MLflow calls that version; "" in a directory
    declared_signature: Signature | None = (
        None  # inputs and outputs as MLflow's `MLmodel` file declares them
    )
    unseen: str = ""  # why the model was not audited, where that is not the model's fault
    # Findings on security from before the model ran; None until these rules are judged.
    kept: tuple[RuleResult, ...] | None = None
    changed_while_run: bool = False  # the files, in two attempts
    diagnosis: Diagnosis | None = None  # only for the rules that need it
    work: WorkBudget | None = None  # that the audit may take; None for any

    @property
    def measured(self) -> Measurements:
        """The measurements, for rules that need them, which do not run without."""
        assert self.measurements is not None
        return self.measurements

    @cached_property
    def modality(self) -> InputModality:
        """The kind of the model's inputs, as it was restored or as the file declares them."""
        called = (seen.inputs for seen in self.observations if not seen.uncallable)
        ports = next(filter(None, called), ())
        if not ports and self.behaviour is not None:
            ports = (Port("", "float32", (None, *self.behaviour.inputs.shape[1:])),)
        return model_modality(self.artifact, ports)

    def all_predictions(self) -> tuple[Prediction, ...]:
        """The predictions, for a rule that judges from them.

        Raises:
            WorkSpent: there was too little work left for some of them.
        """
        if self.work is not None:
            self.work.require(Phase.PREDICTING)
        return self.predictions

    @cached_property
    def unmet(self) -> dict[Need, str]:
        """Why needs are not met, "" if they are: of those that a rule asked for."""
        return {}

    @property
    def words(self) -> ModalityWords:
        """How texts speak of the model's inputs."""
        return words_for(self.modality)


class NotApplicable(Exception):
    """Raised by a check to say why it has no result for this model."""


class NotRelevant(NotApplicable):
    """The question makes no sense for this kind of model: nothing was left unchecked."""


Check = Callable[["Rule", Facts], Iterable[Finding]]
Example = Callable[[], Facts]


class Limit(Struct, frozen=True):
    """A threshold that the settings can change.

    Attributes:
        value: the default; None where it is computed for each model.
        low, high: the smallest and largest value that makes sense.
        unit: its unit, as text to place after the number.
    """

    value: float | None
    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        value = "" if self.value is None else f"{self.value:g} "
        return f"{value}{self.unit}; configurable from {self.low:g} to {self.high:g}"


class Rule(Struct, frozen=True):
    """One question about every model.

    Attributes:
        code: MAnnn; never changes.
        name: kebab-case; never changes.
        severity, confidence: defaults of its findings; a check may lower or raise them.
        needs: what must be present; if a need is missing, the rule is not-applicable.
        summary: one line that says what is wrong when the rule fails.
        pass_title: one line that says what is true when the rule passes.
        why: why it matters, for a reviewer who is not an expert.
        fix: what to do, with code to paste where there is some.
        bad, good: build the smallest facts on which it fails and passes; the tests run them.
        fix_loads: whether `fix` is about loading the file; see `Remedy`.
        keeps_from_running: whether a model on which it fails is not run by default, as with every
            critical finding on security.
        limit: its threshold, where the settings can change it.
        assumes: of a subclassed model, what it takes for granted of the code of the class: that it
            gives the `output` of its last part, or calls its parts in this `order`.
        since: the version that introduced it.
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
    keeps_from_running: bool = False
    limit: Limit | None = None
    assumes: Literal["", "order", "output"] = ""
    since: str = "0.1.0"
    references: tuple[str, ...] = ()
    fix_loads: bool = False

    def chosen(self, facts: Facts) -> float | None:
        """The threshold that the settings give; None where they give none."""
        return facts.settings.threshold(self.code, self.name)

    def threshold(self, facts: Facts) -> float:
        """The threshold to use for this model; only for rules whose limit has a value."""
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
        fix: str | Remedy = "",
        severity: Severity | None = None,
        confidence: Confidence | None = None,
    ) -> Finding:
        """A finding of this rule; arguments that are not given default to the declaration."""
        remedy = fix if isinstance(fix, Remedy) else Remedy(fix)
        if not remedy.text:
            remedy = Remedy(self.fix, loads=self.fix_loads)
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            confidence=confidence or self.confidence,
            title=plain(title or self.summary),
            detail=_cut(detail),
            location=Location(file, _shortened(route)),
            evidence=evidence or {},
            fix=_cut(remedy.text),
            key=key,
            repair=remedy.repair,
            loads=remedy.loads or self.family is Family.COMPATIBILITY,
        )


def _cut(text: str) -> str:
    return plain(text[:_MOST_TEXT]) + ("…" if len(text) > _MOST_TEXT else "")


def _shortened(route: str) -> str:
    """A route whose end, if it is too long, is a digest, by which it still differs from others."""
    if len(route) <= _MOST_ROUTE:
        return route
    digest = hashlib.sha256(route.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{route[:_MOST_ROUTE]}…{digest[:16]}"


class RuleTexts(Struct, frozen=True):
    """What a table of similar rules says about each of them; see `Rule`."""

    code: str
    name: str
    severity: Severity
    summary: str
    pass_title: str
    why: str
    fix: str
    references: tuple[str, ...] = ()


Row = TypeVar("Row", bound=RuleTexts)


def rules_of(
    table: Iterable[Row],
    family: Family,
    *needs: Need,
    check: Callable[[Row], Check],
    bad: Callable[[Row], Example],
    good: Example,
    confidence: Confidence = Confidence.CERTAIN,
) -> tuple[Rule, ...]:
    """The rules of a table, with a check and a bad example for each row."""
    return tuple(
        Rule(
            code=row.code,
            name=row.name,
            family=family,
            severity=row.severity,
            confidence=confidence,
            needs=needs,
            summary=row.summary,
            pass_title=row.pass_title,
            why=row.why,
            fix=row.fix,
            check=check(row),
            bad=bad(row),
            good=good,
            references=row.references,
        )
        for row in table
    )
