"""Weights that a class of the program adds to a layer of Keras which saves its own by name.

Dense layers, convolutions and embeddings of Keras 3 write their kernel and bias, and nothing that a
subclass adds. Reading asks for all weights of the layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.source_code.classes import ClassCode
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.terminal_text import first_of

_SAVES = "save_own_variables"
_OF_BASE = {"Dense": 2, "EinsumDense": 2, "Embedding": 1}  # how many they write at most
_VARS = "/vars"


def unsaved_weights(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first layer in a file of Keras 3 that has only the weights of its base class."""
    for route, code, base, most, count in _subclasses(artifact, context):
        if count <= most and (added := sorted(context.code.weights(code))):
            yield Reason(
                "weights-of-subclass-not-saved",
                LoadOutcome.FAILS,
                f"`{route}` is a {code.name} ({code.where}), a subclass of {base} with "
                f"{first_of(added, 3)} beside its weights; Keras 3 saves those of {base} alone",
                f"ValueError: Layer '…' expected {count + len(added)} variables, but received "
                f"{count} variables during loading",
                f"Add `save_own_variables` and `load_own_variables` to {code.name}, and save the "
                "model again from the program that trained it.",
                route,
            )
            return


def unread_weights(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first layer in a file of Keras 2 that has more than Keras 3 reads of its base class."""
    for route, code, base, most, count in _subclasses(artifact, context):
        if count > most and (added := sorted(context.code.weights(code))):
            yield Reason(
                "weights-of-subclass-not-saved",
                LoadOutcome.DIFFERS,
                f"`{route}` is a {code.name} ({code.where}), a subclass of {base} with "
                f"{first_of(added, 3)} beside its weights; {context.profile.name} reads those of "
                f"{base} alone, and the others keep random values",
                "no error",
                f"Add `load_own_variables` to {code.name}.",
                route,
            )
            return


def _subclasses(
    artifact: Artifact, context: CheckContext
) -> Iterator[tuple[str, ClassCode, str, int, int]]:
    """Layer, class, base, and how many weights Keras 3 writes of this base and the file has."""
    if not context.code.classes:
        return
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    stored = Counter(tensor.name.rpartition("/")[0] for tensor in weights(artifact))
    for group, count in stored.items():
        route = group.removesuffix(_VARS)
        code = class_of(text(noted.get(group)) or route, artifact, context.code)
        if code is None or context.code.defines(code, _SAVES) is not False:
            continue
        base = context.code.base(code).rpartition(".")[2]
        if most := _OF_BASE.get(base) or 2 * _convolves(base):
            yield route, code, base, most, count


def _convolves(name: str) -> bool:
    return has(name, Trait.CONVOLUTION) and name.startswith("Conv")
