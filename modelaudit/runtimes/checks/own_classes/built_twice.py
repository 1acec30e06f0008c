"""Layers of the program that Keras 2 builds twice when it loads an archive.

It calls `build` with the shape in the file, and again with the first input, unless `build` says
that it is done: by `self.built = True`, or by the `build` of Keras.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode
from modelaudit.formats.source_code.methods import BUILD
from modelaudit.runtimes.checks.own_classes.given_code import code_of
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, nodes_in
from modelaudit.terminal_text import first_of

_FROM_SHAPE = "build_from_config"


def built_twice(config: Config, context: CheckContext) -> Iterator[Reason]:
    """The first layer whose second `build` makes more weights than the file has."""
    if context.profile.keras3:
        return
    for node in nodes_in(dict(config)):
        shape = mapping(node.get("build_config")).get("input_shape")
        code = code_of(node, context) if shape is not None else None
        if code is None or context.code.defines(code, _FROM_SHAPE) is not False:
            continue
        if longer := _longer(code, context):
            route = text(mapping(node.get("config")).get("name")) or code.name
            yield Reason(
                "built-twice",
                LoadOutcome.FAILS,
                f"{context.profile.name} calls the `build` of `{route}` ({code.name}, "
                f"{code.where}) twice, as it does not set `self.built`, and {first_of(longer, 3)} "
                "then has twice the weights",
                "ValueError: Layer … expected 4 variables, but received 2 variables during loading",
                f"End the `build` of {code.name} with `self.built = True`.",
                route,
            )
            return


def _longer(code: ClassCode, context: CheckContext) -> list[str]:
    """The lists that a second call makes longer; none if `build` is called once."""
    found: set[str] = set()
    if not context.code.base(code).startswith(KERAS):
        return []
    for each in context.code.lineage(code):
        if isinstance(each, str) or each.marks_built:
            return []  # `build` of Keras, or the class, says that it is built
        if BUILD in each.methods:
            found |= each.growing
            if not each.calls_base:
                return sorted(found)
    return []
