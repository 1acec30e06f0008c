"""Laws of initializers: their distribution functions, and configs of any content."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.facts import Json
from modelaudit.measures.kernels import initializers
from modelaudit.measures.kernels.law_fit import law_fit
from modelaudit.measures.kernels.values import load_kernel
from tests.measures.artifacts import kernel, tensor

SHAPE = (3, 3, 16, 32)


@pytest.mark.parametrize("law", [initializers.normal(1.0), initializers.uniform(1.0)])
def test_draws_of_a_law_are_rejected_no_more_often_than_the_level_says(law) -> None:
    """Though several tests look at them, each of which could reject 0.15 of all draws."""
    rng, rejected = np.random.default_rng(0), 0
    for _ in range(400):
        drawn = rng.normal(0, 1, (8, 8)) if law.kind == "normal" else rng.uniform(-1, 1, (8, 8))
        stored = load_kernel(kernel("a", (8, 8)), tensor("a/kernel", drawn.astype(np.float32)))
        rejected += not law_fit(law, stored, 1e-5).fits(0.15)
    assert rejected / 400 < 0.15


@given(
    st.text(max_size=30), st.dictionaries(st.text(max_size=8), st.none() | st.floats() | st.text())
)
def test_hostile_configs_give_no_candidates_or_finite_ones(name: str, config: dict) -> None:
    for known in (name, "VarianceScaling", "RandomUniform", "RandomNormal", "Constant"):
        for found in initializers.candidates({"class_name": known, "config": config}, SHAPE):
            assert math.isfinite(found.mean)
            assert found.kind in (
                "uniform",
                "normal",
                "truncated",
                "constant",
                "orthogonal",
                "identity",
            )


@pytest.mark.parametrize("name", ["VarianceScaling", "RandomUniform", "RandomNormal"])
def test_configs_out_of_range(name: str) -> None:
    for config in (
        {"scale": -1.0, "stddev": -1.0, "minval": 1, "maxval": 0},
        {"mode": "x", "stddev": 0, "minval": 0, "maxval": 0},
    ):
        assert initializers.candidates({"class_name": name, "config": config}, SHAPE) == ()


@pytest.mark.parametrize(
    ("name", "settings", "value"),
    [
        ("RandomNormal", {"mean": 0.5, "stddev": 0.0}, 0.5),
        ("TruncatedNormal", {"mean": -0.25, "stddev": 0}, -0.25),
        ("RandomUniform", {"minval": 0.125, "maxval": 0.125}, 0.125),
        ("RandomNormal", {"mean": 0.5, "stddev": 0.01}, None),
        ("RandomUniform", {"minval": -0.1, "maxval": 0.1}, None),
        ("RandomUniform", {}, None),
        ("GlorotUniform", {}, None),
    ],
)
def test_a_random_initializer_without_spread(
    name: str, settings: dict[str, Json], value: float | None
) -> None:
    """Keras draws what is said here."""
    import keras

    assert initializers.one_value({"class_name": name, "config": settings}) == value
    drawn = np.asarray(getattr(keras.initializers, name)(**settings)((4, 5)))
    assert bool(np.ptp(drawn) == 0) is (value is not None)
    if value is not None:
        assert drawn[0, 0] == pytest.approx(value)


def test_normal_distribution_function() -> None:
    from scipy.stats import norm, truncnorm

    x = np.linspace(-5, 5, 1001)
    assert np.allclose(initializers.normal(2.0, 1.0).cdf(x), norm.cdf(x, 1, 2), atol=3e-7)
    cut = initializers.truncated(1.5)
    assert np.allclose(cut.cdf(x), truncnorm.cdf(x / 1.5, -2, 2), atol=5e-7)
    assert truncnorm.std(-2, 2) == pytest.approx(initializers.TRUNCATED_STD)
