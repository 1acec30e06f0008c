"""Small saved configs, as Keras writes them."""

from __future__ import annotations

from modelaudit.facts import Architecture, Json
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.settings import Limits


def parse(config: Json) -> Architecture:
    return parse_architecture(config, limits=Limits(), file="config.json")


def layer(class_name: str, name: str, *, inbound: Json = None, **config: Json) -> dict[str, Json]:
    trainable: dict[str, Json] = {} if class_name == "InputLayer" else {"trainable": True}
    saved: dict[str, Json] = {
        "class_name": class_name,
        "config": {"name": name, **trainable, **config},
    }
    return saved if inbound is None else saved | {"name": name, "inbound_nodes": inbound}


def input_layer(name: str, *shape: int | None) -> dict[str, Json]:
    return layer("InputLayer", name, inbound=[], batch_input_shape=[None, *shape])


def functional(
    layers: list[dict[str, Json]], inputs: Json, outputs: Json, name: str = "model"
) -> dict[str, Json]:
    return {
        "class_name": "Functional",
        "config": {
            "name": name,
            "layers": list(layers),
            "input_layers": inputs,
            "output_layers": outputs,
        },
    }


def tensor(name: str, *shape: int | None) -> dict[str, Json]:
    """A tensor as Keras 3 writes it into inbound nodes."""
    config: dict[str, Json] = {"shape": [None, *shape], "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def keras3_model() -> dict[str, Json]:
    x, y = tensor("x", 4), tensor("mystery", 6)
    return functional(
        [
            layer("InputLayer", "x", inbound=[], batch_shape=[None, 4]),
            layer("Mystery", "mystery", inbound=[{"args": [x], "kwargs": {"training": True}}]),
            layer("Dense", "dense", units=3, inbound=[{"args": [y], "kwargs": {}}]),
            {
                "module": "keras.src.ops.numpy",
                "class_name": "Multiply",
                "config": {"name": "double"},
                "name": "double",
                "inbound_nodes": [{"args": [tensor("dense", 3), 2.0], "kwargs": {}}],
            },
        ],
        ["x", 0, 0],
        ["double", 0, 0],
    )


def shared_model() -> dict[str, Json]:
    return functional(
        [
            input_layer("x", 5),
            layer("Dense", "shared", units=5, inbound=[[["x", 0, 0, {}]], [["relu", 0, 0, {}]]]),
            layer("ReLU", "relu", inbound=[[["shared", 0, 0, {}]]]),
            layer("Dense", "last", units=2, inbound=[[["shared", 1, 0, {}]]]),
        ],
        [["x", 0, 0]],
        [["last", 0, 0]],
    )


def nested_model(first_call: int) -> dict[str, Json]:
    """A model called twice; Keras 2 numbers the calls from 1, Keras 3 from 0."""
    inner = functional(
        [input_layer("i", 4), layer("Dense", "dense", units=3, inbound=[[["i", 0, 0, {}]]])],
        [["i", 0, 0]],
        [["dense", 0, 0]],
        name="inner",
    )
    inner |= {"name": "inner", "inbound_nodes": [[["a", 0, 0, {}]], [["b", 0, 0, {}]]]}
    both = [[["inner", first_call, 0, {}], ["inner", first_call + 1, 0, {}]]]
    return functional(
        [input_layer("a", 4), input_layer("b", 4), inner, layer("Add", "add", inbound=both)],
        [["a", 0, 0], ["b", 0, 0]],
        [["add", 0, 0]],
    )
