"""Static shapes of operations in functional models.

Keras 2 saves `tf.nn.relu(x)` as a TFOpLambda (TensorFlowOpLayer before 2.4). Keras 3 saves
`keras.ops.relu(x)` as the operation itself, together with the shapes of all tensors. The table of
operations is short: other operations are unknown, and in Keras 3 the saved shapes are used instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.inbound_nodes import Argument, LayerCall, TensorReference

Shapes: TypeAlias = tuple[Shape | None, ...]

UNARY = words(
    """
    abs absolute ceil cos cosh elu exp expm1 floor gelu hard_sigmoid identity leaky_relu log log1p
    log_softmax logical_not neg negative negate reciprocal relu relu6 round rsqrt selu sigmoid
    sign silu sin sinh softmax softplus softsign sqrt square swish tan tanh clip clip_by_value
    cast l2_normalize stop_gradient zeros_like ones_like dropout cumsum
    """
)
BINARY = words(
    """
    add addv2 subtract sub multiply mul divide div realdiv truediv true_divide floordiv pow power
    maximum minimum squared_difference greater greater_equal less less_equal equal not_equal
    logical_and logical_or mod divide_no_nan biasadd bias_add
    """
)
REDUCTIONS = words(
    "mean sum max min prod any all reduce_mean reduce_sum reduce_max reduce_min reduce_prod "
    "reduce_any reduce_all reduce_std reduce_variance reduce_logsumexp std var amax amin"
)


def broadcast(shapes: Sequence[Shape]) -> Shape | None:
    """Broadcast shapes, aligned at the right; None if they are not compatible.

    An axis of length 1 is stretched. An undefined axis takes a known length greater than 1.
    """
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    output: list[int | None] = []
    for lengths in zip(*padded, strict=True):
        long = {n for n in lengths if n not in (1, None)}
        if len(long) > 1:
            return None
        if long:
            output.append(long.pop())
        else:
            output.append(None if None in lengths else 1)
    return tuple(output)


def joined(inputs: Shapes, axis: int) -> Shape | None:
    """Shapes concatenated along `axis`; other axes take the known length among the inputs."""
    shapes = [shape for shape in inputs if shape is not None]
    if not shapes or len(shapes) != len(inputs) or len({len(shape) for shape in shapes}) > 1:
        return None
    rank = len(shapes[0])
    if not -rank <= axis < rank:
        return None
    axis %= rank
    output: list[int | None] = []
    for i, lengths in enumerate(zip(*shapes, strict=True)):
        known = [n for n in lengths if n is not None]
        if i == axis:
            output.append(sum(known) if len(known) == len(lengths) else None)
        elif len(set(known)) > 1:
            return None
        else:
            output.append(known[0] if known else None)
    return tuple(output)


def infer_operation(
    class_name: str, config: Mapping[str, Json], inputs: Shapes, call: LayerCall
) -> Shape | None:
    """Shape of an operation's first output; None for unknown operations."""
    shapes = dict(zip(call.inputs, inputs, strict=False))
    if class_name == "TensorFlowOpLayer":
        return _graph_operation(config, inputs)
    if class_name == "SlicingOpLambda":
        return _sliced(inputs[0] if inputs else None, call.kwargs.get("slice_spec"))
    if class_name == "GetItem":
        return _sliced(inputs[0] if inputs else None, call.args[1] if len(call.args) > 1 else None)
    function = kj.text(config.get("function")) if class_name == "TFOpLambda" else class_name
    return _apply(_plain(function), config, inputs, call, shapes)


def _plain(function: str) -> str:
    """`math.reduce_mean` → `reduce_mean`, `TrueDivide` → `true_divide`."""
    last = function.rpartition(".")[2]
    words = "".join(f"_{c.lower()}" if c.isupper() and i else c for i, c in enumerate(last))
    return words.lower()


def _apply(
    function: str,
    config: Mapping[str, Json],
    inputs: Shapes,
    call: LayerCall,
    shapes: Mapping[TensorReference, Shape | None],
) -> Shape | None:
    first = inputs[0] if inputs else None

    def option(name: str, position: int) -> Argument:
        if name in call.kwargs:
            return call.kwargs[name]
        if name in config:
            return config[name]
        return call.args[position] if len(call.args) > position else None

    if function in UNARY and len(inputs) == 1:
        return first
    if function in BINARY:
        operands = list(call.args) + [call.kwargs[k] for k in ("y", "x2") if k in call.kwargs]
        return _elementwise(operands[:2], shapes)
    if function in ("concat", "concatenate"):
        axis = option("axis", 1)
        return joined(inputs, axis) if isinstance(axis, int) else None
    if first is None:
        return None
    if function in REDUCTIONS:
        return _reduced(first, option("axis", 1), option("keepdims", 2))
    if function == "expand_dims":
        axis = option("axis", 1)
        if not isinstance(axis, int) or not -len(first) - 1 <= axis <= len(first):
            return None
        at = axis % (len(first) + 1)
        return (*first[:at], 1, *first[at:])
    return None


