"""The program of a TensorFlow Lite model, as frozen structs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from modelaudit.graphs import Json, Shape

if TYPE_CHECKING:
    from modelaudit.graphs import Endpoint

FLEX = "Flex"
"""Prefix of operators that TensorFlow itself runs, before the name of its operation."""
INTEGERS: Mapping[str, tuple[int, int]] = {
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
    """Affine quantisation: a value is `scale` × (stored − `zero_point`).

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


class InputRange(Struct, frozen=True):
    """The values that an input is for: `because` of what in the file, as text behind them."""

    low: float
    high: float
    because: str


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
        given = given or [*self.preprocessing]
        if len(given) == 1 and len(tensor.shape or ()) == 4:
            pairs = given[0].pairs()
            low = min(-mean / std for mean, std in pairs)
            high = max((255 - mean) / std for mean, std in pairs)
            return _range(low, high, "from the normalisation in the metadata")
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
