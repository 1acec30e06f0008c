"""Layers with a kernel or a table, read from the operations of a graph."""

from __future__ import annotations

from modelaudit.facts import Json, Kernel, Tensor
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.formats.graph.kernel_ops import BIAS, OPERATIONS
from modelaudit.rules.plain_graphs.reader import GraphReader, OperationGroup
from modelaudit.structs import replace

_LOOPS = frozenset(("While", "StatelessWhile"))
_PRODUCTS = frozenset(("Einsum", "BatchMatMulV2", "BatchMatMul", "BatchMatMulV3"))
_SCALES = frozenset(("Mul", "RealDiv", "Add", "AddV2"))  # of scores, and what adds a mask to them
_SCALINGS = 4
_GATES = {1: "SimpleRNN", 3: "GRU", 4: "LSTM"}
# What converters put into one operation with a product or a convolution, behind its bias.
_FUSED = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
_UNPACKS = frozenset(("ExpandDims", "SpaceToBatchND"))  # before a convolution of one axis


def weighted(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A kernel, and the bias behind it."""
    if place.node.op in BIAS:
        for index in (1, 0):
            bias, before = reader.stored(place, index), reader.source(place, 1 - index)
            if bias is not None and before is not None:
                found = _kernel(reader, before)
                if found is None:
                    return None
                config = {**found.config, "use_bias": True}
                variables = {**found.variables, "bias": bias.name}
                return OperationGroup(
                    found.class_name, found.sources, config, variables, found.route
                )
    return _with_fused(reader, place, _kernel(reader, place))


def _with_fused(
    reader: GraphReader, place: NodeOutput, found: OperationGroup | None
) -> OperationGroup | None:
    """A layer with the bias and the activation that its operation applies as well."""
    fused = place.node.attrs.get("fused_ops")
    if found is None or not isinstance(fused, list) or not fused:
        return found
    steps = [each for each in fused if each != "BiasAdd"]
    if len(steps) > 1 or any(not isinstance(x, str) or x not in _FUSED for x in steps):
        return None
    bias = reader.stored(place, 2) if "BiasAdd" in fused else None
    config = {**found.config, "use_bias": "BiasAdd" in fused}
    if steps:
        config["activation"] = _FUSED[str(steps[0])]
    variables = dict(found.variables) | ({"bias": bias.name} if bias is not None else {})
    return replace(found, config=config, variables=variables)


def _kernel(reader: GraphReader, last: NodeOutput) -> OperationGroup | None:
    """An operation that applies a stored kernel, and those that give it its shape."""
    place: NodeOutput | None = last
    reshaped = False
    while place is not None and place.node.op in {"Reshape", "Squeeze", "BatchToSpaceND"}:
        if place.node.op == "Reshape" and reshaped:
            return None
        reshaped = reshaped or place.node.op == "Reshape"
        place = reader.source(place)
    use = OPERATIONS.get(place.node.op) if place is not None else None
    if place is None or use is None:
        return None
    tensor = reader.stored(place, use.kernel)
    data = reader.source(place, use.data)
    if tensor is None or data is None or place.node.attrs.get("transpose_b"):
        return None
    if len(tensor.shape) < 2:  # of a forged graph
        return None
    if use.kind == "dense":
        taken = _unfolded(reader, last, data, tensor) if reshaped else data
        return _dense(reader, taken, tensor) if taken is not None else None
    if reshaped or (last is not place and len(tensor.shape) != 3):
        return None
    while len(tensor.shape) == 3 and data is not None and data.node.op in _UNPACKS:
        data = reader.source(data)
    kernel = reader.kernels.get(tensor.name)
    if kernel is None or data is None:
        return None
    found = _convolution(kernel, data)
    alone = _mixes_channels(kernel) and _of_each_channel(reader, data)
    before = _kernel(reader, data) if alone else None
    if found is None or before is None or not before.class_name.startswith("DepthwiseConv"):
        return found
    # A product of the channels right behind a convolution of each.
    name, rank = before.class_name.replace("Depthwise", "Separable"), kernel.spatial
    rest = {key: value for key, value in before.config.items() if key != "groups"}
    config = {**rest, "filters": kernel.shape[-1]}
    variables = {**before.variables, "pointwise_kernel": kernel.tensor}
    return (
        OperationGroup(name, before.sources, config, variables, before.route) if rank < 3 else found
    )


def _of_each_channel(reader: GraphReader, data: NodeOutput) -> bool:
    """Whether a value is that of a depthwise convolution."""
    place = reader.source(data) if data.node.op == "Squeeze" else data
    use = OPERATIONS.get(place.node.op) if place is not None else None
    return use is not None and use.kind == "depthwise"


def _unfolded(
    reader: GraphReader, last: NodeOutput, data: NodeOutput, tensor: Tensor
) -> NodeOutput | None:
    """What a product along the last axis takes, behind the reshapes that make it a matrix."""
    place: NodeOutput | None = data
    if len(reader.shape(data) or ()) == 2 and data.node.op == "Reshape":
        place = reader.source(data)
        order = (
            reader.axes(place, 1) if place is not None and place.node.op == "Transpose" else None
        )
        # TensorFlow moves the axis of the product to the end, where it is already.
        if place is not None and order is not None and order == tuple(range(len(order))):
            place = reader.source(place)
    given, out = reader.shape(place), reader.shape(last)
    behind = len(tensor.shape) - 1  # axes of the kernel that become axes of the result
    if not given or not out or len(out) != len(given) - 1 + behind:
        return None
    return place if (given[1:-1], given[-1]) == (out[1 : len(given) - 1], tensor.shape[0]) else None


def _dense(reader: GraphReader, data: NodeOutput, tensor: Tensor) -> OperationGroup:
    kernel = reader.kernels.get(tensor.name)
    plain = len(tensor.shape) == 2
    config: dict[str, Json] = {"units": tensor.shape[-1], "use_bias": False}
    return OperationGroup(
        "Dense" if plain else "EinsumDense",
        (data,),
        config | {"activation": "linear"},
        {"kernel": tensor.name},
        kernel.route if kernel is not None else "",
    )


def table(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """Rows of a stored table."""
    if place.node.op not in {"GatherV2", "ResourceGather", "Gather"}:
        return None
    table, indices = reader.stored(place, 0), reader.source(place, 1)
    if table is None or indices is None or len(table.shape) != 2:
        return None
    size, width = table.shape
    config: dict[str, Json] = {"input_dim": size, "output_dim": width}
    given = _as_given(reader, indices)
    return OperationGroup("Embedding", (given,), config, {"embeddings": table.name})


def _as_given(reader: GraphReader, indices: NodeOutput) -> NodeOutput:
    """Indices before Keras adds the length of the table to negative ones."""
    if indices.node.op not in {"Select", "SelectV2"}:
        return indices
    added, kept = (reader.source(indices, each) for each in (1, 2))
    if added is None or kept is None or added.node.op not in {"Add", "AddV2"}:
        return indices
    given = [reader.source(added, each) for each in (0, 1)]
    same = any(
        x is not None and (x.frame is kept.frame, x.node) == (True, kept.node) for x in given
    )
    return kept if same else indices


def recurrent(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A loop over the steps of a sequence, and what takes its results apart."""
    results = reader.source(place) if place.node.op in {"StridedSlice", "Transpose"} else None
    if results is None or results.node.op != "TensorListStack":
        return None
    loop = reader.source(results)
    given = reader.sources(loop) if loop is not None and loop.node.op in _LOOPS else ()
    steps = [x for each in given if (x := _steps(reader, each)) is not None]
    shape = reader.shape(place)
    units = shape[-1] if shape else None
    if len(steps) != 1 or not units or loop is None:
        return None
    held = [reader.stored(loop, index) for index in range(len(loop.node.inputs))]
    gates = [x.shape[1] // units for x in held if x is not None and _feeds_back(x, units)]
    name = _GATES.get(gates[-1], "") if gates else ""
    config: dict[str, Json] = {
        "units": units,
        "return_sequences": place.node.op == "Transpose",
    }
    return OperationGroup(name or loop.node.op, (steps[0],), config, known=bool(name))


def _steps(reader: GraphReader, place: NodeOutput) -> NodeOutput | None:
    """The sequence that a loop reads, before its time axis was made the first."""
    if place.node.op != "TensorListFromTensor":
        return None
    moved = reader.source(place)
    return reader.source(moved) if moved is not None and moved.node.op == "Transpose" else moved


def attention(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """Values weighted by the softmax of products of queries and keys."""
    if place.node.op not in _PRODUCTS or len(place.node.inputs) < 2:
        return None
    for index in (0, 1):
        weights, values = reader.source(place, index), reader.source(place, 1 - index)
        if weights is None or weights.node.op != "Softmax" or values is None:
            continue
        scores = reader.source(weights)
        for _ in range(_SCALINGS):
            if scores is not None and scores.node.op in _SCALES:
                scores = reader.source(scores)
        if scores is None or scores.node.op not in _PRODUCTS:
            return None
        both = [reader.source(scores, each) for each in (0, 1)]
        places = [both[0], values, both[1]]
        parts = [_scaled_kernel(reader, each) for each in places if each is not None]
        if all(each is not None and each.class_name == "EinsumDense" for each in parts):
            sources = tuple(each.sources[0] for each in parts if each is not None)
            return OperationGroup("MultiHeadAttention", sources)
        return OperationGroup("Attention", tuple(each for each in places if each is not None))
    return None


def _scaled_kernel(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A kernel and a bias, perhaps multiplied by a constant."""
    if place.node.op == "Mul" and reader.numbers(place, 1) is not None:
        before = reader.source(place)
        return _projected(reader, before) if before is not None else None
    return _projected(reader, place)


def _projected(reader: GraphReader, place: NodeOutput) -> OperationGroup | None:
    """A kernel and a bias; also as the products over named axes of which Keras 2 makes attention."""
    biased = place.node.op in {"Add", "AddV2"} and reader.stored(place, 1) is not None
    product = reader.source(place) if biased else place
    if product is None or product.node.op != "Einsum" or reader.stored(product, 1) is None:
        return weighted(reader, place)
    data = reader.source(product)
    return OperationGroup("EinsumDense", (data,)) if data is not None else None


def _convolution(kernel: Kernel, data: NodeOutput) -> OperationGroup | None:
    names = {"conv": "Conv{}D", "depthwise": "DepthwiseConv{}D", "transpose": "Conv{}DTranspose"}
    name = names.get(kernel.kind, "").format(kernel.spatial)
    filters = kernel.shape[-2] if kernel.kind == "transpose" else kernel.shape[-1]
    config: dict[str, Json] = {
        "kernel_size": [*kernel.shape[: kernel.spatial]],
        "strides": [*kernel.strides],
        "dilation_rate": [*kernel.dilations],
        "padding": kernel.padding,
        "data_format": kernel.data_format,
        "groups": kernel.groups,
        "use_bias": False,
        "activation": "linear",
    }
    config |= {"depth_multiplier": filters} if kernel.kind == "depthwise" else {"filters": filters}
    role = "depthwise_kernel" if kernel.kind == "depthwise" else "kernel"
    return (
        OperationGroup(name, (data,), config, {role: kernel.tensor}, kernel.route) if name else None
    )


def _mixes_channels(kernel: Kernel) -> bool:
    """Whether it is a convolution of windows of one position."""
    window = {*kernel.shape[: kernel.spatial], *kernel.strides}
    return kernel.kind == "conv" and window == {1} and kernel.groups == 1


def _feeds_back(tensor: Tensor, units: int) -> bool:
    """Whether a tensor has the shape of the weights that take a state of this size to its gates."""
    return len(tensor.shape) == 2 and tensor.shape[0] == units and not tensor.shape[1] % units
