"""The diagnosis: causes, what was ruled out, and what cannot be decided."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from modelaudit.audit_types.sensitivity import AugmentationNeed
from modelaudit.audit_types.values import Count, Share
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
    belief: Share
    """How strongly the evidence supports it. Beliefs of different causes do not add up to 1."""
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
    numbers: Mapping[str, Json] = field(default_factory=dict)
    """Further numbers."""
