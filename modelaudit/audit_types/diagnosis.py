"""The diagnosis: causes, what was ruled out, and what cannot be decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from modelaudit.audit_types.sensitivity import AugmentationNeed
from modelaudit.audit_types.values import Count, OptionalSection, Real, Share
from modelaudit.facts import Json


class Evidence(Struct, frozen=True):
    """One observation for or against a cause, with the numbers behind it."""

    text: str
    """The observation, in words."""
    code: str = ""
    """The rule that reports it; empty if none does."""
    measured: Json = None
    """What was measured; null if nothing was."""
    threshold: Json = None
    """What it is compared with; null if nothing."""
    n: Count | None = None
    """Number of inputs, tensors or layers that were measured; null if that has no meaning."""


class NextStep(Struct, frozen=True):
    """Something to do."""

    text: str
    """What to do."""
    code: str = ""
    """Code or a command that can be pasted as it is; empty if there is none."""


class Cause(Struct, frozen=True, kw_only=True):
    """A cause that explains what was seen."""

    cause: str
    """Stable name of the cause, in kebab case."""
    title: str = ""
    """The cause in a few words."""
    belief: Share | None = None
    """Probability that it is present, by the odds of a population of networks (`odds`); for a
    description of a sound model, that no fault is present. Null where the population has no such
    cases, or if nothing is decided. Several causes can be present, so beliefs need not add up to
    1."""
    interval: tuple[Share, Share] | None = None
    """The 95 % interval of the belief: how often causes with such odds were present in networks of
    families that the odds were not fitted to (Wilson, each network counted once). The belief lies
    inside. Null without a belief."""
    evidence: tuple[Evidence, ...]
    """What speaks for it."""
    against: tuple[Evidence, ...] = ()
    """What speaks against it."""
    refute: str = ""
    """What would refute it."""
    next_steps: tuple[NextStep, ...]
    """What to do."""
    transform: str = ""
    """The transform that it is about; empty if it is about none."""
    where: str = ""
    """The layer or output that it is about; empty for the whole model."""
    form: Literal["", "exchanged-layers"] = ""
    """A form of the cause with a sentence of its own: two layers with each other's weights."""


class Consequence(Struct, frozen=True):
    """Something that was seen as well, but that a confirmed cause brings about."""

    cause: str
    """Stable name of what was seen."""
    title: str = ""
    """The same in a few words."""
    of: str = ""
    """The cause that brings it about."""
    text: str = ""
    """Why."""


class RuledOut(Struct, frozen=True):
    """A cause that does not explain what was seen."""

    cause: str
    """Stable name of the cause."""
    title: str = ""
    """The cause in a few words."""
    by: str = ""
    """The control that rules it out."""


class Undecidable(Struct, frozen=True, kw_only=True):
    """A cause that nothing measured can confirm or exclude."""

    cause: str = ""
    """Stable name of the cause."""
    what: str
    """What cannot be decided."""
    needs: str
    """What is missing to decide it."""
    suspected: bool = False
    """Whether measurements speak for it, though chance may explain them: the verdict is no pass."""


class Suspect(Struct, frozen=True):
    """One of the three usual suspects, which are always addressed."""

    name: str
    """Training data, restoration, or filters and architecture."""
    state: str
    """guilty, cleared or open, in words."""
    text: str
    """Why."""


class OddsShift(Struct, frozen=True):
    """One observation that changes the odds of a cause."""

    text: str
    """The observation, in words."""
    factor: Real
    """Factor by which it changes the odds of the cause against a sound model, beside the other
    statistics; below 1 speaks against."""
    n: Count = 0
    """Number of cases of the population with such a value."""


class CauseProbability(Struct, frozen=True):
    """The probability of one cause of the population, or of several."""

    cause: str
    """Its name: sound, several, or a cause of the population."""
    title: str
    """The same in a few words."""
    probability: Share
    """Probability that it is present; for `sound`, that no fault is."""
    cases: Count = 0
    """Number of cases of the population that have it."""
    networks: Count = 0
    """Number of networks among them."""
    shifts: tuple[OddsShift, ...] = ()
    """What moved its odds most."""


class DiagnosisOdds(OptionalSection, frozen=True, kw_only=True):
    """Probabilities of all causes, from measured statistics and a population of networks.

    Each is how often it was right with such odds, on its own, so that they can add up to some
    points more or less than 1."""

    causes: tuple[CauseProbability, ...] = ()
    """Causes with a probability of 1 % or more, and `sound`, the most probable first."""
    cases: Count = 0
    """Number of cases of the population."""
    networks: Count = 0
    """Number of networks of the population."""
    missing: str = ""
    """Why there are no odds; empty if there are."""

    @property
    def fault(self) -> float:
        """Probability that there is a fault; 0 without odds.

        At least that of the most probable cause: each is calibrated on its own.
        """
        known = {row.cause: row.probability for row in self.causes}
        sound = known.pop("sound", 0.0 if known else 1.0)
        return max(1.0 - sound, *known.values(), 0.0)


class Diagnosis(Struct, frozen=True):
    """Why the model answers as it does."""

    question: str = ""
    """The question that is answered."""
    answer: str = ""
    """The answer in one or two sentences."""
    causes: tuple[Cause, ...] = ()
    """Causes that are not ruled out, the best explanation first."""
    ruled_out: tuple[RuledOut, ...] = ()
    """Causes that the evidence excludes."""
    undecidable: tuple[Undecidable, ...] = ()
    """What cannot be decided, and what is missing."""
    suspects: tuple[Suspect, ...] = ()
    """The three usual suspects: guilty, cleared or open."""
    consequences: tuple[Consequence, ...] = ()
    """What else was seen and follows from a confirmed cause."""
    augmentation: tuple[AugmentationNeed, ...] = ()
    """What the outputs are sensitive to that augmentation teaches to ignore, what costs most
    first; empty without your images, or if the model has a fault."""
    odds: DiagnosisOdds = DiagnosisOdds()
    """Probabilities of the causes, and what moved them."""
    numbers: Mapping[str, Json] = field(default_factory=dict)
    """Further numbers."""
