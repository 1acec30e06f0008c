"""Layers in an object of the program that is no layer: no Keras looks for weights there."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.source_code.classes import ClassCode
from modelaudit.runtimes.checks.own_classes.file_classes import is_plain
from modelaudit.runtimes.model import CheckContext, Reason

_ARCHIVES = (Format.KERAS_ARCHIVE, Format.WEIGHTS_H5_V3)


def untracked_objects(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first class in the file that keeps such an object.

    Keras 2 finds the variables of a `tf.Module` in a layer, and writes none into an archive. Keras
    3 does not look for them, so that each model has what the code draws.
    """
    code = context.code
    for owner in context.classes:
        for made in owner.made:
            kind = code.find(made.name.rpartition(".")[2])
            if kind is not None and _loses(kind, artifact, context):
                yield Reason(
                    "layers-in-plain-object",
                    LoadOutcome.DIFFERS,
                    f"{owner.name} ({owner.where}) keeps in {made.attribute} a {kind.name}, which "
                    "is no layer: its weights are not in the file, and keep random values",
                    "no error",
                    f"Make {kind.name} a subclass of keras.layers.Layer, and train again.",
                )
                return


def _loses(kind: ClassCode, artifact: Artifact, context: CheckContext) -> bool:
    """Whether objects of this class have weights that are not in the file."""
    code, archive = context.code, artifact.format in _ARCHIVES
    by_keras2 = context.writer is not None and not context.writer.keras3
    module = archive and code.base(kind) == "tensorflow.Module" and (by_keras2 or kind.drawn)
    has_weights = bool(kind.variables) or any(map(code.makes_weights, kind.made))
    return has_weights and (is_plain(kind) or bool(module))
