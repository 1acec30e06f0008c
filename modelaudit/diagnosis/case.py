"""One model's facts as the questions of the diagnosis need them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.measures.kernels.initialization import with_first_inconsistent
from modelaudit.measures.summary import (
    BatchNormFit,
    BatchNormState,
    Behaviour,
    KernelInitialization,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.rules.model import Facts
from modelaudit.settings import TRANSFORMS
from modelaudit.thresholds.answers import (
    ACCURACY_GAIN,
    FIT_GAIN,
    LITTLE,
    MIN_INPUTS,
    ONE_CLASS,
    RIGHT_ACCURACY,
    RIGHT_FIT,
    SAME_SCORE,
    TOP_SHARE,
)
from modelaudit.thresholds.weights import BATCHNORM_STEPS, MISFIT, MISFIT_ALIKE

# The flip that the founding question is about comes first.
FLIPS = ("H", "V", "r180", "r90", "r270", "T", "AT", "flip", "x0", "x1", "x2")
SCALES = (
    "/255",
    "*255",
    "2x-1",
    "x/127.5-1",
    "(x+1)/2",
    "127.5(x+1)",
    "1-x",
    "standardised",
    "BGR",
)
SIMPLEST = (*FLIPS, *SCALES)
IMAGES = f"{MIN_INPUTS.value} or more images of different classes (--probe-data)"
LABELS = "labelled images (class folders, or y in the .npz)"
NO_FLIP = "an input that has left and right (images, sequences or volumes)"
WORDS = {
    **TRANSFORMS,
    "/255": "divided by 255",
    "*255": "multiplied by 255",
    "2x-1": "mapped to 2x - 1",
    "x/127.5-1": "mapped to x / 127.5 - 1",
    "(x+1)/2": "mapped to (x + 1) / 2",
    "127.5(x+1)": "mapped to 127.5 (x + 1)",
    "1-x": "inverted (1 - x)",
    "standardised": "standardised (mean 0, deviation 1)",
    "BGR": "with red and blue exchanged",
}


def amount(change: float) -> str:
    """A change in parts of what another input changes, to two digits; a tiny one as that."""
    return f"{change:.2g}" if change >= 0.001 else "less than 0.001"


@dataclass(frozen=True, slots=True)
class Case:
    """Facts, findings so far, and what is asked of them again and again."""

    facts: Facts
    results: tuple[RuleResult, ...]

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
        return bool(seen and seen.inputs.kind == "user" and seen.inputs.n >= MIN_INPUTS.value)

    @property
    def kernels(self) -> tuple[KernelInitialization, ...]:
        """Kernels that could be tested against their initialiser.

        A small one without bias counts where the first batch normalisation that does not fit
        stands directly behind it.
        """
        measured = self.facts.measurements
        suspect = self._before_first_misfit()
        tested = (
            with_first_inconsistent(kernel, kernel.route == suspect)
            for kernel in (measured.initialization if measured else ())
        )
        return tuple(kernel for kernel in tested if kernel.state != "undecidable")

    def _before_first_misfit(self) -> str:
        """Route of the kernel whose output meets the first statistics that do not fit it."""
        architecture, bad = self.facts.artifact.architecture, self.misfit
        if architecture is None or bad is None:
            return ""
        layers = {layer.route: layer for layer in architecture.layers}
        kernels = {kernel.route for kernel in self.facts.artifact.kernels}
        route = bad.route
        for _ in range(BATCHNORM_STEPS.value):
            layer = layers.get(route)
            if layer is None or len(layer.inbound) != 1 or len(layer.inbound[0]) != 1:
                return ""
            route = layer.inbound[0][0]
            if route in kernels:
                return route
        return ""

    @property
    def misfit(self) -> BatchNormFit | None:
        """The first batch normalisation in execution order that does not fit what flows in."""
        if self.behaviour is None or not self.images or self.one_class:
            return None
        found = (fit for fit in self.behaviour.batchnorm if fit.misfit > self.misfit_limit)
        return next(found, None)

    @property
    def misfit_limit(self) -> float:
        """The misfit that sound models stay under.

        Images of one kind strain the statistics of sound models, so more is asked of those.
        """
        return MISFIT_ALIKE.value if self.alike else MISFIT.value

    @property
    def alike(self) -> bool:
        """Some output gives most inputs one answer that says little."""
        return any(answered_alike(output) for output in self.outputs)

    @property
    def one_class(self) -> bool:
        """Labels say that (nearly) all images are of one class."""
        largest = self.behaviour.inputs.largest_class if self.behaviour else None
        return largest is not None and largest >= ONE_CLASS.value

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

    @property
    def unused(self) -> str:
        """Why inputs of the user's own were not fed; empty where they were, or none were given."""
        seen, given = self.behaviour, self.facts.settings.probe.data
        if seen is None or not given or seen.inputs.kind == "user" or not seen.inputs.notes:
            return ""
        return seen.inputs.notes[0]

    def not_run(self) -> str:
        """Why there is no behaviour to judge."""
        return self.facts.probe_skipped or "the model was not run"

    def unfed(self) -> str:
        """What is missing where the model gave no answers to images of the user's own."""
        return IMAGES if self.behaviour else f"running the model ({self.not_run()})"


