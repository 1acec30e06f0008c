"""The variables that functions of a TF2 SavedModel capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Graph, Json, ObjectNode
from modelaudit.formats.graph.dataflow import CALLS


def _captures(objects: Sequence[ObjectNode]) -> Iterator[tuple[str, list[Json]]]:
    """Each concrete function, with the object nodes that its last arguments are bound to."""
    for node in objects:
        captures = node.detail.get("captures")
        for name, bound in captures.items() if isinstance(captures, dict) else ():
            if isinstance(bound, list):
                yield name, bound


def bound_functions(
    graph: Graph, objects: Sequence[ObjectNode], by_node: Mapping[int, str]
) -> list[tuple[str, dict[str, str]]]:
    """(function, argument -> tensor) for the functions of a model without signatures."""
    return [
        (name, _bindings(graph.functions[name].args, bound, by_node))
        for name, bound in dict(_captures(objects)).items()
        if name in graph.functions
    ]


def captured_nodes(
    graph: Graph, objects: Sequence[ObjectNode], by_node: Mapping[int, str]
) -> dict[str, str]:
    """Node of the main graph -> tensor that it passes to a function as a capture.

    `tf.saved_model.load` connects functions and variables by captures; a session uses the graph's
    own saver instead.
    """
    captures = dict(_captures(objects))
    holders: dict[str, str] = {}
    for node in graph.nodes:
        target = node.attrs.get("f") if node.op in CALLS else None
        name = target.get("function") if isinstance(target, dict) else None
        if isinstance(name, str) and name in captures:
            inputs = [ref.partition(":")[0] for ref in node.inputs if not ref.startswith("^")]
            holders |= _bindings(inputs, captures[name], by_node)
    return holders


def _bindings(
    arguments: Sequence[str], bound: Sequence[Json], by_node: Mapping[int, str]
) -> dict[str, str]:
    """Match arguments with captures, which are the last arguments, in order."""
    last = arguments[len(arguments) - len(bound) :] if len(bound) <= len(arguments) else ()
    return {
        argument: by_node[index]
        for argument, index in zip(last, bound, strict=False)
        if isinstance(index, int) and index in by_node
    }


def unused_twins(nodes: Sequence[ObjectNode]) -> dict[int, tuple[int, ...]]:
    """Variable that no function captures -> captured variables with the same name and shape.

    A model whose layers are attributes of a class names the variables of all of them alike.

    Keras 3 exports the weights of a model twice: as captures of functions, and in the backend's
    own `_all_variables`, which only the graph's signatures use. Elsewhere an equal name means
    nothing: a metric and a Normalization layer both have a `count`.
    """
    lists = [node.children["_all_variables"] for node in nodes if "_all_variables" in node.children]
    copies = {index for index in lists if 0 <= index < len(nodes)}
    copies |= {child for index in tuple(copies) for child in nodes[index].children.values()}
    captured = {index for _, bound in _captures(nodes) for index in bound if isinstance(index, int)}
    used: dict[tuple[str, str], list[int]] = {}
    variables = [node for node in nodes if node.kind == "variable"]
    for node in variables:
        if node.index in captured:
            named = (str(node.detail["name"]), str(node.detail["shape"]))
            used.setdefault(named, []).append(node.index)
    twins: dict[int, tuple[int, ...]] = {}
    for node in variables:
        found = used.get((str(node.detail["name"]), str(node.detail["shape"])))
        if found and node.index in copies - captured:
            twins[node.index] = tuple(found)
    return twins
