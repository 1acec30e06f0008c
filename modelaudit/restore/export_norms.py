"""Normalizations and rescalings of a source that a converter folds into the layers beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from modelaudit.facts import Artifact, Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.restore.export_forms import Array, Folding
from modelaudit.structs import replace

Values = Callable[[str], Array | None]


class FoldableNorms(Struct, frozen=True):
    """What may be folded.

    Attributes:
        beside: route of a layer -> what may be folded into it, from before it and from behind it.
        alone: route of a normalization -> itself.
    """

    beside: Mapping[str, list[Folding]]
    alone: Mapping[str, Folding]


def foldable_norms(source: Artifact, values: Values) -> FoldableNorms:
    """The normalizations and rescalings of a model with layers.

    Args:
        values: reads a tensor by its name; None if that is not possible.
    """
    graph = layer_graph(source.architecture) if source.architecture else None
    takers = graph.consumers() if graph else {}
    found: defaultdict[str, list[Folding]] = defaultdict(list)
    alone = {}
    for layer in graph.layers if graph else ():
        norm = _norm(layer, values)
        sources = {route for call in graph.calls[layer.route] for route in call} if graph else ()
        if norm is None or len(sources) != 1:
            continue
        alone[layer.route] = norm
        (origin,) = sources
        if len(takers[origin]) == 1:
            found[origin].append(norm)
        behind = [*graph.only_takers(layer.route, _keeps_range)] if graph else []
        if behind and not _keeps_range(behind[-1]):
            found[behind[-1].route].append(replace(norm, before=True))
    return FoldableNorms(found, alone)


def _keeps_range(layer: Layer) -> bool:
    return has(layer.class_name, Trait.KEEPS_RANGE)


def _norm(layer: Layer, read: Values) -> Folding | None:
    if layer.class_name == "Rescaling":
        sizes = [layer.config.get(name) for name in ("scale", "offset")]
        numbers = [np.array([each]) for each in sizes if isinstance(each, int | float)]
        return Folding(numbers[0], numbers[1], ()) if len(numbers) == 2 else None
    if layer.class_name != "BatchNormalization":
        return None
    values = {role: read(name) for role, name in layer.variables.items()}
    mean, variance = values.get("moving_mean"), values.get("moving_variance")
    if mean is None or variance is None:
        return None
    epsilon = layer.config.get("epsilon")
    if not isinstance(epsilon, int | float):
        return None
    gamma, beta = values.get("gamma"), values.get("beta")
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + epsilon)
    shift = (0.0 if beta is None else beta) - mean * scale
    return Folding(scale, shift, tuple(layer.variables.values()))
