"""Whether a class of the program keeps a `tf.Variable`, by its code."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.formats.keras.builtin_layers import made_of, snake_case, without_number
from modelaudit.formats.source_code.classes import ClassCode, SourceCode, as_literal
from modelaudit.formats.source_code.variable_names import OWN


def keeps_variable(layer: str, own: str, artifact: Artifact, code: SourceCode) -> bool | None:
    """Whether a weight of a layer, or inside it, is a `tf.Variable`; None if no code tells.

    Args:
        layer: the name of the layer, or its route.
        own: the name of the weight, "" if it has none of its own.
    """
    found = class_of(layer, artifact, code)
    if found is not None:
        return any(each.variables for each in code.parts(found))
    every = [each for listed in code.classes.values() for each in listed]
    added = bool(own) and any(own in each.weights for each in every)
    if is_named_variable(layer, own, code):
        return None if added else True
    return False if added else None


def is_named_variable(layer: str, own: str, code: SourceCode) -> bool:
    """Whether a class of the program gives a `tf.Variable` this name, in a layer of that name."""
    name = layer.rpartition("/")[2]
    every = (each for listed in code.classes.values() for each in listed)
    given = {each.replace(OWN, name) for kind in every for each in kind.variable_names}
    return bool(own) and own in given


def draws_variable(layer: str, artifact: Artifact, code: SourceCode) -> bool | None:
    """Whether a layer has a `tf.Variable` of random numbers; None if no code tells."""
    found = class_of(layer, artifact, code)
    return None if found is None else any(each.drawn for each in _lineage(found, code))


def own_variables(owner: ClassCode, code: SourceCode) -> set[str]:
    """The attributes of a class that are a `tf.Variable`, without those of layers in it."""
    return {name for each in _lineage(owner, code) for name in each.variables}


def class_of(layer: str, artifact: Artifact | None, code: SourceCode) -> ClassCode | None:
    """The class of a layer: as the config says, or by the name that Keras makes of a class."""
    name = layer.rpartition("/")[2]
    listed = artifact.architecture.layers if artifact and artifact.architecture else ()
    for each in listed:
        if name == each.name and each.custom:
            return code.find(each.class_name)
    names = [each for each in code.classes if snake_case(each) in made_of(name)]
    if not names:  # a name that the program gave, as `block1` of a Block
        base = without_number(name)
        names = [each for each in code.classes if snake_case(each) == base]
    if not names:
        given = as_literal(name)  # at each place that makes it, as in `Scale(name="scale_1")`
        names = [
            kind
            for kind, places in code.made.items()
            if any(each.words.get("name") == given for each in places)
        ]
    names = names or sorted({*code.named(name)})
    return code.find(names[0]) if len(names) == 1 else None


def _lineage(found: ClassCode, code: SourceCode) -> Iterator[ClassCode]:
    return (each for each in code.lineage(found) if isinstance(each, ClassCode))
