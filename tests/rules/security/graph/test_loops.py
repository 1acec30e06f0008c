"""Rounds of loops whose counters are multiplied, against multiplying them."""

from __future__ import annotations

import pytest

from modelaudit.rules.security.graph.loops import _multiplications


def multiplied(start, bound, factor):
    rounds = 0
    while start > bound if factor < 1 else start < bound:
        start, rounds = start * factor, rounds + 1
    return rounds


@pytest.mark.parametrize(
    ("start", "bound", "factor"),
    [
        (1.0, 1000.0, 2.0),
        (1e300, 1e-300, 0.5),
        (1e-300, 1e300, 3.0),
        (5e-324, 1.7e308, 7.0),
        (1 << 127, 5e-324, 0.3),
    ],
)
def test_rounds_are_those_of_multiplying(start, bound, factor):
    assert _multiplications(start, bound, factor) == multiplied(start, bound, factor)
    assert _multiplications(-start, -bound, factor) == multiplied(start, bound, factor)


def test_a_factor_beyond_all_numbers_ends_a_loop_at_once():
    assert _multiplications(1.0, 2.0, 1 / 1e-320) == 0
