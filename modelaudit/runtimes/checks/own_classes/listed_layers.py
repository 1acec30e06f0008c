"""Layers and weights that a class of the program keeps in a list, in checkpoints of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.source_code.classes import SourceCode
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.checks.own_classes.file_classes import attributes_of, objects_of
from modelaudit.runtimes.model import Reason
from modelaudit.terminal_text import first_of


def listed_layers(nodes: Mapping[int, ObjectNode], code: SourceCode) -> Iterator[Reason]:
    """Classes of which the checkpoint has an object without what is in its lists."""
    for each, index in objects_of(nodes, code):
        _, listed = attributes_of(each, code)
        if listed := listed - nodes[index].children.keys():
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
