"""Names of TensorFlow's dtypes."""

from __future__ import annotations

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb

# `DataType` number -> numpy's name, or TensorFlow's name if numpy has no such type.
_NAMES: dict[int, str] = {
    pb.DT_FLOAT: "float32",
    pb.DT_DOUBLE: "float64",
    pb.DT_HALF: "float16",
    pb.DT_BFLOAT16: "bfloat16",
    pb.DT_INT8: "int8",
    pb.DT_INT16: "int16",
    pb.DT_INT32: "int32",
    pb.DT_INT64: "int64",
    pb.DT_UINT8: "uint8",
    pb.DT_UINT16: "uint16",
    pb.DT_UINT32: "uint32",
    pb.DT_UINT64: "uint64",
    pb.DT_BOOL: "bool",
    pb.DT_COMPLEX64: "complex64",
    pb.DT_COMPLEX128: "complex128",
    pb.DT_STRING: "string",
    pb.DT_RESOURCE: "resource",
    pb.DT_VARIANT: "variant",
    pb.DT_QINT8: "qint8",
    pb.DT_QUINT8: "quint8",
    pb.DT_QINT16: "qint16",
    pb.DT_QUINT16: "quint16",
    pb.DT_QINT32: "qint32",
    pb.DT_FLOAT8_E5M2: "float8_e5m2",
    pb.DT_FLOAT8_E4M3FN: "float8_e4m3fn",
    pb.DT_INT4: "int4",
    pb.DT_UINT4: "uint4",
}

_REFERENCE = 100  # TF1's reference types are the base type's number plus 100


def dtype_name(number: int) -> str:
    """Name of a `DataType` number: numpy's name if there is one, `type_NN` if unknown.

    Reference types (TF1 variables) have the suffix `_ref`.
    """
    if _REFERENCE < number <= 2 * _REFERENCE:
        return f"{dtype_name(number - _REFERENCE)}_ref"
    return _NAMES.get(number) or f"type_{number}"
