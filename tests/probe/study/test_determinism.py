"""Differences between outputs, and when they count as equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelaudit.facts import Architecture, Layer
from modelaudit.probe.study.determinism import largest_difference, run_repeatedly
from modelaudit.structs import replace
from tests.probe.fake_session import artifact_of

VALUES = arrays.arrays("float32", (3, 2), elements=st.floats(-1e6, 1e6, width=32))


@given(VALUES, VALUES)
def test_the_largest_difference_equals_brute_force(a, b):
    expected = max(abs(float(x) - float(y)) for x, y in zip(a.flat, b.flat, strict=True))
    assert largest_difference({"y": a}, {"y": b}) == expected
    assert largest_difference({"y": b}, {"y": a}) == expected


@given(VALUES)
def test_nan_equals_nan(a):
    a[0, 0] = np.nan
    assert largest_difference({"y": a}, {"y": a.copy()}) == 0.0


@pytest.mark.parametrize("other", [{}, {"y": np.zeros((2, 2))}, {"y": np.full((3, 2), np.nan)}])
def test_incomparable_outputs_differ_infinitely(other):
    assert largest_difference({"y": np.zeros((3, 2))}, other) == float("inf")


class _RandomWhenCalled:
    """A model with deterministic `predict` and random direct calls."""

    batch_size = 32

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def predict(self, *_, training=False, **__):
        noise = self.rng.normal(size=(4, 2)) if training is None else 0.0
        return {"y": np.arange(8.0).reshape(4, 2) + noise}


@pytest.mark.parametrize(
    ("layer", "flag", "deterministic"),
    [
        ("Dropout", True, False),
        ("Dropout", None, True),
        ("RandomFlip", True, True),  # as in the calls of augmentation layers saved by Keras 3
        ("MixUp", True, True),
    ],
)
def test_only_an_explicit_training_flag_makes_the_model_random(layer, flag, deterministic):
    made = Layer("layer", "layer", layer, call_kwargs=({"training": flag},))
    architecture = Architecture("Functional", "m", "keras3", (made,), ("layer",), ("layer",))
    kernel = np.ones((4, 2), "float32")
    artifact = replace(artifact_of(kernel, np.zeros(2)), architecture=architecture)
    seen = run_repeatedly(_RandomWhenCalled(), artifact)
    assert seen.deterministic is deterministic
    assert seen.training_flag_matters is True


class _HalfPrecise:
    """A model with other outputs when called layer by layer; flags have no effect."""

    batch_size = 32

    def predict(self, *_, training=False, traced=True, **__):
        return {"y": np.arange(8.0).reshape(4, 2) + (0.0 if training is False and traced else 0.01)}


def test_another_call_method_is_not_a_training_flag():
    seen = run_repeatedly(_HalfPrecise(), artifact_of(np.ones((4, 2), "float32"), np.zeros(2)))
    assert seen.training_flag_matters is False
    assert seen.deterministic
