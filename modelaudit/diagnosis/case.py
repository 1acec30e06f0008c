"""The facts about one model, in the form that the steps of the diagnosis need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    BetterInputs,
    ClassNumbering,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.findings import Finding, Outcome, RuleResult
from modelaudit.measures.architecture.modality_words import ModalityWords, in_words
from modelaudit.measures.behaviour.paired import with_other_evidence
from modelaudit.measures.input_corrections import parts, words_of
from modelaudit.measures.kernels.initialization import with_first_inconsistent
from modelaudit.measures.summary import Behaviour
from modelaudit.measures.value_transforms import SWAPS
from modelaudit.rules.initial_weights.training_reach import hardly_moved
from modelaudit.rules.model import Facts
from modelaudit.thresholds.answers import (
    BETTER_P,
    LITTLE,
    MIN_INPUTS,
    NUMBERING_ODDS,
    ONE_CLASS,
    SAME_SCORE,
    SCORE_GAIN,
    TOP_SHARE,
)
from modelaudit.thresholds.weights import BATCHNORM_STEPS, MISFIT, MISFIT_ALIKE

# The flip that the question is about comes first.
FLIPS = ("H", "V", "r180", "r90", "r270", "T", "AT", "flip", "x0", "x1", "x2")
TOLD = 1_000_000  # larger factors tell a reader nothing
NO_FLIP = "an input with left and right (images, sequences or volumes)"


def amount(change: float) -> str:
    """A change relative to that of another input, to two digits; tiny changes as `less than`."""
    return f"{change:.2g}" if change >= 0.001 else "less than 0.001"


class Case(Struct, frozen=True, dict=True):
    """The facts, the findings so far, and what the steps derive from them."""

    facts: Facts
    results: tuple[RuleResult, ...]

    @property
    def behaviour(self) -> Behaviour | None:
        """What running the model showed."""
        return self.facts.behaviour

    @property
    def outputs(self) -> tuple[OutputBehaviour, ...]:
        """The measured outputs."""
        return self.behaviour.outputs if self.behaviour else ()

    @cached_property
    def words(self) -> ModalityWords:
        """How texts speak of the model's inputs."""
        return self.facts.words

    @property
    def wanted(self) -> str:
        """The inputs that the user should provide."""
        return in_words(f"{MIN_INPUTS.value} or more {{varied}} (--probe-data)", self.words)

    @property
    def labelled(self) -> str:
        """The inputs with labels that the user should provide."""
        if self.behaviour and self.behaviour.inputs.labelled:
            return f"labels that the outputs for these {self.words.many} can be compared with"
        return in_words("labelled {images} ([[class folders, or ]]y in the .npz)", self.words)

    @property
    def deciding(self) -> str:
        """What would most likely decide what these inputs do not: labels, or more of them."""
        given = bool(self.behaviour and self.behaviour.inputs.labelled)
        return f"more {self.words.many} with labels" if given else self.labelled

    @property
    def images(self) -> bool:
        """Whether enough of the user's inputs were used to judge orientation and scale."""
        seen = self.behaviour
        return bool(seen and seen.inputs.kind == "user" and seen.inputs.n >= MIN_INPUTS.value)

    @property
    def columns(self) -> bool:
        """Whether labels, or what the model holds of training, show what columns are like."""
        seen = self.behaviour
        table = self.words.one == "row" and seen is not None and seen.inputs.kind == "user"
        return table and seen is not None and (bool(seen.inputs.shifted) or seen.inputs.labelled)

    @cached_property
    def kernels(self) -> tuple[KernelInitialization, ...]:
        """Kernels that could be tested against their initializer.

        A small kernel without bias counts if the first batch normalization that does not match
        its input directly follows it.
        """
        return tuple(kernel for kernel in self.measured if kernel.state != "undecidable")

    @cached_property
    def measured(self) -> tuple[KernelInitialization, ...]:
        """The same, with kernels that are undecidable."""
        measured = self.facts.measurements
        suspect = self._before_first_misfit()
        kernels = measured.initialization if measured else ()
        return tuple(
            with_first_inconsistent(kernel, kernel.route == suspect)
            for kernel in hardly_moved(self.facts.artifact, kernels)[0]
        )

    def _before_first_misfit(self) -> str:
        """Route of the kernel whose output is the first that does not match its statistics."""
        architecture, bad = self.facts.artifact.architecture, self.misfit
        if architecture is None or bad is None or self._fits_otherwise():
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

    def _fits_otherwise(self) -> bool:
        """Whether all statistics match some other form of the inputs, so that no kernel is off."""
        seen = self.behaviour.batchnorm if self.behaviour else ()
        forms = [{**fit.domain, **fit.orientation} for fit in seen]
        return any(
            all(form.get(name, math.inf) <= self.misfit_limit for form in forms)
            for name in (forms[0] if forms else ())
        )

    @property
    def misfit(self) -> BatchNormFit | None:
        """The first batch normalization in execution order that does not match its input."""
        if self.behaviour is None or not self.images or self.one_class:
            return None
        found = (fit for fit in self.behaviour.batchnorm if fit.misfit > self.misfit_limit)
        return next(found, None)

    @property
    def misfit_limit(self) -> float:
        """The misfit that sound models do not exceed.

        Images of one kind increase the misfit of sound models, so the limit is then higher.
        """
        return MISFIT_ALIKE.value if self.alike else MISFIT.value

    @property
    def alike(self) -> bool:
        """Whether some output gives most inputs one prediction and carries little information."""
        return any(answered_alike(output) for output in self.outputs)

    @property
    def one_class(self) -> bool:
        """Whether (nearly) all images have the same label."""
        largest = self.behaviour.inputs.largest_class if self.behaviour else None
        return largest is not None and largest >= ONE_CLASS.value

    @property
    def fresh(self) -> tuple[KernelInitialization, ...]:
        """Kernels that still have values as drawn by their initializer."""
        return tuple(kernel for kernel in self.kernels if kernel.state == "fresh")

    @property
    def before_untouched(self) -> tuple[BatchNormFit, ...]:
        """The batch normalizations before the first kernel that looks fresh, if one does."""
        architecture = self.facts.artifact.architecture
        if self.behaviour is None or architecture is None or not self.fresh:
            return ()
        routes = [layer.route for layer in architecture.layers]
        untouched = {kernel.route for kernel in self.fresh}
        first = next((i for i, route in enumerate(routes) if route in untouched), 0)
        return tuple(fit for fit in self.behaviour.batchnorm if fit.route in routes[:first])

    @property
    def batchnorm(self) -> tuple[BatchNormState, ...]:
        """Stored state of every BatchNormalization."""
        return self.facts.measurements.batchnorm if self.facts.measurements else ()

    @property
    def collapsed(self) -> OutputBehaviour | None:
        """The first output that does not depend on the input."""
        return next((o for o in self.outputs if o.collapse.collapsed), None)

    @cached_property
    def _found(self) -> tuple[Finding, ...]:
        failed = (result for result in self.results if result.outcome is Outcome.FAIL)
        return tuple(each for result in failed for each in result.findings if not each.waived_by)

    def findings(self, *codes: str) -> tuple[Finding, ...]:
        """Findings of these rules, without waived ones."""
        return tuple(finding for finding in self._found if finding.code in codes)

    @property
    def unused(self) -> str:
        """Why the user's inputs were not used; empty if they were, or if none were given."""
        return self.behaviour.inputs.unused if self.behaviour else ""

    @property
    def wants_pixels(self) -> str:
        """That an output is constant for inputs from 0 to 1, but not from 0 to 255; or empty."""
        seen = self.behaviour
        tried = seen.interventions.get("inputs_times_255") if seen else None
        if tried is None or tried.responsible is not True:
            return ""
        pixels = self.words.one == "image"
        return (
            f"The output {tried.output} is nearly the same for all built-in inputs from 0 to 1, "
            "but not for the same inputs from 0 to 255: most likely the model expects "
            f"{'values from 0 to 255' if pixels else 'larger values'}."
        )

    def not_run(self) -> str:
        """Why there is no behaviour to judge."""
        return self.facts.probe_skipped or "the model was not run"

    def unfed(self) -> str:
        """What is missing if the model was not run on the user's images."""
        return self.wanted if self.behaviour else f"running the model ({self.not_run()})"


