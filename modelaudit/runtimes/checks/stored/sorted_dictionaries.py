"""Layers that a class keeps in a dictionary, in HDF5 of Keras 2 for Keras 3.

Both generations read such weights by order. That of a dictionary is the alphabetical one of its
keys in Keras 2, and in Keras 3 the one in which the program put the layers in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.graphs import Shape
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.model import CheckContext, Reason

_FORMATS = (Format.LEGACY_H5_FULL, Format.WEIGHTS_H5_LEGACY)
_COUNTED = re.compile(r"(.+?)(?:_([0-9]{1,6}))?\Z")
_NAMES = frozenset(map(snake_case, LAYER_CLASSES))
_WHOLE = "model_weights/"  # before the groups, in a file with the architecture

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
    for (owner, base), layers in _rows(artifact).items():
        ordered = sorted(layers, key=_number)
        if [*layers] == ordered:
            continue
        fails = [*layers.values()] != [layers[name] for name in ordered]
        yield Reason(
            "sorted-dictionary",
            LoadOutcome.FAILS if fails else LoadOutcome.DIFFERS,
            f"`{owner}` has the weights of {', '.join([*layers][:3])} in this order, and not that "
            f"in which its class made these {base} layers: Keras 2 sorts a dictionary of layers by "
            f"its keys, and {profile.name} does not, so that each gets weights of another one",
            "ValueError: …" if fails else "no error",
            "Load it in Keras 2 and save it there as .weights.h5.",
            owner,
            unless=f"the class of {owner} keeps no layers in a dictionary, but gets layers that "
            "were made in another order",
        )
        return


def _rows(artifact: Artifact) -> Mapping[tuple[str, str], dict[str, Weights]]:
    """(object, class of layers) -> its layers with default names, in the order of the file."""
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    found: dict[tuple[str, str], dict[str, Weights]] = {}
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    for group, listed in groups.items():
        for route in map(text, sequence(listed)):
            parts = route.removeprefix(_WHOLE).removeprefix(f"{group}/").split("/")
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
