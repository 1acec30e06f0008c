"""Layers that a class keeps in a dictionary or in several lists, in HDF5 of Keras 2 for Keras 3.

Both generations read such weights by order. That of a dictionary is the alphabetical one of its
keys in Keras 2, and in Keras 3 the one in which the program put the layers in. Lists that a loop
fills in turn come one behind the other in Keras 2, and mixed, as they were filled, in Keras 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.builtin_layers import made_of, snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.graphs import Shape
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.orders.tracked_layers import WHOLE, tracked_layers
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.terminal_text import first_of

_FORMATS = (Format.LEGACY_H5_FULL, Format.WEIGHTS_H5_LEGACY)
_COUNTED = re.compile(r"(.+?)(?:_([0-9]{1,6}))?\Z")
_NAMES = frozenset(map(snake_case, LAYER_CLASSES))
_SEQUENTIAL = "sequential"

Weights = list[tuple[str, Shape]]
"""The weights of one layer: their names and shapes."""


def sorted_dictionaries(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first layers of one class whose weights come in another order than they were made.

    Keras numbers the layers of a class as it makes them, and a constructor makes and keeps them in
    one order. A Functional model sorts its layers in another way, but their weights do not have
    its name in their paths.
    """
    writer, profile = context.writer, context.profile
    if artifact.format not in _FORMATS or not profile.keras3 or context.request.by_name:
        return
    if writer is not None and writer.keras3:
        return
    if found := next(chain(tracked_layers(artifact, context), _in_turn(artifact, context)), None):
        yield found
        return
    for (owner, base), layers in (_rows(artifact) | _of_model(artifact)).items():
        if not _may_differ(owner, artifact, context.code) or _named_by_width(layers):
            continue
        ordered = sorted(layers, key=_number)
        if [*layers] == ordered:
            continue
        whose = f"`{owner}`" if owner else "the model"
        fails = [*layers.values()] != [layers[name] for name in ordered]
        yield Reason(
            "sorted-dictionary",
            LoadOutcome.FAILS if fails else LoadOutcome.DIFFERS,
            f"{whose} has the weights of {', '.join([*layers][:3])} in this order, and not that in "
            f"which its class made these {base} layers: Keras 2 sorts a dictionary of layers by "
            f"its keys, and lists by their names, and {profile.name} does not, so that each gets "
            "weights of another one",
            "ValueError: …" if fails else "no error",
            "Load it in Keras 2 and save it there as .weights.h5.",
            owner,
            unless=f"the class of {whose} keeps no layers in a dictionary or in "
            "lists that it fills in turn, but gets layers that were made in another order",
        )
        return


def _in_turn(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Lists of a model, by its code, whose layers of two classes it makes in turn.

    Keras 2 has the layers of one list ahead of those of the other.
    """
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    for owner in context.classes:
        made = [each for each in owner.made if each.listed and each.attribute in owner.in_turn]
        rows = {
            snake_case(each.name.rpartition(".")[2]): list[tuple[Shape, ...]]() for each in made
        }
        if len({each.attribute for each in made}) != len(rows):
            continue  # one list of several classes, or several lists of one
        for group, listed in groups.items():
            for kind in rows.keys() & {*made_of(group)} if sequence(listed) else ():
                rows[kind].append(tuple(shapes.get(text(each), ()) for each in sequence(listed)))
        filled = [row for row in rows.values() if len(row) > 1]
        if len(filled) > 1 and any(row[-1] != filled[0][-1] for row in filled):
            yield Reason(
                "sorted-dictionary",
                LoadOutcome.FAILS,
                f"{owner.name} ({owner.where}) fills {first_of(sorted(owner.in_turn), 3)} in turn: "
                "Keras 2 wrote the layers of one list ahead of those of the other, and "
                f"{context.profile.name} has them in the order in which they were made",
                "ValueError: …",
                "Load it in Keras 2 and save it there as .weights.h5.",
            )
            return


def _may_differ(owner: str, artifact: Artifact, code: SourceCode) -> bool:
    """Whether the class, as far as the code tells, may keep layers in another order."""
    found = class_of(owner, artifact, code) if owner else None
    if found is not None:
        every = [each for each in code.lineage(found) if isinstance(each, ClassCode)]
    else:
        every = [each for listed in code.classes.values() for each in listed]
    return not every or any(each.reorders or each.kept[0] for each in every)


def _named_by_width(layers: Mapping[str, Weights]) -> bool:
    """Whether the program named each layer by how wide it is, as `dense_64`."""
    return all(
        any(shape and shape[-1] == _number(name) for _, shape in weights)
        for name, weights in layers.items()
    )


def _of_model(artifact: Artifact) -> dict[tuple[str, str], dict[str, Weights]]:
    """The same of a subclassed model itself, which has its name in the path of a weight.

    Models that it is given may have been made in any order.
    """
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    found: dict[tuple[str, str], dict[str, Weights]] = {}
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    subclassed = False
    for group, listed in groups.items():
        routes = [route for route in map(text, sequence(listed)) if route in shapes]
        inside = [route.removeprefix(WHOLE).removeprefix(f"{group}/") for route in routes]
        subclassed |= any(f"/{group}/" in route for route in inside)
        counted = _COUNTED.match(group)
        if routes and counted is not None and counted[1] in {*_NAMES, _SEQUENTIAL}:
            weights: Weights = [(route.rpartition("/")[2], shapes[route]) for route in routes]
            found.setdefault(("", counted[1]), {})[group] = weights
    return found if subclassed else {}


def _rows(artifact: Artifact) -> dict[tuple[str, str], dict[str, Weights]]:
    """(object, class of layers) -> its layers with default names, in the order of the file."""
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    found: dict[tuple[str, str], dict[str, Weights]] = {}
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    for group, listed in groups.items():
        for route in map(text, sequence(listed)):
            parts = route.removeprefix(WHOLE).removeprefix(f"{group}/").split("/")
            if len(parts) < 3 or route not in shapes:
                continue  # a layer of the model, or one of a Functional model inside
            *outer, layer, own = parts
            counted = _COUNTED.match(layer)
            if counted is None or counted[1] not in _NAMES:
                continue
            if layer == group or group in outer:
                key = ("/".join(outer), counted[1])
                found.setdefault(key, {}).setdefault(layer, []).append((own, shapes[route]))
    return found


def _number(layer: str) -> int:
    found = _COUNTED.match(layer)
    return int(found[2] or 0) if found else 0
