"""Differences between answers, and what counts as the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelaudit.probe.repeats import largest_difference

VALUES = arrays.arrays("float32", (3, 2), elements=st.floats(-1e6, 1e6, width=32))


@given(VALUES, VALUES)
def test_the_largest_difference_is_that_of_brute_force(a, b):
    expected = max(abs(float(x) - float(y)) for x, y in zip(a.flat, b.flat, strict=True))
    assert largest_difference({"y": a}, {"y": b}) == expected
    assert largest_difference({"y": b}, {"y": a}) == expected


@given(VALUES)
def test_nan_beside_nan_is_equal(a):
    a[0, 0] = np.nan
    assert largest_difference({"y": a}, {"y": a.copy()}) == 0.0


@pytest.mark.parametrize("other", [{}, {"y": np.zeros((2, 2))}, {"y": np.full((3, 2), np.nan)}])
def test_what_cannot_be_compared_is_infinitely_different(other):
    assert largest_difference({"y": np.zeros((3, 2))}, other) == float("inf")
