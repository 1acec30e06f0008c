"""Experiments with HDF5 files whose config is written here by hand, as other versions wrote it."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

from .signatures import AnyObject

LOADS, FAILS, DIFFERS = "loads", "fails", "differs"
SHAPE = [None, 3]
MERGES = ("Concatenate",)  # layers with an axis that take several tensors


def dense(name: str, units: int, **others: AnyObject) -> dict[str, AnyObject]:
    """A Dense layer as Keras 2.2 wrote it, without keys that later versions dropped or added."""
    config = {"name": name, "trainable": True, "units": units, "activation": "linear"}
    return {"class_name": "Dense", "config": dict(config, use_bias=True, **others)}


def sequential_configs() -> dict[str, AnyObject]:
    """Form of a Sequential model's config -> such a config, of two Dense layers.

    Keras up to 2.2.2 wrote a list; later versions write an object, from TensorFlow 2.2 on with an
    InputLayer. A model without any input shape was built by its first call. The inner forms are
    those of a model that is the only layer of another one.
    """
    shaped = [dense("one", 4, batch_input_shape=SHAPE), dense("two", 2)]
    bare = [dense("one", 4), dense("two", 2)]

    def outer(config: AnyObject) -> AnyObject:
        return {"name": "model", "layers": [{"class_name": "Sequential", "config": config}]}

    return {
        "inner-list": outer(shaped),
        "inner-first-layer": outer({"name": "inner", "layers": shaped}),
        "list": shaped,
        "first-layer": {"name": "model", "layers": shaped},
        "list-unbuilt": bare,
        "unbuilt": {"name": "model", "layers": bare},
        "build-shape": {"name": "model", "layers": bare, "build_input_shape": SHAPE},
    }


def sequential_forms(keras: AnyObject) -> dict[str, str]:
    """Form of a Sequential model's config -> what happens when an HDF5 file with it is loaded."""
    return {
        form: loaded_from(keras, {"class_name": "Sequential", "config": config}, "inner" in form)
        for form, config in sorted(sequential_configs().items())
    }


def loaded_from(keras: AnyObject, config: AnyObject, inner: bool) -> str:
    """Whether the file loads, is called, and computes what its two Dense layers compute.

    `inner` says that both are in one model, which is the only layer of the outer one.
    """
    h5py, numpy = importlib.import_module("h5py"), importlib.import_module("numpy")
    random = numpy.random.RandomState(3)
    values = [random.rand(*shape).astype("float32") for shape in ((3, 4), (4,), (4, 2), (2,))]
    data = random.rand(5, 3).astype("float32")
    expected = (data.dot(values[0]) + values[1]).dot(values[2]) + values[3]
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.h5")
        with h5py.File(path, "w") as file:
            # Bytes: TensorFlow up to 2.4 decodes what it finds.
            file.attrs["model_config"] = json.dumps(config).encode()
            file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
            weights = file.create_group("model_weights")
            weights.attrs["keras_version"], weights.attrs["backend"] = b"2.2.4", b"tensorflow"
            names = [
                one + "/" + part + ":0" for one in ("one", "two") for part in ("kernel", "bias")
            ]
            groups = {"inner": names} if inner else {"one": names[:2], "two": names[2:]}
            weights.attrs["layer_names"] = [name.encode() for name in sorted(groups)]
            for name, inside in groups.items():
                group = weights.create_group(name)
                group.attrs["weight_names"] = [each.encode() for each in inside]
                for each in inside:
                    group[each] = values[names.index(each)]
        try:
            model = keras.models.load_model(path, compile=False)
            found = model.predict(data)
        except Exception:
            return FAILS
    return LOADS if numpy.allclose(found, expected, atol=1e-5) else DIFFERS


def axes_from_h5(keras: AnyObject) -> dict[str, str]:
    """Layer class -> what happens to a list of two axes in an HDF5 file."""
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).rand(5, 3, 4).astype("float32")
    found = {}
    for name in ("BatchNormalization", "LayerNormalization", "Softmax", "UnitNormalization"):
        try:
            value = keras.layers.Input((3, 4))
            model = keras.Model(value, getattr(keras.layers, name)(axis=[1, 2])(value))
            expected = model.predict(data)
        except Exception:
            continue  # this version has no such layer, or it takes one axis only
        found[name] = saved_and_loaded(keras, model, data, expected)
    return found


