"""Graphs of TensorFlow and TensorFlow Lite, signatures and object graphs, as frozen structs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from msgspec import Struct, field

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    Json = Any  # what reads types at run time does not resolve one that contains itself
Shape: TypeAlias = tuple[int | None, ...]


Item = TypeVar("Item", bound=Hashable)


def reachable(starts: Iterable[Item], after: Callable[[Item], Iterable[Item]]) -> Iterator[Item]:
    """The items that are reached from `starts`, and these, each once: `after` gives the next ones.

    Further items can be left out of what `after` gives; depth first, without recursion.
    """
    pending = list(dict.fromkeys(starts))
    seen = set(pending)
    while pending:
        item = pending.pop()
        yield item
        for each in after(item):
            if each not in seen:
                seen.add(each)
                pending.append(each)


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
    tensors as `{"dtype", "shape", "value"?, "largest"?}` with the value of strings and 64 elements
    at most, else the largest of integers in a row, strings with backslashreplace, at most 4 KiB."""

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
    `trainable` are the variables that a graph of TensorFlow 1 lists as trainable, `variables` those
    that it lists as global: neither the counts of metrics nor those of input queues.
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
    variables: tuple[str, ...] = ()
    held_by: str = ""
    repeated: tuple[str, ...] = ()  # names that several functions have, of which the last is kept


_UPDATES = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]\w*")  # an optimizer's operations


def updates(node: GraphNode) -> bool:
    """Whether it is an optimizer's operation, which changes its first input."""
    return bool(_UPDATES.fullmatch(node.op))


def trains(graph: Graph) -> bool:
    """Whether the graph's own operations update weights."""
    return any(map(_UPDATES.fullmatch, {node.op for node in graph.nodes}))


GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"  # of the object graph in a checkpoint
VALUE = "VARIABLE_VALUE"  # attribute of an `ObjectNode` that a checkpoint stores its values under
VARIABLE_KEY_END = f"/.ATTRIBUTES/{VALUE}"  # of the key of a variable in a checkpoint of objects


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


