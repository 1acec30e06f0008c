"""Numbers that operations make of constants, compared with NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.rules.security.graph.constant_folding import fold


@pytest.mark.parametrize(
    ("op", "oracle"),
    [("Floor", np.floor), ("Ceil", np.ceil), ("Round", np.round), ("Rint", np.rint)],
)
def test_rounding(op, oracle):
    numbers = [-1.5, -0.5, 0.4, 0.5, 1.5, 2.5, 2.6]
    assert fold(op, [numbers], {}) == oracle(numbers).tolist()


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round", "Rint", "Square", "Exp", "Sqrt"])
@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_numbers_that_are_not_finite_stop_nothing(op, number):
    found = fold(op, [[number, 4.0]], {})
    assert found is not None
    assert len(found) == 2


def test_a_product_of_many_sizes_stays_bounded():
    (found,) = fold("Prod", [[2**62] * 1000 + [1.5]], {})
    assert found <= 2**128
    assert fold("Prod", [[3, 4, 0.5]], {}) == [6]
