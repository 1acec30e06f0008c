"""Values that come back from a config as another kind than the code saved.

JSON has no tuples, and no numbers as keys. An object that `get_config` returns as it is comes back
as a list or dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.source_code.classes import ClassCode
from modelaudit.formats.source_code.methods import OUTPUT_SHAPE
from modelaudit.formats.source_code.running import CALL
from modelaudit.formats.source_code.statements import ParameterUse
from modelaudit.formats.source_code.value_uses import NeededKind
from modelaudit.runtimes.checks.own_classes.given_code import code_of, restores
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config

_LAYER = "Layer"
_KINDS = {dict: "dictionary", list: "list", str: "text", bool: "bool", int: "int", float: "float"}
# What the code does with a value, and what to do about it.
_SAID = {
    NeededKind.TUPLE: ("adds a tuple to it", "make a tuple of it again: `tuple({})`"),
    NeededKind.ATTRIBUTE: ("uses `{}` of it", "make an object of {} again if it is none"),
    NeededKind.KEY: ("asks it for {}, where the file has a text", "make the keys of {} numbers"),
}


def check(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """The first use of a value that what the file has for it does not allow."""
    code = code_of(node, context)
    if code is None or restores(code, context.code) is not False or not code.static:
        return
    config = mapping(node.get("config"))
    for each in code.running.values:
        # A use under a condition is likely one that asks what the value is.
        runs = each.use.always and _runs(each, code, context)
        if each.parameter not in config or not runs:
            continue
        value = config[each.parameter]
        if each.need == NeededKind.SHAPE and type(value) is int and context.profile.keras3:
            yield _integer(each.parameter, value, code, route)
            return
        error = _error(each, value)
        if not error:
            continue
        what, fix = _SAID[NeededKind(each.need)]
        yield Reason(
            "value-of-json",
            LoadOutcome.FAILS,
            f"the config of `{route}` has {each.parameter} as a {_KINDS[type(value)]}, as JSON "
            f"keeps it, and {code.name} ({code.where}) {what.format(each.name)}",
            error,
            f"In the constructor of {code.name}, {fix.format(each.parameter)}.",
            route,
        )
        return


def _integer(parameter: str, value: int, code: ClassCode, route: str) -> Reason:
    """A number where Keras 3 takes a list of numbers alone."""
    return Reason(
        "integer-as-shape",
        LoadOutcome.FAILS,
        f"{code.name} ({code.where}) gives {parameter} to `add_weight` as a shape, which the "
        f"config of `{route}` has as {value}, and Keras 3 takes no number for a shape",
        f"ValueError: Cannot convert '{value}' to a shape.",
        f"Write `shape=(…,)` with a comma in {code.name}.",
        route,
    )


def _runs(each: ParameterUse, code: ClassCode, context: CheckContext) -> bool:
    """Whether a loader gets there: it makes the layer, and calls it if the model connects it."""
    shaped = context.code.defines(code, OUTPUT_SHAPE) is not False
    if each.of_shape:
        return context.profile.keras3
    if not each.use.called:
        return True
    plain = context.code.base(code).rpartition(".")[2] == _LAYER
    return plain and CALL in code.methods and not (shaped and context.profile.keras3)


def _error(each: ParameterUse, value: Json) -> str:
    """What Python says of it; "" if it may do so."""
    kind = type(value)
    if kind not in _KINDS or "class_name" in mapping(value):
        return ""
    if each.need == NeededKind.TUPLE and kind is list:
        return "TypeError: can only concatenate …"
    if each.need == NeededKind.ATTRIBUTE and not hasattr(kind, each.name):
        return f"AttributeError: '…' object has no attribute '{each.name}'"
    if each.need == NeededKind.KEY and kind is dict:
        return f"KeyError: {each.name}"
    return ""
