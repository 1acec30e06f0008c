"""Steps at a rate of 0, in models of which a part is trained or moves at any rate."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training import settings
from modelaudit.rules.weights import trained
from tests.made.training import train
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = (*settings.RULES, *trained.RULES)


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def severities(model, folder):
    model.save(folder / "model.keras")
    return {
        each.code: each.severity.value
        for each in found(RULES, folder / "model.keras")
        if each.code in {"MA319", "MA404", "MA405"}
    }


def data():
    x = np.random.default_rng(0).normal(size=(256, 12)).astype("float32")
    return x, (x[:, :3].argmax(axis=1)).astype("int32")


def head(k):
    return [k.layers.Dense(40, "relu"), k.layers.Dense(3, "softmax")]


@pytest.mark.parametrize(("rate", "expected"), [(0.0, "high"), (0.003, None)])
def test_statistics_that_move_at_any_rate_show_no_training(k, rate, expected, tmp_path):
    k.utils.set_random_seed(3)
    normed = [k.layers.Dense(40, use_bias=False), k.layers.BatchNormalization(momentum=0.9)]
    model = k.Sequential([k.Input((12,)), *normed, k.layers.ReLU(), *head(k)])
    model.compile(k.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    train(model, *data(), steps=60)
    assert severities(model, tmp_path).get("MA319") == expected


@pytest.mark.parametrize(("rate", "expected"), [(0.0, "high"), (0.003, None)])
def test_a_trained_base_that_is_frozen_says_nothing_of_the_steps(k, rate, expected, tmp_path):
    k.utils.set_random_seed(4)
    base = k.Sequential([k.Input((12,)), k.layers.Dense(60, "relu")], name="base")
    whole = k.Sequential([base, *head(k)])
    whole.compile(k.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    train(whole, *data(), steps=150)
    base.trainable = False
    model = k.Sequential([k.Input((12,)), base, *head(k)])
    model.compile(k.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    train(model, *data(), steps=60)
    said = severities(model, tmp_path)
    assert said.get("MA319") == expected
    assert "MA405" not in said  # no restore is to blame


def test_a_rate_that_became_0_after_training_keeps_its_severity(k, tmp_path):
    k.utils.set_random_seed(5)
    model = k.Sequential([k.Input((12,)), *head(k)])
    model.compile(k.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    train(model, *data(), steps=150)
    model.optimizer.learning_rate = 0.0
    assert severities(model, tmp_path).get("MA319") != "high"


def test_a_head_that_no_step_trained_is_to_be_trained(k, tmp_path):
    k.utils.set_random_seed(6)
    base = k.Sequential([k.Input((12,)), k.layers.Dense(60, "relu")], name="base")
    whole = k.Sequential([base, *head(k)])
    whole.compile(k.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    train(whole, *data(), steps=150)
    base.trainable = False
    model = k.Sequential([k.Input((12,)), base, *head(k)])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    (finding,) = [x for x in found(trained.RULES, tmp_path / "model.keras") if x.code == "MA405"]
    assert "the optimizer has made no step" in finding.detail
    assert finding.fix.startswith("Train the model")
