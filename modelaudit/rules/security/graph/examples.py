"""The smallest graphs on which the security rules fail or pass."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import (
    Endpoint,
    Format,
    Graph,
    GraphFunction,
    GraphNode,
    Json,
    Signature,
)
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.rules.examples import model
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

_FUNCTION = "__inference_serve"


def constant(name: str, *values: Json, dtype: str = "string") -> GraphNode:
    """A constant with these values."""
    tensor: Json = {"dtype": dtype, "shape": [len(values)], "value": list(values)}
    return GraphNode(name, "Const", (), {"dtype": dtype, "value": tensor})


def graph_facts(*graphs: Graph, outputs: tuple[str, ...] = ()) -> Facts:
    """A SavedModel with these graphs, and one signature whose outputs are these nodes'."""
    ends = tuple(Endpoint(name, f"{name}:0", "float32", None) for name in outputs)
    signature = Signature("serving_default", "tensorflow/serving/predict", (), ends, ("serve",))
    artifact = model(tensors=(), kind=Format.SAVEDMODEL_TF2)
    return Facts(replace(artifact, graphs=graphs, signatures=(signature,)))


def _node(
    name: str, op: str, *inputs: str, attributes: Mapping[str, Json] | None = None
) -> GraphNode:
    """An operation with all attributes that it must have."""
    known = known_operations().get(op)
    needed: dict[str, Json] = dict.fromkeys(known.needed if known else ())
    return GraphNode(name, op, inputs, {**needed, **(attributes or {})})


def graph_with(
    op: str,
    inputs: tuple[GraphNode, ...] = (),
    attributes: Mapping[str, Json] | None = None,
    functions: Mapping[str, GraphFunction] | None = None,
) -> Facts:
    """A SavedModel whose signature calls a function that contains one operation."""
    node = _node(op, op, *(f"{each.name}:output:0" for each in inputs), attributes=attributes)
    function = GraphFunction(_FUNCTION, ("x",), (*inputs, node), {"y": "x"})
    called: Json = {"function": _FUNCTION}
    call = _node("call", "StatefulPartitionedCall", "x", attributes={"f": called})
    placeholder = _node("x", "Placeholder")
    library = {_FUNCTION: function, **(functions or {})}
    graph = Graph(("serve",), (placeholder, call), library)
    return graph_facts(graph, outputs=("call",))


def harmless() -> Facts:
    """A SavedModel that multiplies."""
    two, three = (constant(name, 2.0, dtype="float32") for name in ("two", "three"))
    return graph_with("Mul", (two, three))
