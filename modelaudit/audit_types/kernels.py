"""Static measures of the weights. Transforms are named as in `modelaudit.measures.summary`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

from modelaudit.audit_types.values import Count, OptionalSection, Real
from modelaudit.facts import Json

InitialState: TypeAlias = Literal["fresh", "trained", "undecidable"]
ConstantKind: TypeAlias = Literal["dead", "saturated", "zero"]


class KernelSymmetry(Struct, frozen=True):
    """Symmetry of one spatial kernel under flips and turns. Numbers are missing for 1x1 kernels."""

    route: str
    """The layer."""
    kind: str
    """The operation: conv, depthwise or transpose."""
    shape: tuple[int, ...]
    """Shape of the kernel."""
    slices: Count = 0
    """Number of spatial slices: pairs of an input and an output channel."""
    undefined: str = ""
    """Why there are no numbers; empty if there are."""
    even: Mapping[str, Real] = field(default_factory=dict)
    """Even fraction of the energy without the mean, in [0, 1], by transform."""
    baseline: Mapping[str, Real] = field(default_factory=dict)
    """Expected `even` of independent weights, by transform."""
    score: Mapping[str, float] = field(default_factory=dict)
    """0 as random weights, 1 symmetric, below 0 less symmetric than random; by transform."""
    z: Mapping[str, Real] = field(default_factory=dict)
    """Deviation from random weights in standard deviations, by transform."""
    energies: Mapping[str, Real] = field(default_factory=dict)
    """Share of the energy by irreducible representation: A1, A2, B1, B2, E."""
    expected: Mapping[str, Real] = field(default_factory=dict)
    """Expected `energies` of independent weights."""
    twins: Mapping[str, Mapping[str, Real]] = field(default_factory=dict)
    """Matching of filters with mirrored ones, by transform: matched, expected, score, z."""


class KernelInitialization(Struct, frozen=True):
    """Whether a kernel is still at its initial values."""

    route: str
    """The layer."""
    tensor: str
    """Name of the kernel's tensor."""
    initializer: str
    """The initializer that it is tested against."""
    state: InitialState
    """fresh (bound, bias and distribution all say so), trained, or undecidable."""
    reason: str = ""
    """Why the state is what it is; empty for a kernel that no test contradicts."""
    weights: Count = 0
    """Number of weights."""
    tests: Mapping[str, Json] = field(default_factory=dict)
    """Numbers of each test."""
    guessed: bool = False
    """True if the file names no initializer and `initializer` is the closest usual one."""


class BatchNormState(Struct, frozen=True):
    """Stored statistics of one batch normalization."""

    route: str
    """The layer."""
    channels: Count
    """Number of channels."""
    statistics_initial: bool
    """True if all moving means are 0 and all moving variances 1, bitwise."""
    affine_initial: bool
    """True if all gammas are 1 and all betas 0, or absent."""
    min_variance: Real
    """Smallest moving variance."""


class ConstantLayer(Struct, frozen=True):
    """A layer whose output is the same for every input, by its stored weights."""

    route: str
    """The layer."""
    kind: ConstantKind
    """dead (no ReLU is ever above 0), saturated (a sigmoid, tanh or softmax), or zero kernel."""
    nonnegative: bool
    """True if that holds only for inputs without negative values."""
    outputs: tuple[str, ...]
    """The outputs of the model that are constant."""


class DeadUnits(Struct, frozen=True):
    """How many units of a ReLU layer are never above 0 for inputs of some range."""

    dead: Count
    """Units that give 0 for every input of the range."""
    units: Count
    """All units."""
    nonnegative: bool
    """True if that holds only for inputs without negative values."""


class OneWay(Struct, frozen=True):
    """A layer of which the averages of gradients have one sign for each unit."""

    rows: Count
    """Rows of its kernel that got gradients."""
    units: Count
    """Its units."""
    up: Count
    """Units that all gradients raise."""
    only: Count | None
    """The one of these, if there is one."""
    largest: Real
    """Largest magnitude of the averages of its bias."""
    sure: Real = 0.0
    """Probability that it gives the answer which they lead to, for the input that they tell of."""


