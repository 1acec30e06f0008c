"""One model's facts as the questions of the diagnosis need them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from modelaudit.diagnosis.thresholds import ENOUGH_IMAGES, GAIN, INFORMED
from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.measures.summary import (
    BatchNormState,
    Behaviour,
    KernelInitialization,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.rules.model import Facts

# The flip that the founding question is about comes first.
FLIPS = ("H", "V", "r180", "r90", "r270", "T", "AT", "flip", "x0", "x1", "x2")
IMAGES = f"{ENOUGH_IMAGES} or more images of different classes (--probe-data)"
WORDS = {
    "H": "mirrored left-right",
    "V": "mirrored up-down",
    "r90": "turned by 90° counter-clockwise",
    "r180": "turned by 180°",
    "r270": "turned by 90° clockwise",
    "T": "transposed (height and width exchanged)",
    "AT": "transposed across the other diagonal",
    "flip": "reversed in time",
    "x0": "mirrored along depth",
    "x1": "mirrored along height",
    "x2": "mirrored along width",
    "/255": "divided by 255",
    "*255": "multiplied by 255",
    "2x-1": "mapped to 2x - 1",
    "1-x": "inverted (1 - x)",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Facts, findings so far, and what is asked of them again and again."""

    facts: Facts
    results: tuple[RuleResult, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def behaviour(self) -> Behaviour | None:
        """What running the model showed."""
        return self.facts.behaviour

    @property
    def outputs(self) -> tuple[OutputBehaviour, ...]:
        """Outputs that were measured."""
        return self.behaviour.outputs if self.behaviour else ()

    @property
    def images(self) -> bool:
        """Enough inputs of the user's own were fed to judge orientation and scale."""
        seen = self.behaviour
        return bool(seen and seen.inputs.kind == "user" and seen.inputs.n >= ENOUGH_IMAGES)

    @property
    def kernels(self) -> tuple[KernelInitialization, ...]:
        """Kernels that could be tested against their initialiser."""
        measured = self.facts.measurements
        tested = measured.initialization if measured else ()
        return tuple(kernel for kernel in tested if kernel.state != "undecidable")

    @property
    def fresh(self) -> tuple[KernelInitialization, ...]:
        """Kernels that are still as their initialiser drew them."""
        return tuple(kernel for kernel in self.kernels if kernel.state == "fresh")

    @property
    def batchnorm(self) -> tuple[BatchNormState, ...]:
        """Stored state of every BatchNormalization."""
        return self.facts.measurements.batchnorm if self.facts.measurements else ()

    @property
    def collapsed(self) -> OutputBehaviour | None:
        """The first output that does not depend on the input."""
        return next((o for o in self.outputs if o.collapse.collapsed), None)

    def findings(self, *codes: str) -> tuple[Finding, ...]:
        """Findings of these rules, waived ones left out."""
        return tuple(
            finding
            for result in self.results
            if result.code in codes and result.outcome is Outcome.FAIL
            for finding in result.findings
            if not finding.waived_by
        )

    def not_run(self) -> str:
        """Why there is no behaviour to judge."""
        return self.facts.probe_skipped or "the model was not run"


def capacity(output: OutputBehaviour) -> float:
    """log2 K in bits: as much as the output could say; 0 where it has no classes."""
    classes = output.collapse.classes
    return math.log2(classes) if classes and classes > 1 else 0.0


def information(output: OutputBehaviour) -> float:
    """I_e in bits; 0 where it is not defined."""
    return output.collapse.information or 0.0


def better(profile: dict[str, float], given: float, room: float) -> tuple[str, float] | None:
    """The variant of the input that carries much more information than the one given.

    Args:
        profile: bits by transform.
        given: bits of the input as it was given.
        room: log2 K.
    """
    candidates = {name: bits for name, bits in profile.items() if name != "e"}
    if not candidates or room <= 0:
        return None
    best = max(candidates, key=lambda name: candidates[name])
    bits = candidates[best]
    return (best, bits) if bits - given > GAIN and bits > INFORMED * room else None


def flip_of(output: OutputBehaviour) -> TransformEffect | None:
    """The effect of the flip that the question is about: left-right, or the nearest there is."""
    effects = {effect.name: effect for effect in output.transforms}
    return next((effects[name] for name in FLIPS if name in effects), None)
