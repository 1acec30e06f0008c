"""Activations that return another number of channels; tf-keras is the oracle of shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow
UNFIT = ("MA113", "MA114")


def findings(path: Path) -> list[str]:
    facts = static_facts(path, Settings())
    return [each.code for code in UNFIT for each in run_rule(catalogue.rule(code), facts).findings]


def own(value: object) -> object:
    return value


@pytest.mark.parametrize("suffix", ["", ".h5", ".keras"])
@pytest.mark.parametrize("inside", [True, False])
def test_crelu_doubles_the_channels(tmp_path: Path, suffix: str, inside: bool) -> None:
    import tensorflow as tf
    import tf_keras

    layers = tf_keras.layers
    first = layers.Conv2D(3, 3, activation=tf.nn.crelu if inside else None)
    behind = [] if inside else [layers.Activation(tf.nn.crelu)]
    model = tf_keras.Sequential([tf_keras.Input((8, 8, 2)), first, *behind, layers.Conv2D(4, 3)])
    assert model.layers[-1].kernel.shape == (3, 3, 6, 4)
    path = tmp_path / f"m{suffix}"
    model.save(path, **({} if suffix else {"save_format": "tf"}))
    assert findings(path) == []


@pytest.mark.parametrize("name", ["crelu", "glu"])
def test_keras_3_builds_the_next_layer_for_what_they_get(tmp_path: Path, name: str) -> None:
    import keras
    import tensorflow as tf

    layers = keras.layers
    first = layers.Dense(8, activation=tf.nn.crelu if name == "crelu" else name)
    model = keras.Sequential([keras.Input((6,)), first, layers.Dense(2)])
    assert model.layers[-1].kernel.shape == (8, 2)
    model.save(tmp_path / "m.keras")
    assert findings(tmp_path / "m.keras") == []


def test_weights_of_another_size_are_told_as_before(tmp_path: Path) -> None:
    """The config says 3 channels behind an activation of the author's, and the kernel takes 5."""
    import h5py
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [tf_keras.Input((4,)), layers.Dense(3, own), layers.Dense(2, name="last")]
    )
    model.save(tmp_path / "m.h5")
    assert findings(tmp_path / "m.h5") == []
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["model_weights/last/last"]
        del group["kernel:0"]
        group["kernel:0"] = [[1.0, 2.0]] * 5
    assert findings(tmp_path / "m.h5") == ["MA114"]
