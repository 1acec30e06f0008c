"""What a diagnosis is made of."""

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
    """Something to do; `code` can be pasted as it stands."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class CauseFound:
    """A step's answer: this cause explains what was seen.

    `belief` in (0, 1] is how strongly; `where` a layer or output; `transform` the flip it is
    about; `against` what speaks against it.
    """

    belief: float
    evidence: tuple[Evidence, ...]
    where: str = ""
    transform: str = ""
    against: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class CauseExcluded:
    """A step's answer: this cause is ruled out, and by which control."""

    by: str


@dataclass(frozen=True, slots=True)
class CauseUnknown:
    """A step's answer: cannot be told, and what would tell it."""

    needs: str


StepResult = CauseFound | CauseExcluded | CauseUnknown


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause that explains what was seen."""

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
    """Something that was seen as well, but that a confirmed cause (`of`) brings about."""

    cause: str
    title: str
    of: str
    text: str


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A cause that does not explain what was seen, and why it does not."""

    cause: str
    title: str
    by: str


@dataclass(frozen=True, slots=True)
class Undecidable:
    """A cause that nothing measured can confirm or exclude, and what would."""

    cause: str
    what: str
    needs: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """One of the three usual suspects, always addressed: guilty, cleared or open, and why."""

    name: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Causes ranked, the first being the one that explains most; then what follows from them."""

    question: str
    answer: str
    causes: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...] = ()
    undecidable: tuple[Undecidable, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    numbers: Mapping[str, Json] = field(default_factory=dict)
