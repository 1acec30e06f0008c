"""What the code of a program decides, of which neither the file nor the settings have the text.

A runtime makes the objects of own classes with their code: their constructor has to take the saved
config, and they have to make the same weights in the same order. A file shows neither, so nothing
in it proves that a call succeeds that uses them.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.own_classes.file_classes import is_plain
from modelaudit.runtimes.checks.stored.plain_weights import is_plain as of_keras_alone
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.untried import of_layers
from modelaudit.terminal_text import first_of
from modelaudit.work_budget import spend

_SHOWN = 4  # names in a reason
_MODEL = "the model"  # of weights, which do not name its class
_FITS = "the code of {} fits what was saved of it"
# What only `compile=True` reads, and names that are not those of classes and functions.
_NOT_NAMES = ("compile_config", "training_config", "name", "inbound_nodes", "module", "dtype")


def unread_code(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The condition of a call that nothing in the file stops, if own code takes part in it."""
    if artifact.documents:
        used = [*dict.fromkeys(_own_objects(artifact, context))]
        absent = [name for name in used if not _has(name, context.code)]
        unsettled = [name for name in used if not _settled(name, context.code)]
    elif of_keras_alone(artifact):
        return
    else:
        absent = [] if context.code.classes else [_MODEL]
        unsettled = [] if context.classes else [_MODEL]
        unsettled += [x.name for x in context.classes if not _settled(x.name, context.code)]
    if absent:
        names = first_of(absent, _SHOWN)
        yield Reason(
            "code-not-given",
            LoadOutcome.CONDITIONAL,
            f"the code of {names} decides as well, and is not in the file: it has to take what was "
            "saved of it, and to make the same weights in the same order",
            fix="Set `source_code` in the settings to the path of that code: predictions then "
            "say what of it does not fit the file. It is read, not run.",
            unless=_FITS.format(names),
        )
    elif unsettled:
        names = first_of(unsettled, _SHOWN)
        yield Reason(
            "code-not-understood",
            LoadOutcome.CONDITIONAL,
            f"the code of {names} decides as well, and the text that was given does not tell how "
            "its objects are made: no class or several have the name or fit the weights, or a base "
            "class, a metaclass or a decorator is not in it",
            fix="Give the code of the model, with that of its base classes, in `source_code`; or "
            "load it in that runtime.",
            unless=_FITS.format(names),
        )


def _own_objects(artifact: Artifact, context: CheckContext) -> Iterator[str]:
    """Names of the classes and functions of the program that the loader uses."""
    model = artifact.architecture
    if model is not None and not artifact.format.is_saved_model:
        own = (each.class_name for each in model.layers if each.custom)
        yield from (_plain(model.class_name),) * (model.class_name not in LAYER_CLASSES)
        yield from map(_plain, own)
    # Of a SavedModel, a loader makes what it is not given from the saved functions.
    for document in filter(of_layers, artifact.documents):
        yield from _passed_in(document.value, context.request.custom)


def _passed_in(value: Json, passed: frozenset[str]) -> Iterator[str]:
    """Names in a config that the program passes to the loader."""
    pending = [value] if passed else []
    while pending:
        current = pending.pop()
        spend(1)
        if isinstance(current, list):
            pending.extend(current)
        elif isinstance(current, dict):
            pending.extend(each for key, each in current.items() if key not in _NOT_NAMES)
        elif isinstance(current, str) and not passed.isdisjoint((current, _plain(current))):
            yield _plain(current)


def _plain(name: str) -> str:
    return name.rpartition(">")[2]


def _has(name: str, code: SourceCode) -> bool:
    return name in code.classes or name in code.functions or code.find(name) is not None


def _settled(name: str, code: SourceCode) -> bool:
    """Whether the text tells how Keras makes the object."""
    if name in code.functions:
        return True
    found = code.find(name)
    return found is not None and all(_understood(each, code) for each in code.parts(found))


def _understood(kind: ClassCode, code: SourceCode) -> bool:
    return kind.static and (is_plain(kind) or code.base(kind).startswith(KERAS))
