"""Kernels that start with one value, by the settings of their initializers."""

from __future__ import annotations

import pytest

from modelaudit.facts import Json, Kernel
from modelaudit.rules.initial_weights.sized_kernels import starts_constant
from modelaudit.structs import replace

KERNEL = Kernel("dense", "dense/kernel", "dense", "io", 0, (8, 4))


@pytest.mark.parametrize(
    ("name", "settings", "constant"),
    [
        ("Zeros", {}, True),
        ("Constant", {"value": 0.5}, True),
        ("RandomNormal", {"mean": 0.0, "stddev": 0.0}, True),
        ("RandomUniform", {"minval": 0.0, "maxval": 0.0}, True),
        ("RandomNormal", {"mean": 0.0, "stddev": 0.05}, False),
        ("GlorotUniform", {}, False),
    ],
)
def test_what_starts_with_one_value(name: str, settings: dict[str, Json], constant: bool) -> None:
    initializer: dict[str, Json] = {"class_name": name, "config": settings}
    assert starts_constant(replace(KERNEL, initializer=initializer)) is constant
    assert not starts_constant(KERNEL)
