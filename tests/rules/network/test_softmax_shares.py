"""Means over the positions that a softmax runs over, against what Keras answers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA305")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    ("shape", "axis", "pooling", "constant"),
    [
        ((12, 5), 1, "GlobalAveragePooling1D", True),
        ((12, 5), -2, "GlobalAveragePooling1D", True),
        ((12, 5), -1, "GlobalAveragePooling1D", False),
        ((12, 5), 1, "GlobalMaxPooling1D", False),
        ((6, 7, 5), 1, "GlobalAveragePooling2D", True),
        ((6, 7, 5), 2, "GlobalAveragePooling2D", True),
        ((6, 7, 5), 3, "GlobalAveragePooling2D", False),
    ],
)
@pytest.mark.parametrize("exported", [False, True])
def test_a_mean_over_the_axis_of_a_softmax(
    keras, tmp_path, shape, axis, pooling, constant, exported
):
    layers = keras.layers
    given = keras.Input(shape)
    shares = layers.Softmax(axis=axis, name="shares")(layers.Dense(4)(given))
    model = keras.Model(given, getattr(layers, pooling)()(shares))
    answers = model.predict(np.random.default_rng(0).normal(size=(9, *shape)), verbose=0)
    assert bool(np.ptp(answers, axis=0).max() < 1e-6) is constant
    path = tmp_path / ("exported" if exported else "m.keras")
    if exported:
        model.export(path, verbose=False)
    else:
        model.save(path)
    said = found(RULES, path)
    assert [each.severity.value for each in said] == ["high"] * constant
    assert all("Softmax(axis=-1" in each.fix for each in said)
