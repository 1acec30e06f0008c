"""What running the model showed. Transforms are named as in `modelaudit.measures.summary`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.audit_types.sensitivity import SensitivityCurve
from modelaudit.audit_types.values import (
    AuditSection,
    Count,
    OptionalSection,
    Real,
    Share,
    finite,
)
from modelaudit.facts import Json

Task = Literal[
    "classes", "multilabel", "regression", "ordinal", "map", "sequence", "embedding", "detection",
    "reconstruction"
]  # fmt: skip


class TransformEffect(Struct, frozen=True):
    """What one transform of the input does to one output."""

    name: str
    """The transform."""
    n: Count
    """Number of inputs."""
    agreement: Share | None = None
    """Share of inputs whose class stays the same; null for outputs without classes."""
    agreement_ci: tuple[Share, Share] | None = None
    """95 % interval of `agreement` (Wilson)."""
    kappa: float | None = None
    """Agreement beyond chance (Cohen); null without classes or if one side is constant."""
    js: Real | None = None
    """Mean Jensen-Shannon divergence of the class probabilities, in bits."""
    js_ci: tuple[Real, Real] | None = None
    """95 % interval of `js` (bootstrap)."""
    tv: Real | None = None
    """Mean total variation of the class probabilities, in [0, 1]."""
    tv_ci: tuple[Real, Real] | None = None
    """95 % interval of `tv` (bootstrap)."""
    nfv: float | None = None
    """Normalised flip variation: 0 no change, 1 as much as another input; null under collapse."""
    action: str = "invariant"
    """How the output moves with the input: invariant, odd, swap or spatial."""
    scrambled_ratio: Real | None = None
    """`js` divided by that of a random perturbation of the same size."""
    max_abs_diff: Real | None = None
    """Largest absolute change of the output."""
    detail: Mapping[str, Json] = field(default_factory=dict)
    """Further numbers: variation left under each action, share of the commonest class …"""


class Collapse(Struct, frozen=True):
    """Whether the output depends on the input."""

    collapsed: bool
    """True if the output hardly depends on the input."""
    information: Real | None = None
    """Information about the input in bits, at most log2 of `classes`; null without classes."""
    classes: Count | None = None
    """Number of classes; null without classes."""
    top_class: Count | None = None
    """The commonest predicted class; null without classes."""
    top_share: Real | None = None
    """Its share of the inputs, in [0, 1]; null without classes."""
    spread: Real = 0.0
    """Standard deviation of the output over the inputs, relative to its scale."""
    at_bound: Share = 0.0
    """Share of the values that are whole numbers up to rounding, as saturated outputs are."""
    larger: Real | None = None
    """Standard deviation over the built-in inputs and the same ones 30 and 1,000 times as large, of
    the scale that the output can have; null unless it is nearly constant for the former."""
    unusual: Real | None = None
    """The same over the built-in inputs, zeros, sparse ones and normal draws."""
    texts: Real | None = None
    """Largest difference of the log-odds of a class between built-in texts: random ones, ones of
    one token, and short ones padded before or behind; null without a known vocabulary, or if random
    ones already differ."""


class ClassAgreement(AuditSection, frozen=True, kw_only=True):
    """Agreement under the first transform, for the inputs of one predicted class."""

    transform: str
    """The transform."""
    class_index: int = msgspec.field(name="class")
    """The class."""
    n: Count
    """Number of inputs of this class."""
    agreement: Share
    """Share of them whose class stays the same."""
    agreement_ci: tuple[Share, Share]
    """95 % interval of `agreement` (Wilson)."""
    nfv: Real | None
    """Normalised flip variation of these inputs; null if it is not defined."""
    p: Real
    """P value of Fisher's exact test of this class against all others."""
    p_holm: Real = 1.0
    """`p`, adjusted for the number of classes (Holm)."""


class InformationGain(Struct, frozen=True):
    """Information about the inputs in another form, less that about the inputs as given."""

    bits: float
    """The difference in bits."""
    z: float
    """The difference in standard errors (paired bootstrap)."""
    equal_bits: float | None = None
    """The difference at equal confidence; null for several sigmoids."""
    equal_z: float | None = None
    """The same in standard errors."""
    also: tuple[str, ...] = ()
    """Forms whose information does not differ from that in this one."""
    mirror_bits: float | None = None
    """How much better predictions for images and their mirror images agree; null if unmeasured."""
    mirror_z: float | None = None
    """The same in standard errors."""
    surer_z: float | None = None
    """How much surer each prediction is: the mean fall of its entropy, in standard errors."""


