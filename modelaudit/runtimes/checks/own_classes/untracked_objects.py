"""Layers in an object of the program that is no layer: no Keras looks for weights there."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.runtimes.checks.own_classes.file_classes import classes_in, is_plain
from modelaudit.runtimes.model import CheckContext, Reason


def untracked_objects(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first class in the file that keeps such an object."""
    for owner in classes_in(artifact, context.code) if context.code.classes else ():
        for made in owner.made:
            kind = context.code.find(made.name.rpartition(".")[2])
            if kind is not None and _holds(kind, context.code):
                yield Reason(
                    "layers-in-plain-object",
                    LoadOutcome.DIFFERS,
                    f"{owner.name} ({owner.where}) keeps in {made.attribute} a {kind.name}, which "
                    "is no layer and has layers: their weights are in no file, and they keep "
                    "random values",
                    "no error",
                    f"Make {kind.name} a subclass of keras.layers.Layer, and train again.",
                )
                return


def _holds(kind: ClassCode, code: SourceCode) -> bool:
    """Whether it is a plain class whose objects have layers with weights."""
    return is_plain(kind) and any(map(code.makes_weights, kind.made))
