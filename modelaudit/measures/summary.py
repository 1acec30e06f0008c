"""The numbers that measuring one model gives, as frozen values.

Static measures need only the file; `Behaviour` needs the model to have been run.
Transform names are those of the dihedral group D4 acting on (height, width): e, H (left-right),
V (up-down), r90, r180, r270, T (transpose), AT (anti-transpose); `flip` on sequences;
`x0`, `x1`, `x2` for the axis flips of volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelaudit.facts import Json


@dataclass(frozen=True, slots=True)
class KernelSymmetry:
    """Symmetry of one spatial kernel.

    All mappings are keyed by transform (`energies`, `expected` by irreducible representation
    A1, A2, B1, B2, E). `even` is the AC even fraction f_g in [0, 1], `baseline` its expectation
    for independent weights, `score` s_g (0 random, 1 symmetric, negative antisymmetric), `z` the
    deviation from the null in standard deviations. None where undefined (1x1 kernels).
    `twins` maps a transform to {score, z, matched} of mirrored-twin matching.
    """

    route: str
    kind: str
    shape: tuple[int, ...]
    slices: int
    undefined: str = ""
    even: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    score: Mapping[str, float] = field(default_factory=dict)
    z: Mapping[str, float] = field(default_factory=dict)
    energies: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    mean_kernel: float | None = None
    mean_kernel_q99: float | None = None
    twins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    health: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KernelInitialization:
    """Is this kernel still at its initial values?

    `state` is fresh (bound, bias and distribution all say so), trained, or undecidable (with
    `reason`). `tests` holds each test's numbers. `guessed`: the file names no initializer, and
    `initializer` is the closest of the usual ones.
    """

    route: str
    tensor: str
    initializer: str
    state: str
    reason: str = ""
    weights: int = 0
    tests: Mapping[str, Json] = field(default_factory=dict)
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class BatchNormState:
    """State of one BatchNormalization's stored statistics.

    `statistics_initial`: moving_mean all 0 and moving_variance all 1, bitwise.
    `affine_initial`: gamma all 1 and beta all 0 (or absent).
    """

    route: str
    channels: int
    statistics_initial: bool
    affine_initial: bool
    min_variance: float


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Does a windowed layer's sampling grid mirror onto itself, per spatial axis?"""

    route: str
    class_name: str
    size: tuple[int, ...]  # input size per axis
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    symmetric: tuple[bool, ...]  # per axis (height, width)


@dataclass(frozen=True, slots=True)
class LayerField:
    """Receptive field of a layer, smallest and largest over all paths, per spatial axis."""

    route: str
    minimum: tuple[int, ...]
    maximum: tuple[int, ...]
    jump: tuple[int, ...]
    output_size: tuple[int | None, ...]
    border: bool = False  # adds no new pixels: predecessors already see the whole input


@dataclass(frozen=True, slots=True)
class ArchitectureProfile:
    """What the saved architecture alone implies."""

    grids: tuple[WindowGrid, ...] = ()
    fields: tuple[LayerField, ...] = ()
    input_size: tuple[int | None, ...] = ()
    augmentation: tuple[str, ...] = ()  # routes of RandomFlip, RandomRotation …
    rescaling: tuple[str, ...] = ()  # routes of Rescaling, Normalization, honest Lambdas
    head: str = ""  # gap | flatten | spatial | dense | unknown
    total_stride: tuple[int, ...] = ()
    antialiased: bool = False


@dataclass(frozen=True, slots=True)
class FilterPair:
    """A filter and the one nearest to its mirror image; `score` is their cosine in [-1, 1].

    `values` are (height, width) of one input channel, or the mean over up to three.
    """

    index: int
    partner: int
    score: float
    values: tuple[tuple[float, ...], ...]
    partner_values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class FilterGallery:
    """Filters of one layer, the most asymmetric under `transform` first."""

    route: str
    transform: str
    filters: tuple[FilterPair, ...]


@dataclass(frozen=True, slots=True)
class Measurements:
    """All static measures of one model."""

    symmetry: tuple[KernelSymmetry, ...] = ()
    initialization: tuple[KernelInitialization, ...] = ()
    batchnorm: tuple[BatchNormState, ...] = ()
    profile: ArchitectureProfile | None = None
    gallery: tuple[FilterGallery, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)  # what was not measured -> why


