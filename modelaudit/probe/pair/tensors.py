"""Inner values of an export: where it parts from its source, and what quantization leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from modelaudit.facts import Json
from modelaudit.graphs import INTEGERS, LiteModel, Quantization
from modelaudit.measures.behaviour.output_forms import relative_errors, root_mean_square
from modelaudit.probe.pair.model import PairCause, PairExplanation
from modelaudit.probe.study.runner import Array
from modelaudit.thresholds.restoration import EXPORT_INNER, EXPORT_LEVELS, EXPORT_SATURATED

WATCHED_BYTES = 128 << 20
_NATURAL = (-1.0, 0.0, 1.0, 6.0)  # ends of the values of activations and of pixels
_NEAR = 3  # steps within which a channel stays at an end
_HEADS = ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL")


def made_tensors(model: LiteModel, rows: int) -> list[int]:
    """Indexes of the outputs of the main subgraph's operators in their order, as memory allows."""
    found, room = [], WATCHED_BYTES
    graph = model.subgraphs[0]
    for operator in graph.operators:
        for index in operator.outputs:
            tensor = graph.tensor(index)
            if tensor is None or not tensor.shape or len(tensor.shape) < 2:
                continue
            size = 4 * rows * int(np.prod([n for n in tensor.shape[1:] if n], dtype=np.int64))
            if size <= room:
                room -= size
                found.append(index)
    return found


class InnerValues:
    """Outputs of the layers of a source, and of the operators of its export, for the same inputs.

    Args:
        source: route -> output (n, ...), in the order of the calls.
        export: index of a tensor as text -> its values (n, ...).
    """

    def __init__(self, source: Mapping[str, Array], export: Mapping[str, Array]) -> None:
        self.source = {route: _flat(values) for route, values in source.items()}
        self.export = {index: _flat(values) for index, values in export.items()}

    def parting(self, limit: float) -> tuple[str, str]:
        """The last layer of the source whose output the export has, and the one behind it.

        The first is empty if the export has none, the second if it has the last. The same are
        outputs with an error of at most `limit`.
        """
        routes, last = list(self.source), -1
        for place, route in enumerate(routes):
            if any(_error(self.source[route], each) <= limit for each in self.export.values()):
                last = place
        behind = routes[last + 1] if last + 1 < len(routes) else ""
        return (routes[last] if last >= 0 else ""), behind

    def error(self, index: str) -> float:
        """Error of one tensor of the export, for the layer that it fits best; infinite if none."""
        got = self.export.get(index)
        if got is None:
            return float("inf")
        return min((_error(each, got) for each in self.source.values()), default=float("inf"))

    def has_layer(self, route: str, limit: float) -> bool:
        """Whether a tensor of the export is the output of a layer, or of one of the two behind it.

        A converter merges a convolution with its normalization and its activation.
        """
        routes = list(self.source)
        place = routes.index(route) if route in routes else len(routes)
        return any(
            _error(self.source[each], got) <= limit
            for each in routes[place : place + 3]
            for got in self.export.values()
        )

    def agrees(self, index: str) -> bool:
        """Whether a layer of the source gives what the export has in that tensor."""
        return self.error(index) <= EXPORT_INNER.value


def _error(wanted: Array, got: Array) -> float:
    if wanted.shape != got.shape:
        return float("inf")
    return root_mean_square(relative_errors(wanted, got))


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1).astype(np.float64)


def made_with(model: LiteModel, constant: str) -> str:
    """Index of the output of the first operator that takes a constant; "" if there is none.

    Weights in half precision pass an operator of their own first.
    """
    graph = model.subgraphs[0]
    taken = {i for i, tensor in enumerate(graph.tensors) if tensor.constant == constant}
    for operator in graph.operators:
        if operator.outputs and taken & {*operator.inputs}:
            if operator.name != "DEQUANTIZE":
                return str(operator.outputs[0])
            taken |= {*operator.outputs}
    return ""


def calibration_causes(
    model: LiteModel, seen: Mapping[str, Array], inner: InnerValues
) -> Iterator[PairExplanation]:
    """Layers whose quantised range does not suit their values, in the order of the operators.

    Those that agree with a layer of the source are none.

    Args:
        seen: values of its tensors (n, ...), by index as text; of its inputs too.
        inner: the same with those of the source.
    """
    graph = model.subgraphs[0]
    made = {index: each for each in graph.operators for index in each.outputs}
    heads = [out for each in graph.operators if each.name in _HEADS for out in each.outputs]
    for index in (*graph.inputs, *made):
        tensor, values = graph.tensor(index), seen.get(str(index))
        if tensor is None or tensor.quantization is None or values is None:
            continue
        if not values.any():  # such as the first state of a recurrent layer, which loses nothing
            continue
        bounds = INTEGERS.get(tensor.dtype)
        # A file may have steps of 0, which nothing can be measured in.
        if bounds is None or not tensor.quantization.scale[0] > 0 or inner.agrees(str(index)):
            continue
        route = tensor.name.partition(";")[0] if index in made else "the input"
        share, end = _at_end(values, tensor.quantization, bounds)
        if share > EXPORT_SATURATED.value:
            numbers: dict[str, Json] = {"share": share, "end": end}
            yield PairExplanation(PairCause.SATURATED, route, certain=False, numbers=numbers)
        last = bool(heads) and index == heads[-1]
        levels = _levels(values, tensor.quantization, each=last)
        if levels < EXPORT_LEVELS.value:
            kind = PairCause.HEAD if last else PairCause.COARSE
            numbers = {"levels": levels, "step": tensor.quantization.scale[0]}
            yield PairExplanation(kind, route, certain=False, numbers=numbers)


def _at_end(
    values: Array, quantization: Quantization, bounds: tuple[int, int]
) -> tuple[float, float]:
    """The largest share of values at an end of the range, and that end.

    Ends at which activations end by themselves do not count, such as 0 and 6, nor channels that
    are always there, such as a class that is never to be predicted.
    """
    scale, zero = quantization.scale[0], (*quantization.zero_point, 0)[0]
    found = (0.0, 0.0)
    for stored in bounds:
        end = scale * (stored - zero)
        if any(abs(end - each) <= 1.5 * scale for each in _NATURAL):
            continue
        distance = np.abs(values - end).reshape(-1, values.shape[-1])
        always = (distance < _NEAR * scale).all(axis=0)
        share = float(((distance < scale / 2) & ~always).mean())
        found = max(found, (share, end))
    return found


def _levels(values: Array, quantization: Quantization, each: bool) -> float:
    """Steps between the smallest and the largest value; of `each` output by itself the median.

    An output that is far from the others takes the range of the head, and leaves them no steps.
    """
    flat = _flat(values)
    width = float(np.median(np.ptp(flat, axis=0))) if each else float(np.ptp(flat))
    return width / float(quantization.scale[0])
