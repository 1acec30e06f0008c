"""Names of models and layers that have a slash; Keras itself is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.repairs.repair import repair_model
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow

RUNTIME = "tf==2.21"


def nested(keras: Any, name: str) -> Any:
    x = keras.Input((6,))
    body = keras.Model(x, keras.layers.Dense(4, "relu")(x), name=name)
    y = keras.Input((6,))
    return keras.Model(y, keras.layers.Dense(2)(body(y)))


def sequential_inside(keras: Any, name: str) -> Any:
    body = keras.Sequential([keras.layers.Dense(4, "relu")], name=name)
    return keras.Sequential([keras.Input((6,)), body, keras.layers.Dense(2)])


def whole(keras: Any, name: str) -> Any:
    x = keras.Input((6,))
    return keras.Model(x, keras.layers.Dense(2)(x), name=name)


def sequential(keras: Any, name: str) -> Any:
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)], name=name)


def layer_inside(keras: Any, name: str) -> Any:
    x = keras.Input((6,))
    body = keras.Model(x, keras.layers.Dense(4, "relu", name=name)(x), name="body")
    return keras.Model(x, keras.layers.Dense(2)(body(x)))


def below_another(keras: Any, name: str) -> Any:
    """The group of one layer lies in the group of another, as in MobileNetV3."""
    x = keras.Input((6,))
    y = keras.layers.Dense(4, "relu", name="en")(x)
    return keras.Model(
        x, keras.layers.Dense(2, name=f"{name}/last")(keras.layers.Dense(3, name=name)(y))
    )


MADE = (nested, sequential_inside, whole, sequential, layer_inside, below_another)


@pytest.mark.parametrize("name", ["en/coder", "encoder"])
@pytest.mark.parametrize("made", MADE)
def test_keras_3_refuses_such_a_name_and_a_repair_replaces_it(
    tmp_path: Path, made: Callable[[Any, str], Any], name: str
) -> None:
    import keras
    import tf_keras

    path = tmp_path / "model.h5"
    model = made(tf_keras, name)
    model.save(path)
    (said,) = [
        [reason.error for reason in each.because if reason.code == "slash-in-name"]
        for each in static_facts(path, Settings()).predictions
        if each.runtime.startswith("tf==") and each.call == "load_model"
    ]
    assert bool(said) is ("/" in name or made is below_another)
    try:
        keras.models.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        assert not said or said[0].partition("Received")[0] in str(error)
    else:
        assert not said
    if said:
        out = tmp_path / "repaired.h5"
        repair_model(path, RUNTIME, out, Settings(), None)
        x = np.ones((2, 6), "float32")
        np.testing.assert_allclose(keras.models.load_model(out)(x), model(x), atol=1e-5)
