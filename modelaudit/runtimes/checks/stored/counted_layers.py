"""The numbers of layers in weights of a subclassed model that Keras 2.12 to 2.14 wrote or reads.

These look at the attributes of a model in the order of the alphabet, and so meet its list `layers`
between them. Layers of the attributes before it are not written again, and only Keras 3 counts
them when it names those behind them: `layers/dense` of the file is `layers/dense_1` there.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Artifact
from modelaudit.formats.keras.builtin_layers import made_of, snake_case, without_number
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.layer_classes import LAYER_CLASSES

_LIST = "layers"
_NAMES = {snake_case(name): f"keras.layers.{name}" for name in LAYER_CLASSES}


def counted_by_keras3(names: list[str], artifact: Artifact, code: SourceCode) -> str | None:
    """A layer in the list whose number counts one before the list; None if there is none.

    Keras 3 also counts layers that it wrote by another attribute, and so leaves out numbers of a
    class whose layers always have weights. Keras 2.12 to 2.14 counts those that are left.
    """
    if not _notes_names(artifact):
        return None
    found: dict[str, set[int]] = {}
    for name in names:
        first, _, rest = name.partition("/")
        layer = rest.partition("/")[0]
        base = made_of(layer)[1]
        if first == _LIST and code.has_weights(_NAMES.get(base, "")):
            found.setdefault(base, set()).add(int(layer[len(base) + 1 :] or 0))
    for base, numbers in found.items():
        for place, number in enumerate(sorted(numbers)):
            if number != place:
                return f"{_LIST}/{base}_{number}"
    return None


def _notes_names(artifact: Artifact) -> bool:
    """Whether Keras 3 wrote the file: it notes the name of each layer."""
    return bool(mapping(mapping(artifact.extra.get("h5")).get("vars_names")))


def counted_elsewhere(
    names: list[str], group: str, artifact: Artifact, code: SourceCode
) -> str | None:
    """A layer in the list for which Keras 3 has another number; None if there is none.

    It is one of a class of which an attribute before the list holds another layer, told by its
    name in a list or by its weights, unless the code says that it was made first.

    Args:
        names: of the weights in the group of a model.
        group: its route, "" for the whole model.
    """
    if _notes_names(artifact):
        return None
    start = f"{group}/" if group else ""
    ranks = {tensor.name: len(tensor.shape) for tensor in artifact.tensors}
    forms: dict[str, set[tuple[str, int]]] = {}
    for name in names:
        first, _, rest = name.partition("/")
        second = rest.partition("/")[0]
        listed = second != "vars" and (first == _LIST or _counted(second))
        layer = f"{first}/{second}" if listed else first
        own = name.removeprefix(f"{layer}/")
        forms.setdefault(layer, set()).add((own, ranks.get(f"{start}{name}", 0)))
    behind = {layer: form for layer, form in forms.items() if layer.startswith(f"{_LIST}/")}
    before = {layer: form for layer, form in forms.items() if layer not in behind}
    for layer, form in behind.items():
        base = _base(layer)
        held = [
            each.partition("/")[0]
            for each, other in before.items()
            if (_base(each) == base if "/" in each else other == form)
        ]
        attributes = {each.partition("/")[0] for each in before}
        if held and _made_first(attributes, held, code) is not True:
            return layer
    return None


def _counted(name: str) -> bool:
    """Whether a name is that of a layer in a list: of a class, with a number or without."""
    return bool(name) and not name.startswith("_")


def _base(layer: str) -> str:
    return without_number(layer.rpartition("/")[2])


def _made_first(attributes: set[str], held: list[str], code: SourceCode) -> bool | None:
    """Whether the layers behind the list are made before those of their class that others hold."""
    found = [
        each
        for every in code.classes.values()
        for each in every
        if attributes <= {made.attribute for made in each.made}
    ]
    if len(found) != 1:
        return None
    order = {made.attribute: place for place, made in enumerate(found[0].made)}
    kinds = _kinds(found[0])
    wanted = {kind for each in held for kind in kinds.get(each, ())}
    late = [
        order[name]
        for name, made in kinds.items()
        if name > _LIST and name not in attributes and not wanted.isdisjoint(made)
    ]
    return bool(late) and max(late) < min(order[each] for each in held)


def _kinds(owner: ClassCode) -> Mapping[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for made in owner.made:
        kinds.setdefault(made.attribute, set()).add(made.name)
    return kinds
