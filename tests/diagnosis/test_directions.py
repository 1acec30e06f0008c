"""The sentence on directional filters."""

from __future__ import annotations

from modelaudit.audit_types.architecture import ArchitectureProfile, LayerField
from modelaudit.audit_types.kernels import DirectionShare, KernelDirections
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.directions import direction_text
from tests.diagnosis.cases import facts, measurements


def layer(route: str, leading: str) -> KernelDirections:
    shares = {leading: DirectionShare(0.4, 0.25, 9.0)} if leading else {}
    return KernelDirections(route, (3, 3, 1, 8), 8, shares, leading)


def told(*layers: KernelDirections) -> str:
    profile = ArchitectureProfile(fields=(LayerField("b", (5, 5), (7, 7), (1, 1), (8, 8)),))
    return direction_text(
        Case(facts(measured=measurements(directions=layers, profile=profile)), ())
    )


def test_directions_are_counted_and_the_first_layer_is_described():
    assert told(layer("a", ""), layer("b", "up-down"), layer("c", "up-down")) == (
        "In 2 of 3 spatial kernels, one direction has more energy than in random weights: changes "
        "from top to bottom (level edges) in 2. The first is 'b' (3 x 3, sees 7 x 7 pixels): 40%, "
        "of random weights 25%."
    )


def test_filters_without_a_direction_are_said_to_have_none():
    assert told(layer("a", "none")) == "In the one spatial kernel, no direction leads."
    assert told() == ""
