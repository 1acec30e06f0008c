"""Functions that lambdas call, under all their names, as the functions of TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.repairs.translate.operations import OPERATIONS

# Names of one module each: TensorFlow, Keras' backend functions, and the operations of Keras 3.
_TENSORFLOW = ("tf", "tensorflow", "ktf")
_BACKENDS = ("K", "backend", "keras.backend", "tf.keras.backend", "tensorflow.keras.backend")
_OPERATION_MODULES = ("ops", "keras.ops", "K.ops")
# Function of Keras' backend or of keras.ops -> that of TensorFlow.
_OF_KERAS: Mapping[str, str] = {
    "abs": "math.abs",
    "absolute": "math.abs",
    "cast": "cast",
    "clip": "clip_by_value",
    "concatenate": "concat",
    "elu": "nn.elu",
    "exp": "math.exp",
    "expand_dims": "expand_dims",
    "l2_normalize": "math.l2_normalize",
    "log": "math.log",
    "max": "math.reduce_max",
    "maximum": "math.maximum",
    "mean": "math.reduce_mean",
    "min": "math.reduce_min",
    "minimum": "math.minimum",
    "multiply": "math.multiply",
    "permute_dimensions": "transpose",
    "pow": "math.pow",
    "prod": "math.reduce_prod",
    "relu": "nn.relu",
    "reshape": "reshape",
    "sigmoid": "math.sigmoid",
    "softmax": "nn.softmax",
    "softplus": "math.softplus",
    "square": "math.square",
    "squeeze": "squeeze",
    "stack": "stack",
    "sum": "math.reduce_sum",
    "tanh": "math.tanh",
    "tile": "tile",
    "transpose": "transpose",
}
# Names of the arguments after the first, for calls by position.
_REDUCTION = ("axis", "keepdims")
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "nn.softmax": ("axis",),
    "math.l2_normalize": ("axis", "epsilon"),
    "expand_dims": ("axis",),
    "squeeze": ("axis",),
    "reshape": ("shape",),
    "transpose": ("perm",),
    "clip_by_value": ("clip_value_min", "clip_value_max"),
    "cast": ("dtype",),
    "concat": ("axis",),
    "stack": ("axis",),
    "tile": ("multiples",),
    "image.resize": ("size", "method"),
}
# Arguments of Keras' functions with another name.
RENAMED: Mapping[str, str] = {
    "pattern": "perm",
    "min_value": "clip_value_min",
    "max_value": "clip_value_max",
    "x_min": "clip_value_min",
    "x_max": "clip_value_max",
    "n": "multiples",
    "newshape": "shape",
    "keep_dims": "keepdims",
    "reduction_indices": "axis",
}
OPERATORS: Mapping[str, str] = {
    "+": "math.add",
    "-": "math.subtract",
    "*": "math.multiply",
    "/": "math.truediv",
    "**": "math.pow",
    "@": "linalg.matmul",
}


def function_of(path: str) -> str | None:
    """The function of TensorFlow with this path (`K.mean`); None if it is not known."""
    for module in sorted((*_TENSORFLOW, *_BACKENDS, *_OPERATION_MODULES), key=len, reverse=True):
        if not path.startswith(f"{module}."):
            continue
        name = path.removeprefix(f"{module}.")
        if module in _TENSORFLOW:
            return name if name in OPERATIONS else None
        return _OF_KERAS.get(name)
    return None


def dtype_of(path: str) -> str | None:
    """The dtype that a name like `tf.float32` is; None for another name."""
    module, _, name = path.rpartition(".")
    known = name in ("float16", "float32", "float64", "int32", "int64", "bool", "uint8")
    return name if known and module in (*_TENSORFLOW, "np", "numpy") else None


def parameters_of(function: str) -> tuple[str, ...]:
    """Names of the function's arguments after the first."""
    if function.startswith(("math.reduce_", "reduce_")):
        return _REDUCTION
    return _PARAMETERS.get(function, OPERATIONS[function].tensors[:1])
