"""HDF5 configs of older Keras, and operations in HDF5: predictions compared with both Keras."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow

SHAPE = {"batch_input_shape": [None, 3]}


def dense(name, units, **others):
    config = {"name": name, "trainable": True, "units": units, "activation": "linear"}
    return {"class_name": "Dense", "config": {**config, "use_bias": True, **others}}


SHAPED = [dense("first", 4, **SHAPE), dense("last", 2)]
BARE = [dense("first", 4), dense("last", 2)]
INPUT = {"class_name": "InputLayer", "config": {"name": "in", **SHAPE, "dtype": "float32"}}
FORMS = {
    "list": SHAPED,
    "list without shape": BARE,
    "first layer": {"name": "model", "layers": SHAPED},
    "without shape": {"name": "model", "layers": BARE},
    "built": {"name": "model", "layers": BARE, "build_input_shape": [None, 3]},
    "input layer": {"name": "model", "layers": [INPUT, *BARE]},
    "list inside": {"name": "model", "layers": [{"class_name": "Sequential", "config": SHAPED}]},
    "first layer inside": {
        "name": "model",
        "layers": [{"class_name": "Sequential", "config": {"name": "inner", "layers": SHAPED}}],
    },
}


def write(path: Path, config: object) -> None:
    """A Sequential model of two Dense layers as Keras 2.2.4 wrote it."""
    with h5py.File(path, "w") as file:
        whole = {"class_name": "Sequential", "config": config}
        file.attrs["model_config"] = json.dumps(whole)
        file.attrs["keras_version"], file.attrs["backend"] = "2.2.4", "tensorflow"
        weights = file.create_group("model_weights")
        inside = "Sequential" in json.dumps(config)
        weights.attrs["layer_names"] = [b"inner"] if inside else [b"first", b"last"]
        weights.attrs["keras_version"], weights.attrs["backend"] = b"2.2.4", b"tensorflow"
        for name, shape in (("first", (3, 4)), ("last", (4, 2))):
            group = weights.require_group("inner" if inside else name)
            group[f"{name}/kernel:0"] = np.full(shape, 0.5, "float32")
            group[f"{name}/bias:0"] = np.zeros(shape[1:], "float32")
            listed = [f"{each}/{part}:0" for each in group for part in ("kernel", "bias")]
            group.attrs["weight_names"] = [each.encode() for each in listed]


def outcome(keras, path: Path, shape: tuple[int, ...]) -> LoadOutcome:
    """Whether this Keras loads the file and calls the model."""
    try:
        keras.models.load_model(path, compile=False)(np.ones(shape))
    except Exception:
        return LoadOutcome.FAILS
    return LoadOutcome.LOADS


def predictions(path: Path) -> list[LoadOutcome]:
    targets = [f"tf=={metadata.version('tensorflow')}", f"tf-keras=={metadata.version('tf_keras')}"]
    return [each.predicted for each in predict(read(path, Limits()), targets)]


def test_every_form_of_a_sequential_config(tmp_path: Path) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    told = {}
    for number, (name, config) in enumerate(FORMS.items()):
        path = tmp_path / f"{number}.h5"
        write(path, config)
        told[name] = [outcome(each, path, (2, 3)) for each in (new, old)]
        assert predictions(path) == told[name], name
    assert told["list"] == [LoadOutcome.FAILS, LoadOutcome.LOADS]
    assert told["list inside"] == told["first layer inside"] == told["list"]
    assert told["without shape"] == [LoadOutcome.FAILS, LoadOutcome.FAILS]
    assert told["input layer"] == [LoadOutcome.LOADS, LoadOutcome.LOADS]


def test_a_number_of_numpy_in_a_config(tmp_path: Path) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    for form, loads in (({"type": "ndarray", "value": 0.25}, False), (0.25, True)):
        path = tmp_path / f"{loads}.h5"
        leaky = {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": form}}
        write(path, {"name": "model", "layers": [INPUT, *BARE, leaky]})
        with h5py.File(path, "r+") as file:
            file["model_weights"].create_group("leaky").attrs["weight_names"] = []
            file["model_weights"].attrs["layer_names"] = [b"first", b"last", b"leaky"]
        told = [outcome(each, path, (2, 3)) for each in (new, old)]
        assert predictions(path) == told == [LoadOutcome.LOADS if loads else LoadOutcome.FAILS] * 2


@pytest.mark.parametrize("key", ["lr", "learning_rate"])
def test_the_learning_rate_as_keras_named_it_before_2_3(tmp_path: Path, key: str) -> None:
    keras = pytest.importorskip("keras")
    path = tmp_path / "model.h5"
    write(path, FORMS["input layer"])
    optimizer = {"class_name": "Adam", "config": {key: 0.01, "beta_1": 0.9, "decay": 0.0}}
    training = {"optimizer_config": optimizer, "loss": "mean_squared_error", "metrics": []}
    with h5py.File(path, "r+") as file:
        others = {"sample_weight_mode": None, "loss_weights": None}
        file.attrs["training_config"] = json.dumps({**training, **others})
    targets = [f"tf=={metadata.version('tensorflow')}"]
    told = [each.predicted for each in predict(read(path, Limits()), targets)]
    if key == "lr":
        with pytest.raises(ValueError, match=r"not recognized: .*lr"):
            keras.models.load_model(path)
    else:
        keras.models.load_model(path)
    assert (LoadOutcome.FAILS in told) == (key == "lr")


def test_operations_in_hdf5(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    value = keras.layers.Input((3,))
    other = keras.layers.Dense(3)(value)
    made = {
        "number": value * 2.0,
        "tensor": value * other,
        "layer": keras.layers.Multiply()([value, other]),
    }
    told = {}
    for name, output in made.items():
        path = tmp_path / f"{name}.h5"
        keras.Model(value, output).save(path)
        told[name] = outcome(keras, path, (2, 3))
        assert predictions(path)[0] is told[name], name
    assert told["number"] is LoadOutcome.FAILS
    assert told["layer"] is LoadOutcome.LOADS


def test_slots_of_a_keras_2_optimizer_need_tf_keras_beside(tmp_path: Path) -> None:
    keras, tensorflow = pytest.importorskip("tf_keras"), pytest.importorskip("tensorflow")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.legacy.Adam(), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model")
    targets = (f"tf=={tensorflow.__version__}", "tf==2.16", "tf==2.16+tf-keras==2.16")
    found = {
        each.runtime: each.predicted
        for each in predict(read(tmp_path / "model", Limits()), targets)
        if each.call == "saved_model.load"
    }
    tensorflow.saved_model.load(str(tmp_path / "model"))  # raises no error
    wanted = [LoadOutcome.LOADS, LoadOutcome.FAILS, LoadOutcome.LOADS]
    assert list(found.values()) == wanted


def twice(kind: str, first: int, *, joined: bool) -> dict[str, object]:
    """An inner model without weights, called twice, whose calls are counted from `first`."""
    active = {"class_name": "Activation", "config": {"name": "act", "activation": "tanh"}}
    inner: dict[str, object] = {"name": "inner", "layers": [INPUT, active]}
    if kind == "Functional":
        chain = [(INPUT, "in", []), (active, "act", [[["in", 0, 0, {}]]])]
        layers = [{**layer, "name": name, "inbound_nodes": nodes} for layer, name, nodes in chain]
        ends = {"input_layers": [["in", 0, 0]], "output_layers": [["act", 0, 0]]}
        inner = {"name": "inner", "layers": layers, **ends}
    nodes = [[["in", 0, 0, {}]], [["in", 0, 0, {}]]]
    calls = [["inner", first, 0, {}], ["inner", first + 1, 0, {}]]
    layers = [
        {**INPUT, "name": "in", "inbound_nodes": []},
        {"class_name": kind, "config": inner, "name": "inner", "inbound_nodes": nodes},
    ]
    outputs = [call[:3] for call in calls]
    if joined:
        add = {"class_name": "Add", "config": {"name": "add"}, "name": "add"}
        layers.append({**add, "inbound_nodes": [calls]})
        outputs = [["add", 0, 0]]
    ends = {"input_layers": [["in", 0, 0]], "output_layers": outputs}
    return {"class_name": "Functional", "config": {"name": "outer", "layers": layers, **ends}}


@pytest.mark.parametrize("kind", ["Sequential", "Functional"])
def test_calls_of_an_inner_model_are_counted_from_0_or_1(tmp_path: Path, kind: str) -> None:
    new = pytest.importorskip("keras")
    for first in (0, 1) if kind == "Sequential" else (1,):  # Keras 2 counts Functional ones from 1
        for joined in (True, False):
            path = tmp_path / f"{first}{joined}.h5"
            with h5py.File(path, "w") as file:
                file.attrs["model_config"] = json.dumps(twice(kind, first, joined=joined))
                file.attrs["keras_version"], file.attrs["backend"] = "2.10.0", "tensorflow"
                file.create_group("model_weights").attrs["layer_names"] = [b"in", b"inner"]
                for name in ("in", "inner"):
                    file["model_weights"].create_group(name).attrs["weight_names"] = []
            observed = outcome(new, path, (2, 3))
            assert predictions(path)[0] is observed, (first, joined)
            assert observed is LoadOutcome.LOADS or first == 1


def test_only_a_model_takes_a_list_of_one(tmp_path: Path) -> None:
    """What comes behind an inner model of Keras 2 in a Sequential one, in Keras 3."""
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")

    def inner(name):
        start = old.Input((3,))
        return old.Model(start, old.layers.Dense(3)(start), name=name)

    behind = {
        "model": [inner("two")],
        "sequential": [old.Sequential([old.Input((3,)), old.layers.Dense(3)], name="two")],
        "layer": [old.layers.Dense(3)],
        "model and layer": [inner("two"), old.layers.Dense(3)],
        "nothing": [],
    }
    for name, layers in behind.items():
        path = tmp_path / f"{name}.h5"
        model = old.Sequential([inner("one"), *layers])
        model(np.ones((2, 3), "float32"))
        model.save(path)
        observed = outcome(new, path, (2, 3))
        assert predictions(path)[0] is observed, name
        assert (observed is LoadOutcome.FAILS) is ("layer" in name), name