@dataclass(frozen=True, slots=True)
class TransformEffect:
    """What one transform of the input does to one output.

    `agreement` (top-1) with its 95 % Wilson interval and `kappa` are None for outputs without
    classes; `kappa` also where one side is constant. `nfv` is None under collapse.
    `action` is how the output moves with the input: invariant, odd, swap, spatial.
    """

    name: str
    n: int
    agreement: float | None = None
    agreement_ci: tuple[float, float] | None = None
    kappa: float | None = None
    js: float | None = None
    js_ci: tuple[float, float] | None = None
    tv: float | None = None
    tv_ci: tuple[float, float] | None = None
    nfv: float | None = None
    action: str = "invariant"
    scrambled_ratio: float | None = None
    max_abs_diff: float | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collapse:
    """Does the output depend on the input? `information` is I_e in bits, of at most log2 K."""

    collapsed: bool
    information: float | None
    classes: int | None
    top_class: int | None
    top_share: float | None
    spread: float  # standard deviation of the output over inputs, relative to its scale


@dataclass(frozen=True, slots=True)
class OutputBehaviour:
    """How one output behaves. `kind`: softmax, logits, sigmoid, regression, spatial, embedding."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    collapse: Collapse
    transforms: tuple[TransformEffect, ...] = ()
    orientation: Mapping[str, float] = field(default_factory=dict)  # I_g in bits
    orientation_ci: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    domain: Mapping[str, float] = field(default_factory=dict)  # bits per value transform
    margin: float | None = None  # median lead of the best class, nats
    domain_margin: Mapping[str, float] = field(default_factory=dict)  # the same per value transform
    accuracy: Mapping[str, float] = field(default_factory=dict)  # per transform, with labels
    renumbered: float | None = None  # accuracy with the classes paired anew with the labels
    fit: Mapping[str, float] = field(default_factory=dict)  # R2 on targets per transform
    per_class: tuple[Mapping[str, Json], ...] = ()
    floor: Mapping[str, float] = field(default_factory=dict)  # NFV with symmetrised kernels
    synthetic_information: float | None = None  # I_e in bits on the built-in probe mix
    saturated: float = 0.0  # share of inputs with nothing left of all classes but one
    nonfinite: float = 0.0  # share of inputs whose output holds NaN or infinity


@dataclass(frozen=True, slots=True)
class BatchNormFit:
    """How well one BatchNormalization's stored statistics fit what flows into it.

    Over channels: `mean_deviation` is the median of |empirical mean - moving mean| / moving
    standard deviation, `log_variance` the median of |log(empirical / moving variance)|, and
    `misfit` = max(mean_deviation, log_variance / 3). `domain` is mean_deviation again for inputs
    after each value transform. Of a misfit over `batchnorm.MISFIT`, `settled` is the share in
    (0, 1] of the way from mean 0 and variance 1 to what flows in at which the statistics fit best,
    and `settled_misfit` the misfit there.
    """

    route: str
    mean_deviation: float
    log_variance: float
    misfit: float
    domain: Mapping[str, float] = field(default_factory=dict)
    orientation: Mapping[str, float] = field(default_factory=dict)
    settled: float | None = None
    settled_misfit: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeInputs:
    """What was fed. `kind` is synthetic or user."""

    kind: str
    n: int
    shape: tuple[int, ...]
    value_range: tuple[float, float]
    seed: int | None = None
    source: str = ""
    labelled: bool = False
    largest_class: float | None = None  # share of the commonest label in [0, 1], with labels
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Everything that running one model on probe inputs showed."""

    runtime: str
    inputs: ProbeInputs
    noise_floor: float
    deterministic: bool
    outputs: tuple[OutputBehaviour, ...]
    dead: Mapping[str, float] = field(default_factory=dict)  # layer -> share of dead channels
    residuals: tuple[Mapping[str, Json], ...] = ()
    interventions: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    batchnorm: tuple[BatchNormFit, ...] = ()  # in execution order
    training_flag_matters: bool | None = None  # model(x) differs from model(x, training=False)
    skipped: Mapping[str, str] = field(default_factory=dict)
