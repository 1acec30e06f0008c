"""Distributions of Keras initializers, in all versions, for testing weights against.

Versions differ in details that are not in the saved config (whether a truncated normal is widened
to have the nominal variance, whether `normal` is truncated), so an initializer gives all
distributions that some version draws from. Formulas: Glorot and Bengio (2010), He et al. (2015),
LeCun et al. (1998), as parametrised by Keras's VarianceScaling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.values import number
from modelaudit.facts import Json

# Standard deviation of a standard normal distribution truncated at two standard deviations.
TRUNCATED_STD = 0.87962566103423978
_CUT = 2.0
ORTHOGONAL_SIDE = 4  # ten conditions on a matrix
CONSTANT_INITIALIZERS = frozenset({"zeros", "zero", "ones", "one", "constant"})


class Distribution(Struct, frozen=True):
    """A distribution of initial weights.

    `kind` is uniform (`low` to `high`), normal (`mean`, `std`), truncated (normal with `mean` and
    `std` before truncation at two `std`), constant (`mean`), orthogonal or identity (`gain`).
    """

    kind: str
    low: float = -math.inf
    high: float = math.inf
    mean: float = 0.0
    std: float = 0.0
    gain: float = 1.0

    def cdf(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cumulative distribution function at `x`, for uniform, normal and truncated."""
        if self.kind == "uniform":
            return _within_one((x - self.low) / (self.high - self.low))
        probability = _normal_cdf((x - self.mean) / self.std)
        if self.kind == "truncated":
            tail = _tail()
            probability = _within_one((probability - tail) / (1 - 2 * tail))
        return probability

    def spread(self, shape: tuple[int, ...]) -> float:
        """Standard deviation of the weights of a kernel; 0 for constants."""
        if self.kind == "truncated":
            return self.std * TRUNCATED_STD
        if self.kind == "uniform":
            return (self.high - self.low) / math.sqrt(12)
        if self.kind == "orthogonal":
            return self.gain / math.sqrt(max(shape[-1], math.prod(shape[:-1]), 1))
        return self.std


