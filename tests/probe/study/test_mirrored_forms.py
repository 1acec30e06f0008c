"""Which forms of the inputs are predicted for mirror images, too."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.measures.transforms import MIRROR_OF, transforms_for
from modelaudit.measures.value_transforms import domain_transforms
from modelaudit.probe.study.combinations import mirrored_outputs, variant_name
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.rules import examples
from modelaudit.structs import replace

RNG = np.random.default_rng(0)
IMAGES = RNG.random((64, 6, 6, 3)).astype("float32")
MOVES = {move.name: move for move in transforms_for(IMAGES.shape)}
DOMAINS = domain_transforms(IMAGES, 3)


def asked(y=None, moves=MOVES, oriented=True) -> list[str]:
    inputs = ProbeInputs("user", 64, IMAGES.shape, (0, 1))
    fed = PreparedInputs((IMAGES,), None, y, inputs, (moves,), (True,), oriented)
    classes = np.eye(4)[np.arange(64) % 4] * 0.6 + 0.1
    vague = {domain.name: {"head": np.full((64, 4), 0.25)} for domain in DOMAINS}
    sharp = {"2x-1": {"head": classes}, "standardised": {"head": classes}}
    names: list[str] = []

    def ask(variant):
        names.append(variant_name(variant))
        return {"head": classes}

    artifact = replace(examples.model(), training=None)
    given = {"head": np.full((64, 4), 0.25)}
    found = mirrored_outputs(given, {**vague, **sharp}, DOMAINS, fed, artifact, ask)
    assert {f"H + {name}" for name in found} == set(names)
    return names


def test_the_most_informative_forms_and_exchanged_colours_are_mirrored() -> None:
    names = asked()
    assert {"H + 2x-1", "H + standardised", "H + BGR"} <= set(names)
    assert len(names) <= 4


@pytest.mark.parametrize("others", [{"y": np.arange(64) % 4}, {"moves": {}}, {"oriented": False}])
def test_labels_show_more_and_other_inputs_have_no_mirror_image(others) -> None:
    assert asked(**others) == []


@pytest.mark.parametrize("name", ["e", *MOVES])
def test_the_mirror_image_of_each_orientation(name) -> None:
    def turned(x, by):
        return x if by == "e" else MOVES[by].apply(x)

    assert np.array_equal(turned(turned(IMAGES, name), "H"), turned(IMAGES, MIRROR_OF[name]))
