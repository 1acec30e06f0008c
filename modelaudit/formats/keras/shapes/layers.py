"""Static shapes of Keras layers: output shapes of a call from its input shapes.

A shape includes the batch axis, which is usually None. None instead of a shape means unknown.
Unknown classes and malformed configs give None; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TypeAlias

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.dialects import channels_first
from modelaudit.formats.keras.inbound_nodes import LayerCall
from modelaudit.formats.keras.shapes import windows
from modelaudit.formats.keras.shapes.ops import broadcast, infer_operation, joined
from modelaudit.layer_classes import Trait, classes

Config: TypeAlias = Mapping[str, Json]
Shapes: TypeAlias = tuple[Shape | None, ...]

SAME_SHAPE = classes(Trait.SAME_SHAPE)
MERGES = classes(Trait.MERGE)
POOLING = Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING | Trait.ADAPTIVE_POOLING
TENSORFLOW_OPERATIONS = classes(Trait.TENSORFLOW_OPERATION)

# Activations that may return another number of channels: Keras 2 builds the next layer for what
# they return, Keras 3 for what they get.
CHANGE_CHANNELS = words("crelu crelu_v2 glu geglu maxout reglu swiglu")

RECURRENT_STATES: Mapping[str, int] = {
    "LSTM": 2,
    "CuDNNLSTM": 2,
    "GRU": 1,
    "CuDNNGRU": 1,
    "SimpleRNN": 1,
}


def infer(
    class_name: str, config: Config, inputs: Shapes, call: LayerCall, *, operation: bool
) -> Shapes:
    """Output shapes of one call of a built-in layer.

    Args:
        class_name, config: translated to Keras 2 by `dialects.modern`.
        inputs: shapes of the call's tensors, in the order of `call.inputs`.
        call: the arguments, which are used for operations and attention scores.
        operation: whether it is a Keras 3 operation rather than a layer.
    """
    outputs = _before_activation(class_name, config, inputs, call, operation=operation)
    given = config.get("activation")  # a name, or a function as an object
    name = kj.text(given) or kj.text(kj.mapping(given).get("config"))
    if name not in CHANGE_CHANNELS or class_name in RECURRENT_STATES:
        return outputs
    return (None,) * len(outputs)


def _before_activation(
    class_name: str, config: Config, inputs: Shapes, call: LayerCall, *, operation: bool
) -> Shapes:
    if operation or class_name in TENSORFLOW_OPERATIONS:
        return (infer_operation(class_name, config, inputs, call),)
    shape = inputs[0] if inputs else None
    if class_name in MERGES:
        return (_merged(inputs),)
    if class_name == "Concatenate":
        axis = kj.integer(config.get("axis"))
        return (joined(inputs, -1 if axis is None else axis),)
    if shape is None:
        return (None,)
    if class_name in SAME_SHAPE:
        return (shape,)
    if not shape:  # a scalar has no batch axis
        return (None,)
    if class_name in RECURRENT_STATES:
        units = kj.size(config, "units")
        return recurrent(config, shape, units, RECURRENT_STATES[class_name])
    if class_name in ("Attention", "AdditiveAttention"):
        return _attention(inputs, call)
    if class_name == "MultiHeadAttention":
        return _multi_head(config, inputs, call)
    if class_name.startswith("ConvLSTM"):
        return _conv_lstm(class_name, config, shape)
    if class_name == "Dot":
        return (_dot(config, inputs),)
    rule = RULES.get(class_name)
    return (rule(class_name, config, shape) if rule else None,)


def recurrent(config: Config, shape: Shape | None, units: int | None, states: int) -> Shapes:
    """Shapes of a recurrent layer on (batch, time, features): the output, then returned states."""
    if shape is None or len(shape) != 3 or units is None:
        return (None,)
    time_major = kj.flag(config, "time_major")
    batch = shape[1] if time_major else shape[0]
    last: Shape = (batch, units)
    output = (shape[0], shape[1], units) if kj.flag(config, "return_sequences") else last
    if kj.flag(config, "return_state"):
        return (output, *(last,) * states) if states else (output, None)
    return (output,)


def bidirectional(config: Config, forward: Shapes, backward: Shapes) -> Shapes:
    """Both directions merged according to `merge_mode`, then the states of both."""
    mode = config.get("merge_mode", "concat")
    if mode is None:
        return (forward[0], backward[0], *forward[1:], *backward[1:])
    merged = joined((forward[0], backward[0]), -1) if mode == "concat" else forward[0]
    return (merged, *forward[1:], *backward[1:])


def _merged(inputs: Shapes) -> Shape | None:
    """Add, Multiply and the like: axes after the batch axis broadcast, aligned at the right."""
    if not inputs or any(shape is None or not shape for shape in inputs):
        return None
    known = [shape for shape in inputs if shape]
    rest = broadcast([shape[1:] for shape in known])
    batches = {shape[0] for shape in known} - {None}
    if rest is None or len(batches) > 1:
        return None
    return (batches.pop() if batches else None, *rest)


def _attention(inputs: Shapes, call: LayerCall) -> Shapes:
    if len(inputs) < 2 or any(s is None or len(s) != 3 for s in inputs[:2]):
        return (None,)
    query, value = (shape for shape in inputs[:2] if shape)
    output = (*query[:-1], value[-1])
    if call.saved_kwargs.get("return_attention_scores") is True:
        return output, (query[0], query[1], value[1])
    return (output,)


def _multi_head(config: Config, inputs: Shapes, call: LayerCall) -> Shapes:
    query = inputs[0]
    if query is None:
        return (None,)
    wanted = config.get("output_shape")
    size = query[-1:] if wanted is None else kj.lengths(wanted)
    if size is None:
        return (None,)
    output = (*query[:-1], *size)
    if call.saved_kwargs.get("return_attention_scores") is True:
        return output, None
    return (output,)


def _conv_lstm(class_name: str, config: Config, shape: Shape) -> Shapes:
    """Input is (batch, time, spatial..., channels). States have the shape of one output step."""
    frame = (shape[0], *shape[2:])
    state = windows.convolution(class_name.replace("LSTM", ""), config, frame)
    if state is None:
        return (None,)
    sequence = (shape[0], shape[1], *state[1:])
    output = sequence if kj.flag(config, "return_sequences") else state
    return (output, state, state) if kj.flag(config, "return_state") else (output,)


def _dot(config: Config, inputs: Shapes) -> Shape | None:
    """Batched dot product of two tensors over one axis each."""
    axes = kj.integers(config.get("axes"), 2)
    if axes is None or len(inputs) != 2 or any(shape is None for shape in inputs):
        return None
    left, right = (list(shape) for shape in inputs if shape is not None)
    first, second = (a % len(s) if s else 0 for a, s in zip(axes, (left, right), strict=True))
    if len(left) < 2 or len(right) < 2 or not first or not second:
        return None
    output = [n for i, n in enumerate(left) if i != first]
    output += [n for i, n in enumerate(right) if i not in (0, second)]
    return tuple(output) if len(output) > 1 else (*output, 1)


def _dense(_name: str, config: Config, shape: Shape) -> Shape | None:
    units = kj.size(config, "units", "output_dim")
    return None if units is None or len(shape) < 2 else (*shape[:-1], units)


def _einsum_dense(_name: str, config: Config, shape: Shape) -> Shape | None:
    """`ab,bc->ac`: labels of the input keep their length, others come from `output_shape`."""
    left, arrow, right = kj.text(config.get("equation")).replace(" ", "").partition("->")
    source = left.split(",")[0]
    if not arrow or not source:
        return None
    spare = len(shape) - len(source.replace("...", ""))
    if spare < 0 or (spare and "..." not in source):
        return None
    filler = "".join(chr(ord("À") + i) for i in range(spare))
    lengths = dict(zip(source.replace("...", filler), shape, strict=True))
    wanted = config.get("output_shape")
    given = kj.shape(wanted if isinstance(wanted, list) else [wanted]) or ()
    labels = right.replace("...", filler)
    named = dict(zip(reversed(labels), reversed(given), strict=False))
    if any(label not in lengths and label not in named for label in labels):
        return None
    return tuple(lengths[x] if x in lengths else named[x] for x in labels)


def _embedding(_name: str, config: Config, shape: Shape) -> Shape | None:
    size = kj.size(config, "output_dim")
    return None if size is None else (*shape, size)


def _flatten(_name: str, _config: Config, shape: Shape) -> Shape | None:
    if len(shape) == 1:
        return (shape[0], 1)
    return (shape[0], _product(shape[1:]))


def _product(lengths: Sequence[int | None]) -> int | None:
    known = [n for n in lengths if n is not None]
    return prod(known) if len(known) == len(lengths) else None


def _reshape(_name: str, config: Config, shape: Shape) -> Shape | None:
    target = kj.integers(config.get("target_shape"))
    if target is None or min(target) < -1 or target.count(-1) > 1:
        return (shape[0],) if config.get("target_shape") == [] else None
    if -1 not in target:
        return (shape[0], *target)
    total = _product(shape[1:])
    known = prod(n for n in target if n != -1)
    open_axis = None if total is None or not known or total % known else total // known
    return (shape[0], *(open_axis if n == -1 else n for n in target))


def _permute(_name: str, config: Config, shape: Shape) -> Shape | None:
    dims = kj.integers(config.get("dims"))
    if dims is None or sorted(dims) != list(range(1, len(shape))):
        return None
    return (shape[0], *(shape[d] for d in dims))


def _repeat(_name: str, config: Config, shape: Shape) -> Shape | None:
    count = kj.size(config, "n")
    return (shape[0], count, shape[1]) if len(shape) == 2 and count is not None else None


def _cell(_name: str, config: Config, shape: Shape) -> Shape | None:
    return (shape[0], kj.size(config, "units")) if len(shape) == 2 else None


def _random_size(name: str, config: Config, shape: Shape) -> Shape | None:
    """RandomHeight and RandomWidth: the axis that they resize is None."""
    if len(shape) != 4:
        return None
    axis = (2 if channels_first(config) else 1) + (name == "RandomWidth")
    return (*shape[:axis], None, *shape[axis + 1 :])


def _lookup(_name: str, config: Config, shape: Shape) -> Shape | None:
    """One index per element. The rank for other output modes depends on the Keras version."""
    return shape if config.get("output_mode", "int") == "int" else None


def _text(_name: str, config: Config, shape: Shape) -> Shape | None:
    if config.get("output_mode") != "int" or not shape or config.get("ragged") is True:
        return None
    return (shape[0], kj.size(config, "output_sequence_length"))


def _images(_name: str, config: Config, shape: Shape) -> Shape | None:
    return windows.resized(config, shape)


RULES: Mapping[str, Callable[[str, Config, Shape], Shape | None]] = {
    "Dense": _dense,
    "MaxoutDense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "TextVectorization": _text,
    "RandomHeight": _random_size,
    "RandomWidth": _random_size,
    **dict.fromkeys(classes(Trait.RECURRENT_CELL), _cell),
    **dict.fromkeys(classes(Trait.CATEGORIES), _lookup),
    **dict.fromkeys(classes(Trait.RESIZING), _images),
    **dict.fromkeys(classes(Trait.CONVOLUTION), windows.convolution),
    **dict.fromkeys(classes(POOLING), windows.pooling),
    **dict.fromkeys(classes(Trait.UPSAMPLING), windows.upsampling),
    **dict.fromkeys(classes(Trait.PADDING), windows.border),
}
