"""Layers and weights that a class of the program keeps in a list, in checkpoints of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.formats.source_code.methods import ADD_WEIGHT, ANY_ATTRIBUTE
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.model import Reason
from modelaudit.terminal_text import first_of

_MADE = (ADD_WEIGHT, "tensorflow.Variable")
_LEAST = 2  # attributes that tell of which class an object is


def listed_layers(nodes: Mapping[int, ObjectNode], code: SourceCode) -> Iterator[Reason]:
    """Classes of which the checkpoint has an object without what is in its lists.

    A checkpoint has no names of classes: an object is of the class whose other layers and weights
    it has, if these are several, or one weight that Keras named after the class.
    """
    for each in (one for found in code.classes.values() for one in found):
        single, listed = _attributes(each, code)
        if listed and any(_is_of(each, single, node, nodes) for node in nodes.values()):
            yield Reason(
                "layers-left-out",
                LoadOutcome.DIFFERS,
                f"{each.name} ({each.where}) keeps layers or weights in "
                f"{first_of(sorted(listed), 4)}, a list or dictionary, which Keras 3 does not save "
                "in a checkpoint: they keep random values",
                "no error",
                "Save the weights as .weights.h5.",
            )
            return


def _is_of(
    owner: ClassCode, single: set[str], node: ObjectNode, nodes: Mapping[int, ObjectNode]
) -> bool:
    """Whether an object is one of the class with these attributes."""
    if not single or not single <= set(node.children):
        return False
    if len(single) >= _LEAST:
        return True
    held = [nodes[node.children[each]] for each in single if node.children[each] in nodes]
    held += [nodes[child] for each in held for child in each.children.values() if child in nodes]
    named = (text.get("full_name", "") for each in held for text in each.attributes.values())
    own = snake_case(owner.name)
    return any(
        part.rstrip("0123456789").rstrip("_") == own
        for name in named
        for part in name.split("/")[:-1]
    )


def _attributes(owner: ClassCode, code: SourceCode) -> tuple[set[str], set[str]]:
    """Its attributes with weights: one, and lists."""
    made = [
        each
        for one in code.lineage(owner)
        if isinstance(one, ClassCode)
        for each in one.made
        if (each.name in _MADE or code.makes_weights(each))
        and not each.attribute.endswith(ANY_ATTRIBUTE)
    ]
    single = {each.attribute for each in made if not each.listed}
    return single, {each.attribute for each in made if each.listed}
