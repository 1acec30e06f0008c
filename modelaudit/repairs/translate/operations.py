"""Functions of TensorFlow, as Keras 2 saved their calls, and the operations of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class Operation(Struct, frozen=True):
    """An operation of Keras 3 that computes what a function of TensorFlow does.

    Attributes:
        module: its module in Keras 3.
        name: its class.
        tensors: names of the function's further arguments that the operation is called with.
        config: argument of the function -> argument of the operation's constructor.
        fixed: further arguments of the constructor.
        ignored: arguments of the function, and the values at which they have no effect.
    """

    module: str
    name: str
    tensors: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    ignored: Mapping[str, tuple[object, ...]] = field(default_factory=dict)


NUMPY, NN = "keras.src.ops.numpy", "keras.src.ops.nn"
CORE, MATH, IMAGE = "keras.src.ops.core", "keras.src.ops.math", "keras.src.ops.image"
_REDUCTION = {"axis": "axis", "keepdims": "keepdims"}
_ONE: tuple[tuple[str, str, str], ...] = (
    (NN, "Relu", "nn.relu"),
    (NN, "Relu6", "nn.relu6"),
    (NN, "Sigmoid", "math.sigmoid nn.sigmoid sigmoid"),
    (NN, "Softplus", "math.softplus nn.softplus"),
    (NN, "Softsign", "math.softsign nn.softsign"),
    (NN, "Selu", "nn.selu"),
    (NUMPY, "Tanh", "math.tanh nn.tanh tanh"),
    (NUMPY, "Absolute", "math.abs abs"),
    (NUMPY, "Sqrt", "math.sqrt sqrt"),
    (NUMPY, "Square", "math.square square"),
    (NUMPY, "Exp", "math.exp exp"),
    (NUMPY, "Log", "math.log"),
    (NUMPY, "Log1p", "math.log1p"),
    (NUMPY, "Negative", "math.negative negative __operators__.neg"),
    (NUMPY, "Sign", "math.sign sign"),
    (NUMPY, "Sin", "math.sin sin"),
    (NUMPY, "Cos", "math.cos cos"),
    (NUMPY, "Floor", "math.floor floor"),
    (NUMPY, "Ceil", "math.ceil"),
    (NUMPY, "Reciprocal", "math.reciprocal"),
    (NUMPY, "LogicalNot", "math.logical_not"),
    (NUMPY, "ZerosLike", "zeros_like"),
    (NUMPY, "OnesLike", "ones_like"),
    (MATH, "Rsqrt", "math.rsqrt"),
    (MATH, "Erf", "math.erf"),
)
_TWO: tuple[tuple[str, str], ...] = (
    ("Add", "math.add __operators__.add add"),
    ("Subtract", "math.subtract __operators__.sub subtract"),
    ("Multiply", "math.multiply __operators__.mul multiply"),
    ("TrueDivide", "math.truediv math.divide realdiv __operators__.truediv divide truediv"),
    ("Maximum", "math.maximum maximum"),
    ("Minimum", "math.minimum minimum"),
    ("Power", "math.pow __operators__.pow pow"),
    ("Matmul", "linalg.matmul __operators__.matmul matmul"),
    ("Greater", "math.greater"),
    ("GreaterEqual", "math.greater_equal"),
    ("Less", "math.less"),
    ("LessEqual", "math.less_equal"),
    ("Equal", "math.equal __operators__.eq"),
    ("NotEqual", "math.not_equal __operators__.ne"),
)
_REDUCING: tuple[tuple[str, str], ...] = (
    ("Mean", "math.reduce_mean reduce_mean"),
    ("Sum", "math.reduce_sum reduce_sum"),
    ("Max", "math.reduce_max reduce_max"),
    ("Min", "math.reduce_min reduce_min"),
    ("Prod", "math.reduce_prod reduce_prod"),
    ("Std", "math.reduce_std"),
    ("Var", "math.reduce_variance"),
)
_OFF: tuple[object, ...] = (None, False)
_PLAIN_MATMUL = dict.fromkeys(
    ("transpose_a", "transpose_b", "adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"), _OFF
)
_OTHERS: Mapping[str, Operation] = {
    "nn.softmax": Operation(NN, "Softmax", config={"axis": "axis"}),
    "nn.log_softmax": Operation(NN, "LogSoftmax", config={"axis": "axis"}),
    "nn.elu": Operation(NN, "Elu", fixed={"alpha": 1.0}),
    "nn.leaky_relu": Operation(NN, "LeakyRelu", config={"alpha": "negative_slope"}),
    "nn.gelu": Operation(
        NN, "Gelu", config={"approximate": "approximate"}, fixed={"approximate": False}
    ),
    "nn.silu": Operation(NN, "Silu", ignored={"beta": (1, 1.0)}),
    "math.l2_normalize": Operation(
        NN, "Normalize", config={"axis": "axis", "epsilon": "epsilon"}, fixed={"order": 2}
    ),
    "reshape": Operation(NUMPY, "Reshape", config={"shape": "newshape"}),
    "transpose": Operation(
        NUMPY, "Transpose", config={"perm": "axes"}, ignored={"conjugate": _OFF}
    ),
    "expand_dims": Operation(NUMPY, "ExpandDims", config={"axis": "axis"}),
    "squeeze": Operation(NUMPY, "Squeeze", config={"axis": "axis"}),
    "concat": Operation(NUMPY, "Concatenate", config={"axis": "axis"}),
    "stack": Operation(NUMPY, "Stack", config={"axis": "axis"}),
    "tile": Operation(NUMPY, "Tile", config={"multiples": "repeats"}),
    "repeat": Operation(NUMPY, "Repeat", config={"repeats": "repeats", "axis": "axis"}),
    "reverse": Operation(NUMPY, "Flip", config={"axis": "axis"}),
    "split": Operation(
        NUMPY,
        "Split",
        config={"num_or_size_splits": "indices_or_sections", "axis": "axis"},
        ignored={"num": (None,)},
    ),
    "clip_by_value": Operation(
        NUMPY, "Clip", config={"clip_value_min": "x_min", "clip_value_max": "x_max"}
    ),
    "cast": Operation(CORE, "Cast", config={"dtype": "dtype"}),
    "math.argmax": Operation(NUMPY, "Argmax", config={"axis": "axis"}),
    "where": Operation(NUMPY, "Where", tensors=("x", "y")),
    "gather": Operation(NUMPY, "Take", tensors=("indices",), config={"axis": "axis"}),
    "stop_gradient": Operation(CORE, "StopGradient"),
    "image.resize": Operation(
        IMAGE,
        "Resize",
        config={"size": "size", "method": "interpolation", "antialias": "antialias"},
        ignored={"preserve_aspect_ratio": _OFF},
    ),
    "image.rgb_to_grayscale": Operation(IMAGE, "RGBToGrayscale"),
}
_SAME_AS = {
    "nn.swish": "nn.silu",
    "math.argmax_v2": "math.argmax",
    "nn.l2_normalize": "math.l2_normalize",
    "linalg.l2_normalize": "math.l2_normalize",
    "argmax": "math.argmax",
    "where_v2": "where",
    "compat.v1.transpose": "transpose",
    "compat.v1.gather": "gather",
    "image.resize_v2": "image.resize",
    "concat_v2": "concat",
}


def operation_of(function: str) -> Operation | None:
    """The operation that computes what a function does; None if none is known.

    The arguments of functions of TensorFlow 1 that have other names are None where they are not
    used.
    """
    return OPERATIONS.get(function) or OPERATIONS.get(function.removeprefix("compat.v1."))


def _table() -> dict[str, Operation]:
    found = dict(_OTHERS)
    for module, name, functions in _ONE:
        found |= dict.fromkeys(functions.split(), Operation(module, name))
    for name, functions in _TWO:
        ignored = _PLAIN_MATMUL if name == "Matmul" else {"incompatible_shape_error": (True,)}
        operation = Operation(NUMPY, name, tensors=("y", "b"), ignored=ignored)
        found |= dict.fromkeys(functions.split(), operation)
    for name, functions in _REDUCING:
        operation = Operation(NUMPY, name, config=_REDUCTION)
        found |= dict.fromkeys(functions.split(), operation)
    return found | {name: found[other] for name, other in _SAME_AS.items()}


OPERATIONS: Mapping[str, Operation] = _table()
"""Function of TensorFlow (`math.multiply`) -> operation of Keras 3 that computes the same."""

LISTS = frozenset(("concat", "stack", "concat_v2"))
"""Functions whose first argument is a list of tensors."""


def _functions() -> dict[str, str]:
    """Operation of Keras 3 -> function of TensorFlow 2."""
    found: dict[str, str] = {}
    for function, operation in OPERATIONS.items():
        name = operation.name
        best = found.get(name)
        if best is None or (not function.startswith("__") and "." in function and "." not in best):
            found[name] = function
    return found | {
        "Divide": "math.divide",
        "TrueDivide": "math.truediv",
        "Amax": "math.reduce_max",
        "GetItem": "__operators__.getitem",
    }


FUNCTIONS: Mapping[str, str] = _functions()
"""Operation of Keras 3 (`Multiply`) -> function of TensorFlow that computes the same."""
