"""What a Keras initializer draws, in every dialect, as distributions that weights can be held to.

Versions differ in details that the saved config does not tell (whether a truncated normal is
widened to make up for the cut, whether `normal` is cut at all), so an initializer gives all the
distributions that some version draws. Formulas: Glorot and Bengio 2010, He et al. 2015, LeCun et
al. 1998, as parametrised by Keras' VarianceScaling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modelaudit.facts import Json

# Standard deviation of a standard normal cut at two standard deviations.
TRUNCATED_STD = 0.87962566103423978
_CUT = 2.0


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution of initial weights.

    `kind` is uniform (`low` to `high`), normal (`mean`, `std`), truncated (normal of `mean` and
    `std` before the cut at two `std`), constant (`mean`), orthogonal or identity (`gain`).
    """

    kind: str
    low: float = -math.inf
    high: float = math.inf
    mean: float = 0.0
    std: float = 0.0
    gain: float = 1.0

    def cdf(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cumulative probability at `x`, for the three kinds that have a density."""
        if self.kind == "uniform":
            return np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)
        probability = _normal_cdf((x - self.mean) / self.std)
        if self.kind == "truncated":
            tail = float(_normal_cdf(np.array([-_CUT]))[0])
            probability = np.clip((probability - tail) / (1 - 2 * tail), 0.0, 1.0)
        return probability

    @property
    def random(self) -> bool:
        """Weights are drawn one by one, so that a distribution test applies."""
        return self.kind in ("uniform", "normal", "truncated")


@lru_cache(maxsize=1)
def _normal_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.linspace(-9, 9, 8193)
    return x, np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


def _normal_cdf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal, interpolated between exact values: within 2e-7, without scipy's import."""
    return np.interp(x, *_normal_table())


def uniform(limit: float) -> Distribution:
    """Uniform between -limit and limit."""
    return Distribution("uniform", low=-limit, high=limit)


def normal(std: float, mean: float = 0.0) -> Distribution:
    """Untruncated normal."""
    return Distribution("normal", mean=mean, std=std)


def truncated(std: float, mean: float = 0.0) -> Distribution:
    """Normal of deviation `std`, redrawn beyond two deviations (so its own is smaller)."""
    low, high = mean - _CUT * std, mean + _CUT * std
    return Distribution("truncated", low=low, high=high, mean=mean, std=std)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan-in and fan-out of a stored kernel as Keras counts them.

    Keras takes the last two stored axes for in and out, whatever they mean: a transposed
    convolution's are therefore swapped, and a depthwise kernel's fan-out is its multiplier.
    """
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = float(math.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


def candidates(initializer: Mapping[str, Json], shape: tuple[int, ...]) -> tuple[Distribution, ...]:
    """Every distribution that some Keras version draws for this saved initializer.

    Args:
        initializer: {"class_name", "config"} as saved; Keras 1's function names too.
        shape: stored shape of the kernel.

    Returns:
        Empty for an initializer that is unknown or whose config makes no sense.
    """
    name = canonical_name(initializer)
    saved = initializer.get("config")
    config = saved if isinstance(saved, Mapping) else {}
    fan_in, fan_out = fans(shape)
    if name in _SCALED:
        scale, mode, distribution = _SCALED[name]
        return _scaled(scale, mode, distribution, fan_in, fan_out)
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


def standard_candidates(shape: tuple[int, ...]) -> dict[str, Distribution]:
    """The nine initializers that nearly all layers start from, for weights without a config."""
    fan_in, fan_out = fans(shape)
    found: dict[str, Distribution] = {}
    for name in ("glorot", "he", "lecun"):
        for law in ("uniform", "normal"):
            scale, mode, distribution = _SCALED[name + law]
            found[f"{name}_{law}"] = _scaled(scale, mode, distribution, fan_in, fan_out)[0]
    found["random_uniform"] = uniform(0.05)
    found["random_normal"] = normal(0.05)
    found["truncated_normal"] = truncated(0.05)
    return found


def canonical_name(initializer: Mapping[str, Json]) -> str:
    """`GlorotUniform`, `glorot_uniform`, `GlorotUniformV2` … as `glorotuniform`."""
    name = str(initializer.get("class_name") or "").rpartition(".")[2].rpartition(">")[2]
    plain = name.replace("_", "").lower()
    plain = plain.removesuffix("v1").removesuffix("v2").removesuffix("initializer")
    return {"xavieruniform": "glorotuniform", "xaviernormal": "glorotnormal"}.get(plain, plain)


_TITLES: tuple[str, ...] = (
    *("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"),
    *("RandomUniform", "RandomNormal", "TruncatedNormal", "VarianceScaling", "Orthogonal"),
    *("Identity", "Zeros", "Ones", "Constant"),
)


def display_name(canonical: str) -> str:
    """`glorotuniform` as Keras writes it; names of other makers stay as they are."""
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
    value = config.get(key)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else default
