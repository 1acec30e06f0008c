"""The parts of a subclassed model as one model, as far as shapes and names tell how they join.

A class can write models and layers into its own config, under names that it chooses. How it joins
them is code: their order is assumed if shapes and names allow only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations

from modelaudit.facts import Architecture, Layer, Shape
from modelaudit.formats.keras import json_config as kj
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.execution_order import ExecutionStep
from modelaudit.formats.keras.layer_tree import LayerEntry, ModelEntry, chain
from modelaudit.formats.keras.shapes.inference import ShapeInference, declared_inputs
from modelaudit.structs import replace
from modelaudit.work_budget import spend

MOST_JOINED = 5
"""Parts of which all orders are tried; a class that holds more is not a chain of them."""

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

    Otherwise each part is alone, and the output is that of the only part with the name of a head.
    """
    parts = root.wrapped
    steps = tuple(ExecutionStep(i, 0, (), ()) for i in range(len(parts)))
    alone = replace(root, model=ModelEntry(parts, steps, (), ()), wrapped=())
    flow = ShapeInference.of(alone)
    seen = [flow.seen.get(part.route) for part in parts]
    names = [names_of(part.name, part.config_route) for part in parts]
    inputs = [_inputs(part) for part in parts]
    order = assumed_order(
        names, inputs, [each.outputs if each else (None,) for each in seen], root.built
    )
    if order:
        return replace(alone, model=chain([parts[i] for i in order]))
    head = named_head(names)
    if head is None:
        return alone
    return replace(alone, model=ModelEntry(parts, steps, (), ((head, 0, 0),)))


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
    return replace(
        architecture,
        layers=tuple(x if _part(x) != x.config_route else replace(x, inbound=()) for x in layers),
        inputs=(),
        outputs=tuple(route for route in architecture.outputs if route in named),
    )


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
