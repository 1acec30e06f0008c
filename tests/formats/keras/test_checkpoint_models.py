"""Checkpoints of two models with the architecture of one; restoring in Keras is the oracle."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from modelaudit.api import audit
from modelaudit.formats.keras.checkpoint_models import lost_layers, model_tensors
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.reader import read
from modelaudit.schema import Audit
from modelaudit.settings import Limits
from tests.made.training import train

pytestmark = pytest.mark.slow
CODES = {"MA124", "MA112", "MA113", "MA114", "MA210", "MA407", "MA408"}


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    import keras
    import tensorflow as tf
    import tf_keras

    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for name, library in (("keras2", tf_keras), ("keras3", keras)):
        models = []
        for units in (4, 1):
            layers = library.layers
            start = layers.Input((6,))
            hidden = layers.Dense(8, activation="relu")(start)
            model = library.Model(start, layers.Dense(units)(hidden))
            model.compile("adam", "mse")
            train(model, rng.random((256, 6)), rng.random((256, units)), epochs=8)
            models.append(model)
        first, second = models
        for which, model in (("first", first), ("second", second)):
            place = folder / f"{name}_{which}"
            place.mkdir()
            tf.train.Checkpoint(generator=first, discriminator=second).write(str(place / "c"))
            (place / "model.json").write_text(model.to_json())
        # A model of two models, which is the root.
        layers = library.layers
        parts = [library.Sequential([layers.Input((6,)), layers.Dense(6)]) for _ in range(2)]
        whole = library.Sequential([layers.Input((6,)), *parts, layers.Dropout(0.1)])
        for which in ("whole", "shorter"):
            (folder / f"{name}_{which}").mkdir()
            tf.train.Checkpoint(whole).write(str(folder / f"{name}_{which}" / "c"))
            config = json.loads(whole.to_json())
            if which == "shorter":  # without the dropout, which has no weights
                del config["config"]["layers"][-1]
            (folder / f"{name}_{which}" / "model.json").write_text(json.dumps(config))
        # One model whose checkpoint is of another network.
        (folder / f"{name}_wrong").mkdir()
        tf.train.Checkpoint(model=second).write(str(folder / f"{name}_wrong" / "c"))
        shutil.copy(folder / f"{name}_first" / "model.json", folder / f"{name}_wrong")
    held = model_tensors(read(folder / "keras3_first" / "c", Limits()).object_graph)
    assert held.keys() == {"generator", "discriminator"}
    assert not held["generator"] & held["discriminator"]
    return {each.model.path.split("/")[0]: each for each in audit(folder)}


def codes(found: Audit) -> set[str]:
    return {each.code for result in found.results for each in result.findings} & CODES


@pytest.mark.parametrize("name", ["keras2_first", "keras2_second", "keras3_first", "keras3_second"])
def test_the_model_of_the_architecture_is_compared_alone(
    audits: dict[str, Audit], name: str
) -> None:
    assert codes(audits[name]) == set()
    units = 4 if name.endswith("first") else 1
    (output,) = audits[name].behaviour.outputs
    assert output.shape[-1] == units
    restored = audits[name].restore
    assert (restored.compared, restored.identical) == (4, 4)


@pytest.mark.parametrize("name", ["keras2", "keras3"])
def test_a_model_of_models_is_one_model(audits: dict[str, Audit], name: str) -> None:
    assert codes(audits[f"{name}_whole"]) == set()
    assert audits[f"{name}_whole"].restore.compared == 4
    assert codes(audits[f"{name}_shorter"]) - {"MA210"} == {"MA124"}


@pytest.mark.parametrize("name", ["keras2_wrong", "keras3_wrong"])
def test_another_network_is_still_found(audits: dict[str, Audit], name: str) -> None:
    assert "MA114" in codes(audits[name])


@pytest.mark.parametrize("which", ["keras", "tf_keras"])
def test_a_layer_that_the_config_lacks_is_found_without_weights(which: str, tmp_path) -> None:
    import tensorflow as tf

    library = pytest.importorskip(which)
    layers = library.layers
    model = library.Sequential(
        [
            *(layers.Input((8, 8, 3)), layers.Rescaling(2.0), layers.Conv2D(4, 3)),
            *(layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.1), layers.Flatten()),
            *(layers.Dense(3), layers.ReLU()),
        ]
    )
    tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
    nodes = read(tmp_path / "c", Limits()).object_graph
    config = json.loads(model.to_json())
    assert not [*lost_layers(nodes, parse_architecture(config, limits=Limits()), "model")]
    stated = config["config"]["layers"]
    for place, layer in enumerate(stated):
        if layer["class_name"] == "InputLayer":
            continue
        short = {
            **config,
            "config": {**config["config"], "layers": stated[:place] + stated[place + 1 :]},
        }
        found = [*lost_layers(nodes, parse_architecture(short, limits=Limits()), "model")]
        assert len(found) == 1, layer["class_name"]
