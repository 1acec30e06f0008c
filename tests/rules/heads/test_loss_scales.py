"""Losses of several outputs, in models that Keras trained on targets of other sizes, and twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.loss_scales import squares_of_shares
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.saved import codes, found

RULES = [rule("MA319")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def two_outputs(scale, weights=None, optimizer="adam"):
    import keras as k

    k.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(256, 6)).astype("float32")
    given = k.layers.Input((6,))
    shared = k.layers.Dense(16, "relu")(given)
    kind = k.layers.Dense(2, "softmax", name="kind")(shared)
    price = k.layers.Dense(1, name="price")(shared)
    model = k.Model(given, [kind, price])
    losses = ["sparse_categorical_crossentropy", "mse"]
    model.compile(optimizer, losses, loss_weights=weights)
    labels = (x[:, 0] + rng.normal(size=256) > 0).astype("int32")
    train(model, x, [labels, scale * x[:, 1]], epochs=4)
    return model


def test_one_loss_of_another_size(tmp_path):
    formats = ("keras", "h5")
    assert codes(RULES, two_outputs(1e4), tmp_path, formats) == [("MA319", "low")]
    (only,) = found(RULES, tmp_path / "model.keras")
    assert "`price`" in only.detail and "loss_weights" in only.fix
    assert codes(RULES, two_outputs(1.0), tmp_path, formats) == []
    assert codes(RULES, two_outputs(1e4, [1.0, 1e-8]), tmp_path, formats) == []
    # Plain SGD keeps no averages of squares.
    assert codes(RULES, two_outputs(10.0, optimizer="sgd"), tmp_path, formats) == []


@pytest.mark.parametrize(
    ("last", "loss", "rate", "level"),
    [
        ("sigmoid", "mean_squared_error", 20.0, "low"),
        ("linear", "mean_squared_error", 20.0, "medium"),
        ("sigmoid", "binary_crossentropy", 20.0, "medium"),
        ("sigmoid", "mean_squared_error", 80.0, "medium"),
    ],
)
def test_a_rate_beside_the_slope_of_a_sigmoid(last, loss, rate, level):
    """The largest gradient of (s - y) ** 2 by the score is found on a grid."""
    s = np.linspace(0, 1, 100_001)
    most = squares_of_shares(example_head("sigmoid", "mse", 1)())
    assert abs(most - max(2 * s * s * (1 - s))) < 1e-9
    facts = example_head(last, loss, 1)()
    training = {
        **(facts.artifact.training or {}),
        "optimizer_config": {"class_name": "SGD", "config": {"learning_rate": rate}},
    }
    facts = replace(facts, artifact=replace(facts.artifact, training=training))
    assert [str(x.severity) for x in run_rule(rule("MA319"), facts).findings] == [level]
