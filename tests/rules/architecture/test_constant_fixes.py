"""What is advised about constant layers and linear stacks fits their place."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture import constant_layers, network_design
from modelaudit.rules.heads import last_layers
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def fixes(model, code, folder, rules=(*last_layers.RULES, *constant_layers.RULES)):
    model.save(folder / "model.keras")
    return [each.fix for each in found(rules, folder / "model.keras") if each.code == code]


def test_only_a_factor_of_0_before_all_weights_is_taken_for_that_of_pixels(k, tmp_path):
    layers = k.layers
    first = sequential(k, (8, 8, 1), layers.Rescaling(0.0), layers.Flatten(), layers.Dense(2))
    inside = sequential(k, (6,), layers.Dense(4, "relu"), layers.Rescaling(0.0), layers.Dense(2))
    assert "1 / 255" in fixes(first, "MA305", tmp_path)[0]
    (fix,) = fixes(inside, "MA305", tmp_path)
    assert "255" not in fix and "Remove `rescaling" in fix


def test_a_softmax_of_one_unit_at_each_position_is_to_run_over_the_positions(k, tmp_path):
    layers = k.layers
    pooled = (layers.GlobalAveragePooling1D(), layers.Dense(3, "softmax"))
    model = sequential(k, (5, 4), layers.Dense(1, "softmax", name="scores"), *pooled)
    (fix,) = fixes(model, "MA305", tmp_path)
    assert "Softmax(axis=1, name='scores_weights')" in fix
    scores = layers.Dense(1)
    mended = sequential(k, (5, 4), scores, layers.Softmax(axis=1), layers.Flatten())
    given = np.random.default_rng(0).normal(size=(9, 5, 4))
    assert np.ptp(np.asarray(mended(given)), axis=0).max() > 1e-3  # it depends on the input
    assert not fixes(mended, "MA305", tmp_path)


def test_all_layers_of_a_stack_without_activations_are_named(k, tmp_path):
    layers = k.layers
    hidden = [layers.Dense(units, name=f"h{units}") for units in (16, 12, 8)]
    model = sequential(k, (4,), layers.Dense(9, "relu"), *hidden, layers.Dense(3, "softmax"))
    model.save(tmp_path / "model.keras")
    (finding,) = found(network_design.RULES, tmp_path / "model.keras")
    assert finding.detail.startswith("`h16`, `h12`, `h8` have no activation before `dense")
    assert finding.severity.value == "medium"
    assert finding.fix.count('activation="relu"') == 3
