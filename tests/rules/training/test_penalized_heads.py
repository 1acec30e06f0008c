"""MA436 of heads that a penalty made small, against what Keras answers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA436")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(("growth", "severity"), [(1, "high"), (60, "low")])
def test_layers_before_it_may_grow_by_what_a_penalized_head_lost(keras, tmp_path, growth, severity):
    """Then the answers follow the inputs as those of a head that nothing made small."""
    layers, rng = keras.layers, np.random.default_rng(0)
    hidden = layers.Dense(32, "relu")
    head = layers.Dense(4, "softmax", kernel_regularizer=keras.regularizers.L2(0.2))
    model = keras.Sequential([keras.Input((16,)), hidden, head])
    model.compile("adam", "sparse_categorical_crossentropy")
    glorot = (np.sqrt(6 / 48), np.sqrt(6 / 36))
    hidden.set_weights([growth * rng.uniform(-glorot[0], glorot[0], (16, 32)), np.zeros(32)])
    kernel = 0.015 * rng.uniform(-glorot[1], glorot[1], (32, 4))
    head.set_weights([kernel, np.array([0.12, -0.04, -0.04, -0.04])])
    answers = model.predict(rng.normal(size=(200, 16)), verbose=0)
    assert bool(np.ptp(answers, axis=0).max() > 0.3) is (severity == "low")
    model.save(tmp_path / "m.keras")
    (told,) = found(RULES, tmp_path / "m.keras")
    assert told.severity.value == severity
    assert ("unless inputs are large" in told.detail) is (severity == "low")
