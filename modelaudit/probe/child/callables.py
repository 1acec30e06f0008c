"""Functions of a SavedModel without signatures, as its object graph holds them.

Python 3.7 syntax; TensorFlow 2, which is passed in.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .adapters import AdapterError

if TYPE_CHECKING:
    from .frames import Untyped


def only_function(tf: Untyped, root: Untyped) -> tuple[Any, Any]:
    """The function of the root object in the form of a signature, and a call of it with tensors.

    Raises:
        AdapterError: there is none, there are several, or it was traced for several structures.
    """
    functions = {
        name: child
        for name, child in _children(root)
        if getattr(child, "concrete_functions", None) and name != "signatures"
    }
    names = sorted(functions)
    if len(names) != 1:
        has = f"the functions {', '.join(names)}" if names else "no function"
        raise AdapterError(f"the SavedModel has no signature, and its root object has {has}")
    function = functions[names[0]]
    traces = [(trace, _tensors(tf, trace)) for trace in function.concrete_functions]
    # A trace for each value of a flag: the first with every flag off.
    traces = [(trace, tensors) for trace, tensors in traces if not _switched_on(tf, trace)]
    wanted = {tuple(sorted(tensors)) for _, tensors in traces}
    if len(wanted) != 1 or not traces[0][1]:
        raise AdapterError(f"the SavedModel has no signature; {names[0]} takes several structures")
    trace, tensors = max(traces, key=lambda each: _open_axes(each[1]))
    order = list(tensors)
    signature = SimpleNamespace(
        structured_input_signature=((), tensors),
        structured_outputs=trace.structured_outputs,
        inputs=trace.inputs[: len(order)],
        variables=trace.variables,
        _arg_keywords=order,
    )

    def call(given: Untyped) -> Untyped:
        leaves = iter(order)

        def fill(leaf: Untyped) -> Untyped:
            return given[next(leaves)] if isinstance(leaf, tf.TensorSpec) else leaf

        arguments, named = tf.nest.map_structure(fill, trace.structured_input_signature)
        return function(*arguments, **named)

    return signature, call


def _children(root: Untyped) -> list[tuple[str, Any]]:
    if hasattr(root, "_trackable_children"):
        return list(root._trackable_children().items())
    return [(each.name, each.ref) for each in getattr(root, "_checkpoint_dependencies", ())]


def _leaves(tf: Untyped, trace: Untyped) -> list[Any]:
    return list(tf.nest.flatten(trace.structured_input_signature))


def _tensors(tf: Untyped, trace: Untyped) -> dict[str, Any]:
    """The tensors that a trace takes, by name, in the order in which it takes them."""
    specs = [leaf for leaf in _leaves(tf, trace) if isinstance(leaf, tf.TensorSpec)]
    named = {}
    for i, spec in enumerate(specs):
        name = spec.name if spec.name and spec.name not in named else f"input_{i}"
        named[name] = spec
    return named


def _switched_on(tf: Untyped, trace: Untyped) -> bool:
    return any(leaf is True for leaf in _leaves(tf, trace))


def _open_axes(tensors: dict[str, Any]) -> int:
    """How many tensors may have any number of samples."""
    shapes = [spec.shape for spec in tensors.values()]
    return sum(shape.rank is None or (shape.rank > 0 and shape[0] is None) for shape in shapes)
