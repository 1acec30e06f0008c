"""ReLU layers whose units have weights below 0 nearly alone, and their edges."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found, sequential

pytestmark = pytest.mark.filterwarnings("ignore")
RULES = [rule("MA437")]


def said(path, *, part=0.1, share=0.6, units=20, inputs=20, bias=-0.1, activation="relu"):
    """A hidden layer of which this share of the units has weights above 0 of this part."""
    import keras as k

    k.utils.set_random_seed(0)
    hidden = [k.layers.Dense(inputs, "relu"), k.layers.Dense(units, activation)]
    made = sequential(k, (12,), *hidden, k.layers.Dense(3, "softmax"))
    kernel = np.where(np.arange(inputs)[:, None] % 2, 1.0, -1.0) * np.ones((inputs, units))
    kernel[1::2, : round(share * units)] *= part
    made.layers[1].set_weights([kernel * 0.2, np.full(units, bias)])
    made.save(path / "m.keras")
    made.export(path / "export", verbose=False)
    told = [
        [(str(x.severity), x.evidence["measured"]) for x in found(RULES, path / name)]
        for name in ("m.keras", "export")
    ]
    assert told[0] == told[1]
    return told[0]


def test_units_that_are_probably_dead(tmp_path):
    assert said(tmp_path) == [("low", 0.6)]


@pytest.mark.parametrize(
    "other",
    [
        {"part": 0.9},
        {"share": 0.3},
        {"units": 7},
        {"inputs": 6},
        {"bias": 0.1},
        {"activation": "tanh"},
    ],
)
def test_units_that_are_not(other, tmp_path):
    assert said(tmp_path, **other) == []


@pytest.mark.parametrize(("part", "told"), [(0.199, True), (0.201, False)])
def test_the_edge_of_the_part(part, told, tmp_path):
    assert bool(said(tmp_path, part=part)) is told
