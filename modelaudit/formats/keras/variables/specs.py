"""Variables that the config of a built-in layer implies.

Each function returns role -> shape, in the order in which Keras creates and stores the variables,
trainable ones first. An axis is None if config and input shape do not define it. Shapes are those
of Keras 2 and 3, or of Keras 1 where it stored a kernel with another axis order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.dialects import channels_first
from modelaudit.formats.keras.inbound_nodes import LayerCall, attended
from modelaudit.formats.keras.shapes import windows

Config: TypeAlias = Mapping[str, Json]
Inputs: TypeAlias = tuple[Shape | None, ...]
Variables: TypeAlias = dict[str, Shape]

NON_TRAINABLE = words(
    "moving_mean moving_variance moving_stddev renorm_mean renorm_stddev mean variance count "
    "vector_u"
)
"""Roles of variables that are not trained by gradient descent."""

GATES: Mapping[str, int] = {
    "LSTM": 4,
    "LSTMCell": 4,
    "CuDNNLSTM": 4,
    "GRU": 3,
    "GRUCell": 3,
    "CuDNNGRU": 3,
    "SimpleRNN": 1,
    "SimpleRNNCell": 1,
}

# Keras 1 stored one matrix per gate, in this order.
KERAS1_GATES: Mapping[str, str] = {"LSTM": "icfo", "GRU": "zrh"}


def expected_variables(
    class_name: str, config: Config, inputs: Inputs, call: LayerCall | None = None
) -> Variables:
    """Role -> shape of a built-in layer's own variables, without those of wrapped layers.

    Args:
        class_name, config: translated to Keras 2 by `dialects.modern`.
        inputs: shapes of the layer's inputs, None if unknown.
        call: the call that has these inputs, if it is known.
    """
    rule = RULES.get(class_name)
    if rule is None:
        return {}
    return rule(class_name, config, _attended(inputs, call) if rule is _heads else inputs)


def _attended(inputs: Inputs, call: LayerCall | None) -> Inputs:
    """Shapes of an attention's query, value and, if there is one, key, without those of masks."""
    places = attended(call) if call is not None and len(call.inputs) == len(inputs) else ()
    if not places:  # the third can be the key or a mask
        return inputs if len(inputs) < 3 else (*inputs[:2], None)
    return tuple(None if place is None else inputs[place] for place in places)


def _axis(inputs: Inputs, axis: int) -> int | None:
    """Length of an axis of the first input; None if unknown or out of range."""
    shape = inputs[0] if inputs else None
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    return shape[axis]


def _channels(config: Config, inputs: Inputs) -> int | None:
    return _axis(inputs, 1 if channels_first(config) else -1)


