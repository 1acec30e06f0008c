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
    "add": "math.add",
    "cast": "cast",
    "ceil": "math.ceil",
    "clip": "clip_by_value",
    "concatenate": "concat",
    "cos": "math.cos",
    "divide": "math.truediv",
    "elu": "nn.elu",
    "exp": "math.exp",
    "expand_dims": "expand_dims",
    "flip": "reverse",
    "floor": "math.floor",
    "gelu": "nn.gelu",
    "l2_normalize": "math.l2_normalize",
    "leaky_relu": "nn.leaky_relu",
    "log": "math.log",
    "log1p": "math.log1p",
    "log_softmax": "nn.log_softmax",
    "matmul": "linalg.matmul",
    "max": "math.reduce_max",
    "maximum": "math.maximum",
    "mean": "math.reduce_mean",
    "min": "math.reduce_min",
    "minimum": "math.minimum",
    "multiply": "math.multiply",
    "negative": "math.negative",
    "permute_dimensions": "transpose",
    "pow": "math.pow",
    "prod": "math.reduce_prod",
    "relu": "nn.relu",
    "reshape": "reshape",
    "reverse": "reverse",
    "rsqrt": "math.rsqrt",
    "selu": "nn.selu",
    "sigmoid": "math.sigmoid",
    "sign": "math.sign",
    "silu": "nn.silu",
    "sin": "math.sin",
    "softmax": "nn.softmax",
    "softplus": "math.softplus",
    "softsign": "nn.softsign",
    "sqrt": "math.sqrt",
    "square": "math.square",
    "squeeze": "squeeze",
    "stack": "stack",
    "std": "math.reduce_std",
    "stop_gradient": "stop_gradient",
    "subtract": "math.subtract",
    "sum": "math.reduce_sum",
    "tanh": "math.tanh",
    "tile": "tile",
    "transpose": "transpose",
    "var": "math.reduce_variance",
    "where": "where",
}
# Functions of Python that call a method of a tensor.
_BUILTINS: Mapping[str, str] = {"abs": "math.abs", "pow": "math.pow"}
EPSILON = frozenset(f"{module}.epsilon" for module in (*_BACKENDS, "keras.config"))
"""Calls of these give 1e-7, unless the program sets another number."""
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
    "reverse": ("axis",),
    "math.argmax": ("axis",),
    "nn.log_softmax": ("axis",),
    "repeat": ("repeats", "axis"),
    "where": ("x", "y"),
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
    "negative_slope": "alpha",
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
    if path in _BUILTINS:
        return _BUILTINS[path]
    for module in sorted((*_TENSORFLOW, *_BACKENDS, *_OPERATION_MODULES), key=len, reverse=True):
        if not path.startswith(f"{module}."):
            continue
        name = path.removeprefix(f"{module}.")
        if module in _TENSORFLOW:
            return name if name in OPERATIONS else None
        return _OF_KERAS.get(name)
    return None


def defaults_of(path: str) -> Mapping[str, int | bool]:
    """Arguments of a function of Keras that TensorFlow's counterpart gives another default."""
    module, _, name = path.rpartition(".")
    if name == "concatenate":
        return {"axis": -1 if module in _BACKENDS else 0}
    return {"approximate": True} if name == "gelu" and module in _OPERATION_MODULES else {}


def clips_first(path: str) -> bool:
    """Whether it is the root of Keras' backend, which takes negative values for 0."""
    return path.endswith(".sqrt") and path.removesuffix(".sqrt") in _BACKENDS


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
