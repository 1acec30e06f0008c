"""What an optimizer keeps of the layers of a class, against the optimizer's own variables."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits, Settings
from tests.made.training import train

pytestmark = pytest.mark.slow


def network(keras, *, listed, depth=2, activation="relu", norm=True):
    layers = keras.layers

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = [layers.Dense(6 + n % 2, activation=activation) for n in range(depth)]
            self.norm = layers.BatchNormalization()
            self.answer = layers.Dense(1)  # made last, stored first

        def call(self, x, training=None):
            for layer in self.hidden:
                x = layer(x)
            return self.answer(self.norm(x, training=training) if norm else x)

        def get_config(self):
            head = keras.saving.serialize_keras_object(self.answer)
            return {**super().get_config(), **({"head": head} if listed else {})}

    return Own()


def trained(keras, model, path, steps=40):
    x = np.random.default_rng(1).normal(size=(32, 5)).astype("float32")
    model(x[:2])
    model.compile("adam", "mse")
    train(model, x, x[:, :1], steps=steps)
    model.save(path)
    return path


@pytest.mark.parametrize("listed", [True, False])
def test_averages_belong_to_the_layers_of_a_class(listed, tmp_path):
    import keras

    model = network(keras, listed=listed)
    artifact = read(trained(keras, model, tmp_path / "own.keras"), Limits())
    moments = optimizer_state(artifact).moments
    squares = model.optimizer._velocities
    assert [each.shape for each in moments] == [tuple(v.shape) for v in squares]
    owners = [each.route.split("/")[0] for each in moments]
    assert owners[:4] == ["hidden"] * 4
    assert len({each.route for each in moments}) == 4
    for each, kept in zip(moments, squares, strict=True):
        assert each.mean_second == pytest.approx(float(np.mean(kept)), rel=1e-5)


@pytest.mark.parametrize(("activation", "said"), [("sigmoid", ["medium"]), ("relu", [])])
def test_gradients_that_vanish_in_a_class(activation, said, tmp_path):
    import keras

    keras.utils.set_random_seed(2)
    model = network(keras, listed=True, depth=10, activation=activation, norm=False)
    facts = static_facts(trained(keras, model, tmp_path / "own.keras"), Settings())
    sizes = [x.mean_second for x in optimizer_state(facts.artifact).moments if len(x.shape) > 1]
    assert all(a < b for a, b in pairwise(sizes)) is (activation == "sigmoid")
    assert [str(x.severity) for x in run_rule(rule("MA434"), facts).findings] == said
