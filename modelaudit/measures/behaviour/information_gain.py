"""How much more the predictions say about the inputs in another form, compared input by input.

The mutual information of inputs and predictions needs no labels. It is larger for inputs like those
of the training: they are told apart, and with confidence. Two things are compared, because larger
values alone make a network more confident:

* the information as it is, for forms that keep the values (orientations, channel order);
* the information at equal confidence, for all forms: the scores of each form are scaled by one
  factor until the mean entropy of the predictions is the same (temperature scaling, Guo et al.,
  2017). What is left is whether different inputs get different predictions.

A third comparison is that of predictions for images and for their mirror images, at equal
confidence: an image that is recognised mostly is so mirrored as well, and in another form, two
wrong predictions agree by chance only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import InformationGain
from modelaudit.measures.behaviour.transform_effects import entropy
from modelaudit.thresholds.answers import TIED_Z

DRAWS = 400
MAX_DRAWN = 1 << 22  # resampled means in memory
ENTROPY_SHARE = 0.3  # of log2 K, that every form's predictions are scaled to
BOUND = 0.1  # of the agreement with a single input
_STEPS = 16  # of the bisection of the temperature
_SMALLEST = 1e-30  # probability; smaller ones underflow in float32


def information_gains(
    outputs: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    mirrored: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, InformationGain]:
    """The gain of each form of the inputs other than `e`.

    Args:
        outputs: form -> result of `outputs.probabilities`, (n, K) or (n, L, 2), of equal shape.
        rng: for the bootstrap, in which all forms are resampled jointly.
        mirrored: the same for the mirror images in that form, of some forms.
    """
    n = len(outputs["e"])
    weights = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) / n
    drawn = {name: resampled_information(p, weights) for name, p in outputs.items()}
    equal, agreed = {}, {}
    if outputs["e"].ndim == 2 and outputs["e"].shape[1] > 1:
        scaled = {name: at_equal_confidence(p) for name, p in outputs.items()}
        equal = {name: resampled_information(p, weights) for name, p in scaled.items()}
        agreed = {
            name: resampled_agreement(scaled[name], at_equal_confidence(p), weights)
            for name, p in (mirrored or {}).items()
            if name in scaled
        }
    found = {}
    for name in outputs:
        if name == "e":
            continue
        bits, z = _difference(drawn[name], drawn["e"])
        compared = equal or drawn
        equal_bits, equal_z = _difference(compared[name], compared["e"])
        mirror = _difference(agreed[name], agreed["e"]) if {name, "e"} <= set(agreed) else None
        found[name] = InformationGain(
            bits=bits,
            z=z,
            equal_bits=equal_bits if equal else None,
            equal_z=equal_z if equal else None,
            also=tied_forms(drawn, name),
            mirror_bits=mirror[0] if mirror else None,
            mirror_z=mirror[1] if mirror else None,
            surer_z=_surer(outputs["e"], outputs[name]),
        )
    return found


def _surer(given: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Mean fall of the entropy of each prediction from one form to another, in standard errors."""
    fall = (entropy(given) - entropy(other)).reshape(len(given), -1).mean(axis=1)
    return float(fall.mean() * np.sqrt(len(fall)) / max(float(fall.std()), 1e-9))


def tied_forms(drawn: Mapping[str, NDArray[np.float64]], name: str) -> tuple[str, ...]:
    """Forms other than `e` whose information does not differ from that of `name`.

    Args:
        drawn: information of each resample (draws,) by form, resampled jointly.
    """
    return tuple(
        other
        for other in drawn
        if other not in {"e", name}
        and abs(_difference(drawn[name], drawn[other])[1]) < TIED_Z.value
    )


def at_equal_confidence(
    p: NDArray[np.float64], share: float = ENTROPY_SHARE
) -> NDArray[np.float64]:
    """The distributions (n, K), sharpened or flattened by one factor to a fixed mean entropy.

    `share` is that entropy, of log2 K.
    """
    scores = np.log(np.maximum(p, _SMALLEST))
    scores -= scores.max(axis=1, keepdims=True)
    target = share * np.log(p.shape[1])
    low, high = -10.0, 10.0  # of the factor's logarithm
    for _ in range(_STEPS):
        middle = (low + high) / 2
        scaled = scores * np.exp(middle)
        powers = np.exp(scaled)
        total = powers.sum(axis=1)
        nats = np.log(total) - np.einsum("nk,nk->n", powers, scaled) / total  # the entropies
        low, high = (middle, high) if nats.mean() > target else (low, middle)
    powers = np.exp(scores * np.exp((low + high) / 2))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of a - b over the resamples, and the mean in standard deviations."""
    difference = a - b
    mean, deviation = float(difference.mean()), float(difference.std())
    return mean, mean / max(deviation, 1e-9)


def resampled_information(
    p: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(draws,) information of each resample; `weights` (draws, n) are shares of the inputs."""
    n, k = p.shape[0], p.shape[-1]
    flat = p.reshape(n, -1)
    certain = weights @ entropy(p).reshape(n, -1).mean(axis=1)
    step = max(1, MAX_DRAWN // flat.shape[1])
    means = [
        entropy((weights[i : i + step] @ flat).reshape(-1, flat.shape[1] // k, k)).mean(axis=1)
        for i in range(0, len(weights), step)
    ]
    result: NDArray[np.float64] = np.concatenate(means) - certain
    return result


def resampled_agreement(
    p: NDArray[np.float64], q: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(draws,) how much two predictions (n, K) for each input agree, in each resample, in bits.

    The mean over inputs of log2((1 - c) sum_k p_k q_k / m_k + c), where m is the mean of all
    predictions: 0 if they agree as often as those for two different inputs, log2 K if they always
    do and are certain. c bounds the loss by a single input. `weights` as in
    `resampled_information`.
    """
    mean = np.maximum(weights @ (p + q) / 2, _SMALLEST)
    lift = (p * q) @ (1 / mean).T
    result: NDArray[np.float64] = (weights.T * np.log2((1 - BOUND) * lift + BOUND)).sum(axis=0)
    return result