def _within_one(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # np.clip takes several times as long for the few values of most kernels.
    return np.minimum(np.maximum(x, 0.0), 1.0)


@lru_cache(maxsize=1)
def _normal_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.linspace(-9, 9, 8193)
    return x, np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


@lru_cache(maxsize=1)
def _tail() -> float:
    """Probability of a value that the truncated normal distribution cuts off, on one side."""
    return float(_normal_cdf(np.array([-_CUT]))[0])


def _normal_cdf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal CDF, interpolated with an error below 2e-7; avoids importing scipy."""
    return np.interp(x, *_normal_table())


def uniform(limit: float) -> Distribution:
    """Uniform between -limit and limit."""
    return Distribution("uniform", low=-limit, high=limit)


def normal(std: float, mean: float = 0.0) -> Distribution:
    """Untruncated normal."""
    return Distribution("normal", mean=mean, std=std)


def truncated(std: float, mean: float = 0.0) -> Distribution:
    """Normal with standard deviation `std` before truncation at two standard deviations."""
    low, high = mean - _CUT * std, mean + _CUT * std
    return Distribution("truncated", low=low, high=high, mean=mean, std=std)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan-in and fan-out of a stored kernel, as computed by Keras.

    Keras uses the last two stored axes as in and out, whatever they mean: those of a transposed
    convolution are swapped, and the fan-out of a depthwise kernel is its multiplier.
    """
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = float(math.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


def candidates(initializer: Mapping[str, Json], shape: tuple[int, ...]) -> tuple[Distribution, ...]:
    """All distributions that some version of Keras draws from for a saved initializer.

    Args:
        initializer: {"class_name", "config"} as saved, including the function names of Keras 1.
        shape: stored shape of the kernel.

    Returns:
        Empty if the initializer is unknown or its config is invalid.
    """
    name = canonical_name(initializer)
    if name in _SCALED:
        return _usual(name, shape)
    saved = initializer.get("config")
    config = saved if isinstance(saved, Mapping) else {}
    fan_in, fan_out = fans(shape)
    if name == "variancescaling":
        return _scaled(
            _number(config, "scale", 1.0),
            str(config.get("mode", "fan_in")),
            str(config.get("distribution", "truncated_normal")),
            fan_in,
            fan_out,
        )
    mean = _number(config, "mean", 0.0)
    if name in ("randomuniform", "uniform"):
        scale = _number(config, "scale", 0.05)
        low, high = _number(config, "minval", -scale), _number(config, "maxval", scale)
        return (Distribution("uniform", low=low, high=high),) if low < high else ()
    if name in ("randomnormal", "normal"):
        std = _number(config, "stddev", _number(config, "scale", 0.05))
        return (normal(std, mean),) if std > 0 else ()
    if name == "truncatednormal":
        std = _number(config, "stddev", 0.05)
        return (truncated(std, mean),) if std > 0 else ()
    if name in ("zeros", "zero"):
        return (Distribution("constant", mean=0.0),)
    if name in ("ones", "one"):
        return (Distribution("constant", mean=1.0),)
    if name == "constant":
        value = _number(config, "value", math.nan if "value" in config else 0.0)
        return (Distribution("constant", mean=value),) if math.isfinite(value) else ()
    if name == "orthogonal":
        default = 1.1 if "scale" in config else 1.0
        return (Distribution("orthogonal", gain=_number(config, "gain", default)),)
    if name == "identity":
        return (Distribution("identity", gain=_number(config, "gain", 1.0)),)
    return ()


def one_value(initializer: Mapping[str, Json]) -> float | None:
    """What a random initializer without spread gives to all weights; None if it draws them.

    A deviation that was computed with whole numbers, such as 1 // rows, is 0.
    """
    saved = initializer.get("config")
    config = saved if isinstance(saved, Mapping) else {}
    name = canonical_name(initializer)
    if name in ("randomuniform", "uniform"):
        low, high = number(config.get("minval")), number(config.get("maxval"))
        return low if low is not None and low == high else None
    if name in ("randomnormal", "normal", "truncatednormal") and number(config.get("stddev")) == 0:
        return _number(config, "mean", 0.0)
    return None


@lru_cache(maxsize=256)
def _usual(name: str, shape: tuple[int, ...]) -> tuple[Distribution, ...]:
    """Those of an initializer without settings, of which each layer of a network may have one."""
    scale, mode, distribution = _SCALED[name]
    return _scaled(scale, mode, distribution, *fans(shape))


def einsum_candidates(
    initializer: Mapping[str, Json], shape: tuple[int, ...]
) -> tuple[Distribution, ...]:
    """The same for a kernel of three axes of EinsumDense, such as one of MultiHeadAttention.

    Keras 3.15 takes the contracted axes for inputs (`compute_fans` with `input_axes` in
    `keras/src/initializers/random_initializers.py`), as of a matrix; before, the last two axes
    counted, as in a convolution. Which axes are contracted is not known here: the first, or two.
    """
    flat = ((shape[0], math.prod(shape[1:])), (math.prod(shape[:-1]), shape[-1]))
    found = [each for axes in (shape, *flat) for each in candidates(initializer, axes)]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=256)
def standard_candidates(shape: tuple[int, ...]) -> Mapping[str, Distribution]:
    """The most common initializers, for weights without a config.

    Orthogonal ones only where a matrix cannot be orthogonal by chance.
    """
    fan_in, fan_out = fans(shape)
    found: dict[str, Distribution] = {}
    for name in ("glorot", "he", "lecun"):
        for law in ("uniform", "normal"):
            scale, mode, distribution = _SCALED[name + law]
            found[f"{name}_{law}"] = _scaled(scale, mode, distribution, fan_in, fan_out)[0]
    found["random_uniform"] = uniform(0.05)
    found["random_normal"] = normal(0.05)
    found["truncated_normal"] = truncated(0.05)
    if len(shape) > 1 and min(shape[-1], math.prod(shape[:-1])) >= ORTHOGONAL_SIDE:
        found["orthogonal"] = Distribution("orthogonal")
    return found


def canonical_name(initializer: Mapping[str, Json]) -> str:
    """Normalised name: `glorotuniform` for `GlorotUniform`, `glorot_uniform`, `GlorotUniformV2`."""
    said = initializer.get("class_name")
    if isinstance(said, str) and said in _CANONICAL:
        return _CANONICAL[said]
    name = str(said or "").rpartition(".")[2].rpartition(">")[2]
    plain = name.replace("_", "").lower()
    plain = plain.removesuffix("v1").removesuffix("v2").removesuffix("initializer")
    return {"xavieruniform": "glorotuniform", "xaviernormal": "glorotnormal"}.get(plain, plain)


_TITLES: tuple[str, ...] = (
    *("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"),
    *("RandomUniform", "RandomNormal", "TruncatedNormal", "VarianceScaling", "Orthogonal"),
    *("Identity", "Zeros", "Ones", "Constant"),
)


_CANONICAL: Mapping[str, str] = {title: title.lower() for title in _TITLES}


def display_name(canonical: str) -> str:
    """Keras's class name for `glorotuniform` and so on; other names are returned unchanged."""
    return next((title for title in _TITLES if title.lower() == canonical), canonical)


_SCALED: Mapping[str, tuple[float, str, str]] = {
    "glorotuniform": (1.0, "fan_avg", "uniform"),
    "glorotnormal": (1.0, "fan_avg", "truncated_normal"),
    "heuniform": (2.0, "fan_in", "uniform"),
    "henormal": (2.0, "fan_in", "truncated_normal"),
    "lecununiform": (1.0, "fan_in", "uniform"),
    "lecunnormal": (1.0, "fan_in", "truncated_normal"),
}


def _scaled(
    scale: float, mode: str, distribution: str, fan_in: float, fan_out: float
) -> tuple[Distribution, ...]:
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}.get(mode)
    if fan is None or scale <= 0:
        return ()
    variance = scale / max(1.0, fan)
    std = math.sqrt(variance)
    if distribution == "uniform":
        return (uniform(math.sqrt(3 * variance)),)
    if distribution == "untruncated_normal":
        return (normal(std),)
    if distribution in ("normal", "truncated_normal"):
        return (truncated(std / TRUNCATED_STD), truncated(std), normal(std))
    return ()


def _number(config: Mapping[str, Json], key: str, default: float) -> float:
    value = number(config.get(key))
    return value if value is not None and math.isfinite(value) else default
