"""Agreement of numbers and verbs."""

from __future__ import annotations

import pytest

from modelaudit.rules.grammar import counted, every, of_all, times


@pytest.mark.parametrize(
    ("count", "n", "said"),
    [
        (1, 1, "The only layer is"),
        (3, 3, "All 3 layers are"),
        (1, 3, "1 of 3 layers is"),
        (2, 3, "2 of 3 layers are"),
        (1000, 1001, "1,000 of 1,001 layers are"),
    ],
)
def test_so_many_of_all(count, n, said):
    assert of_all(count, n, "layer", "is", "are") == said


def test_one_and_many():
    assert counted(1, "layer holds", "layers hold") == "1 layer holds"
    assert counted(1200, "layer holds", "layers hold") == "1,200 layers hold"
    assert every(1, "layer is", "layers are") == "The only layer is"
    assert [times(1), times(3)] == ["once", "3 times"]