def capacity(output: OutputBehaviour) -> float:
    """log2 K in bits: the most that the output can carry; 0 if it has no classes."""
    classes = output.collapse.classes
    return math.log2(classes) if classes and classes > 1 else 0.0


def bits_in_words(output: OutputBehaviour, bits: float) -> str:
    """Bits relative to the output's capacity, in words."""
    room, classes = capacity(output), output.collapse.classes
    return f"{bits:.2f} of the {room:.2f} bits needed to distinguish {classes} classes"


def information(output: OutputBehaviour) -> float:
    """I_e in bits; 0 if it is not defined."""
    return output.collapse.information or 0.0


def answered_alike(output: OutputBehaviour) -> bool:
    """Whether most inputs get one prediction that carries little information.

    An unsure model also carries little information, but its predictions differ.
    """
    share = output.collapse.top_share or 0.0
    # One of two classes always gets half of the inputs, and often most of them.
    most = ONE_CLASS.value if output.collapse.classes == 2 else TOP_SHARE.value
    return share > most and information(output) < LITTLE.value * capacity(output)


def scores(output: OutputBehaviour) -> tuple[Mapping[str, float], str]:
    """Scores on labels by variant, and their name."""
    return (output.accuracy, "accuracy") if output.accuracy else (output.fit, "R2")


