"""Synthetic behaviours: the good and bad examples of the behaviour rules."""

from __future__ import annotations

from modelaudit.audit_types.behaviour import Collapse, OutputBehaviour, TransformEffect
from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.measures.summary import Behaviour
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

HEALTHY = OutputBehaviour(
    name="probabilities",
    kind="softmax",
    shape=(None, 10),
    collapse=Collapse(False, 3.0, 10, 1, 0.12, 0.3),
    transforms=(TransformEffect("H", 128, 0.98, (0.94, 0.99), 0.97, nfv=0.02),),
    orientation={"e": 3.0, "H": 2.96},
)


def with_behaviour(
    output: OutputBehaviour = HEALTHY, *, deterministic: bool = True, dead_share: float = 0.1
) -> Facts:
    """Facts about a model that was run on 128 user images."""
    behaviour = Behaviour(
        runtime="here",
        inputs=ProbeInputs("user", 128, (128, 16, 16, 1), (0.0, 1.0)),
        noise_floor=1e-7,
        deterministic=deterministic,
        outputs=(output,),
        dead={"relu": dead_share},
    )
    return replace(healthy(), behaviour=behaviour, diagnosis=Diagnosis())


def sound_behaviour() -> Facts:
    """No problems."""
    return with_behaviour()


def collapsed() -> Facts:
    """One class for every input."""
    return with_behaviour(replace(HEALTHY, collapse=Collapse(True, 0.0, 10, 3, 1.0, 1e-5)))


def flip_sensitive() -> Facts:
    """Mirroring changes most predictions."""
    effect = TransformEffect("H", 128, 0.34, (0.26, 0.42), 0.28, nfv=0.47)
    return with_behaviour(replace(HEALTHY, transforms=(effect,)))


def noisy() -> Facts:
    """A different output each time."""
    return with_behaviour(deterministic=False)


def dead() -> Facts:
    """A ReLU that is always zero."""
    return with_behaviour(dead_share=1.0)
