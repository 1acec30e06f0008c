"""Experiments with weights that are read into a model which its program has built, or trained."""

from __future__ import annotations

import importlib
import tempfile
import types
from pathlib import Path

from .configs import DIFFERS, FAILS, LOADS
from .signatures import AnyObject


def dense_model(keras: AnyObject) -> AnyObject:
    """Two Dense layers with kernels of different shapes."""
    value = keras.layers.Input((3,))
    return keras.Model(value, keras.layers.Dense(2)(keras.layers.Dense(4)(value)))


def weights_into_trained(keras: AnyObject) -> str:
    """What happens if `.weights.h5` of a model that was not compiled is read into a trained one."""
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).rand(5, 3).astype("float32")
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.weights.h5")
        saved = dense_model(keras)
        saved.save_weights(path)
        model = dense_model(keras)
        model.compile("adam", "mse")
        model.fit(data, numpy.ones((5, 2), "float32"), verbose=0)
        try:
            model.load_weights(path)
        except Exception:
            return FAILS
        return same(saved.predict(data), model.predict(data))


def same(expected: AnyObject, found: AnyObject) -> str:
    """Whether two arrays are equal up to rounding."""
    close = importlib.import_module("numpy").allclose(expected, found, atol=1e-5)
    return LOADS if close else DIFFERS


def optimizer_variables(keras: AnyObject) -> list[list[int]] | None:
    """Shapes of the variables that Adam keeps for a (3, 2) kernel and a bias, in the order of the
    list that a checkpoint has; None if it keeps them as slots of the weights."""
    numpy = importlib.import_module("numpy")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(numpy.ones((5, 3), "float32"), numpy.ones((5, 2), "float32"), verbose=0)
    listed = getattr(model.optimizer, "_variables", None)
    return None if listed is None else [list(map(int, each.shape)) for each in listed]


def restored(make: AnyObject, data: AnyObject, as_weights: bool) -> str:
    """Whether one model computes the same as another one whose checkpoint it restores.

    `as_weights` says that it does so with `load_weights`.
    """
    tensorflow = importlib.import_module("tensorflow")
    saved, model = make(1.0), make(2.0)
    expected = saved.predict(data)
    model.predict(data)
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model")
        if as_weights:
            saved.save_weights(path, save_format="tf")
            model.load_weights(path)
        else:
            written = tensorflow.train.Checkpoint(model=saved).write(path)
            tensorflow.train.Checkpoint(model=model).read(written).expect_partial()
        return same(expected, model.predict(data))


def restored_states(keras: AnyObject) -> dict[str, str]:
    """What a checkpoint restores beside plain weights: a part of a model -> what happens.

    `Normalization` was adapted to other data before the checkpoint is restored. The layers of a
    subclass are in a list or in a dictionary.
    """
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).rand(5, 3).astype("float32")

    def adapted(factor: float) -> AnyObject:
        layer = keras.layers.Normalization()
        layer.adapt(data * factor)
        return keras.Sequential([keras.layers.Input((3,)), layer])

    made: dict[str, AnyObject] = {
        "Normalization": adapted,
        "Normalization.load_weights": adapted,
        "list": lambda _: held(keras, lambda layer: [layer]),
        "dict": lambda _: held(keras, lambda layer: {"one": layer}),
    }
    found = {}
    for name, make in sorted(made.items()):
        try:
            found[name] = restored(make, data, "load_weights" in name)
        except Exception:
            continue  # this version has no such layer or call, or needs a session
    return found


def held(keras: AnyObject, hold: AnyObject) -> AnyObject:
    """A subclass of Model that holds a layer in a container."""

    def start(self: AnyObject) -> None:
        keras.Model.__init__(self)
        self.parts = hold(keras.layers.Dense(2))

    def call(self: AnyObject, value: AnyObject) -> AnyObject:
        parts = self.parts
        return (parts["one"] if hasattr(parts, "keys") else parts[0])(value)

    methods = {"__init__": start, "call": call}
    return types.new_class("Holder", (keras.Model,), {}, lambda body: body.update(methods))()
