"""A Sequential model of Keras 2.2.3 to 2.3 with one feature, in Keras 3, which is the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow


def early(path: Path, features: int) -> None:
    """Saves a model in the form of then: without an input layer or the shape it was built with."""
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((features,), name="first_input"),
            layers.Dense(4, activation="relu", name="first"),
            layers.Dense(2, name="head"),
        ]
    )
    model.save(path)
    with h5py.File(path, "a") as file:
        saved = json.loads(file.attrs["model_config"])
        saved["config"].pop("build_input_shape", None)
        listed = saved["config"]["layers"] = saved["config"]["layers"][1:]
        for each in listed:
            each.pop("build_config", None)
        listed[0]["config"]["batch_input_shape"] = [None, features]
        for each in listed:  # those of then have no modules
            for key in ("kernel_initializer", "bias_initializer"):
                found = each["config"][key]
                each["config"][key] = {x: found[x] for x in ("class_name", "config")}
            each.pop("module", None)
            each.pop("registered_name", None)
        file.attrs["model_config"] = json.dumps(saved)
        file.attrs["keras_version"] = "2.2.4"
        names = [
            each for each in file["model_weights"].attrs["layer_names"] if each != "first_input"
        ]
        file["model_weights"].attrs["layer_names"] = names


@pytest.mark.parametrize("features", [1, 3])
def test_one_feature_is_no_reason_to_fail_but_adds_an_axis_to_the_answers(features, tmp_path):
    import keras
    import tf_keras

    path = tmp_path / "early.h5"
    early(path, features)
    given = np.ones((5, features), "float32")
    expected = tf_keras.models.load_model(path, compile=False).predict(given, verbose=0)
    loaded = keras.models.load_model(path, compile=False)
    facts = static_facts(path, Settings())
    failing = [each.detail for each in run_rule(rule("MA220"), facts).findings]
    differing = [each.detail for each in run_rule(rule("MA221"), facts).findings]
    if features > 1:
        with pytest.raises(ValueError, match="Invalid input shape"):
            loaded.predict(given, verbose=0)
        assert any("the first call of the model" in each for each in failing)
        assert not differing
    else:
        answers = loaded.predict(given, verbose=0)
        assert answers.shape == (5, 1, 2)
        assert np.allclose(answers[:, 0], expected, atol=1e-6)
        assert not failing
        assert any("each answer has one, too" in each for each in differing)
