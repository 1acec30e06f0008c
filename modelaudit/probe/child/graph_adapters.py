"""Adapters for graphs: signatures of SavedModels, and TensorFlow 1 graphs in a session.

Python 3.7 syntax; TensorFlow 1.15 and later, which is passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import AdapterError, LoadedModel, named_outputs, port

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adapters import Values
    from .frames import Untyped

REFERENCES = ("VariableV2", "Variable")  # TensorFlow 1's reference variables


class SignatureModel(LoadedModel):
    """A signature of a SavedModel. Variables are named by their checkpoint keys."""

    def __init__(self, tf: Untyped, root: Untyped, function: Untyped, call: Untyped = None) -> None:
        super().__init__()
        self.tf, self.root, self.function = tf, root, function
        self.call = call or (lambda tensors: function(**tensors))
        if function is None:
            self.notes.append("no signature to call")
            return
        specs = function.structured_input_signature[1]
        self.inputs = [port(name, specs[name]) for name in sorted(specs)]
        outputs = function.structured_outputs
        if isinstance(outputs, dict):
            self.outputs = [port(name, outputs[name]) for name in sorted(outputs)]

    def variables(self) -> OrderedDict[str, Any]:
        """Breadth-first over the object graph, as in the order of checkpoint keys."""
        found: OrderedDict[str, Any] = OrderedDict()
        queue, seen = [("", self.root)], {id(self.root)}
        while queue:
            path, node = queue.pop(0)
            if isinstance(node, self.tf.Variable):
                found[path] = node
            for name, child in _children(node):
                if id(child) not in seen:
                    seen.add(id(child))
                    escaped = name.replace(".", "..").replace("/", ".S")
                    queue.append((f"{path}/{escaped}".lstrip("/"), child))
        held = set(map(id, found.values()))
        for variable in getattr(self.function, "variables", None) or ():
            if id(variable) not in held:
                found.setdefault(variable.name.split(":")[0], variable)
        return self._of_graph(found) if hasattr(self.root, "prune") else found

    def _of_graph(self, found: OrderedDict[str, Any]) -> OrderedDict[str, Any]:
        """Variables of a TensorFlow 1 graph, by their names in the graph.

        TensorFlow 2 has no objects for reference variables, but their values can be read.
        """
        named = OrderedDict((v.name.split(":")[0], v) for v in found.values())
        for op in self.root.graph.get_operations():
            if op.type in REFERENCES and op.name not in named:
                readers = [c for c in op.outputs[0].consumers() if c.type == "Identity"]
                if readers:
                    named[op.name] = readers[0].outputs[0]
        return named

    def value(self, variable: Untyped) -> NDArray[Any]:
        """Current value, including reference variables."""
        if hasattr(variable, "numpy"):
            return super().value(variable)
        return np.asarray(self.root.prune([], variable.name)())

    def assign(self, variable: Untyped, value: NDArray[Any]) -> None:
        """Overwrite a variable; not possible for reference variables."""
        if not hasattr(variable, "assign"):
            raise AdapterError(f"{variable.name} is a reference variable, which is read-only")
        super().assign(variable, value)

    def run(self, feeds: list[NDArray[Any]], training: bool | None) -> Values:
        """Call the signature by input names."""
        if self.function is None:
            raise AdapterError("the SavedModel has no signature to call")
        if training:
            raise AdapterError("a signature has no training flag")
        tensors = {}
        for i, entry in enumerate(self.inputs):
            tensors[entry["name"]] = self.tf.cast(self.tf.constant(feeds[i]), entry["dtype"])
        return named_outputs(self.call(tensors), [entry["name"] for entry in self.outputs])


class SessionModel(LoadedModel):
    """A TensorFlow 1 graph in a session. Variables are named by their ops."""

    def __init__(self, tf: Untyped, session: Untyped, inputs: Untyped, outputs: Untyped) -> None:
        super().__init__()
        self.v1, self.session = tf.compat.v1, session
        self.fetch_in, self.fetch_out = dict(inputs), dict(outputs)
        self.inputs = [port(name, self.fetch_in[name]) for name in self.fetch_in]
        self.outputs = [port(name, self.fetch_out[name]) for name in self.fetch_out]

    def variables(self) -> OrderedDict[str, Any]:
        """The graph's variables; those outside its collection as the tensor that reads them."""
        graph = self.session.graph
        with graph.as_default():
            found = OrderedDict((v.op.name, v) for v in self.v1.global_variables())
        for op in graph.get_operations():
            if op.type == "VarHandleOp" and op.name not in found:
                for reader in op.outputs[0].consumers():
                    if reader.type == "ReadVariableOp":
                        found[op.name] = reader.outputs[0]
        return found

    def value(self, variable: Untyped) -> NDArray[Any]:
        """Current value in the session."""
        return np.asarray(self.session.run(variable))

    def assign(self, variable: Untyped, value: NDArray[Any]) -> None:
        """Overwrite through the initializer's input, which adds no op to the graph."""
        initializer = getattr(variable, "initializer", None)
        if initializer is None:
            raise AdapterError(f"{variable.name} is not in the graph's variable collection")
        self.session.run(initializer, {initializer.inputs[1]: value})

    def run(self, feeds: list[NDArray[Any]], training: bool | None) -> Values:
        """Fetch the outputs."""
        if training:
            raise AdapterError("a frozen graph has no training flag")
        values = {}
        for i, entry in enumerate(self.inputs):
            values[self.fetch_in[entry["name"]]] = feeds[i]
        return {k: np.asarray(v) for k, v in self.session.run(self.fetch_out, values).items()}


def _children(node: Untyped) -> list[tuple[str, Any]]:
    """Named children in TensorFlow's object graph (the method was renamed in 2.8)."""
    if hasattr(node, "_trackable_children"):
        return list(node._trackable_children().items())
    pairs = getattr(node, "_checkpoint_dependencies", ())
    return [(pair.name, pair.ref) for pair in pairs]
