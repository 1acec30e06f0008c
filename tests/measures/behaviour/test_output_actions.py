"""The residual of an action equals the residual after undoing the action by hand."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.behaviour.output_actions import best_action
from modelaudit.measures.transforms import transforms_for

MIRROR = next(move for move in transforms_for((None, 8, 8, 1)) if move.name == "H")
RNG = np.random.default_rng(5)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
def test_every_tried_action_is_listed_with_its_residual(noise):
    angles = RNG.normal(size=(200, 1))
    turned = -angles + noise * RNG.normal(size=angles.shape)
    logits = 4 * RNG.normal(size=(200, 2))
    exchanged = logits[:, ::-1] + 4 * noise * RNG.normal(size=logits.shape)
    masks = RNG.normal(size=(50, 8, 8, 1))
    moved = masks[:, :, ::-1] + noise * RNG.normal(size=masks.shape)
    for action, kind, plain, seen, undone in (
        ("odd", "regression", angles, turned, -turned),
        ("swap", "logits", logits, exchanged, exchanged[:, ::-1]),
        ("spatial", "spatial", masks, moved, moved[:, :, ::-1]),
    ):
        told = best_action(plain, seen, kind, MIRROR).detail[f"nfv_{action}"]
        by_hand = best_action(plain, undone, kind, MIRROR).detail["nfv_invariant"]
        assert told == pytest.approx(by_hand)
        assert (told < 1e-9) == (noise == 0.0)


def test_an_action_without_data_is_not_listed():
    same = RNG.normal(size=(200, 1))
    assert "nfv_odd" not in best_action(same, same + 0.1, "regression", MIRROR).detail
    logits = RNG.normal(size=(200, 3))
    assert "nfv_swap" not in best_action(logits, logits, "logits", MIRROR).detail
    assert "nfv_spatial" not in best_action(same, same, "spatial", MIRROR).detail
