"""Windows that read only part of their input, in models that Keras saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture.windows import RULES
from tests.rules.saved import codes, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
UNREAD = [rule for rule in RULES if rule.code == "MA304"]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_positions_behind_the_last_window(k, tmp_path):
    layers = k.layers
    x = np.random.default_rng(0).normal(size=(1, 9, 9, 1))
    other = x.copy()
    other[:, 5:, 5:] += 1
    for size, unread in ((5, True), (3, False), (4, False), (2, False)):
        model = sequential(k, (9, 9, 1), layers.MaxPooling2D(size), layers.Flatten())
        assert codes(UNREAD, model, tmp_path) == ([("MA304", "low")] if unread else [])
        if unread:
            assert np.array_equal(model(x), model(other))
    same = sequential(k, (9, 9, 1), layers.MaxPooling2D(5, padding="same"), layers.Flatten())
    assert codes(UNREAD, same, tmp_path) == []
