"""Small TensorFlow Lite models, written with the classes that TensorFlow generates from the schema.

Nothing here imports TensorFlow: the file with these classes needs only `flatbuffers` and NumPy.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

DTYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}
INT4, SIDE = 17, 6


@cache
def schema() -> ModuleType:
    """TensorFlow's generated classes, loaded without TensorFlow."""
    found = importlib.util.find_spec("tensorflow")
    assert found is not None and found.origin is not None
    path = Path(found.origin).parent / "lite" / "python" / "schema_py_generated.py"
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def packed(model: Any) -> bytes:
    """A model as a file."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def quantization(scale: list[float], zero: list[int], axis: int = 0) -> Any:
    """Parameters of affine quantization."""
    made = schema().QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = scale, zero, axis
    return made


def add_constant(model: Any, name: str, value: np.ndarray, quantized: Any = None) -> int:
    """Add a constant to the main subgraph; returns its index."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return add_tensor(model, name, value.shape, str(value.dtype), len(model.buffers) - 1, quantized)


def add_tensor(
    model: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: str = "float32",
    buffer: int = 0,
    quantized: Any = None,
) -> int:
    """Add a tensor to the main subgraph; returns its index."""
    tensor = schema().TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [*shape], DTYPES[dtype], buffer
    tensor.quantization = quantized
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_operator(
    model: Any,
    code: int,
    inputs: list[int],
    outputs: list[int],
    options: Any = None,
    *,
    version: int = 1,
    custom: str = "",
    data: bytes = b"",
) -> None:
    """Add an operator to the main subgraph; `code` is one of `schema().BuiltinOperator`."""
    made = schema()
    operator_code = made.OperatorCodeT()
    operator_code.builtinCode, operator_code.deprecatedBuiltinCode = code, min(code, 127)
    operator_code.version, operator_code.customCode = version, custom or None
    model.operatorCodes.append(operator_code)
    operator = made.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, outputs
    if options is not None:
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(made.BuiltinOptions, name)
    if data:
        operator.customOptions = np.frombuffer(data, np.uint8)
    model.subgraphs[0].operators.append(operator)


def empty_model() -> Any:
    """A model without tensors."""
    made = schema()
    model, graph = made.ModelT(), made.SubGraphT()
    model.version, model.description = 3, "made"
    model.operatorCodes, model.buffers, model.subgraphs = [], [made.BufferT()], [graph]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    graph.name = "main"
    return model


def conv_model(
    kernel: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    quantized: Any = None,
    name: str = "conv/kernel",
) -> Any:
    """One 2-D convolution of images of 6 by 6 pixels; the kernel is (out, height, width, in)."""
    made = schema()
    rng = np.random.default_rng(5)
    if kernel is None:
        kernel = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    if bias is None:
        bias = rng.normal(size=kernel.shape[0]).astype(np.float32)
    model = empty_model()
    shape = (1, SIDE, SIDE, kernel.shape[3])
    images = add_tensor(model, "image", shape)
    weights = add_constant(model, name, kernel, quantized)
    added = add_constant(model, "conv/bias", bias)
    scores = add_tensor(model, "conv/out;more", (*shape[:3], kernel.shape[0]))
    options = made.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    add_operator(model, made.BuiltinOperator.CONV_2D, [images, weights, added], [scores], options)
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [images], [scores]
    return model


def altered(change: Callable[[Any], object], model: Any = None) -> bytes:
    """A convolution after a change of it, as a file."""
    model = model or conv_model()
    change(model)
    return packed(model)


def with_metadata(model: Any, entries: Mapping[str, bytes]) -> Any:
    """The model with metadata entries."""
    made = schema()
    model.metadata = model.metadata or []
    for name, data in entries.items():
        buffer, entry = made.BufferT(), made.MetadataT()
        buffer.data = np.frombuffer(data, np.uint8)
        model.buffers.append(buffer)
        entry.name, entry.buffer = name, len(model.buffers) - 1
        model.metadata.append(entry)
    return model


def with_archive(data: bytes, members: Mapping[str, bytes]) -> bytes:
    """A file with an archive behind it, as TensorFlow Lite's tools for metadata append it."""
    whole = io.BytesIO(data)
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return whole.getvalue()


def described(mean: float, std: float, labels: str = "labels.txt") -> bytes:
    """Metadata of an image classifier: its normalization, and the file of its labels.

    Written field by field, since TensorFlow has no classes for this schema.
    """
    import flatbuffers

    b = flatbuffers.Builder(256)

    def floats(value: float) -> int:
        b.StartVector(4, 1, 4)
        b.PrependFloat32(value)
        return b.EndVector()

    def table(*fields: tuple[int, int]) -> int:
        b.StartObject(8)
        for number, offset in fields:
            b.PrependUOffsetTRelativeSlot(number, offset, 0)
        return b.EndObject()

    def vector(*tables: int) -> int:
        b.StartVector(4, len(tables), 4)
        for each in reversed(tables):
            b.PrependUOffsetTRelative(each)
        return b.EndVector()

    options = table((0, floats(mean)), (1, floats(std)))
    b.StartObject(2)
    b.PrependUint8Slot(0, 1, 0)  # NormalizationOptions
    b.PrependUOffsetTRelativeSlot(1, options, 0)
    unit = b.EndObject()
    name = b.CreateString(labels)
    b.StartObject(4)
    b.PrependUOffsetTRelativeSlot(0, name, 0)
    b.PrependInt8Slot(2, 2, 0)  # TENSOR_AXIS_LABELS
    file = b.EndObject()
    given = table((0, b.CreateString("image")), (4, vector(unit)))
    result = table((0, b.CreateString("scores")), (6, vector(file)))
    graph = table((2, vector(given)), (3, vector(result)))
    b.Finish(table((0, b.CreateString("classifier")), (3, vector(graph))), b"M001")
    return bytes(b.Output())


def flex_options(operation: str) -> bytes:
    """Options of an operation of TensorFlow: a FlexBuffer of its name and its NodeDef."""
    from flatbuffers import flexbuffers

    from modelaudit.formats.graph.protos import saved_messages_pb2 as pb

    node = pb.NodeDef(name="node", op=operation)
    node.attr["T"].type = pb.DT_FLOAT
    builder = flexbuffers.Builder()
    with builder.Vector():
        builder.String(operation)
        builder.String(node.SerializeToString().decode("latin-1"))
    return bytes(builder.Finish())
