"""Kernels of models without a Keras config, traced from operations to stored weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from modelaudit.facts import Graph, GraphNode, Json, Kernel, Signature, Tensor, is_row
from modelaudit.formats.graph.dataflow import CALLS, Frame, GraphWalker, node_name
from modelaudit.formats.graph.kernel_ops import (
    ACTIVATIONS,
    BATCH_NORMS,
    BEHIND,
    BIAS,
    CONV,
    KEEP_CHANNELS,
    KEEP_ZERO,
    OPERATIONS,
    KernelGeometry,
    numbers,
    of_training,
    spatial_part,
)
from modelaudit.graphs import reachable


def find_kernels(
    graph: Graph,
    tensors: Sequence[Tensor],
    holders: Mapping[str, str],
    names: Mapping[str, str],
    signatures: Sequence[Signature] = (),
    functions: Sequence[tuple[str, Mapping[str, str]]] = (),
) -> tuple[Kernel, ...]:
    """All weights that a convolution or a matrix product applies, each once.

    Args:
        graph: the graph with its function library.
        tensors: stored tensors.
        holders: node of the main graph (variable or constant) -> `Tensor.name`.
        names: `Tensor.name` -> readable variable name, from which routes are derived.
        signatures: signatures of this graph. Nodes that they do not depend on (training, saving)
            are ignored. Without signatures, the whole main graph is searched.
        functions: functions that are called from outside the graph, as (name, argument ->
            `Tensor.name`).
    """
    walker = GraphWalker(graph, holders)
    finder = _Finder(walker, {tensor.name: tensor for tensor in tensors}, names)
    frames: list[tuple[Frame, list[GraphNode]]] = []
    main = _reached(walker, signatures)
    frames.append((walker.main, main))
    calls = [(walker.main, node) for node in main if node.op in CALLS]
    outside = [frame for name, bound in functions if (frame := walker.frame_of(name, bound))]
    opened = [*walker.frames(calls)]
    for frame in outside:
        inner = [(frame, node) for node in frame.nodes.values() if node.op in CALLS]
        opened += [frame, *walker.frames(inner)]
    frames += [(frame, list(frame.nodes.values())) for frame in opened]
    for frame, nodes in frames:
        finder.search(frame, nodes)
    return finder.kernels()


def _reached(walker: GraphWalker, signatures: Sequence[Signature]) -> list[GraphNode]:
    """Nodes of the main graph that the outputs of signatures depend on, in graph order."""
    outputs = [
        endpoint.tensor.partition(":")[0]
        for signature in signatures
        for endpoint in signature.outputs
    ]
    nodes = walker.main.nodes
    if not outputs:
        return list(nodes.values())

    def before(name: str) -> list[str]:
        inputs = nodes[name].inputs if name in nodes else ()
        return [node_name(reference) for reference in inputs]

    seen = set(reachable(outputs, before))
    return [node for node in nodes.values() if node.name in seen]


def config_differences(config: Sequence[Kernel], graph: Sequence[Kernel]) -> list[Json]:
    """Differences between the Keras config and the graph in how a kernel is applied.

    Keras rebuilds the model from the config, TensorFlow runs the graph: with differences, the
    file contains two models.

    Returns:
        [{tensor, field, config, graph}]. Activations are compared only if the config fuses one
        that is a single operation in the graph.
    """
    by_tensor = {kernel.tensor: kernel for kernel in graph}
    differences: list[Json] = []
    for kernel in config:
        other = by_tensor.get(kernel.tensor)
        if other is None or (kernel.kind, kernel.spatial) != (other.kind, other.spatial):
            continue
        fields = ["strides", "dilations", "padding"]
        if kernel.activation in ACTIVATIONS.values():
            fields.append("activation")
        for field in fields:
            said, done = _plain(getattr(kernel, field)), _plain(getattr(other, field))
            # Keras pads in an operation of its own before a causal convolution.
            if said != done and (said, done) != ("causal", "valid"):
                differences.append(
                    {"tensor": kernel.tensor, "field": field, "config": said, "graph": done}
                )
    return differences


def _plain(value: str | tuple[int, ...] | None) -> Json:
    return [*value] if isinstance(value, tuple) else value


class _Finder:
    """Collects kernels. The first operation that applies a tensor determines its kernel."""

    def __init__(
        self, walker: GraphWalker, tensors: Mapping[str, Tensor], names: Mapping[str, str]
    ) -> None:
        self.walker = walker
        self.tensors = tensors
        self.names = names
        self.found: dict[str, Kernel] = {}
        self.routes: dict[str, str] = {}  # to the kernel's tensor

    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels found, in the order of the operations."""
        return tuple(self.found.values())

    def search(self, frame: Frame, nodes: Sequence[GraphNode]) -> None:
        """Search the operations of one frame."""
        relevant = [node for node in nodes if node.op in OPERATIONS]
        if not relevant:
            return
        consumers: dict[str, list[GraphNode]] = defaultdict(list)
        for node in nodes:
            for reference in node.inputs:
                consumers[reference.partition(":")[0]].append(node)
        for node in relevant:
            kernel = self._kernel(frame, node, consumers)
            if kernel is None:
                continue
            # Gradients apply kernels too: that of a convolution is a transposed convolution, and
            # vice versa. Graphs list them after the forward operations.
            self.found[kernel.tensor] = kernel
            self.routes.setdefault(kernel.route, kernel.tensor)

    def _kernel(
        self, frame: Frame, node: GraphNode, consumers: Mapping[str, list[GraphNode]]
    ) -> Kernel | None:
        application = OPERATIONS[node.op]
        if len(node.inputs) <= max(application.kernel, application.data):
            return None
        name = self.walker.weight(frame, node.inputs[application.kernel])
        tensor = self.tensors.get(name) if name else None
        if tensor is None or tensor.name in self.found:
            return None
        if node.attrs.get("transpose_b") or node.attrs.get("adj_y"):
            return None
        dense = application.kind == "dense"
        most = 2 if dense else 5 if node.op.startswith("Conv3D") else 4
        rank = len(tensor.shape)
        if rank != most and not (most == 4 and rank == 3):  # Conv1D runs as a Conv2D
            return None
        if self._of_zeros(frame, node.inputs[application.data]):
            return None
        bias, activation, beta = self._behind(frame, node, consumers)
        spatial = 0 if dense else rank - 2
        window = KernelGeometry() if dense else self._window(frame, node, spatial, consumers)
        return Kernel(
            route=self._route(tensor.name),
            tensor=tensor.name,
            kind=application.kind,
            axes=application.axes,
            spatial=spatial,
            shape=tensor.shape,
            bias=bias,
            strides=window.strides,
            dilations=window.dilations,
            padding=window.padding,
            groups=self._groups(frame, node, tensor) if application is CONV else 1,
            data_format=window.data_format,
            activation=activation,
            grid=self._grid(frame, node, tensor) if dense else None,
            beta=beta,
        )

    def _of_zeros(self, frame: Frame, reference: str) -> bool:
        """Whether a value is always 0.

        ConvLSTM layers of TensorFlow 1 compute their initial state with a variable of zeros.
        """
        for _ in range(16):
            place = self.walker.value(frame, reference)
            if place is None or place.node.op == "ZerosLike":
                return place is not None
            if place.node.op not in KEEP_ZERO or not place.node.inputs:
                return False
            frame, reference = place.frame, place.node.inputs[0]
        return False

    def _route(self, tensor: str) -> str:
        """Scope of the variable: `block1/conv` for `block1/conv/kernel`."""
        name = self.names.get(tensor, tensor)
        route = name.rpartition("/")[0] or name
        return next((each for each in (route, name) if each not in self.routes), tensor)

    def _window(
        self,
        frame: Frame,
        node: GraphNode,
        spatial: int,
        consumers: Mapping[str, list[GraphNode]],
    ) -> KernelGeometry:
        """Strides, dilations and padding. The axis of a 1-D convolution is the last spatial one."""
        data_format = node.attrs.get("data_format")
        first = isinstance(data_format, str) and data_format.startswith("NC")
        strides = spatial_part(node.attrs.get("strides"), spatial, first)
        dilations = spatial_part(node.attrs.get("dilations"), spatial, first) or (1,) * spatial
        padding = str(node.attrs.get("padding") or "").lower()
        if padding == "explicit":
            pads = numbers(node.attrs.get("explicit_paddings"))
            padding = f"explicit {','.join(map(str, pads))}"
        before = self.walker.value(frame, node.inputs[0])
        if before is not None and before.node.op == "ExpandDims" and spatial == 1:
            before = self.walker.value(before.frame, before.node.inputs[0])
        if before is not None and before.node.op == "SpaceToBatchND":
            # A dilated convolution, expressed as a plain one on a rearranged input.
            blocks = self._constant(before.frame, before.node.inputs[1])
            pads = self._constant(before.frame, before.node.inputs[2])
            if blocks:
                dilations = ((1,) * spatial + blocks)[-spatial:]
            # What fills up the last block is cropped again behind the convolution.
            crops = self._crops(frame, node, consumers)
            padding = ("same" if any(pads) and crops != pads else "valid") if pads else ""
        return KernelGeometry(
            strides, dilations, padding, "channels_first" if first else "channels_last"
        )

    def _crops(
        self, frame: Frame, node: GraphNode, consumers: Mapping[str, list[GraphNode]]
    ) -> tuple[int, ...]:
        """What a BatchToSpaceND behind a convolution cuts off; () if it is not known."""
        for _ in range(3):
            following = [x for x in consumers.get(node.name, ()) if not of_training(x.op)]
            if len(following) != 1:
                break
            (node,) = following
            if node.op == "BatchToSpaceND" and len(node.inputs) > 2:
                return self._constant(frame, node.inputs[2])
        return ()

    def _constant(self, frame: Frame, reference: str) -> tuple[int, ...]:
        """Integers of a constant; () for anything else."""
        place = self.walker.value(frame, reference)
        value = place.node.attrs.get("value") if place and place.node.op == "Const" else None
        return numbers(value.get("value")) if isinstance(value, dict) else ()

    def _groups(self, frame: Frame, node: GraphNode, tensor: Tensor) -> int:
        """Input channels divided by the kernel's; 1 if the input channels are unknown."""
        channels, own = self._channels(frame, node.inputs[0]), tensor.shape[-2]
        return channels // own if channels and own and channels % own == 0 else 1

    def _channels(self, frame: Frame, reference: str) -> int | None:
        """Channels of a feature map, from its recorded shape or the convolution before it."""
        for _ in range(64):
            place = self.walker.value(frame, reference)
            if place is None:
                return None
            node, frame = place.node, place.frame
            shape = self.walker.shape(place)
            first = str(node.attrs.get("data_format") or "").startswith("NC")
            if shape and len(shape) > 2 and shape[1 if first else -1] is not None:
                return shape[1 if first else -1]
            made = self._made_channels(frame, node)
            if made is not None or node.op not in KEEP_CHANNELS or not node.inputs:
                return made
            reference = node.inputs[0]
        return None

    def _made_channels(self, frame: Frame, node: GraphNode) -> int | None:
        application = OPERATIONS.get(node.op)
        if application is None or len(node.inputs) <= application.kernel:
            return None
        tensor = self.tensors.get(self.walker.weight(frame, node.inputs[application.kernel]) or "")
        if tensor is None or len(tensor.shape) < 3:
            return None
        out = {"conv": tensor.shape[-1], "transpose": tensor.shape[-2]}
        return out.get(application.kind, tensor.shape[-2] * tensor.shape[-1])

    def _grid(self, frame: Frame, node: GraphNode, tensor: Tensor) -> tuple[int, ...] | None:
        """(H, W, C) of the feature map that is flattened right before a matrix product."""
        place = self.walker.value(frame, node.inputs[0])
        if place is None or place.node.op != "Reshape" or not place.node.inputs:
            return None
        before = self.walker.value(place.frame, place.node.inputs[0])
        shape = self.walker.shape(before) if before else None
        sizes = [size for size in (shape or ())[1:] if size is not None]
        if len(sizes) != 3 or len(shape or ()) != 4 or math.prod(sizes) != tensor.shape[0]:
            return None
        return tuple(sizes)

    def _behind(
        self, frame: Frame, node: GraphNode, consumers: Mapping[str, list[GraphNode]]
    ) -> tuple[str | None, str | None, str | None]:
        """Bias, activation and beta of a batch normalization that directly follow an operation."""
        bias: str | None = None
        for _ in range(8):
            nodes = [each for each in consumers.get(node.name, []) if not of_training(each.op)]
            follower = nodes[0] if len(nodes) == 1 else None
            if follower is None:
                break
            if follower.op in BIAS and bias is None:
                others = [ref for ref in follower.inputs if ref.partition(":")[0] != node.name]
                name = self.walker.weight(frame, others[0]) if others else None
                tensor = self.tensors.get(name) if name else None
                if tensor is None or not is_row(tensor.shape):
                    break
                bias = name
            elif follower.op in ACTIVATIONS:
                return bias, ACTIVATIONS[follower.op], None
            elif follower.op in BATCH_NORMS or follower.op == "Mul":
                return bias, None, self._beta(frame, follower, consumers)
            elif follower.op not in BEHIND:
                break
            node = follower
        return bias, None, None

    def _beta(
        self, frame: Frame, norm: GraphNode, consumers: Mapping[str, list[GraphNode]]
    ) -> str | None:
        """Beta of a batch normalization: fused, or x * scale + (beta - mean * scale)."""
        if norm.op in BATCH_NORMS:
            return self.walker.weight(frame, norm.inputs[2]) if len(norm.inputs) > 2 else None
        following = consumers.get(norm.name, [])
        if len(following) != 1 or following[0].op not in BIAS:
            return None
        for reference in following[0].inputs:
            place = self.walker.value(frame, reference)
            if place is not None and place.node.op == "Sub" and place.node.inputs:
                return self.walker.weight(place.frame, place.node.inputs[0])
        return None
