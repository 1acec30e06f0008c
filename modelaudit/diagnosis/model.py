"""The data model of a diagnosis."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.audit_types.diagnosis import (
    Consequence,
    Evidence,
    NextStep,
    RuledOut,
    Undecidable,
)


class Advice(Struct, frozen=True):
    """What to tell the user about a cause, independent of the model."""

    title: str
    refute: str
    steps: tuple[NextStep, ...]


class CauseFound(Struct, frozen=True):
    """A step's result: this cause explains what was observed.

    `where` is a layer or output; `transform` is the flip concerned; `against` is the evidence
    against it. `together`: it was found together with another difference of the inputs or labels,
    so neither is a consequence of the other. `doubted`: the odds are for something else. `cause`:
    its name, if it is not that of the step. `upstream`: it was seen before the first layer at
    initial values, so that layer cannot be why. `proven`: undoing it in a copy of the model met the
    labels, which needs no odds. `stated`: so does what the model holds of its training rows.
    `layers`: routes of all layers that it is about.
    `order`: the model's class for each label, where another order of the classes is the cause.
    `head`: code of a last layer that can give the labels, where they are no classes.
    """

    evidence: tuple[Evidence, ...]
    where: str = ""
    transform: str = ""
    against: tuple[Evidence, ...] = ()
    together: bool = False
    doubted: bool = False
    cause: str = ""
    upstream: bool = False
    proven: bool = False
    stated: bool = False
    layers: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    head: str = ""


class CauseExcluded(Struct, frozen=True):
    """A step's result: this cause is ruled out, and by which control."""

    by: str


class CauseUnknown(Struct, frozen=True):
    """A step's result: undecidable, and what would decide it.

    `suspected`: measurements speak for the cause, though not enough to name it.
    """

    needs: str
    suspected: bool = False


class StepResults(Struct, frozen=True):
    """The results of all steps: what was found (in order), what follows from it, and the others."""

    found: tuple[tuple[str, CauseFound], ...]
    consequences: tuple[Consequence, ...]
    ruled_out: tuple[RuledOut, ...]
    open: tuple[Undecidable, ...]


StepResult = CauseFound | CauseExcluded | CauseUnknown
