"""Losses, metrics, optimizers and schedules of the program's own classes, by their code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.checks.own_classes import (
    given_code as match_code,
)
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, is_custom, nodes_in
from modelaudit.structs import replace

_REDUCTION, _AUTO = "reduction", "auto"


def check(
    training: Mapping[str, Json], context: CheckContext, archive: bool, fix: str
) -> Iterator[Reason]:
    """Objects of the compile config that their constructors refuse; `fix` is what helps."""
    for node in nodes_in(dict(training)):
        imported = text(node.get("module")) in context.request.modules
        if is_custom(node, context) or imported:
            found = [*match_code.check(node, context, text(node["class_name"]), archive)]
            yield from (
                replace(each, fix=fix) for each in (found or _automatic(node, context, fix))
            )


def _automatic(node: Config, context: CheckContext, fix: str) -> Iterator[Reason]:
    """A loss of Keras 2 whose reduction reaches the constructor of Keras 3, which has no `auto`."""
    config = mapping(node.get("config"))
    if not context.profile.keras3 or config.get(_REDUCTION) != _AUTO:
        return
    name, code = text(node["class_name"]), match_code.code_of(node, context)
    made = None if code is None else match_code.constructed(code, list(config), context)
    if made is not None and made.base and _REDUCTION not in made.given:
        return
    yield Reason(
        "reduction-auto",
        LoadOutcome.FAILS,
        f"the loss {name} has the Keras 2 reduction auto, which Keras 3 does not support",
        "ValueError: Invalid value for argument `reduction`. …Received: reduction=auto",
        fix,
        unless=""
        if made is not None and made.base
        else f"the constructor of {name} does not pass reduction to that of its base class",
        repairs=True,
    )
