"""Cases of the causes in `modelaudit/runtimes/checks/sizes.py`."""

from __future__ import annotations

from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import (
    after,
    archive,
    h5,
    image,
    in_keras2,
    in_keras3,
    without_input,
)
from tests.runtimes.checks.making import Config, objects


def fractions(config: Config) -> None:
    """Sizes as fractions, as a program that divides computes them."""
    for each in objects(config):
        for key in ("batch_input_shape", "batch_shape"):
            if isinstance(each.get(key), list):
                each[key] = [size if size is None else float(size) for size in each[key]]


def whole(config: Config) -> None:
    for each in objects(config):
        for key in ("batch_input_shape", "batch_shape"):
            if isinstance(each.get(key), list):
                each[key] = [size if size is None else int(size) for size in each[key]]


CASES = (
    Case("size-not-integer", K3, h5(image, fractions), {"as integers": after(whole, in_keras3)}),
    Case("size-not-integer", K2, h5(image, fractions), {"as integers": after(whole, in_keras2)}),
    Case(
        "size-not-integer",
        K3,
        h5(image, without_input, fractions, plain=True, keras="2.2.4"),
        note="first layer",
    ),
    Case(
        "size-not-integer",
        K2,
        h5(image, without_input, fractions, plain=True, keras="2.2.4"),
        {"as integers": after(whole, in_keras2)},
        note="first layer",
    ),
    Case(
        "size-not-integer",
        K3,
        archive(image, fractions, keras2=False),
        {"as integers": after(whole, in_keras3)},
        note="archive",
    ),
)
