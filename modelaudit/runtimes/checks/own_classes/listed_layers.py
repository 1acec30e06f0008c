"""Layers that a class of the program keeps in a list or dictionary, in checkpoints of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.model import Reason
from modelaudit.terminal_text import first_of

_LEAST = 2  # attributes that tell of which class an object is


def listed_layers(nodes: Mapping[int, ObjectNode], code: SourceCode) -> Iterator[Reason]:
    """Classes of which the checkpoint has an object without the layers in its lists.

    A checkpoint has no names of classes: an object is of the class whose other layers it has.
    """
    children = [set(node.children) for node in nodes.values()]
    for each in (one for found in code.classes.values() for one in found):
        single, listed = _attributes(each, code)
        if listed and len(single) >= _LEAST and any(single <= held for held in children):
            yield Reason(
                "layers-left-out",
                LoadOutcome.DIFFERS,
                f"{each.name} ({each.where}) keeps layers in {first_of(sorted(listed), 4)}, a list "
                "or dictionary, which Keras 3 does not save in a checkpoint: they keep random "
                "values",
                "no error",
                "Save the weights as .weights.h5.",
            )
            return


def _attributes(owner: ClassCode, code: SourceCode) -> tuple[set[str], set[str]]:
    """Its attributes with weights: layers, and lists of layers."""
    made = [
        each
        for one in code.lineage(owner)
        if isinstance(one, ClassCode)
        for each in one.made
        if code.has_weights(each.name) and not each.attribute.endswith("*")
    ]
    single = {each.attribute for each in made if not each.listed}
    return single, {each.attribute for each in made if each.listed}