def capacity(output: OutputBehaviour) -> float:
    """log2 K in bits: as much as the output could say; 0 where it has no classes."""
    classes = output.collapse.classes
    return math.log2(classes) if classes and classes > 1 else 0.0


def bits_in_words(output: OutputBehaviour, bits: float) -> str:
    """Bits against what the output could say, in words."""
    room, classes = capacity(output), output.collapse.classes
    return f"{bits:.2f} of the {room:.2f} bits that tell {classes} classes apart"


def information(output: OutputBehaviour) -> float:
    """I_e in bits; 0 where it is not defined."""
    return output.collapse.information or 0.0


def answered_alike(output: OutputBehaviour) -> bool:
    """Most inputs get one answer and the answers say little: inputs of one kind, or a blind model.

    An unsure model says little too, but not the same.
    """
    share = output.collapse.top_share or 0.0
    return share > TOP_SHARE.value and information(output) < LITTLE.value * capacity(output)


def simplest_first(variants: Mapping[str, float]) -> list[tuple[str, float]]:
    """Equally good variants of the input, the simplest to name first."""
    return sorted(variants.items(), key=lambda each: SIMPLEST.index(each[0]))


@dataclass(frozen=True, slots=True)
class LabelledScores:
    """What labels say of one variant of the input: score as given and under the variant.

    `also` are variants that are as good, all that the labels can tell.
    """

    name: str
    measure: str  # accuracy or R2
    given: float
    other: float
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The two scores in words."""
        shown = "{:.0%}" if self.measure == "accuracy" else "{:.2f}"
        return (
            f"On your labels the {self.measure} is {shown.format(self.given)} as given and "
            f"{shown.format(self.other)} {WORDS.get(self.name, self.name)}."
        )


def scores(output: OutputBehaviour) -> tuple[Mapping[str, float], str, float, float]:
    """Scores on labels by variant, their name, and how high and how much higher counts."""
    if output.accuracy:
        return output.accuracy, "accuracy", RIGHT_ACCURACY.value, ACCURACY_GAIN.value
    return output.fit, "R2", RIGHT_FIT.value, FIT_GAIN.value


def better_by_labels(output: OutputBehaviour, among: Collection[str]) -> LabelledScores | None:
    """The variant of the input that labels clearly prefer to the one given, if there is one.

    Of equally good ones the simplest: to a model that a flip means nothing, a mirrored image and
    one turned by 180° are alike.
    """
    found, measure, enough, gain = scores(output)
    others = {name: score for name, score in found.items() if name in among}
    if "e" not in found or not others:
        return None
    best = max(others.values())
    least = max(best - SAME_SCORE.value, enough, found["e"] + gain)
    better = simplest_first({name: score for name, score in others.items() if score > least})
    if not better:
        return None
    (name, score), *also = better
    return LabelledScores(name, measure, found["e"], score, tuple(each for each, _ in also))


def labels_contradict(output: OutputBehaviour, name: str) -> bool:
    """Labels were given, and do not get righter under this variant of the input."""
    found = scores(output)[0]
    return name in found and found[name] < found.get("e", 0.0) + SAME_SCORE.value


def flip_of(output: OutputBehaviour) -> TransformEffect | None:
    """The effect of the flip that the question is about: left-right, or the nearest there is."""
    effects = {effect.name: effect for effect in output.transforms}
    return next((effects[name] for name in FLIPS if name in effects), None)
