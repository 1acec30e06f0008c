"""Layers where no Keras looks for weights: in an object that is no layer, or set past Keras."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.source_code.classes import HIDDEN, ClassCode
from modelaudit.runtimes.checks.own_classes.file_classes import is_plain
from modelaudit.runtimes.checks.stored.nested_containers import ARCHIVES
from modelaudit.runtimes.model import CheckContext, Reason


def untracked_objects(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first class in the file that keeps such an object, or layers by `vars(self)`.

    Keras 2 finds the variables of a `tf.Module` in a layer, and writes none into an archive. Keras
    3 does not look for them, so that each model has what the code draws.
    """
    code = context.code
    for owner in context.classes:
        yield from _hidden(owner, artifact, context)
        for made in owner.made:
            kind = code.made_class(made.name)
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


def _hidden(owner: ClassCode, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers in the `__dict__` of a layer: archives have them, as they look at all attributes."""
    parts = context.code.parts(owner) if artifact.format not in ARCHIVES else ()
    made = ((part, each) for part in parts for each in part.made if each.attribute == HIDDEN)
    for part, each in made:
        if context.code.makes_weights(each):
            yield Reason(
                "layers-in-plain-object",
                LoadOutcome.DIFFERS,
                f"{part.name} ({part.where}) sets a {each.name.rpartition('.')[2]} in its "
                "`__dict__`, past Keras: its weights are not in the file, and keep random values",
                "no error",
                f"Use `setattr(self, …)` in {part.name}, and train again.",
            )
            return


def _loses(kind: ClassCode, artifact: Artifact, context: CheckContext) -> bool:
    """Whether objects of this class have weights that are not in the file."""
    code, archive = context.code, artifact.format in ARCHIVES
    by_keras2 = context.writer is not None and not context.writer.keras3
    module = archive and code.base(kind) == "tensorflow.Module" and (by_keras2 or kind.drawn)
    has_weights = bool(kind.variables) or any(map(code.makes_weights, kind.made))
    return has_weights and (is_plain(kind) or bool(module))
