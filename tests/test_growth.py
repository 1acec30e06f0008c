"""Whether the ratio by which other tests judge tells work in proportion from a square."""

from __future__ import annotations

from tests.growth import LINEAR, growth


def counted(numbers: range) -> int:
    return sum(n & 1 for n in numbers)


def compared(numbers: range) -> int:
    return sum(a < b for a in numbers for b in numbers)


def test_work_in_proportion_is_linear():
    assert growth(range, counted, 300_000) < LINEAR


def test_a_square_is_not():
    assert growth(range, compared, 400) > LINEAR
