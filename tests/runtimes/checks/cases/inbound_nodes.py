"""Cases of the causes in `modelaudit/runtimes/checks/inbound_nodes.py`."""

from __future__ import annotations

from typing import Any

from tests.runtimes.checks.cases.case import K3, Case
from tests.runtimes.checks.cases.shared import (
    after,
    functional,
    h5,
    in_keras2,
    in_keras3,
)
from tests.runtimes.checks.making import Config, Keras, deleting, objects, setting


def initial_states(k: Keras) -> Any:
    """An encoder and a decoder, whose initial states are those of the encoder."""
    layers = k.layers
    text, start = layers.Input((5, 3)), layers.Input((4, 3))
    _, h, c = layers.LSTM(2, return_state=True, name="encoder")(text)
    decoded = layers.LSTM(2, name="decoder")(start, initial_state=[h, c])
    return k.Model([text, start], layers.Dense(2)(decoded))


def both_ways(k: Keras) -> Any:
    """The same with layers that read in both directions."""
    layers = k.layers
    text, start = layers.Input((5, 3)), layers.Input((4, 3))
    _, *states = layers.Bidirectional(layers.GRU(2, return_state=True))(text)
    return k.Model([text, start], layers.Bidirectional(layers.GRU(2))(start, initial_state=states))


def inner_twice(k: Keras) -> Any:
    """An inner Functional model that Keras 2 built by its own input and was called twice."""
    part = k.Input((4,))
    inner = k.Model(part, k.layers.Dense(4)(part), name="inner")
    value = k.Input((4,))
    return k.Model(value, k.layers.Add()([inner(value), inner(k.layers.Dense(4)(value))]))


def inner_output(k: Keras) -> Any:
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4)], name="inner")
    value = k.Input((4,))
    return k.Model(value, inner(k.layers.Dense(4)(value)))


def listed(k: Keras) -> Any:
    image = k.layers.Input((12, 12, 1))
    inner = k.Model(image, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(4, 3)(image)))
    return k.Sequential([inner, k.layers.Softmax()])


def single_outputs(config: Config) -> None:
    """Outputs as a single entry instead of a list of one."""
    for each in objects(config):
        outputs = each.get("output_layers")
        if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
            each["output_layers"] = outputs[0]


def open_size(k: Keras, size: int | None = None) -> Any:
    value = k.Input((5, 3))
    mixed = k.layers.EinsumDense("abc,cd->abd", output_shape=(size, 4), name="mixed")(value)
    return k.Model(value, k.layers.Dense(2)(k.layers.Flatten()(mixed)))


SHAPES_OF_ATTENTION = ("query_shape", "key_shape", "value_shape", "softmax_robust_masking")


def keyword(k: Keras) -> Any:
    one, other = k.Input((5, 4)), k.Input((5, 4))
    return k.Model([one, other], k.layers.MultiHeadAttention(2, 2)(one, value=other))


def by_names(k: Keras) -> Any:
    """An inner model called with a dictionary of tensors."""
    one, other = k.Input((4,), name="one"), k.Input((2,), name="other")
    joined = k.layers.Concatenate()([one, other])
    inner = k.Model({"one": one, "other": other}, k.layers.Dense(3)(joined))
    first, second = k.Input((4,)), k.Input((2,))
    return k.Model([first, second], inner({"one": first, "other": second}))


def in_lists(k: Keras) -> Any:
    """An inner model called with a list of a list and a tensor."""
    parts = [k.Input((4,)), k.Input((2,)), k.Input((3,))]
    inner = k.Model([parts[:2], parts[2]], k.layers.Dense(3)(k.layers.Concatenate()(parts)))
    given = [k.Input((4,)), k.Input((2,)), k.Input((3,))]
    return k.Model(given, inner([given[:2], given[2]]))


CASES = (
    Case("call-of-structure", K3, h5(by_names), {"tf-keras": in_keras2}),
    Case("call-of-structure", K3, h5(by_names, plain=True), note="without modules"),
    Case("call-of-structure", K3, h5(in_lists), {"tf-keras": in_keras2}, note="lists"),
    Case(
        "initial-state-as-input",
        K3,
        h5(initial_states, deleting("LSTM", "time_major"), plain=True),
        {"tf-keras": in_keras2},
    ),
    Case(
        "initial-state-as-input", K3, h5(both_ways), {"tf-keras": in_keras2}, note="Bidirectional"
    ),
    Case(
        "list-of-one-output",
        K3,
        h5(listed),
        {"as a single entry": after(single_outputs, in_keras3)},
        later=(1, 12, 12, 1),
    ),
    Case(
        "size-left-open",
        K3,
        h5(open_size, plain=True),
        {
            "Add the size to output_shape": after(
                setting("EinsumDense", output_shape=[5, 4]), in_keras3
            )
        },
    ),
    Case("node-number-of-output", K3, h5(inner_output), {"tf-keras": in_keras2}),
    Case("node-number-of-inner-model", K3, h5(inner_twice), {"tf-keras": in_keras2}),
    Case("tensor-by-keyword", K3, h5(keyword), {"tf-keras": in_keras2}),
    Case(
        "tensor-by-keyword",
        K3,
        h5(keyword, deleting("MultiHeadAttention", *SHAPES_OF_ATTENTION)),
        note="without shapes",
    ),
    Case(
        "operation-as-layer",
        K3,
        h5(functional(lambda k, v: v * 2.0), keras2=False),
        {},
        note="number",
    ),
    Case(
        "operation-as-layer",
        K3,
        h5(functional(lambda k, v: v * k.layers.Dense(4)(v)), keras2=False),
        {},
        note="tensor",
    ),
)
