"""Experiments with weight files (`.weights.h5` and `.keras`): which layouts a runtime reads.

A layout is how a file names the groups of layers. Each is written here by hand, with weights that
can be recognised, and read by the runtime.
"""

from __future__ import annotations

import importlib
import tempfile
import types
from pathlib import Path

from .signatures import AnyObject

OLD = "_layer_checkpoint_dependencies"
# Layout -> (whether the model is a subclass, groups of its two Dense layers). The groups in a list
# of layers are numbered by class: a layer may be counted twice, or not at all if it is also listed
# under another name. Layers of a subclassed model are listed under their attribute or in the list
# of all layers, whichever comes first: in alphabetical order (a < layers < z) or in reverse.
LAYOUTS = {
    "layers": (False, ("layers/dense", "layers/dense_1")),
    "dependencies": (False, (OLD + "/dense", OLD + "/dense_1")),
    "dependencies-doubled": (False, (OLD + "/dense", OLD + "/dense_2")),
    "attributes-first": (True, ("a", "layers/dense")),
    "attributes-first-counted": (True, ("a", "layers/dense_1")),
    "layers-first": (True, ("layers/dense", "z")),
}


def layouts_read(keras: AnyObject) -> list[str]:
    """The layouts from which weights are restored."""
    return [layout for layout in sorted(LAYOUTS) if comes_back(keras, layout)]


def comes_back(keras: AnyObject, layout: str) -> bool:
    """Whether weights in this layout are restored."""
    numpy = importlib.import_module("numpy")
    h5py = importlib.import_module("h5py")
    subclass, groups = LAYOUTS[layout]
    model = two_attributes(keras) if subclass else two_layers(keras)
    model(numpy.zeros((1, 2), "float32"))
    values = [value + 0.25 for value in model.get_weights()]
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.weights.h5")
        with h5py.File(path, "w") as file:
            file.create_group("vars")  # the model's own weights: none
            for number, name in enumerate(groups):
                for index in range(2):
                    file[f"{name}/vars/{index}"] = values[2 * number + index]
        try:
            model.load_weights(path)
        except Exception:
            return False
    loaded = model.get_weights()
    return all(numpy.array_equal(value, loaded[n]) for n, value in enumerate(values))


def two_layers(keras: AnyObject) -> AnyObject:
    """A Functional model of two Dense layers."""
    value = keras.layers.Input((2,))
    return keras.Model(value, keras.layers.Dense(2)(keras.layers.Dense(2)(value)))


def two_attributes(keras: AnyObject) -> AnyObject:
    """The same as a subclass."""

    def start(self: AnyObject) -> None:
        keras.Model.__init__(self)
        self.a = keras.layers.Dense(2)
        self.z = keras.layers.Dense(2)

    def call(self: AnyObject, value: AnyObject) -> AnyObject:
        return self.z(self.a(value))

    methods = {"__init__": start, "call": call}
    return types.new_class("TwoLayers", (keras.Model,), {}, lambda body: body.update(methods))()
