"""Models that a runtime loads but cannot call, and what the other Keras does with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.findings import Outcome
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import ProbeSettings, Settings
from tests.sharing import with_tensorflow

pytestmark = pytest.mark.slow

# Keras 3 passes the output of the functional model to the next layer as a list.
MAKE = """
import json
import sys
import h5py
import tf_keras
from tf_keras import layers

for name, last in (("listed", [layers.Softmax()]), ("whole", [])):
    image = layers.Input((12, 12, 1))
    inner = tf_keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)))
    tf_keras.Sequential([inner, *last]).save(f"{sys.argv[1]}/{name}.h5")

# Keras 2.2.3 to 2.3 saved no InputLayer; Keras 3 adds an axis to the shape of the first layer.
tf_keras.Sequential([layers.Input((3,)), layers.Dense(4)]).save(f"{sys.argv[1]}/early.h5")
with h5py.File(f"{sys.argv[1]}/early.h5", "r+") as file:
    config = json.loads(file.attrs["model_config"])
    first, second = config["config"]["layers"]
    second["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
    config["config"] = {"name": "early", "layers": [second]}
    file.attrs["model_config"] = json.dumps(config)
    file.attrs["keras_version"] = "2.2.4"
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """For each model: its facts after running it, and the result of MA212."""
    pytest.importorskip("tf_keras")
    folder: Path = tmp_path_factory.mktemp("models")
    with_tensorflow("-c", MAKE, folder)
    settings = Settings(probe=ProbeSettings(samples=8, timeout=120))
    found = {}
    with local_probe(settings) as probe:
        for name in ("listed", "whole", "early"):
            facts = add_probe(static_facts(folder / f"{name}.h5", settings), probe)
            found[name] = facts, run_rule(rule("MA212"), facts)
    return found


def test_the_finding_says_which_keras_calls_the_model(outcomes) -> None:
    facts, result = outcomes["listed"]
    assert result.outcome is Outcome.FAIL
    assert "With the installed TensorFlow with tf-keras" in result.findings[0].detail
    assert "has no attribute 'shape'" in result.findings[0].detail
    assert [bool(seen.uncallable) for seen in facts.observations] == [True, False]
    assert facts.behaviour.runtime == "here-legacy"
    assert facts.restore.faithful


def test_a_model_that_is_called_is_not_tried_elsewhere(outcomes) -> None:
    facts, result = outcomes["whole"]
    assert result.outcome is Outcome.PASS
    assert [seen.runtime for seen in facts.observations] == ["here"]
    assert facts.behaviour.runtime == "here"


def test_a_restored_model_with_another_axis_is_run_by_the_other_keras(outcomes) -> None:
    facts, result = outcomes["early"]
    assert result.outcome is Outcome.FAIL
    assert "takes [None, None, 3], but [None, 3] was saved" in result.findings[0].detail
    assert "modelaudit repair" in result.findings[0].fix
    assert facts.behaviour.runtime == "here-legacy"
    assert facts.restore.faithful
