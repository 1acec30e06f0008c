"""Adapters for graphs: signatures of SavedModels, and TensorFlow 1 graphs in a session.

Python 3.7 syntax; TensorFlow 1.15 and later, which is passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import AdapterError, LoadedModel, dtype_name, named_outputs, port
from .arrays import as_array
from .encoded_inputs import EncodedInput, encoded_input
from .graph_settings import split_sources
from .graph_shapes import input_port

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .adapters import Values
    from .frames import Untyped
    from .graph_settings import Setting

REFERENCES = ("VariableV2", "Variable")  # TensorFlow 1's reference variables
# Image sizes to try for a graph that declares none, the most frequent ones of public models first.
LARGEST_SIDE = 512  # of images that are tried for graphs that flatten them
SIZES = (64, 28, 32, 224, 128, 48, 96, 100, 150, 227, 256, 299)


class GraphModel(LoadedModel):
    """A graph, whose inputs are described by the operations that read them."""

    def _declare(self, tf: Untyped, sources: Untyped) -> dict[str, Setting]:
        """Declare the data inputs among `sources` (name, tensor); returns the settings by name."""
        self.sources: list[tuple[str, EncodedInput | None]] = []
        data, settings = split_sources(sources)
        for name, tensor in data:
            coded = (
                encoded_input(tf, name, tensor) if dtype_name(tensor.dtype) == "string" else None
            )
            self.sources.append((name, coded))
            if coded is not None:
                self.inputs += coded.ports
                self.notes += coded.notes
                continue
            described, notes = input_port(tf, name, tensor)
            self.inputs.append(described)
            self.notes += notes
        self.notes += [setting.note for setting in settings.values()]
        return settings

    def _fed(self, tf: Untyped, feeds: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The value of each data input for a batch of what `inputs` describe."""
        given, left = {}, list(feeds)
        for name, coded in self.sources:
            count = 1 if coded is None else len(coded.ports)
            part, left = left[:count], left[count:]
            given[name] = part[0] if coded is None else coded.values(tf, part)
        return given

    def _close_axes(self) -> None:
        """Find an image size that the graph accepts, where the input leaves it open.

        Flattening to a fixed length allows one size only, which no shape in the graph shows.
        """
        for entry in self.inputs:
            shape = entry["shape"]
            if shape is None or len(shape) != 4 or shape[1:3] != [None, None]:
                continue
            for size in SIZES:
                entry["shape"] = [shape[0], size, size, shape[3]]
                tried = self._try(0)
                if tried and all(len(np.atleast_1d(v)) == tried[0] for v in tried[1].values()):
                    break
            else:
                size = self._flattened_size(entry) or SIZES[0]
            if size == SIZES[0]:
                entry["shape"] = shape
            else:
                self.notes.append(
                    f"input {entry['name']!r} was set to {size} x {size}: the graph declares no "
                    f"size, and does not run with {SIZES[0]} x {SIZES[0]}"
                )

    def _flattened_size(self, entry: dict[str, Any]) -> int | None:
        """The side of a square image that gives a flattened layer its length; None if unknown."""
        return None

    def _try(self, first: int) -> tuple[int, Values] | None:
        """Number of samples and outputs for zeros, with the first sample set to `first`.

        None if the graph does not run so.
        """
        if any(entry["shape"] is None or entry["dtype"] == "string" for entry in self.inputs):
            return None
        fixed = [entry["shape"][0] for entry in self.inputs if entry["shape"] and entry["shape"][0]]
        n = fixed[0] if fixed else 2
        feeds = [
            np.zeros([n] + [size or 1 for size in entry["shape"][1:]], entry["dtype"])
            for entry in self.inputs
        ]
        for feed in feeds:
            feed[0] = first
        try:
            return n, self.run(feeds, False)
        except Exception:  # whatever the graph raises for this size
            return None


class SignatureModel(GraphModel):
    """A signature of a SavedModel. Variables are named by their checkpoint keys."""

    def __init__(
        self,
        tf: Untyped,
        root: Untyped,
        function: Untyped,
        call: Untyped = None,
        note: str = "no signature to call",
    ) -> None:
        super().__init__()
        self.tf, self.root, self.function = tf, root, function
        self.call = call or (lambda tensors: function(**tensors))
        if function is None:
            self.notes.append(note)
            return
        specs = function.structured_input_signature[1]
        arguments = getattr(function, "_arg_keywords", None) or ()
        held = {name: function.inputs[i] for i, name in enumerate(arguments)}
        sources = [(name, held.get(name, specs[name])) for name in sorted(specs)]
        self.settings = self._declare(tf, sources)
        outputs = function.structured_outputs
        if isinstance(outputs, dict):
            self.outputs = [port(name, outputs[name]) for name in sorted(outputs)]
        elif hasattr(outputs, "dtype"):
            self.outputs = [port("output_0", outputs)]
        self._close_axes()

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
        return as_array(self.root.prune([], variable.name)())

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
        tensors = {
            name: self.tf.constant(setting.of(feeds)) for name, setting in self.settings.items()
        }
        specs = self.function.structured_input_signature[1]
        for name, value in self._fed(self.tf, feeds).items():
            dtype = dtype_name(specs[name].dtype)
            tensor = self.tf.constant(value)
            tensors[name] = tensor if dtype == "string" else self.tf.cast(tensor, dtype)
        return named_outputs(self.call(tensors), [entry["name"] for entry in self.outputs])