class BetterInputs(Struct, frozen=True):
    """The form of the inputs, other than as given, that labels make the most probable one.

    Each change that a form makes has a prior probability, so that a form has no more changes than
    the labels need.
    """

    name: str
    """A transform, a transform of the value range, or both, joined by `+`."""
    measure: str
    """accuracy or R2."""
    given: Real
    """The score for the inputs as given."""
    score: Real
    """The score in this form."""
    p: Share
    """P value of the paired comparison, adjusted for the choice (Westfall and Young)."""
    tried: Count
    """Number of forms that were tried."""
    n: Count
    """Number of inputs."""
    also: tuple[str, ...] = ()
    """Other forms whose scores do not differ significantly from it, the best first."""
    odds: Real | None = None
    """Natural logarithm of the odds of this form against the inputs as given, by the labels."""


class ClassNumbering(Struct, frozen=True):
    """Another order of the classes in which the labels are more likely."""

    accuracy: Share
    """Accuracy in that order."""
    log_odds: float
    """Natural logarithm of the odds against the order as given."""
    moved: Count
    """Number of labels that stand for another class."""
    pattern: str = ""
    """up, down, reversed, alphabetical or numeric; empty for any other order."""
    variant: str = "e"
    """The form of the inputs in which it was found."""
    order: tuple[Count, ...] = ()
    """The model's class for each label, both counted from 0; empty if there are more than 100."""


class OutputTask(Struct, frozen=True):
    """What an output is for."""

    name: Task
    """One of several classes; several labels; numbers; whole numbers in an order; values for each
    position of an image or step; features; boxes; or the input itself."""
    confidence: Literal["high", "medium", "low"]
    """How sure that is."""
    because: str
    """What shows it."""


class OutputBehaviour(Struct, frozen=True):
    """How one output behaves."""

    name: str
    """Name of the output."""
    kind: str
    """softmax, logits, sigmoid, regression, spatial or embedding."""
    shape: tuple[int | None, ...]
    """Shape; the first axis is the batch, null stands for an open size."""
    collapse: Collapse
    """Whether the output depends on the input."""
    transforms: tuple[TransformEffect, ...]
    """What flips, turns and value scales of the input change."""
    task: OutputTask | None = None
    """What it is for; null in audits of earlier versions."""
    guessed: bool = False
    """Whether the outputs may as well be numbers: linear ones, without a loss and labels."""
    orientation: Mapping[str, Real] = field(default_factory=dict)
    """Information about the input in bits, by transform; `e` is the input as given."""
    orientation_ci: Mapping[str, tuple[Real, Real]] = field(default_factory=dict)
    """95 % intervals of `orientation`."""
    domain: Mapping[str, Real] = field(default_factory=dict)
    """Information about the input in bits, by transform of its value range."""
    margin: Real | None = None
    """Median lead of the best class in nats; null without classes."""
    domain_margin: Mapping[str, Real] = field(default_factory=dict)
    """`margin` by transform of the value range."""
    accuracy: Mapping[str, Real] = field(default_factory=dict)
    """Share of correct classes by transform; empty without labels."""
    renumbered: Real | None = None
    """Accuracy with the most likely numbering of the classes; null without labels, or if no other
    is more likely."""
    gains: Mapping[str, InformationGain] = field(default_factory=dict)
    """Information gained by other forms of the inputs; empty without classes or your inputs."""
    better: BetterInputs | None = None
    """The form of the inputs that scores best on labels; null if none scores better than the
    inputs as given."""
    worse_p: Mapping[str, Share] = field(default_factory=dict)
    """P value, by transform, that labels are met less well than by the inputs as given."""
    chance_p: Share | None = None
    """P value that labels are met no better than by always giving the commonest one; null without
    class labels."""
    numbering: ClassNumbering | None = None
    """The most likely other order of the classes; null without labels, or if none is better."""
    fit: Mapping[str, Real] = field(default_factory=dict)
    """R² on the given targets, by transform; empty without targets."""
    prior: Real | None = None
    """Distance of the mean output from the frequencies (in [0, 1]) or the mean (in standard
    deviations) of the labels; null without labels."""
    unpredicted: tuple[Count, ...] = ()
    """Classes that several labels have and that are predicted for no input."""
    per_class: tuple[ClassAgreement, ...] = ()
    """Agreement by predicted class, for classes with enough inputs."""
    floor: Mapping[str, Real] = field(default_factory=dict)
    """Normalised flip variation with symmetrised kernels, by transform."""
    synthetic_information: Real | None = None
    """Information in bits on the built-in inputs; null if those were not used."""
    saturated: Real = 0.0
    """Share of inputs for which all classes but one have no probability left."""
    nonfinite: Real = 0.0
    """Share of inputs whose output holds NaN or infinity."""


