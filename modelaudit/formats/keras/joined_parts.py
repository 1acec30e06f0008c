"""The parts of a subclassed model as one model, as far as shapes and names tell how they join.

A class can write models and layers into its own config, under names that it chooses. How it joins
them is code: their order is assumed if shapes and names allow only one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations

from modelaudit.facts import Architecture, Layer, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.dialects import activation, to_keras2
from modelaudit.formats.keras.execution_order import ExecutionStep
from modelaudit.formats.keras.layer_tree import LayerEntry, ModelEntry, chain
from modelaudit.formats.keras.shapes.inference import ShapeInference, declared_inputs
from modelaudit.formats.keras.variables.specs import expected_variables
from modelaudit.layer_classes import Trait, has
from modelaudit.structs import replace
from modelaudit.work_budget import spend

MOST_JOINED = 5
"""Parts of which all orders are tried; a class that holds more is not a chain of them."""

_PROBABILITIES = words("softmax sigmoid log_softmax log_sigmoid")
_SEED = "seed_generator"  # state of a random layer, which gives its input at inference
FIRST = words(
    """encoder backbone base base_model body features feature_extractor extractor stem embedder
    trunk preprocessing preprocessor augmentation"""
)
LAST = words(
    """head classifier regressor predictor decoder top output outputs out output_layer
    classification_head classifier_head final final_layer"""
)


def joined_parts(root: LayerEntry) -> LayerEntry:
    """A subclassed model whose layers are its parts, in the order that `assumed_order` finds.

    The layers of a list are one part if their shapes say that each takes what the one before it
    gives. Otherwise each part is alone, and the output is that of the only part with the name of a
    head.
    """
    root = _any_batch(root)
    lists = lists_of([_any_batch(part) for part in root.wrapped])
    parts = [*_side_by_side(root, lists)]
    flow = ShapeInference.of(replace(root, model=_model(parts), wrapped=()))
    seen = [flow.seen.get(part[-1].route) for part in parts]
    names = [names_of(part[-1].name, part[0].config_route) for part in parts]
    inputs = [_inputs(part[0]) for part in parts]
    order = assumed_order(
        names, inputs, [each.outputs if each else (None,) for each in seen], root.built
    )
    squashes = [i for i, part in enumerate(parts) if _squashes(part)] if not order else []
    if len(squashes) == 1:
        # Whatever takes any shape has no place by shapes: probabilities are those of the output.
        placed = [i for i, part in enumerate(parts) if not _takes_any(part)]
        given = [seen[i] for i in placed]
        own = assumed_order(
            [names[i] for i in placed],
            [inputs[i] for i in placed],
            [each.outputs if each else (None,) for each in given],
            root.built,
        )
        order = (*(placed[i] for i in own), *squashes) if own else ()
    if order:
        rest = [part for i, part in enumerate(parts) if i not in order]
        chained = [x for i in order for x in parts[i]]
        model = replace(_model([chained, *rest], 0), inputs=((0, 0, 0),))
    else:
        model = _model(parts, named_head(names))
    return replace(root, model=model, wrapped=())


def _takes_any(part: Sequence[LayerEntry]) -> bool:
    """Whether it gives what it gets in training or at inference, or probabilities of it."""
    (first, *more) = part
    keeps = has(first.class_name, Trait.POINTWISE) and has(first.class_name, Trait.KEEPS_RANGE)
    return not more and (keeps or _squashes(part))


def _squashes(part: Sequence[LayerEntry]) -> bool:
    """Whether it is an activation alone that gives probabilities, or their logarithms."""
    (first, *more) = part
    name = (
        "softmax" if first.class_name == "Softmax" else activation(first.config.get("activation"))
    )
    known = first.class_name in {"Softmax", "Activation"} and name in _PROBABILITIES
    return known and not more


def _any_batch(part: LayerEntry) -> LayerEntry:
    """A part without the size of the batch that it was built with."""
    return replace(part, built=tuple((None, *shape[1:]) for shape in part.built))


def lists_of(parts: Sequence[LayerEntry]) -> list[list[LayerEntry]]:
    """The parts, those of one list together."""
    lists: dict[str, list[LayerEntry]] = {}
    for part in parts:
        key, _, place = part.config_route.rpartition("/")
        lists.setdefault(key if place.isdecimal() else part.config_route, []).append(part)
    return [*lists.values()]


def _side_by_side(
    root: LayerEntry, lists: Sequence[Sequence[LayerEntry]]
) -> Iterator[Sequence[LayerEntry]]:
    """The lists that are chains, and each layer of the others by itself."""
    flow = ShapeInference.of(replace(root, model=_model(lists), wrapped=()))
    for layers in lists:
        given = [flow.seen[layer.route].inputs for layer in layers]
        yield from [layers] if _in_a_row(layers, given) else [[layer] for layer in layers]


def _in_a_row(layers: Sequence[LayerEntry], given: Sequence[tuple[Shape | None, ...]]) -> bool:
    """Whether each layer of a list can only take what the one before it gives.

    Args:
        given: the shapes that each gets in such a chain.
    """
    if len(layers) == 1:
        return True
    if any(layer.model is not None for layer in layers):
        return False  # members and towers are as often alike, and side by side
    weighing = [i for i, layer in enumerate(layers) if layer.wrapped or _weighs(layer)]
    fits = [
        _fits(shape, layer.built[0]) if len(shapes) == len(layer.built) == 1 else None
        for layer, shapes in zip(layers, given, strict=True)
        for shape in shapes[:1] or (None,)
    ]
    told = len(weighing) < 2 or len({layers[i].built for i in weighing}) > 1
    return False not in fits[1:] and told and all(fits[i] for i in weighing[1:])


def _weighs(layer: LayerEntry) -> bool:
    name, config = to_keras2(layer.class_name, layer.config)
    return bool(expected_variables(name, config, layer.built or (None,)))


def _model(lists: Sequence[Sequence[LayerEntry]], head: int | None = None) -> ModelEntry:
    """Chains side by side, the output of which is that of the one at `head`, if any."""
    entries: list[LayerEntry] = []
    steps: list[ExecutionStep] = []
    outputs: tuple[tuple[int, int, int], ...] = ()
    for index, layers in enumerate(lists):
        made, before = chain(layers), len(entries)
        entries += [replace(made.entries[0], calls=()), *made.entries[1:]]
        for step in made.steps:
            sources = tuple((entry + before, node, i) for entry, node, i in step.sources)
            shapes = (None,) * len(sources)
            steps.append(ExecutionStep(step.entry + before, step.node, sources, shapes))
        if index == head:
            outputs = ((len(entries) - 1, 0, 0),)
    return ModelEntry(tuple(entries), tuple(steps), (), outputs)


def _inputs(part: LayerEntry) -> tuple[Shape | None, ...]:
    if part.model is None:
        return part.built or (None,)
    return declared_inputs(part.model)


def with_known_parts(
    architecture: Architecture, layers: tuple[Layer, ...], unclaimed: Sequence[str]
) -> Architecture:
    """The architecture with these layers, as far as the weights confirm what was assumed.

    If other objects of the class have weights, the parts are no chain, and the output is that of
    a part only if it has the name of a head. Weights of a part of which none were found may be
    stored under any name, so none are expected.
    """
    if not architecture.assumed:
        return replace(architecture, layers=layers)
    found = {_part(layer) for layer in layers if layer.variables}
    layers = tuple(x if _part(x) in found else replace(x, expected={}) for x in layers)
    if all(_SEED in name for name in unclaimed):
        return replace(architecture, layers=layers)
    named = {x.route for x in layers if names_of(x.name, x.config_route) & LAST}
    routes = {x.route: x.config_route for x in layers}
    return replace(
        architecture,
        layers=tuple(_within_its_list(x, routes) for x in layers),
        inputs=(),
        outputs=tuple(route for route in architecture.outputs if route in named),
    )


def _within_its_list(layer: Layer, routes: Mapping[str, str]) -> Layer:
    """A part without what comes from other parts, unless they are in the same list."""
    if _part(layer) != layer.config_route:
        return layer
    own, _, place = layer.config_route.rpartition("/")
    kept = tuple(
        call
        for call in layer.inbound
        if place.isdecimal() and all(routes[x].rpartition("/")[0] == own for x in call)
    )
    return replace(layer, inbound=kept)


def _part(layer: Layer) -> str:
    """The route of the part that a layer is, or is in."""
    return layer.config_route.split("/config/")[0]


def assumed_order(
    names: Sequence[frozenset[str]],
    inputs: Sequence[tuple[Shape | None, ...]],
    outputs: Sequence[tuple[Shape | None, ...]],
    given: Sequence[Shape],
) -> tuple[int, ...]:
    """The only order in which each part can take what the one before it gives; () if none is.

    No order begins with a part that has the name of a head, or ends with one of a body.

    Args:
        names: of each part: its own, and that under which the class holds it.
        inputs, outputs: shapes of each part, None where they are not known.
        given: shapes of the whole model's inputs; none if the file does not have them.
    """
    single = all(len(each) == 1 for each in (*inputs, *outputs)) and len(given) <= 1
    if not single or not 0 < len(names) <= MOST_JOINED:
        return ()
    possible: dict[tuple[int, ...], bool] = {}
    for order in permutations(range(len(names))):
        spend()
        links = [_fits(outputs[a][0], inputs[b][0]) for a, b in pairwise(order)]
        links += [_fits(shape, inputs[order[0]][0]) for shape in given]
        ends = len(order) > 1 and (names[order[0]] & LAST or names[order[-1]] & FIRST)
        if False not in links and not ends:
            possible[order] = None not in links and bool(given)
    if len(possible) == 1 and all(possible.values()):
        return next(iter(possible))
    named = [x for x in possible if names[x[-1]] & LAST and (len(x) == 1 or names[x[0]] & FIRST)]
    return named[0] if len(named) == 1 else ()


def named_head(names: Sequence[frozenset[str]]) -> int | None:
    """The only part with the name of a head, None if there is not exactly one."""
    found = [index for index, each in enumerate(names) if each & LAST]
    return found[0] if len(found) == 1 else None


def _fits(given: Shape | None, taken: Shape | None) -> bool | None:
    """Whether a part takes this shape; None if that is not known. The batch axis does not count."""
    if given is None or taken is None or not given or not taken:
        return None
    if len(given) != len(taken):
        return False
    pairs = list(zip(given[1:], taken[1:], strict=True))
    if any(a != b for a, b in pairs if a is not None and b is not None):
        return False
    return True if pairs and None not in pairs[-1] else None


def names_of(name: str, route: str) -> frozenset[str]:
    """The names of a part: its own, and its key in the config of the class."""
    keys = [key for key in route.split("/") if not key.isdecimal()]
    return frozenset(kj.text(each).lower().strip("_") for each in (name, *keys[-1:]))
