"""Results of measuring a model, as frozen values.

Static measures need only the file; `Behaviour` requires running the model. Transforms are named
after the elements of the dihedral group D4 on (height, width): e, H (left-right), V (up-down), r90,
r180, r270, T (transpose), AT (anti-transpose); `flip` for sequences; `x0`, `x1`, `x2` for the axis
flips of volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelaudit.facts import Json


@dataclass(frozen=True, slots=True)
class KernelSymmetry:
    """Symmetry of a spatial kernel.

    All mappings are keyed by transform (`energies` and `expected` by irreducible representation
    A1, A2, B1, B2, E) and empty where undefined (1x1 kernels).

    Attributes:
        even: AC even fraction f_g in [0, 1].
        baseline: expected f_g of independent weights.
        score: s_g; 0 for random, 1 for symmetric, negative for antisymmetric kernels.
        z: deviation of `even` from the null distribution, in standard deviations.
        twins: result of matching mirrored filters: {score, z, matched}.
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
    twins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KernelInitialization:
    """Whether a kernel still has its initial values.

    Attributes:
        initializer: initializer in the config, or the closest common one if `guessed`.
        state: fresh (bound, bias and distribution agree), trained, or undecidable.
        reason: why the state is undecidable.
        weights: number of weights tested.
        tests: numbers of each test.
        guessed: whether the file names no initializer.
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
    """State of the stored statistics of a BatchNormalization layer.

    Attributes:
        statistics_initial: moving_mean is 0 and moving_variance is 1 everywhere, bitwise.
        affine_initial: gamma is 1 and beta is 0 everywhere (or they are absent).
    """

    route: str
    channels: int
    statistics_initial: bool
    affine_initial: bool
    min_variance: float


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Whether the sampling grid of a windowed layer is mirror-symmetric, per spatial axis."""

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
    """Receptive field of a layer in pixels, per spatial axis, over all paths from the input."""

    route: str
    minimum: tuple[int, ...]
    maximum: tuple[int, ...]
    jump: tuple[int, ...]
    output_size: tuple[int | None, ...]
    border: bool = False  # adds no new pixels: its inputs already see the whole image


@dataclass(frozen=True, slots=True)
class ArchitectureProfile:
    """Properties that follow from the saved architecture alone."""

    grids: tuple[WindowGrid, ...] = ()
    fields: tuple[LayerField, ...] = ()
    input_size: tuple[int | None, ...] = ()
    augmentation: tuple[str, ...] = ()  # routes of RandomFlip, RandomRotation …
    rescaling: tuple[str, ...] = ()  # routes of Rescaling, Normalization, plain scaling Lambdas
    head: str = ""  # gap | flatten | spatial | dense | unknown
    total_stride: tuple[int, ...] = ()
    antialiased: bool = False


@dataclass(frozen=True, slots=True)
class FilterPair:
    """A filter and the filter nearest to its mirror image; `score` is their cosine in [-1, 1].

    `values` are (height, width): one input channel, or the mean of up to three.
    """

    index: int
    partner: int
    score: float
    values: tuple[tuple[float, ...], ...]
    partner_values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class FilterGallery:
    """Filters of one layer, most asymmetric under `transform` first."""

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
    skipped: Mapping[str, str] = field(default_factory=dict)  # measure -> why it was skipped


@dataclass(frozen=True, slots=True)
class TransformEffect:
    """Effect of one transform of the input on one output.

    `agreement` (top-1) with its 95 % Wilson interval and `kappa` are None for outputs without
    classes; `kappa` also if one side is constant. `nfv` is None for a collapsed output. `action`
    is how the output transforms with the input: invariant, odd, swap or spatial.
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
    """Whether the output depends on the input. `information` is I_e in bits, at most log2 K."""

    collapsed: bool
    information: float | None
    classes: int | None
    top_class: int | None
    top_share: float | None
    spread: float  # standard deviation of the output over inputs, relative to its scale


@dataclass(frozen=True, slots=True)
class OutputBehaviour:
    """Behaviour of one output. `kind`: softmax, logits, sigmoid, regression, spatial, embedding."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    collapse: Collapse
    transforms: tuple[TransformEffect, ...] = ()
    orientation: Mapping[str, float] = field(default_factory=dict)  # I_g in bits
    orientation_ci: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    domain: Mapping[str, float] = field(default_factory=dict)  # bits per value transform
    margin: float | None = None  # median margin of the top class, nats
    domain_margin: Mapping[str, float] = field(default_factory=dict)  # `margin` per value transform
    accuracy: Mapping[str, float] = field(default_factory=dict)  # per transform, with labels
    renumbered: float | None = None  # accuracy under the best one-to-one mapping of classes
    fit: Mapping[str, float] = field(default_factory=dict)  # R2 on targets per transform
    per_class: tuple[Mapping[str, Json], ...] = ()
    floor: Mapping[str, float] = field(default_factory=dict)  # NFV with symmetrised kernels
    synthetic_information: float | None = None  # I_e in bits on the built-in probe mix
    saturated: float = 0.0  # share of inputs for which all other probabilities underflow
    nonfinite: float = 0.0  # share of inputs whose output has NaN or infinity


@dataclass(frozen=True, slots=True)
class BatchNormFit:
    """How well the stored statistics of a BatchNormalization layer fit its actual inputs.

    Attributes:
        mean_deviation: median over channels of |empirical mean - moving mean| / moving standard
            deviation.
        log_variance: median over channels of |log(empirical variance / moving variance)|.
        misfit: max(mean_deviation, log_variance / 3).
        domain: `mean_deviation` after each value transform of the inputs.
        settled: for a misfit over `MISFIT`, the share in (0, 1] of the way from mean 0
            and variance 1 to the empirical statistics at which the stored statistics fit best.
        settled_misfit: the misfit at that point.
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
    """Inputs of the probe. `kind` is synthetic or user."""

    kind: str
    n: int
    shape: tuple[int, ...]
    value_range: tuple[float, float]
    seed: int | None = None
    source: str = ""
    labelled: bool = False
    largest_class: float | None = None  # share of the most frequent label in [0, 1], with labels
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Results of running a model on probe inputs."""

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