def _elementwise(
    operands: Sequence[Argument], shapes: Mapping[TensorReference, Shape | None]
) -> Shape | None:
    found: list[Shape] = []
    for operand in operands:
        if isinstance(operand, TensorReference):
            shape = shapes.get(operand)
        else:
            shape = () if isinstance(operand, (int, float)) else _constant_shape(operand)
        if shape is None:
            return None
        found.append(shape)
    return broadcast(found)


def _constant_shape(value: Argument) -> Shape | None:
    """Shape of a nested list of numbers, from its first elements."""
    shape: list[int | None] = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value or len(shape) > kj.MAX_RANK:
            return None
        value = value[0]
    return tuple(shape) if isinstance(value, (int, float)) else None


def _reduced(shape: Shape, axis: Argument, keepdims: Argument) -> Shape | None:
    keep = keepdims is True
    axes = [axis] if isinstance(axis, int) else axis
    if axes is None:
        return (1,) * len(shape) if keep else ()
    if not isinstance(axes, list):
        return None
    gone: set[int] = set()
    for a in axes:
        if not isinstance(a, int) or not -len(shape) <= a < len(shape):
            return None
        gone.add(a % len(shape))
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keep or i not in gone)


def _sliced(shape: Shape | None, spec: Argument) -> Shape | None:
    """`x[spec]`: an integer removes an axis, a slice shortens it, null adds one, `...` fills up."""
    if shape is None or isinstance(spec, TensorReference):
        return None
    items = spec if isinstance(spec, list) else [spec]
    taken = sum(1 for item in items if item is not None and not _is_ellipsis(item))
    output: list[int | None] = []
    axis = 0
    for item in items:
        if item is None:
            output.append(1)
        elif _is_ellipsis(item):
            skip = len(shape) - taken
            output += shape[axis : axis + skip]
            axis += skip
        elif axis >= len(shape):
            return None
        elif isinstance(item, dict):
            bounds = _slice_bounds(item)
            if bounds is None:
                return None
            start, stop, step = bounds
            length = shape[axis]
            whole = start in (None, 0) and stop is None and step in (None, 1)
            if length is None:
                output.append(None)
            elif whole:
                output.append(length)
            else:
                output.append(len(range(*slice(start, stop, step).indices(length))))
            axis += 1
        elif isinstance(item, int):
            axis += 1
        else:
            return None
    return (*output, *shape[axis:])


def _is_ellipsis(item: Argument) -> bool:
    """Whether an item of a slice is `...`, as saved by Keras 2 or Keras 3."""
    return item == "..." or (isinstance(item, dict) and item.get("class_name") == "__ellipsis__")


def _slice_bounds(item: Mapping[str, Argument]) -> tuple[int | None, int | None, int | None] | None:
    """Start, stop and step of a saved slice; None if one is a tensor or the step is 0."""
    config = item.get("config")
    saved = config if isinstance(config, dict) else item
    start, stop, step = (saved.get(key) for key in ("start", "stop", "step"))
    if not isinstance(start, int | None) or not isinstance(stop, int | None):
        return None
    return (start, stop, step) if isinstance(step, int | None) and step != 0 else None


def _graph_operation(config: Mapping[str, Json], inputs: Shapes) -> Shape | None:
    """Output shape of a TensorFlowOpLayer: a graph node, with constants by input position."""
    node = kj.mapping(config.get("node_def"))
    constants = kj.mapping(config.get("constants"))
    function = _plain(kj.text(node.get("op"))).replace("_v2", "")
    if len(inputs) == 1 and function in UNARY:
        return inputs[0]
    if any(shape is None for shape in inputs) or not inputs:
        return None
    known = [shape for shape in inputs if shape is not None]
    if function in BINARY:
        extra = [_constant_shape(value) for value in constants.values()]
        return broadcast([*known, *(s for s in extra if s is not None)])
    if function == "concat":
        axis = kj.integer(constants.get(str(len(inputs))))
        return None if axis is None else joined(inputs, axis)
    if function in REDUCTIONS:
        keep = kj.mapping(kj.mapping(node.get("attr")).get("keep_dims")).get("b")
        return _reduced(known[0], _as_argument(constants.get("1")), keep is True)
    return None


def _as_argument(value: Json) -> Argument:
    single = kj.integer(value)
    if single is not None:
        return single
    numbers: list[Argument] = [*(kj.integers(value) or ())]
    return numbers or None
