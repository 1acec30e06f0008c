"""What is advised for a softmax over one value, followed in Keras."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA305")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("dropped", [True, False])
def test_classes_in_a_column(keras, tmp_path, flat, dropped):
    layers = keras.layers

    def network(last):
        behind = [layers.Flatten()] if flat else []
        before = [layers.Dropout(0.1)] if dropped else []
        stack = [layers.Dense(5), layers.Reshape((5, 1)), *before, last, *behind]
        return keras.Sequential([keras.Input((8,)), *stack])

    def answers(model):
        x = np.random.default_rng(0).normal(size=(9, 8))
        return model.predict(x, verbose=0).reshape(9, 5)

    model = network(layers.Softmax(name="classes"))
    assert (answers(model) == 1).all()
    model.save(tmp_path / "m.keras")
    (said,) = found(RULES, tmp_path / "m.keras")
    assert "classes lie along another axis" in said.fix
    mended = answers(network(eval(said.fix.splitlines()[-1], {"keras": keras})))
    assert mended.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    assert np.ptp(mended, axis=0).min() > 1e-3


def test_one_score_of_each_position_is_no_column_of_classes(keras, tmp_path):
    layers = keras.layers
    given = keras.Input((12, 5))
    scores = layers.Dense(1, activation="softmax", name="scores")(given)
    model = keras.Model(given, layers.Flatten()(scores))
    model.save(tmp_path / "m.keras")
    (said,) = found(RULES, tmp_path / "m.keras")
    assert "normalize over the positions" in said.fix
