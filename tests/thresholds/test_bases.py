"""Decisions at the edges of `modelaudit.thresholds.bases`."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


@at("bases.OTHER_ENDS", {0.149: "pass", 0.151: "fail"})
def other_ends(share):
    """Pixels from -1 to 1 less a share of this range, at one end."""
    scaling = {"scale": (2 - 2 * share) / 255, "offset": 2 * share - 1}
    names = ("Conv1", "block_1_expand", "block_13_expand")
    base = [replace(examples.layer(name, "Conv2D"), trainable=False) for name in names]
    pixels = examples.layer("pixels", "Rescaling", {}, scaling)
    return outcome("MA346", examples.chain(pixels, *base, examples.dense("head", "softmax")))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