class LastErrors(Struct, frozen=True):
    """What the averages of gradients of a layer say of the errors, and of the inputs, behind them.

    The average gradient of a weight beside that of its bias is the mean input, weighted by the
    errors.
    """

    rows: Count
    """Rows of its kernel, as many as it has inputs."""
    units: Count
    """Its units."""
    only: Count
    """The class that the gradients lead to: of one unit, 1 if they raise it and 0 if not."""
    raised: Count
    """Units that they raise."""
    error: Real
    """Mean error of that class, in its size."""
    score: Real
    """By how much the score of that class is above the others together, at the mean input."""
    low: Real
    """Least value of the mean inputs."""
    high: Real
    """Largest value of the mean inputs."""
    alike: Real
    """Least cosine between the mean inputs of two units; 1 of one unit."""
    of_squares: bool = False
    """Whether error and inputs are root mean squares, of an optimizer that keeps no averages of the
    gradients themselves. These have no sign: the inputs are taken to have none."""
    lowered: tuple[Count, ...] = ()
    """Classes that all gradients lower, and of late hardly, with biases below the middle one."""
    along: Real = 0.0
    """Mean cosine between the mean input of a unit and its weights."""
    ahead: Real = 0.0
    """Share of the units where it is above 0."""


class SidedColumns(Struct, frozen=True):
    """The weights of several units that left the range of their initializer, by their side."""

    only: Count
    """The unit with the largest bias."""
    up: Count
    """Weights of that unit above the range."""
    against: Count
    """Weights of it below, and of all others above the range."""
    bias: Real
    """Least bias, in its size, by the spread of the draws; 0 if another one is above 0."""


class ColumnSigns(Struct, frozen=True):
    """The inputs of a layer in training, by the averages of its gradients and those of its bias."""

    size: Real
    """Root mean square of all columns."""
    agreed: Real
    """Share of its weights whose average gradient has the sign of that of their bias."""
    weights: Count
    """Number of weights that were compared."""


class FilterPair(Struct, frozen=True):
    """A filter and the one that is nearest to its mirror image."""

    index: Count
    """Output channel of the filter."""
    partner: Count
    """Output channel of the nearest one."""
    score: Real
    """Cosine between the partner and the mirrored filter, in [-1, 1]."""
    values: tuple[tuple[Real, ...], ...]
    """Values (height, width) of one input channel, or their mean over up to three."""
    partner_values: tuple[tuple[Real, ...], ...]
    """The same of the partner."""


class FilterGallery(Struct, frozen=True):
    """Filters of one layer."""

    route: str
    """The layer."""
    transform: str
    """The transform that mirrors."""
    filters: tuple[FilterPair, ...]
    """Filters, the most asymmetric ones first."""


class DirectionShare(Struct, frozen=True):
    """One part of the energy of a layer's filters without their mean."""

    share: Real
    """Share of the energy, in [0, 1]."""
    expected: Real
    """Expected share of random weights."""
    z: Real
    """Deviation from random weights in standard deviations."""


class DirectionalFilter(Struct, frozen=True):
    """A filter that carries much of the leading part."""

    index: Count
    """Output channel of the filter."""
    share: Real
    """Its share of the leading part of all filters of the layer, in [0, 1]."""
    values: tuple[tuple[Real, ...], ...]
    """Values (height, width) of one input channel, or their mean over up to three."""


class KernelDirections(Struct, frozen=True):
    """Which directional features the filters of one layer compute."""

    route: str
    """The layer."""
    shape: tuple[int, ...]
    """Shape of the kernel."""
    slices: Count
    """Number of spatial slices: pairs of an input and an output channel."""
    shares: Mapping[str, DirectionShare]
    """By part: left-right and up-down (first derivatives: edges), bars (along the axes), diagonal,
    and none (the same in all directions)."""
    leading: str = ""
    """The part that exceeds its expected share most; empty if none does clearly."""
    filters: tuple[DirectionalFilter, ...] = ()
    """Filters that carry most of the leading part; of the first few layers."""


class SymmetrySection(OptionalSection, frozen=True, kw_only=True):
    """Measures of the weights alone; `{}` if nothing was measured."""

    layers: tuple[KernelSymmetry, ...] = ()
    """Symmetry of each kernel: H left-right, V up-down, r180 half turn, T and AT the diagonals."""
    initialization: tuple[KernelInitialization, ...] = ()
    """Test of every kernel against its initializer."""
    batchnorm: tuple[BatchNormState, ...] = ()
    """State of every batch normalization."""
    constant: tuple[ConstantLayer, ...] = ()
    """Layers whose output is the same for every input, by interval arithmetic."""
    gallery: tuple[FilterGallery, ...] = ()
    """Filters of some layers, with their mirrored partners."""
    directions: tuple[KernelDirections, ...] = ()
    """Directional features of the filters of each layer with square kernels."""
    skipped: Mapping[str, str] = {}
    """Measurements that were not made, and why."""
