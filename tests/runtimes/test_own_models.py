"""Models that are classes of the program's own, made of layers with an input or in a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TARGETS = {"keras": "tf==2.21.0", "tf_keras": "tf-keras==2.21.0"}


def predicted(path: Path, package: str, call: LoadCall, *own: str) -> Prediction:
    profile = as_installed(find_profile(TARGETS[package]))
    return fitting_predictions(
        read(path, Limits()), [(profile, LoadRequest(call, frozenset(own)))]
    )[0]


@pytest.mark.parametrize("package", TARGETS)
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("adds", [True, False])
def test_a_subclass_of_sequential(tmp_path: Path, package: str, suffix: str, adds: bool) -> None:
    """Whether its constructor adds layers is not in the file; most do."""
    keras, path = pytest.importorskip(package), tmp_path / f"m.{suffix}"

    class Stack(keras.Sequential):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if adds:
                self.add(keras.layers.Dense(3, activation="relu"))
                self.add(keras.layers.Dense(2))

    listed = [keras.layers.InputLayer((4,)), keras.layers.Dense(3), keras.layers.Dense(2)]
    model = Stack() if adds else Stack(listed)
    model.build((None, 4))
    model.save(path)
    found = predicted(path, package, LoadCall.LOAD_MODEL, "Stack")
    assert [each.code for each in found.because] == ["layers-added-twice"]
    try:
        again = keras.models.load_model(path, custom_objects={"Stack": Stack}, compile=False)
        loaded = len(again.layers) == 2
    except (ValueError, TypeError):
        loaded = False
    assert loaded is not adds
    keras.models.load_model(path, custom_objects={"Stack": keras.Sequential}, compile=False)


@pytest.mark.parametrize("name", ["blocks", "layers", "enc_layers"])
def test_every_layers_is_replaced(tmp_path: Path, name: str) -> None:
    """The groups have the names of Keras 2.12 to 2.14; the own layer has a list of layers."""
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))

    def made(keras: Any) -> Any:
        class Held(keras.layers.Layer):  # type: ignore[misc]
            def __init__(self, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                setattr(self, name, [keras.layers.Dense(4) for _ in range(2)])

            def call(self, value: Any) -> Any:
                for each in getattr(self, name):
                    value = each(value)
                return value

        return keras.Sequential([keras.layers.Input((4,)), Held(), keras.layers.Dense(2)])

    path = tmp_path / "w.weights.h5"
    made(older).save_weights(path)
    with h5py.File(path, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    found = predicted(path, "keras", LoadCall.LOAD_WEIGHTS)
    fails = "layers" in name
    assert [each.code for each in found.because] == ["weights-layout"] * fails
    if fails:
        with pytest.raises(ValueError, match="could not be loaded"):
            made(newer).load_weights(path)
    else:
        made(newer).load_weights(path)


def backbone(keras: Any, states: bool) -> Any:
    class Backbone(keras.Model):  # type: ignore[misc]
        def __init__(self, *args: Any, width: int = 3, **kwargs: Any) -> None:
            if states:
                start = keras.layers.Input((4,))
                args = start, keras.layers.Dense(width)(start)
            super().__init__(*args, **kwargs)
            self.width = width

    def described(self: Any) -> dict[str, Any]:
        return {"width": self.width, "name": self.name, "trainable": self.trainable}

    if states:
        Backbone.get_config = described
        Backbone.from_config = classmethod(lambda cls, config, custom_objects=None: cls(**config))
    return Backbone


@pytest.mark.parametrize("package", TARGETS)
def test_a_functional_model_in_its_constructor(tmp_path: Path, package: str) -> None:
    """Alone, and inside another: Keras 2 counts the calls of such a model from 1."""
    older, keras = pytest.importorskip("tf_keras"), pytest.importorskip(package)
    written, kind = backbone(older, states=True), backbone(keras, states=True)
    written(width=5).save(tmp_path / "m.h5")
    found = predicted(tmp_path / "m.h5", package, LoadCall.LOAD_MODEL, "Backbone")
    assert found.predicted is LoadOutcome.LOADS
    own = {"Backbone": kind}
    keras.models.load_model(tmp_path / "m.h5", custom_objects=own, compile=False)
    start = older.layers.Input((4,))
    outer = older.Model(start, older.layers.Dense(2)(written(width=5, name="trunk")(start)))
    outer.save(tmp_path / "o.h5")
    found = predicted(tmp_path / "o.h5", package, LoadCall.LOAD_MODEL, "Backbone")
    if package == "keras":
        assert [each.code for each in found.because] == ["node-number-of-inner-model"]
        with pytest.raises(ValueError, match="failed to be resolved"):
            keras.models.load_model(tmp_path / "o.h5", custom_objects=own, compile=False)
    else:
        assert found.predicted is LoadOutcome.LOADS
        keras.models.load_model(tmp_path / "o.h5", custom_objects=own, compile=False)


def test_it_lists_its_input_among_the_layers(tmp_path: Path) -> None:
    """Keras 2.14 has other names for the layers of such models (observed: it raises an error)."""
    keras = pytest.importorskip("keras")
    backbone(keras, states=True)(width=5).save_weights(tmp_path / "m.weights.h5")
    profile = as_installed(find_profile("tf==2.14.1"))
    request = LoadRequest(LoadCall.LOAD_WEIGHTS)
    found = fitting_predictions(read(tmp_path / "m.weights.h5", Limits()), [(profile, request)])[0]
    assert [each.code for each in found.because] == ["weights-layout"]
