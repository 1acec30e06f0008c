"""The ratio used by other tests distinguishes linear from quadratic cost."""

from __future__ import annotations

from tests.growth import LINEAR, growth


def counted(numbers: range) -> int:
    return sum(n & 1 for n in numbers)


def compared(numbers: range) -> int:
    return sum(a < b for a in numbers for b in numbers)


def test_linear_cost_is_linear():
    assert growth(range, counted, 50_000) < LINEAR


def test_quadratic_cost_is_not():
    assert growth(range, compared, 150) > LINEAR
