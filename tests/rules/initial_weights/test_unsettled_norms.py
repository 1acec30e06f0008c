"""MA438: moving statistics after some steps, beside what the layer gives in training."""

from __future__ import annotations

import re

import numpy as np
import pytest

from modelaudit.rules.training.steps import RULES
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
STEPS = 120  # of a momentum of 0.99, which leave 0.30 of the initial values


@pytest.mark.parametrize(("spread", "severity"), [(0.1, "low"), (0.4, "info")])
def test_a_variance_of_the_data_under_the_initial_one(keras, tmp_path, spread, severity):
    draw = np.random.default_rng(2)
    x = draw.normal(size=(400, 12)).astype("float32") * spread
    y = (x[:, 0] > 0).astype("float32")
    layers = keras.layers
    norm = layers.BatchNormalization()
    body = layers.Dense(16), norm, layers.ReLU(), layers.Dense(1, activation="sigmoid")
    model = sequential(keras, (12,), *body, loss="binary_crossentropy")
    train(model, x, y, steps=STEPS, batch=50)
    sums = model.layers[0](x)
    model.save(tmp_path / "model.keras")
    (said,) = [x for x in found(RULES, tmp_path / "model.keras") if x.code == "MA438"]
    assert str(said.severity) == severity
    in_training, in_use = (np.std(norm(sums, training=mode)) for mode in (True, False))
    times = re.search(r"about (\S+) times as large as in training", said.detail)
    assert (times is not None) == (severity == "low")
    if times is not None:
        assert abs(float(times[1]) - in_use / in_training) < 0.05
