"""Checkpoints of two models with the architecture of one; restoring in Keras is the oracle."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from modelaudit.api import audit
from modelaudit.formats.keras.checkpoint_models import model_tensors
from modelaudit.formats.reader import read
from modelaudit.schema import Audit
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
CODES = {"MA112", "MA113", "MA114", "MA210", "MA407", "MA408"}


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
            model.fit(rng.random((256, 6)), rng.random((256, units)), epochs=8, verbose=0)
            models.append(model)
        first, second = models
        for which, model in (("first", first), ("second", second)):
            place = folder / f"{name}_{which}"
            place.mkdir()
            tf.train.Checkpoint(generator=first, discriminator=second).write(str(place / "c"))
            (place / "model.json").write_text(model.to_json())
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


@pytest.mark.parametrize("name", ["keras2_wrong", "keras3_wrong"])
def test_another_network_is_still_found(audits: dict[str, Audit], name: str) -> None:
    assert "MA114" in codes(audits[name])
