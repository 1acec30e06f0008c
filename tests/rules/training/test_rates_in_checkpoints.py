"""Learning rates in checkpoints of Keras 2, whose optimizer the names of its slots tell."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("package", ["legacy", ""])
@pytest.mark.parametrize(
    ("name", "rate", "told"),
    [
        ("Adagrad", 0.1, False),  # its sums of squares limit each step
        ("Adadelta", 0.1, False),
        ("Adam", 0.1, True),
        ("RMSprop", 0.1, True),
        ("Adam", 0.001, False),
    ],
)
def test_rates_by_the_names_of_slots(tmp_path, package, name, rate, told):
    keras = pytest.importorskip("tf_keras")
    optimizers = getattr(keras.optimizers, package) if package else keras.optimizers
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.compile(getattr(optimizers, name)(rate), "mse")
    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    model.save_weights(tmp_path / "ckpt", save_format="tf")
    seen = found([rule("MA431")], tmp_path / "ckpt.index")
    assert [each.code for each in seen] == ["MA431"] * told
