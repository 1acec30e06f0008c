"""Which networks cannot learn anything: layers that are frozen, and parts of these."""

from __future__ import annotations

import pytest

from modelaudit.facts import Layer
from modelaudit.rules.network.frozen_layers import all_frozen


def layer(route: str, trainable: bool, weighs: bool = True) -> Layer:
    """A layer of this route, with a kernel or without weights."""
    variables = {"kernel": f"{route}/kernel"} if weighs else {}
    return Layer(
        name=route.rpartition("/")[2],
        route=route,
        class_name="Dense",
        config={},
        trainable=trainable,
        variables=variables,
    )


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], False),
        ([layer("flat", trainable=True, weighs=False)], False),
        ([layer("out", trainable=True)], False),
        ([layer("out", trainable=False)], True),
        ([layer("flat", trainable=True, weighs=False), layer("out", trainable=False)], True),
        ([layer("both", trainable=False), layer("both/forward", trainable=True)], True),
        ([layer("both", trainable=False), layer("both_1/forward", trainable=True)], False),
        ([layer("body", trainable=True), layer("body/out", trainable=False)], False),
    ],
)
def test_all_frozen(layers: list[Layer], expected: bool) -> None:
    assert all_frozen(layers) is expected
