"""Whether an output depends on its input, and if not, whether the head's bias is the cause."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import Collapse
from modelaudit.measures.behaviour.orientation import information
from modelaudit.measures.behaviour.outputs import class_count, predicted, probabilities
from modelaudit.thresholds.answers import (
    BIAS_EXCESS,
    BIAS_GAIN,
    CONSTANT,
    LARGE_BIAS_EXCESS,
    LARGE_BIAS_GAIN,
    LARGE_BIAS_RATIO,
    MIN_BITS,
    MIN_BITS_SHARE,
    MIN_SPREAD,
    ONE_CLASS,
    TOP_SHARE,
)


class InputDiversity(Struct, frozen=True):
    """What is known about the diversity of the inputs.

    Attributes:
        synthetic: whether the inputs are synthetic, which are diverse by design.
        largest_class: share of the most frequent label.
        synthetic_information: bits on synthetic inputs in the same value range. Used if there are
            no labels, to distinguish a collapsed model from inputs of a single class.
        batchnorm_consistent: whether the stored statistics fit the inputs, likewise; None without
            BatchNormalization layers.
    """

    synthetic: bool = False
    largest_class: float | None = None
    synthetic_information: float | None = None
    batchnorm_consistent: bool | None = None

    @property
    def excuses(self) -> bool:
        """Whether a healthy model could give a constant output for these inputs."""
        if self.synthetic:
            return False
        if self.largest_class is not None:
            return self.largest_class >= ONE_CLASS.value
        varied = (
            self.synthetic_information is not None and self.synthetic_information >= MIN_BITS.value
        )
        return varied and self.batchnorm_consistent is not False


def collapse(values: NDArray[np.floating], kind: str, diversity: InputDiversity) -> Collapse:
    """Decide whether an output has collapsed.

    With classes: less than max(0.1, 3 % of log2 K) bits of information about diverse inputs.
    Without: a standard deviation over inputs below 1e-4 of the output's root mean square.

    Args:
        values: outputs for n inputs, (n, ...).
        kind: result of `outputs.output_kind`.
    """
    p, labels = probabilities(values, kind), predicted(values, kind)
    spread, bound = relative_spread(values), share_at_bound(values)
    if p is None or labels is None or len(labels) == 0:
        constant = spread < MIN_SPREAD.value and len(values) > 1
        return Collapse(constant and not diversity.excuses, None, None, None, None, spread, bound)
    classes = class_count(values, kind) or 2
    bits = information(p)
    counts = np.bincount(labels)
    return Collapse(
        collapsed=bits < bits_limit(classes) and not diversity.excuses,
        information=bits,
        classes=classes,
        top_class=int(counts.argmax()),
        top_share=float(counts.max() / len(labels)),
        spread=spread,
        at_bound=bound,
    )


def share_at_bound(values: NDArray[np.floating]) -> float:
    """Share of the values (n, ...) within `CONSTANT` of a whole number, in [0, 1]."""
    near = np.abs(values - np.rint(values)) <= CONSTANT.value
    return float(near.mean()) if values.size else 0.0


def bits_limit(classes: int) -> float:
    """Information in bits below which an output with this many classes has collapsed."""
    return max(MIN_BITS.value, MIN_BITS_SHARE.value * math.log2(max(classes, 2)))


def relative_spread(values: NDArray[np.floating]) -> float:
    """Standard deviation of (n, ...) over inputs divided by the root mean square, in [0, 1]."""
    if values.size == 0:
        return 0.0
    flat = values.reshape(len(values), -1).astype(np.float64)
    square = float((flat**2).mean())
    return math.sqrt(float(flat.var(axis=0).mean()) / square) if square > 0 else 0.0


def share_of_scale(values: NDArray[np.floating], kind: str) -> float:
    """Standard deviation of (n, ...) over inputs, relative to the size that an output can have.

    That is 1 for a sigmoid. Others are compared with themselves: of many classes, each has a small
    probability only.
    """
    flat = values.reshape(len(values), -1).astype(np.float64)
    if kind == "sigmoid":
        return math.sqrt(float(flat.var(axis=0).mean())) if flat.size else 0.0
    return relative_spread(values)


def odds_range(values: NDArray[np.floating], kind: str) -> float | None:
    """Largest difference of a class's log-odds between two of n inputs, for outputs (n, ...).

    None without classes, or where a probability is rounded to 0 or 1.
    """
    p = probabilities(values, kind)
    if p is None or not p.size or not ((p > 0) & (p < 1)).all():
        return None
    return float(np.ptp(np.log(p) - np.log1p(-p), axis=0).max())


def informativeness(values: NDArray[np.floating], kind: str) -> float:
    """What an output (n, ...) says: bits if it has classes, else its relative spread."""
    known = np.nan_to_num(values)
    p = probabilities(known, kind)
    return information(p) if p is not None else relative_spread(known)


class BiasEffect(Struct, frozen=True):
    """Effect of the head's bias on the output.

    Attributes:
        before, after: bits (outputs with classes) or relative spread, with the stored and with the
            centred bias.
        excess: largest distance of the bias from its median (from 0 for a single unit), in
            standard deviations of the pre-activations.
        responsible: whether the bias causes the collapse.
    """

    before: float
    after: float
    excess: float
    responsible: bool


def centred_bias(bias: NDArray[np.floating]) -> NDArray[np.floating]:
    """A bias that prefers no class: its mean everywhere, or 0 for a single unit."""
    return np.zeros_like(bias) if bias.size == 1 else np.full_like(bias, bias.mean())


def bias_effect(
    stored: NDArray[np.floating],
    centred: NDArray[np.floating],
    kind: str,
    bias: NDArray[np.floating],
    pre_activations: NDArray[np.floating],
) -> BiasEffect:
    """Decide whether the head's bias is the reason why an output has little information.

    It is if centring the bias restores a collapsed output: by 0.3 bits, or for a very large bias
    by 0.05 bits and a factor of ten. It also is, for a moderate bias, if one class has more than
    half of the inputs, centring gains more than 0.3 bits, and the largest distance of the bias
    from its median is over two standard deviations of the pre-activations.

    Args:
        stored, centred: outputs with the stored bias and with `centred_bias`, (n, ...).
        kind: result of `outputs.output_kind`.
        bias: (units,).
        pre_activations: inputs of the head's activation, (n, ..., units).
    """
    flat = pre_activations.reshape(-1, bias.size).astype(np.float64)
    deviation = float(flat.std(axis=0).mean())
    middle = 0.0 if bias.size == 1 else float(np.median(bias))
    distance = float(np.abs(bias.astype(np.float64) - middle).max())
    excess = distance / deviation if deviation > 0 else (math.inf if distance > 0 else 0.0)
    p, p_centred = probabilities(stored, kind), probabilities(centred, kind)
    if p is None or p_centred is None:
        before, after = relative_spread(stored), relative_spread(centred)
        restored = before < MIN_SPREAD.value <= after
        return BiasEffect(before, after, excess, restored)
    before, after = information(p), information(p_centred)
    share = collapse(stored, kind, InputDiversity(synthetic=True)).top_share or 0.0
    limit = bits_limit(class_count(stored, kind) or 2)
    large = excess > LARGE_BIAS_EXCESS.value and after > LARGE_BIAS_RATIO.value * before
    gain = LARGE_BIAS_GAIN.value if large else BIAS_GAIN.value
    restored = before < limit and after - before > gain
    moderate = after - before > BIAS_GAIN.value and share > TOP_SHARE.value
    return BiasEffect(before, after, excess, restored or (moderate and excess > BIAS_EXCESS.value))