FLEX = "Flex"
"""Prefix of operators that TensorFlow itself runs, before the name of its operation."""
INTEGERS: Mapping[str, tuple[int, int]] = {
    "int2": (-2, 1),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "uint16": (0, (1 << 16) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}
"""The smallest and the largest value of the types that quantised values are stored in."""


class Quantization(Struct, frozen=True):
    """Affine quantization: a value is `scale` × (stored − `zero_point`).

    Attributes:
        scale: one number, or one for each slice along `axis`.
        zero_point: as many, or none for 0.
        axis: the axis of the slices.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...] = ()
    axis: int = 0


class LiteTensor(Struct, frozen=True):
    """A value in a subgraph.

    Attributes:
        name: as stored; not unique.
        dtype: numpy's name, or that of TensorFlow Lite in lower case.
        shape: with None for axes that the signature leaves open; None if the rank is unknown.
        buffer: index of its buffer; 0 is the empty one.
        constant: name of the `facts.Tensor` with its values; "" if it has none.
        quantization: None if its numbers are what they stand for.
        variable: whether it keeps its value between calls.
    """

    name: str
    dtype: str
    shape: Shape | None
    buffer: int = 0
    constant: str = ""
    quantization: Quantization | None = None
    variable: bool = False


class LiteOperator(Struct, frozen=True):
    """An operator of a subgraph.

    Attributes:
        name: of the builtin operator, such as `CONV_2D`, or of the custom one.
        version: what its options and types need; 1 or more.
        custom: whether the interpreter must be given its code.
        inputs, outputs: indexes of tensors; -1 for an optional input that is left out.
        options: those of a builtin operator.
    """

    name: str
    version: int = 1
    custom: bool = False
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    options: Mapping[str, Json] = field(default_factory=dict)

    @property
    def flex(self) -> str:
        """The operation of TensorFlow that it runs; "" if it is none."""
        return self.name.removeprefix(FLEX) if self.custom and self.name.startswith(FLEX) else ""


class LiteSubgraph(Struct, frozen=True):
    """A function of the model; the first is its main one."""

    name: str
    tensors: tuple[LiteTensor, ...]
    operators: tuple[LiteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensor(self, index: int) -> LiteTensor | None:
        """The tensor at an index; None for an optional one, or for one that does not exist."""
        return self.tensors[index] if 0 <= index < len(self.tensors) else None


class LitePreprocessing(Struct, frozen=True):
    """What the model's metadata says of an input: it takes (x − mean) / std."""

    input: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def pairs(self) -> list[tuple[float, float]]:
        """Mean and standard deviation of each channel; a single value counts for all."""
        count = max(len(self.mean), len(self.std))
        every = (each * count if len(each) == 1 else each for each in (self.mean, self.std))
        return list(zip(*every, strict=False))


WHITE = 255.0  # the largest value of a pixel


class InputRange(Struct, frozen=True):
    """The values that an input is for.

    Attributes:
        low, high: the smallest and the largest.
        because: of what in the file, as text behind them.
        pixels: what is made of 0 and of 255 before the model, once or for each channel; () if
            nothing says that.
    """

    low: float
    high: float
    because: str
    pixels: tuple[tuple[float, float], ...] = ()

    @staticmethod
    def of_pixels(pixels: Iterable[tuple[float, float]], because: str) -> InputRange | None:
        """The range that pixels are brought to; None if it is none."""
        pairs = tuple(pixels)
        ends = [end for pair in pairs for end in pair]
        found = _range(min(ends, default=0.0), max(ends, default=0.0), because)
        return found and InputRange(found.low, found.high, because, pairs)


class LiteModel(Struct, frozen=True):
    """A TensorFlow Lite model but for its constants.

    Attributes:
        description: as stored, such as the converter's name.
        subgraphs: the first is the main one.
        declared_runtime: the lowest version of the runtime according to the metadata; "" if it
            does not say.
        needed_runtime: the lowest according to the versions of the builtin operators; "" if no
            known operator says.
        preprocessing: from the metadata.
        metadata: names of the metadata entries -> sizes in bytes.
    """

    description: str = ""
    subgraphs: tuple[LiteSubgraph, ...] = ()
    declared_runtime: str = ""
    needed_runtime: str = ""
    preprocessing: tuple[LitePreprocessing, ...] = ()
    metadata: Mapping[str, int] = field(default_factory=dict)

    def operators(self) -> Iterator[tuple[LiteSubgraph, LiteOperator]]:
        """Every operator, with its subgraph."""
        for graph in self.subgraphs:
            for operator in graph.operators:
                yield graph, operator

    def quantized(self) -> Iterator[tuple[LiteTensor, Quantization]]:
        """Every tensor that has scales."""
        for graph in self.subgraphs:
            for tensor in graph.tensors:
                if tensor.quantization is not None:
                    yield tensor, tensor.quantization

    def input_range(self, port: Endpoint) -> InputRange | None:
        """The range of an input that the model is described or quantised for; None if unknown."""
        tensor = self.endpoint(port)
        if tensor is None:
            return None
        given = [each for each in self.preprocessing if each.input in {port.name, tensor.name}]
        if not given and len(self.subgraphs[0].inputs) == 1:
            given = [*self.preprocessing]
        if len(given) == 1 and len(tensor.shape or ()) == 4:
            pixels = ((-mean / std, (WHITE - mean) / std) for mean, std in given[0].pairs())
            return InputRange.of_pixels(pixels, "from the normalization in the metadata")
        if tensor.quantization is None or tensor.dtype not in INTEGERS:
            return None
        scale, zero = tensor.quantization.scale[0], (*tensor.quantization.zero_point, 0)[0]
        low, high = (scale * (end - zero) for end in INTEGERS[tensor.dtype])
        return _range(low, high, f"that the input's {tensor.dtype} can store")

    def endpoint(self, port: Endpoint) -> LiteTensor | None:
        """The tensor of an input or output of a signature."""
        for graph in self.subgraphs:
            for index in (*graph.inputs, *graph.outputs):
                tensor = graph.tensor(index)
                if tensor is not None and tensor.name == port.tensor:
                    return tensor
        return None


def _range(low: float, high: float, because: str) -> InputRange | None:
    finite = math.isfinite(low) and math.isfinite(high)
    return InputRange(low, high, because) if finite and low < high else None