class BatchNormFit(Struct, frozen=True):
    """How well the stored statistics of one batch normalization fit what flows into it."""

    route: str
    """The layer."""
    mean_deviation: Real
    """Median over channels of |observed - moving mean| / moving standard deviation."""
    log_variance: Real
    """Median over channels of |log(observed / moving variance)|."""
    misfit: Real
    """The larger one of `mean_deviation` and `log_variance` / 3."""
    domain: Mapping[str, Real] = field(default_factory=dict)
    """`mean_deviation` by transform of the value range."""
    orientation: Mapping[str, Real] = field(default_factory=dict)
    """`mean_deviation` by transform."""
    settled: Real | None = None
    """Share of the way from mean 0 and variance 1 at which the statistics fit best, in (0, 1]."""
    settled_misfit: Real | None = None
    """`misfit` at that point; both are null for statistics that fit."""


class LayerResidual(Struct, frozen=True):
    """How well the features of one layer follow a transform of the input."""

    route: str
    """The layer."""
    transform: str
    """The transform."""
    identity: Real
    """Equivariance residual with unchanged channels: 0 follows exactly."""
    permutation: Real | None
    """Equivariance residual with the best permutation of channels; null if it was not fitted."""


class Intervention(AuditSection, frozen=True, kw_only=True):
    """What changing one thing in a copy of the model does to one output."""

    output: str = ""
    """The output."""
    layer: str | UnsetType = UNSET
    """The layer that was changed. Absent if several were."""
    other: str | UnsetType = UNSET
    """The layer whose weights it was given, in exchange for its own. Absent if there is none."""
    before: Real
    """How much the output says: information in bits, or its relative spread without classes."""
    after: Real
    """The same after the change."""
    score: Real | UnsetType = UNSET
    """Accuracy or R² on your labels after the change. Absent where that is not measured."""
    excess: Real | UnsetType = UNSET
    """Size of the head's bias in standard deviations of the pre-bias activation."""
    responsible: bool | UnsetType = UNSET
    """Whether what was changed is why the output says little."""


class BehaviourSection(OptionalSection, frozen=True, kw_only=True):
    """What running the model showed. Only `skipped_reason` is there if the model was not run."""

    runtime: str = ""
    """The runtime that answered."""
    inputs: ProbeInputs | UnsetType = UNSET
    """What the model was given."""
    noise_floor: Real | UnsetType = UNSET
    """Largest difference between two runs on the same inputs."""
    deterministic: bool | UnsetType = UNSET
    """Whether the same inputs gave the same outputs."""
    outputs: tuple[OutputBehaviour, ...] = ()
    """How each output behaves."""
    dead: Mapping[str, Real] = {}
    """Share of dead channels, by layer."""
    residuals: tuple[LayerResidual, ...] = ()
    """How well layers follow the first transform."""
    interventions: Mapping[str, Intervention] = {}
    """What was changed in copies of the model, by intervention."""
    batchnorm: tuple[BatchNormFit, ...] = ()
    """Fit of the stored statistics of each batch normalization, in execution order."""
    repeat_differs: bool | None = None
    """Whether the same batches gave other outputs when they ran again; null if not recorded."""
    training_flag_matters: bool | None = None
    """Whether `model(x)` differs from `model(x, training=False)`; null if it was not tested."""
    sensitivity: tuple[SensitivityCurve, ...] = ()
    """What gradual changes of your inputs do to the first output that depends on them."""
    skipped: Mapping[str, str] = {}
    """Measurements that were not made, and why."""
    skipped_reason: str | UnsetType = UNSET
    """Why the model was not run. Absent if it was."""

    @property
    def empty(self) -> bool:
        """Whether the model was not run."""
        return not self.runtime

    @property
    def accuracies(self) -> dict[str, float]:
        """Accuracy in [0, 1] on the inputs as given, by output, where there were labels."""
        shares = {output.name: finite(output.accuracy.get("e")) for output in self.outputs}
        return {name: share for name, share in shares.items() if share is not None}
