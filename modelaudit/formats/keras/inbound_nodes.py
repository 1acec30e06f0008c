"""Parser of inbound nodes: the input tensors of each call of a layer, in all versions of Keras.

Keras 1      `[[["input", 0, 0], ["dense", 0, 0]]]`
Keras 2      `[[["input", 0, 0, {"training": true}]]]`. Also an object of inputs, keyword
             arguments that refer to tensors (`{"value": ["input", 0, 0]}`), a bare reference per
             call for TensorFlow functions, and `["_CONSTANT_VALUE", -1, 3.0, {}]`
Keras 3      `[{"args": [...], "kwargs": {...}}]` with `__keras_tensor__` objects, which include
             the tensor's shape
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn, TypeAlias

from msgspec import Struct, field

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj

MAX_NESTING = 32
"""Maximum nesting of the arguments of a call. Keras models have less than five levels."""

CONSTANT = "_CONSTANT_VALUE"


class TensorReference(Struct, frozen=True):
    """An output tensor of a call of a layer in the same model.

    `shape` is set if it is saved and says more than that there is a batch.
    """

    layer: str
    node: int
    tensor: int
    shape: Shape | None = None


Argument: TypeAlias = "Json | TensorReference | list[Argument] | dict[str, Argument]"


class LayerCall(Struct, frozen=True):
    """One call of a layer.

    Attributes:
        args: positional arguments, with tensors replaced by references.
        kwargs: keyword arguments, likewise.
        saved_kwargs: keyword arguments as saved in the config.
        inputs: references in `args`, then in `kwargs`, in order.
    """

    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    saved_kwargs: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[TensorReference, ...] = ()


Fail: TypeAlias = Callable[[str], NoReturn]
"""Called with a reason; raises an error that names the file."""


def parse_calls(inbound: Json, names: frozenset[str], fail: Fail) -> tuple[LayerCall, ...]:
    """Parse the calls in a layer's `inbound_nodes`.

    Args:
        inbound: the saved value.
        names: layer names of the same model; a Keras 2 keyword argument that looks like a
            reference is one only if it names a layer.
        fail: raises the error for an invalid config.
    """
    if inbound is None:
        return ()
    if not isinstance(inbound, list):
        fail("inbound_nodes is not a list")
    calls: list[LayerCall] = []
    for node in inbound:
        if isinstance(node, dict) and "args" in node:
            calls.append(_keras3_call(node, names, fail))
        elif isinstance(node, (list, dict)):
            calls.append(_keras2_call(node, names, fail))
        else:
            fail("an inbound node is neither a list nor an object")
    return tuple(calls)


def tensor_references(argument: Argument) -> Iterator[TensorReference]:
    """All references in an argument, in order."""
    todo: list[Argument] = [argument]
    while todo:
        item = todo.pop()
        if isinstance(item, TensorReference):
            yield item
        elif isinstance(item, list):
            todo.extend(reversed(item))
        elif isinstance(item, dict):
            todo.extend(reversed(list(item.values())))


def attended(call: LayerCall) -> tuple[int | None, ...]:
    """Places in `call.inputs` of an attention's query, value and, if there is one, key.

    Masks are inputs as well. None for a part that is no tensor; empty if the call does not tell.
    """
    parts = ("query", "value", "key")
    given = {**dict(zip(parts, call.args, strict=False)), **call.kwargs}
    if not isinstance(given.get("query"), TensorReference):
        return ()
    found = [given.get(part) for part in parts[: 3 if given.get("key") is not None else 2]]
    return tuple(call.inputs.index(x) if isinstance(x, TensorReference) else None for x in found)


def parse_reference(value: Json) -> TensorReference | None:
    """Parse `["layer", node, tensor, ...]`; None if `value` is not such a list."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return None
    node, tensor = kj.integer(value[1]), kj.integer(value[2])
    if node is None or tensor is None or node < 0 or tensor < 0:
        return None
    return TensorReference(value[0], node, tensor)


def _keras3_call(node: dict[str, Json], names: frozenset[str], fail: Fail) -> LayerCall:
    kwargs = kj.mapping(node.get("kwargs"))
    args = tuple(_convert(a, names, fail, 0) for a in kj.sequence(node.get("args")))
    return _call(args, {k: _convert(v, names, fail, 0) for k, v in kwargs.items()}, kwargs)


def _keras2_call(node: Json, names: frozenset[str], fail: Fail) -> LayerCall:
    first = _first_leaf(node)
    kwargs = kj.mapping(first[3]) if len(first) == 4 else {}
    argument = _convert(node, names, fail, 0)
    if isinstance(argument, list) and len(argument) == 1:
        argument = argument[0]
    if not any(tensor_references(argument)) and first[:1] != [CONSTANT]:
        fail("an inbound node refers to no tensor of this model")
    return _call((argument,), {k: _convert(v, names, fail, 0) for k, v in kwargs.items()}, kwargs)


def _first_leaf(node: Json) -> list[Json]:
    """The first innermost list `[layer, node, tensor, kwargs]`, which has the call's kwargs."""
    todo: list[Json] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            if len(item) in (3, 4) and isinstance(item[0], str):
                return item
            todo.extend(reversed(item))
        elif isinstance(item, dict):
            todo.extend(reversed(list(item.values())))
    return []


_BESIDE = frozenset(("mask", "attention_mask", "initial_state", "constants", "training"))


def _call(
    args: tuple[Argument, ...], kwargs: dict[str, Argument], saved: Mapping[str, Json]
) -> LayerCall:
    inputs = [ref for arg in args for ref in tensor_references(arg)]
    # What only accompanies the input comes behind it, in whatever order it was written.
    named = sorted(kwargs.items(), key=lambda each: each[0] in _BESIDE)
    inputs += [ref for _, arg in named for ref in tensor_references(arg)]
    return LayerCall(args, kwargs, saved, tuple(inputs))


def _convert(value: Json, names: frozenset[str], fail: Fail, depth: int) -> Argument:
    """`value` with tensors replaced by references. MAX_NESTING limits the recursion."""
    if depth > MAX_NESTING:
        fail("the arguments of a call are nested too deeply")
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return _keras_tensor(value, fail)
        return {k: _convert(v, names, fail, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        if len(value) in (3, 4) and value[0] == CONSTANT:
            return value[2]
        found = parse_reference(value)
        if found is not None and found.layer in names:
            return found
        if found is not None and len(value) == 4 and isinstance(value[3], dict):
            fail(f"an inbound node refers to the layer {found.layer[:80]!r}, which does not exist")
        return [_convert(v, names, fail, depth + 1) for v in value]
    return value


def _keras_tensor(value: dict[str, Json], fail: Fail) -> TensorReference:
    config = kj.mapping(value.get("config"))
    found = parse_reference(config.get("keras_history"))
    if found is None:
        fail("a saved tensor has no keras_history")
    shape = kj.shape(config.get("shape"))
    if shape == (None,):  # what `modelaudit repair` writes, which leaves shapes open
        shape = None
    return TensorReference(found.layer, found.node, found.tensor, shape)