def better_by_labels(output: OutputBehaviour) -> BetterInputs | None:
    """The form of the inputs that labels prefer to the one given, if any.

    A form in which the model is still worse than the mean of the targets restores nothing, nor does
    one that says nothing of the labels although its one answer is that of most of them.
    """
    found = output.better
    if found is None or found.score - found.given < SCORE_GAIN.value or found.score < 0:
        return None
    if not likelier(found):
        return None
    return found if preferred_p(output, found) < BETTER_P.value else None


def preferred_p(output: OutputBehaviour, found: BetterInputs) -> float:
    """P-value of the form that labels prefer: of the permutation test, or with information.

    The odds choose among forms, but show no difference: of two forms that are equally good, the
    difference of the log-likelihoods grows with the square root of the number of labels.
    """
    p, gain = found.p, output.gains.get(found.name)
    if gain is None:
        return p
    same_values = parts(found.name)[1] in {"", *SWAPS}  # larger values alone make it confident
    z = gain.z if same_values else gain.equal_z or 0.0
    return min(p, with_other_evidence(p, z))


def likelier(found: BetterInputs) -> bool:
    """Whether the odds are for this form, not for the inputs as given; of regressions, always."""
    return found.odds is None or found.odds > 0


def r2_in_words(value: float) -> str:
    """An R2; how far it is below a useless model says nothing."""
    return f"{value:.2f}" if value >= -100 else "below -100"


def score_text(found: BetterInputs, order: ClassNumbering | None = None) -> str:
    """The two scores in words; `order` of the classes is that of both if it is likely."""
    shown = "{:.0%}".format if found.measure == "accuracy" else r2_in_words
    given, score = shown(found.given), shown(found.score)
    meant = order is not None and order.log_odds > NUMBERING_ODDS.value
    renumbered = ", with the classes in the order that your labels show" if meant else ""
    return (
        f"On your {found.n} labels the {found.measure} is {given} as given and {score} "
        f"{words_of(found.name)}{renumbered}."
    )


def times_in_words(log_odds: float) -> str:
    """How many times as likely something is, after the natural logarithm of that."""
    few = log_odds < math.log(TOLD)
    return f"{math.exp(log_odds):,.0f}" if few else "more than a million"


def p_in_words(p: float) -> str:
    """A p-value after the word `p`."""
    return f"= {p:.2g}" if p >= 1e-6 else "< 1e-6"


def labels_contradict(output: OutputBehaviour, name: str) -> bool:
    """Whether there are labels and the score does not improve under this variant of the input."""
    found = scores(output)[0]
    return name in found and found[name] < found.get("e", 0.0) + SAME_SCORE.value


def flip_of(output: OutputBehaviour) -> TransformEffect | None:
    """The effect of the flip that the question is about: left-right, or the nearest available."""
    effects = {effect.name: effect for effect in output.transforms}
    return next((effects[name] for name in FLIPS if name in effects), None)
