"""Layers of the program that are given a mask by position, where none arrives.

Keras 3 passes the mask of a call's one tensor by its name, also None, and also where the call has a
value in its place. (By the code of 3.8, 3.11 and 3.15; observed in the first and the last.)
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.formats.source_code.running import CALL, MASK
from modelaudit.formats.source_code.statements import Given, InnerCall
from modelaudit.runtimes.checks.own_classes.refused_code import replaced_methods
from modelaudit.runtimes.model import CheckContext, Reason

_MASK_ZERO, _MASKING, _COMPUTES = "mask_zero", "Masking", "compute_mask"


def masks_by_position(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first call of this kind in a class of which the file has an object."""
    if not context.profile.keras3 or not context.classes:
        return
    arrives = _masks(artifact, context)
    for owner in context.classes:
        for part in context.code.parts(owner):
            replaced = replaced_methods(part, owner, context.code)
            for call in part.running.calls if CALL not in replaced else ():
                inner = _inner(call, part, context.code)
                if inner is not None and _without_mask(call, inner, arrives):
                    yield Reason(
                        "code-of-other-keras",
                        LoadOutcome.FAILS if call.use.always else LoadOutcome.UNKNOWN,
                        f"{part.name} ({part.where}) gives `self.{call.attribute}` its mask by "
                        "position, which is None here, and "
                        f"{context.profile.name} passes it by name as well",
                        f"TypeError: {inner.name}.call() got multiple values for argument 'mask'",
                        "Pass it by its name, as mask=mask.",
                    )
                    return


def _inner(call: InnerCall, part: ClassCode, code: SourceCode) -> ClassCode | None:
    """The layer of the program that a call goes to."""
    names = {made.name for made in part.made if made.attribute == call.attribute}
    found = code.made_class(next(iter(names))) if len(names) == 1 else None
    return found if found is not None and code.base(found).startswith(KERAS) else None


def _without_mask(call: InnerCall, inner: ClassCode, arrives: bool) -> bool:
    names = inner.call.names if inner.call else ()
    if not call.all_told or MASK not in names[: len(call.given)]:
        return False
    others = [x for x in call.given if x is Given.OTHER]
    given = call.given[names.index(MASK)]
    return len(others) == 1 and (given is Given.NONE or (given is Given.MASK and not arrives))


def _masks(artifact: Artifact, context: CheckContext) -> bool:
    """Whether anything in the model, or in the classes of its layers, makes a mask."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    if any(x.class_name == _MASKING or x.config.get(_MASK_ZERO) is True for x in layers):
        return True
    parts = {part.where: part for owner in context.classes for part in context.code.parts(owner)}
    return any(
        _COMPUTES in part.methods
        or any(_MASK_ZERO in x.words or x.name.endswith(f".{_MASKING}") for x in part.made)
        for part in parts.values()
    )
