"""SavedModels of subclassed models without a config: only their graphs show layers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import all_rules
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("hidden", "units", "stride", "wanted"),
    [
        ("relu", 16, 1, {}),
        (None, 16, 1, {"MA309": "medium"}),
        ("relu", 1, 1, {"MA312": "medium"}),
        ("relu", 16, 20, {"MA304": "medium"}),
    ],
)
def test_rules_on_layers_judge_them(tmp_path, hidden, units, stride, wanted):
    keras = pytest.importorskip("tf_keras")
    layers = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Conv2D(4, 3, activation="relu", padding="same", strides=stride)
            self.flat = layers.Flatten()
            self.middle = layers.Dense(units, activation=hidden)
            self.next = layers.Dense(8, activation=hidden)
            self.last = layers.Dense(3, activation="softmax")

        def call(self, inputs):
            return self.last(self.next(self.middle(self.flat(self.first(inputs)))))

    model = Net()
    model(np.zeros((1, 16, 16, 3), "float32"))
    model.save(tmp_path / "export", save_format="tf")
    facts = static_facts(tmp_path / "export", Settings())
    assert facts.artifact.architecture is not None and not facts.artifact.architecture.layers
    results = run_rules([each for each in all_rules() if each.code.startswith("MA3")], facts)
    assert not [each for each in results if each.outcome == "error"]
    found = {x.code: str(x.severity) for each in results for x in each.findings}
    assert {k: v for k, v in found.items() if v in {"medium", "high"}} == wanted
