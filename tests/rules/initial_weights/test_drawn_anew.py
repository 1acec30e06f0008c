"""Weights that are draws, bit for bit, after steps that would have moved every one of them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = pytest.mark.slow
HIGH, LOW = Severity.HIGH, Severity.LOW


@pytest.fixture(scope="module")
def trained():
    import keras

    of = keras.layers
    keras.utils.set_random_seed(3)
    draw = np.random.default_rng(3)
    x = draw.integers(0, 40, (256, 12))
    y = x[:, 0] % 3
    words = of.Embedding(40, 24, name="words", embeddings_initializer="glorot_uniform")
    model = keras.Sequential(
        [
            *(keras.Input((12,), dtype="int32"), words, of.Flatten()),
            *(of.Dense(32, activation="relu"), of.Dense(3, activation="softmax")),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    train(model, x, y, steps=300)
    return model, x, y


@pytest.mark.parametrize(
    ("rate", "before", "expected"),
    [
        (1e-5, True, [LOW]),  # eight steps since it was drawn, which a distribution does not show
        (1e-5, False, [HIGH]),
        (1e-12, True, [LOW]),  # rounding lost every step
    ],
)
def test_a_layer_that_was_drawn_before_or_after_the_last_steps(
    trained, tmp_path, rate, before, expected
):
    import keras

    model, x, y = trained
    words = model.get_layer("words")

    def drawn():
        words.set_weights([np.asarray(words.embeddings_initializer((40, 24)))])

    kept = model.get_weights()
    if before:
        drawn()
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    train(model, x, y, steps=8)
    if not before:
        drawn()
    model.save(tmp_path / "m.keras")
    model.set_weights(kept)
    found = run_rule(rule("MA405"), static_facts(tmp_path / "m.keras", Settings())).findings
    assert [each.severity for each in found if "words" in each.detail] == expected
    anew = "drawn anew after training" in " ".join(each.detail for each in found)
    assert anew is (expected == [HIGH])
