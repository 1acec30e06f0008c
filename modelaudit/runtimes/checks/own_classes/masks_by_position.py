"""Layers of the program that are given a mask by position, where none arrives, or in a list.

Keras 3 passes the mask of a call's one tensor by its name, also None, and also where the call has a
value in its place. (By the code of 3.8, 3.11 and 3.15; observed in the first and the last.)
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.formats.source_code.list_masks import MASK
from modelaudit.formats.source_code.methods import OUTPUT_SHAPE
from modelaudit.formats.source_code.running import CALL
from modelaudit.formats.source_code.statements import Given, InnerCall
from modelaudit.runtimes.checks.own_classes.given_code import code_of
from modelaudit.runtimes.checks.own_classes.refused_code import replaced_methods
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.saved_config import Config

_TENSOR, _WORDS = "__keras_tensor__", 3  # the place of the keywords, in a call of Keras 2
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


def masks_in_lists(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A layer that takes its mask for one tensor, and is called with a list of tensors.

    Keras 3 gives it a list of their masks, also if none has one, and Keras 2 gives it None then.
    """
    code = code_of(node, context) if context.profile.keras3 else None
    if code is None or not any(map(_in_list, sequence(node.get("inbound_nodes")))):
        return
    lineage = [each for each in context.code.lineage(code) if isinstance(each, ClassCode)]
    owner = next((each for each in lineage if CALL in each.methods), None)
    if owner is None or not owner.running.mask or not context.code.base(code).startswith(KERAS):
        return
    shaped = context.code.defines(code, OUTPUT_SHAPE) is not False
    yield Reason(
        "code-of-other-keras",
        LoadOutcome.FAILS,
        f"`{route}` is called with a list of tensors, so that {context.profile.name} gives it a "
        f"list of masks, also where these have none, and {owner.name} ({owner.where}) has "
        f"`{owner.running.mask}` in its `call`",
        "…'list' object has no attribute … or ValueError: Attempt to convert a value (None)",
        "Take `mask` for None if it is a list of None.",
        route,
        later=FIRST_CALL if shaped else "",
    )


def _in_list(call: Json) -> bool:
    """Whether a call has several tensors in a list, no other tensor, and no mask."""
    if isinstance(call, dict):
        words = mapping(call.get("kwargs"))
        listed = isinstance(next(iter(sequence(call.get("args"))), None), list)
        given = [*sequence(call.get("args"))[1:], *words.values()]
        others = any(mapping(each).get("class_name") == _TENSOR for each in given)
        return listed and not others and words.get(MASK) is None
    tensors = [sequence(each) for each in sequence(call)]
    words = mapping(tensors[0][_WORDS]) if tensors and len(tensors[0]) > _WORDS else {}
    return len(tensors) > 1 and all(not isinstance(each, list) for each in words.values())


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
