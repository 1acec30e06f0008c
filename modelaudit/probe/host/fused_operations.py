"""Operations that only TensorFlow.js runs, taken apart into those of TensorFlow.

Its converter makes one node of a convolution or a product, its bias and its activation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text

Node = Mapping[str, Json]

# Fused operation -> what it begins with, and the attributes of that.
_WINDOWS = ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations")
_FUSED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "_FusedConv2D": ("Conv2D", _WINDOWS),
    "FusedDepthwiseConv2dNative": ("DepthwiseConv2dNative", _WINDOWS),
    "_FusedMatMul": ("MatMul", ("T", "transpose_a", "transpose_b")),
}
_PRELU = "Prelu"
# What can follow it in the same node. Other names are no part of that node for TensorFlow.js, and
# the security rules, which look at the nodes, do not see them.
_STEPS = frozenset(("BiasAdd", "Elu", "LeakyRelu", _PRELU, "Relu", "Relu6", "Sigmoid", "Tanh"))
_MOST_STEPS = 2
_OF_BIAS, _OF_LEAK = ("T", "data_format"), ("T", "alpha")


def taken_apart(node: Node) -> Iterator[Node]:
    """The nodes for one node of a GraphDef as JSON; the last has its name.

    Nodes that TensorFlow runs are as they are, and those that TensorFlow.js does not run.
    """
    operation, attributes = text(node.get("op")), mapping(node.get("attr"))
    if operation == _PRELU:
        name, inputs = text(node.get("name")), [*sequence(node.get("input"))]
        yield from _prelu(name, inputs, {"T": attributes.get("T", {"type": "DT_FLOAT"})})
    elif operation in _FUSED and _is_known(steps := _names(attributes.get("fused_ops"))):
        yield from _fused(node, attributes, steps)
    else:
        yield node


def _is_known(steps: list[str]) -> bool:
    return len(steps) <= _MOST_STEPS and _STEPS.issuperset(steps)


def _fused(node: Node, attributes: Mapping[str, Json], steps: list[str]) -> Iterator[Node]:
    operation, kept = _FUSED[text(node.get("op"))]
    name, inputs = text(node.get("name")), [*sequence(node.get("input"))]
    values = [each for each in inputs if not text(each).startswith("^")]
    control = [each for each in inputs if text(each).startswith("^")]
    alpha = mapping(attributes.get("leakyrelu_alpha")) or {"f": 0.2}
    given = {**attributes, "alpha": alpha}
    made = name if not steps else f"{name}/{operation}"
    yield _node(made, operation, [*values[:2], *control], given, kept)
    others = iter(values[2:])
    for place, step in enumerate(steps):
        last = place == len(steps) - 1
        behind = name if last else f"{name}/{step}"
        if step == _PRELU:
            yield from _prelu(behind, [made, *_next(others)], {"T": given.get("T", {})})
        elif step == "BiasAdd":
            # Behind channels in the last axis, TensorFlow.js adds a bias of any rank.
            first = _text(given.get("data_format")) == "NCHW"
            addition, kept = ("BiasAdd", _OF_BIAS) if first else ("AddV2", ("T",))
            yield _node(behind, addition, [made, *_next(others)], given, kept)
        else:
            yield _node(behind, step, [made], given, _OF_LEAK if step == "LeakyRelu" else ("T",))
        made = behind


def _next(others: Iterator[Json]) -> list[Json]:
    """The next input that a step takes; none if the node lacks it, which TensorFlow reports."""
    return [each for _, each in zip(range(1), others, strict=False)]


def _prelu(name: str, inputs: list[Json], types: Mapping[str, Json]) -> Iterator[Node]:
    """Relu(x) - alpha * Relu(-x)."""
    first, alpha = inputs[:1], inputs[1:2]
    at = {step: f"{name}/{step}" for step in ("positive", "turned", "negative", "scaled")}
    for made, operation, given in (
        (at["positive"], "Relu", first),
        (at["turned"], "Neg", first),
        (at["negative"], "Relu", [at["turned"]]),
        (at["scaled"], "Mul", [*alpha, at["negative"]]),
        (name, "Sub", [at["positive"], at["scaled"]]),
    ):
        yield _node(made, operation, [*given], types, ("T",))


def _node(
    name: str, operation: str, inputs: list[Json], given: Mapping[str, Json], kept: tuple[str, ...]
) -> Node:
    attributes: dict[str, Json] = {key: given[key] for key in kept if key in given}
    return {"name": name, "op": operation, "input": inputs, "attr": attributes}


def _names(value: Json) -> list[str]:
    """A list of strings among the attributes, which are in base64 in JSON."""
    return [_text({"s": each}) for each in sequence(mapping(mapping(value).get("list")).get("s"))]


def _text(value: Json) -> str:
    """A string among the attributes; as it stands if it is not in base64."""
    stored = text(mapping(value).get("s"))
    try:
        return base64.b64decode(stored, validate=True).decode()
    except (binascii.Error, ValueError):
        return stored
