"""Decisions at the edges of `modelaudit.thresholds.design`."""

from __future__ import annotations

import pytest

from modelaudit.facts import Layer
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


def followed_by(first: Layer, *others: Layer) -> Facts:
    layers = [first]
    for layer in others:
        layers.append(replace(layer, inbound=((layers[-1].route,),)))
    return Facts(examples.model(*layers))


@at("design.ERASING", {0.89: "pass", 0.9: "fail", 0.91: "fail"})
def dropped(rate):
    return outcome("MA310", followed_by(examples.layer("drop", "Dropout", {}, {"rate": rate})))


@at("design.IMAGE_SIDE", {15: "pass", 16: "fail", 17: "fail"})
def image(side):
    given = replace(examples.layer("x", "InputLayer", {}), output_shape=(None, 3, side, side))
    return outcome("MA311", followed_by(given, examples.layer("conv", "Conv2D")))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