def axis_from_h5(keras: AnyObject) -> dict[str, str]:
    """Layer class -> what happens to an axis of 1 in an HDF5 file."""
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).rand(5, 3, 4).astype("float32")
    found = {}
    for name, cls in sorted(vars(keras.layers).items()):
        try:
            taken = inspect.signature(cls.__init__).parameters
            if "axis" not in taken:
                continue
            layer = cls(axis=1, groups=1) if "groups" in taken else cls(axis=1)
            value = keras.layers.Input((3, 4))
            model = keras.Model(value, layer([value, value] if name in MERGES else value))
            found[name] = saved_and_loaded(keras, model, data, model.predict(data))
        except Exception:
            continue  # it is no layer, or takes other arguments or inputs
    return found


def saved_and_loaded(
    keras: AnyObject, model: AnyObject, data: AnyObject, expected: AnyObject
) -> str:
    """Whether a model computes the same after it was saved as HDF5 and loaded."""
    numpy = importlib.import_module("numpy")
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model.h5")
        model.save(path)
        try:
            again = keras.models.load_model(path, compile=False).predict(data)
        except Exception:
            return FAILS
    equal = again.shape == expected.shape and numpy.allclose(again, expected, atol=1e-5)
    return LOADS if equal else DIFFERS


def operations_from_h5(keras: AnyObject) -> dict[str, str]:
    """Keras 3: whether arithmetic on symbolic tensors comes back from HDF5.

    With a number it is one operation with a constant; with a tensor, with two inputs.
    """
    made: dict[str, AnyObject] = {
        "number": lambda value: value * 2.0,
        "tensor": lambda value: value * keras.layers.Dense(3)(value),
    }
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).rand(5, 3).astype("float32")
    found = {}
    for form, compute in sorted(made.items()):
        value = keras.layers.Input((3,))
        model = keras.Model(value, compute(value))
        found[form] = saved_and_loaded(keras, model, data, model.predict(data))
    return found


def reads_arrays(keras: AnyObject) -> bool:
    """Whether a number may be written as an array, as `json` in Keras up to 2.2 wrote it."""
    config = {"name": "leaky", "alpha": {"type": "ndarray", "value": 0.25}}
    layer = keras.layers.LeakyReLU.from_config(config)
    layer(keras.layers.Input((3,)))
    return True


def model_of_list(keras: AnyObject, shape: AnyObject) -> AnyObject:
    """A Functional model whose output is a list of one, as Keras 2 writes all of them."""
    value = keras.layers.Input(shape)
    config = keras.Model(value, keras.layers.Dense(2, name="last")(value)).get_config()
    config["output_layers"] = [["last", 0, 0]]
    return keras.Model.from_config(config)


def lists_in(keras: AnyObject) -> dict[str, str]:
    """What is around such a model -> whether it takes the list for the tensor in it."""

    def sequential() -> AnyObject:
        return keras.Sequential(
            [keras.layers.Input((3,)), model_of_list(keras, (3,)), keras.layers.Dense(1)]
        )

    def wrapped() -> AnyObject:
        value = keras.layers.Input((4, 3))
        inner = keras.layers.TimeDistributed(model_of_list(keras, (3,)))
        return keras.Model(value, keras.layers.Dense(1)(inner(value)))

    numpy = importlib.import_module("numpy")
    made = {
        "Sequential": (sequential, numpy.zeros((2, 3), "float32")),
        "TimeDistributed": (wrapped, numpy.zeros((2, 4, 3), "float32")),
    }
    found = {}
    for name, (build, data) in sorted(made.items()):
        try:
            build()(data)
        except Exception:
            found[name] = FAILS
        else:
            found[name] = LOADS
    return found


def revives_recurrent() -> bool:
    """Keras 2: whether a recurrent layer in a SavedModel can be revived from its functions.

    Without its class or cell, it cannot be built from its config.
    """
    reviving = [m for n, m in sorted(sys.modules.items()) if hasattr(m, "revive_custom_object")]
    metadata = {"class_name": "RNN", "name": "rnn", "config": {}, "dtype": "float32"}
    try:
        reviving[0].revive_custom_object("_tf_keras_rnn_layer", metadata)
    except ValueError:
        return False
    return True
