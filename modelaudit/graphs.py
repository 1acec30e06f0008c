"""TensorFlow graphs, signatures and object graphs, as frozen structs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    Json = Any  # what reads types at run time does not resolve one that contains itself
Shape: TypeAlias = tuple[int | None, ...]


def fits(size: Sequence[int], shape: Sequence[Json]) -> bool:
    """Whether an array of this size matches the shape, in which None matches any length."""
    return len(size) == len(shape) and all(
        wanted in (None, length) for length, wanted in zip(size, shape, strict=True)
    )


class Endpoint(Struct, frozen=True):
    """One named input or output of a signature."""

    name: str
    """Name of the argument or result."""
    tensor: str
    """Name of the tensor in the graph."""
    dtype: str
    """Data type."""
    shape: Shape | None
    """Shape, with null for open axes; null if the rank is unknown."""


class Signature(Struct, frozen=True):
    """A SavedModel signature."""

    name: str
    """Name of the signature."""
    method: str
    """Method name, such as `tensorflow/serving/predict`."""
    inputs: tuple[Endpoint, ...]
    """Arguments."""
    outputs: tuple[Endpoint, ...]
    """Results."""
    tags: tuple[str, ...] = ()
    """Tags of its MetaGraph."""


class GraphNode(Struct, frozen=True):
    """A NodeDef. `attrs` are JSON: types by name (`float32`), shapes as lists (None for -1),
    functions as `{"function": name}` (with `"functions": [names]` for function attributes of it),
    tensors as `{"dtype", "shape", "value"?}` with the value only if it is a string or small (64
    elements at most), strings decoded with backslashreplace and cut at 4 KiB."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attrs: Mapping[str, Json] = field(default_factory=dict)
    device: str = ""


class GraphFunction(Struct, frozen=True):
    """A FunctionDef of the graph's library. `returns` maps output name -> node output."""

    name: str
    args: tuple[str, ...]
    nodes: tuple[GraphNode, ...]
    returns: Mapping[str, str] = field(default_factory=dict)


class Graph(Struct, frozen=True):
    """A MetaGraph's GraphDef with its function library.

    `saver` holds saver_def's names (filename_tensor_name, save_tensor_name, restore_op_name,
    version) if there is one. `init_ops` are node or function names that run at load time.
    `trainable` are the variables that a graph of TensorFlow 1 lists as trainable.
    `held_by` is the location of the constant that contains this graph, `function/node` or `node`;
    empty for the model's own graph.
    """

    tags: tuple[str, ...]
    nodes: tuple[GraphNode, ...]
    functions: Mapping[str, GraphFunction] = field(default_factory=dict)
    producer: int | None = None
    min_consumer: int | None = None
    saver: Mapping[str, Json] = field(default_factory=dict)
    init_ops: tuple[str, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)  # tensor name -> filename
    trainable: tuple[str, ...] = ()
    held_by: str = ""


_UPDATES = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]\w*")  # an optimizer's operations


def trains(graph: Graph) -> bool:
    """Whether the graph's own operations update weights."""
    return any(_UPDATES.fullmatch(node.op) for node in graph.nodes)


VALUE = "VARIABLE_VALUE"
"""The attribute of an `ObjectNode` that a checkpoint stores a variable's values under."""


class ObjectNode(Struct, frozen=True):
    """A node of the object graph (SavedModel or checkpoint).

    `kind` is user_object, variable, function, bare_function, constant, asset, resource,
    captured_tensor or checkpoint. `attributes` (checkpoints): attribute -> {full_name, key}.
    `detail` has further fields of the kind, as JSON (variable: name, dtype, shape, trainable;
    user_object: identifier, version, metadata as text; function: concrete functions …).
    """

    index: int
    kind: str
    children: Mapping[str, int] = field(default_factory=dict)
    detail: Mapping[str, Json] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    slots: tuple[tuple[int, str, int], ...] = ()  # (variable node, slot name, slot node)