def _times(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b


def _bias(config: Config, shape: Shape) -> Variables:
    return {"bias": shape} if kj.flag(config, "use_bias", True) else {}


def _dense(_name: str, config: Config, inputs: Inputs) -> Variables:
    units = kj.size(config, "units", "output_dim")
    return {"kernel": (_axis(inputs, -1), units), **_bias(config, (units,))}


def _einsum_dense(_name: str, config: Config, inputs: Inputs) -> Variables:
    left, _, right = kj.text(config.get("equation")).replace(" ", "").partition("->")
    source, _, kernel = left.partition(",")
    wanted = config.get("output_shape")
    given = kj.shape(wanted if isinstance(wanted, list) else [wanted]) or ()
    lengths: dict[str, int | None] = {}
    # Labels after an ellipsis are aligned at the right, labels before it at the left.
    lengths |= _labelled(right, (None, *given) if len(given) < len(right) else given)
    lengths |= _labelled(source, inputs[0] if inputs and inputs[0] else ())
    shapes: Variables = {"kernel": tuple(lengths.get(label) for label in kernel)}
    bias_axes = kj.text(config.get("bias_axes"))
    if bias_axes:
        # The bias broadcasts over the axes after its first one.
        first = min((right.find(label) for label in bias_axes), default=-1)
        shapes["bias"] = tuple(
            lengths.get(label) if label in bias_axes else 1 for label in right[max(first, 0) :]
        )
    return shapes


def _labelled(labels: str, shape: Shape) -> dict[str, int | None]:
    head, _, tail = labels.partition("...")
    if "..." not in labels:
        head, tail = "", labels
    found = dict(zip(head, shape, strict=False))
    found.update(zip(reversed(tail), reversed(shape), strict=False))
    return found


def _convolution(name: str, config: Config, inputs: Inputs) -> Variables:
    parts = windows.window(name, config)
    if parts is None:
        return {}
    size, filters, n_in = parts[1], kj.size(config, "filters"), _channels(config, inputs)
    groups = kj.size(config, "groups") or 1
    kernel: Shape
    if name.endswith("Transpose"):
        kernel = (*size, filters, n_in)
    elif config.get("dim_ordering") == "th":
        kernel = (filters, n_in, *size)
    elif "filter_length" in config:
        kernel = (*size, 1, n_in, filters)
    else:
        kernel = (*size, None if n_in is None else n_in // groups, filters)
    return {"kernel": kernel, **_bias(config, (filters,))}


def _depthwise(name: str, config: Config, inputs: Inputs) -> Variables:
    parts = windows.window(name, config)
    if parts is None:
        return {}
    n_in, multiplier = _channels(config, inputs), kj.size(config, "depth_multiplier")
    multiplier = 1 if multiplier is None else multiplier
    shapes: Variables = {"depthwise_kernel": (*parts[1], n_in, multiplier)}
    n_out = _times(n_in, multiplier)
    if name.startswith("Separable"):
        filters = kj.size(config, "filters")
        shapes["pointwise_kernel"] = (1,) * parts[0] + (n_out, filters)
        n_out = filters
    return {**shapes, **_bias(config, (n_out,))}


def _locally_connected(name: str, config: Config, inputs: Inputs) -> Variables:
    parts = windows.window(name, config)
    shape = inputs[0] if inputs else None
    if parts is None or shape is None:
        return {}
    output = windows.convolution(name, config, shape)
    if output is None:
        return {}
    rank, size, *_ = parts
    n_in, filters = _channels(config, inputs), kj.size(config, "filters")
    lengths = output[2:] if channels_first(config) else output[1:-1]
    places: int | None = 1
    patch: int | None = n_in
    for i in range(rank):
        places, patch = _times(places, lengths[i]), _times(patch, size[i])
    bias = _bias(config, (*lengths, filters))
    if (how := config.get("implementation", 1)) == 1:
        return {"kernel": (places, patch, filters), **bias}
    # From every place of the input to every place of the output, or a list of what is not 0.
    return {"kernel": (None,) * (2 * rank + 2) if how == 2 else (None,), **bias}


def _recurrent(name: str, config: Config, inputs: Inputs) -> Variables:
    units, n_in = kj.size(config, "units"), _axis(inputs, -1)
    if "inner_init" in config and name in KERAS1_GATES and config.get("consume_less") != "gpu":
        gates = KERAS1_GATES[name]
        return {
            role: shape
            for gate in gates
            for role, shape in (
                (f"kernel_{gate}", (n_in, units)),
                (f"recurrent_kernel_{gate}", (units, units)),
                (f"bias_{gate}", (units,)),
            )
        }
    width = _times(units, GATES[name])
    bias: Shape = (width,)
    if name.startswith("CuDNN"):
        bias = (_times(width, 2),)
    elif name.startswith("GRU") and kj.flag(config, "reset_after"):
        bias = (2, width)
    kernels: Variables = {"kernel": (n_in, width), "recurrent_kernel": (units, width)}
    return {**kernels, **_bias(config, bias)}


def _conv_lstm(name: str, config: Config, inputs: Inputs) -> Variables:
    parts = windows.window(name, config)
    if parts is None:
        return {}
    filters = kj.size(config, "filters")
    width = _times(filters, 4)
    n_in = _axis(inputs, 2 if channels_first(config) else -1)
    return {
        "kernel": (*parts[1], n_in, width),
        "recurrent_kernel": (*parts[1], filters, width),
        **_bias(config, (width,)),
    }


def _normal_axes(config: Config, inputs: Inputs) -> Shape:
    axes = kj.integers(config.get("axis", -1), 1) or kj.integers(config.get("axis")) or (-1,)
    shape = inputs[0] if inputs else None
    if shape is not None:  # Keras sorts the axes
        axes = tuple(sorted(a % len(shape) if shape else a for a in axes))
    return tuple(_axis(inputs, axis) for axis in axes)


def _scale_and_center(config: Config, shape: Shape) -> Variables:
    shapes: Variables = {}
    if kj.flag(config, "scale", True) or kj.flag(config, "rms_scaling"):
        shapes["gamma"] = shape
    if kj.flag(config, "center", True) and not kj.flag(config, "rms_scaling"):
        shapes["beta"] = shape
    return shapes


def _normalization(_name: str, config: Config, inputs: Inputs) -> Variables:
    return _scale_and_center(config, _normal_axes(config, inputs))


def _batch_normalization(_name: str, config: Config, inputs: Inputs) -> Variables:
    shape = _normal_axes(config, inputs)
    rank = len(inputs[0]) if inputs and inputs[0] else 0
    if len(shape) > 1 and rank:  # several axes: the parameters broadcast over the others
        axes = {a % rank for a in kj.integers(config.get("axis")) or ()}
        shape = tuple(_axis(inputs, i) if i in axes else 1 for i in range(rank))
    shapes = _scale_and_center(config, shape)
    shapes |= {"moving_mean": shape, "moving_variance": shape}
    if kj.flag(config, "renorm"):
        shapes |= {"moving_stddev": shape, "renorm_mean": shape, "renorm_stddev": shape}
    return shapes


def _feature_statistics(_name: str, config: Config, inputs: Inputs) -> Variables:
    """Normalization: statistics from `adapt`, unless the config sets them."""
    if config.get("mean") is not None or config.get("variance") is not None:
        return {}
    axis = config.get("axis", -1)
    shape: Shape = () if axis is None or axis == [] else _normal_axes(config, inputs)
    return {"mean": shape, "variance": shape, "count": ()}


def _prelu(_name: str, config: Config, inputs: Inputs) -> Variables:
    shape = inputs[0] if inputs else None
    if shape is None:
        return {}
    shared = set(kj.integers(config.get("shared_axes"), 1) or ()) | set(
        kj.integers(config.get("shared_axes")) or ()
    )
    return {"alpha": tuple(1 if i in shared else n for i, n in enumerate(shape) if i)}


def _embedding(_name: str, config: Config, _inputs: Inputs) -> Variables:
    rows, columns = kj.size(config, "input_dim"), kj.size(config, "output_dim")
    shapes: Variables = {"embeddings": (rows, columns)}
    if config.get("tie_weights") is False:
        shapes["reverse_embeddings"] = (columns, rows)
    return shapes


def _attention(name: str, config: Config, inputs: Inputs) -> Variables:
    shapes: Variables = {}
    if kj.flag(config, "use_scale", name == "AdditiveAttention"):
        shapes["scale"] = (_axis(inputs, -1),) if name == "AdditiveAttention" else ()
    if config.get("score_mode") == "concat":
        shapes["concat_score_weight"] = ()
    return shapes


def _heads(_name: str, config: Config, inputs: Inputs) -> Variables:
    """MultiHeadAttention and GroupQueryAttention: one projection for each of query, key, value."""
    query = _axis(inputs, -1)
    value = _axis(inputs[1:], -1)
    key = _axis(inputs[2:], -1) if len(inputs) > 2 else value
    key_dim = kj.size(config, "key_dim", "head_dim")
    value_dim = kj.size(config, "value_dim", "key_dim", "head_dim")
    heads = kj.size(config, "num_heads", "num_query_heads")
    shared_heads = kj.size(config, "num_key_value_heads", "num_heads")
    wanted = config.get("output_shape")
    output: Shape = (query,) if wanted is None else kj.lengths(wanted) or (None,)
    projections: dict[str, tuple[Shape, Shape]] = {
        "query": ((query, heads, key_dim), (heads, key_dim)),
        "key": ((key, shared_heads, key_dim), (shared_heads, key_dim)),
    }
    if kj.flag(config, "use_gate"):
        projections["gate"] = ((query, heads, value_dim), (heads, value_dim))
    projections["value"] = ((value, shared_heads, value_dim), (shared_heads, value_dim))
    projections["attention_output"] = ((heads, value_dim, *output), output)
    shapes: Variables = {}
    for part, (kernel, bias) in projections.items():
        shapes[f"{part}/kernel"] = kernel
        if kj.flag(config, "use_bias", True):
            shapes[f"{part}/bias"] = bias
    return shapes


RULES: Mapping[str, Callable[[str, Config, Inputs], Variables]] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "ReversibleEmbedding": _embedding,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _normalization,
    "GroupNormalization": _normalization,
    "RMSNormalization": lambda _n, c, i: {"scale": _normal_axes(c, i)},
    "Normalization": _feature_statistics,
    "SpectralNormalization": lambda _n, _c, _i: {"vector_u": (1, None)},
    "PReLU": _prelu,
    "Attention": _attention,
    "AdditiveAttention": _attention,
    "MultiHeadAttention": _heads,
    "GroupQueryAttention": _heads,
    **dict.fromkeys(GATES, _recurrent),
    **{f"ConvLSTM{rank}D": _conv_lstm for rank in (1, 2, 3)},
    **{f"Conv{rank}D{suffix}": _convolution for rank in (1, 2, 3) for suffix in ("", "Transpose")},
    **{f"{kind}Conv{rank}D": _depthwise for kind in ("Depthwise", "Separable") for rank in (1, 2)},
    **{f"LocallyConnected{rank}D": _locally_connected for rank in (1, 2)},
}


def is_untold(class_name: str, expected: Mapping[str, Shape]) -> bool:
    """Whether Keras gives the layer variables whose ranks follow from an input that is unknown.

    Behind a layer of an unknown class, for example.
    """
    shaped = (_prelu, _locally_connected, _convolution, _depthwise, _conv_lstm)
    return not expected and RULES.get(class_name) in shaped


def classes_with_kernel() -> Iterator[str]:
    """Layers, but recurrent ones and attention, of which a kernel is the first variable."""
    with_kernel = (_dense, _einsum_dense, _convolution, _depthwise, _locally_connected)
    return (name for name, rule in RULES.items() if rule in with_kernel)