class SessionModel(GraphModel):
    """A TensorFlow 1 graph in a session. Variables are named by their ops."""

    def __init__(self, tf: Untyped, session: Untyped, inputs: Untyped, outputs: Untyped) -> None:
        super().__init__()
        self.tf, self.v1, self.session = tf, tf.compat.v1, session
        self.fetch_in, self.fetch_out = dict(inputs), dict(outputs)
        self.settings = self._declare(tf, inputs)
        self.outputs = [port(name, self.fetch_out[name]) for name in self.fetch_out]
        self.steps: dict[str, int] = {}  # rows per sample, of outputs with more than one
        self.held = self._initialized()
        self._close_axes()
        self._fix_batch()
        self._group_rows()

    def _flattened_size(self, entry: dict[str, Any]) -> int | None:
        for op in self.session.graph.get_operations():
            if op.type != "MatMul" or op.inputs[0].op.type != "Reshape":
                continue
            rows = op.inputs[1].shape.as_list() if op.inputs[1].shape.rank == 2 else [None]
            wanted = rows[1 if op.get_attr("transpose_b") else 0]
            if wanted is None:
                continue
            low, high = 1, LARGEST_SIDE
            while low < high:  # the length does not fall with the side
                middle = (low + high) // 2
                if self._length(op.inputs[0], entry, middle) < wanted:
                    low = middle + 1
                else:
                    high = middle
            if self._length(op.inputs[0], entry, low) == wanted:
                entry["shape"] = [entry["shape"][0], low, low, entry["shape"][3]]
                return low
        return None

    def _length(self, tensor: Untyped, entry: dict[str, Any], side: int) -> int:
        """Values of a flattened layer for one image; 0 if the image is too small."""
        n, depth = entry["shape"][0] or 1, entry["shape"][3] or 1
        image = np.zeros([n, side, side, depth], entry["dtype"])
        values = {each.tensor: each.of([image]) for each in self.settings.values()}
        values[self.fetch_in[entry["name"]]] = image
        try:
            return int(self.session.run(tensor, values).size) // n
        except Exception:  # whatever the graph raises for this size
            return 0

    def _fix_batch(self) -> None:
        """Set the number of samples that a graph runs with only, as a constant recurrent state has.

        The outputs have it as a size.
        """
        sizes = {entry["shape"][0] if entry["shape"] else None for entry in self.outputs}
        open_ = [entry for entry in self.inputs if entry["shape"] and entry["shape"][0] is None]
        n = sizes.pop() if len(sizes) == 1 else None
        if not n or n < 2 or len(open_) < len(self.inputs) or self._try(0) is not None:
            return
        for entry in open_:
            entry["shape"] = [n, *entry["shape"][1:]]
        if self._try(0) is not None:
            self.notes.append(f"the graph runs only with {n} samples at a time")
            return
        for entry in open_:
            entry["shape"] = [None, *entry["shape"][1:]]

    def _group_rows(self) -> None:
        """Find outputs with several rows per sample, as of sequences that were flattened.

        Their rows are put together if those of a sample follow each other: if the first sample
        changes, only the first rows may.
        """
        plain = self._try(0)
        if plain is None or all(len(np.atleast_1d(v)) == plain[0] for v in plain[1].values()):
            return
        changed = self._try(1)
        for name, value in plain[1].items():
            each, left = divmod(len(np.atleast_1d(value)), plain[0])
            if left or each < 2 or changed is None or value.shape != changed[1][name].shape:
                continue
            same = (value == changed[1][name]).reshape(len(value), -1).all(axis=1)
            if same[each:].all() and not same[:each].all():
                self.steps[name] = each
                entry = next(entry for entry in self.outputs if entry["name"] == name)
                entry["shape"] = [None, each, *value.shape[1:]]
                self.notes.append(f"the {each} rows of output {name!r} per sample were grouped")

    def _initialized(self) -> OrderedDict[str, Any]:
        """The variables that have a value; a saver of part of them leaves the others without."""
        graph = self.session.graph
        with graph.as_default():
            found = OrderedDict((v.op.name, v) for v in self.v1.global_variables())
            checks = {name: self.v1.is_variable_initialized(v) for name, v in found.items()}
            for op in graph.get_operations():
                if op.type != "VarHandleOp" or op.name in found:
                    continue
                for reader in op.outputs[0].consumers():
                    if reader.type == "ReadVariableOp":
                        found[op.name] = reader.outputs[0]
                        handle = op.outputs[0]
                        checks[op.name] = self.tf.raw_ops.VarIsInitializedOp(resource=handle)
        ready = self.session.run(checks) if checks else {}
        held = OrderedDict((name, v) for name, v in found.items() if ready[name])
        if len(held) < len(found):
            missing = len(found) - len(held)
            self.notes.append(
                f"{missing} of {len(found)} variables were not restored and have no value"
            )
        return held

    def variables(self) -> OrderedDict[str, Any]:
        """The graph's variables; those outside its collection as the tensor that reads them."""
        return self.held

    def value(self, variable: Untyped) -> NDArray[Any]:
        """Current value in the session."""
        return as_array(self.session.run(variable))

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
        values = {each.tensor: each.of(feeds) for each in self.settings.values()}
        for name, value in self._fed(self.tf, feeds).items():
            values[self.fetch_in[name]] = value
        found = {k: np.asarray(v) for k, v in self.session.run(self.fetch_out, values).items()}
        for name, each in self.steps.items():
            value = found[name]
            found[name] = value.reshape(len(value) // each, each, *value.shape[1:])
        return found


def _children(node: Untyped) -> list[tuple[str, Any]]:
    """Named children in TensorFlow's object graph (the method was renamed in 2.8)."""
    if hasattr(node, "_trackable_children"):
        return list(node._trackable_children().items())
    pairs = getattr(node, "_checkpoint_dependencies", ())
    return [(pair.name, pair.ref) for pair in pairs]
