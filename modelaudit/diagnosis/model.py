"""The data model of a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelaudit.facts import Json


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation for or against a cause, with the numbers behind it."""

    text: str
    code: str = ""  # the rule that reports it, if one does
    measured: Json = None
    threshold: Json = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """A recommended action; `code` can be pasted as it is."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class CauseFound:
    """A step's result: this cause explains what was observed.

    `belief` in (0, 1] is its strength; `where` is a layer or output; `transform` is the flip
    concerned; `against` is the evidence against it.
    """

    belief: float
    evidence: tuple[Evidence, ...]
    where: str = ""
    transform: str = ""
    against: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class CauseExcluded:
    """A step's result: this cause is ruled out, and by which control."""

    by: str


@dataclass(frozen=True, slots=True)
class CauseUnknown:
    """A step's result: undecidable, and what would decide it."""

    needs: str


StepResult = CauseFound | CauseExcluded | CauseUnknown


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause that explains what was observed."""

    cause: str
    title: str
    belief: float
    evidence: tuple[Evidence, ...]
    against: tuple[Evidence, ...]
    refute: str
    next_steps: tuple[NextStep, ...]
    transform: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Consequence:
    """A further observation that follows from a confirmed cause (`of`)."""

    cause: str
    title: str
    of: str
    text: str


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A cause that does not explain what was observed, and why it does not."""

    cause: str
    title: str
    by: str


@dataclass(frozen=True, slots=True)
class Undecidable:
    """A cause that no measurement can confirm or exclude, and what would decide it."""

    cause: str
    what: str
    needs: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """One of the three suspects that every diagnosis addresses, with its state and the reason."""

    name: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Ranked causes, starting with the one that explains most, and what follows from them."""

    question: str
    answer: str
    causes: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...] = ()
    undecidable: tuple[Undecidable, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    numbers: Mapping[str, Json] = field(default_factory=dict)
