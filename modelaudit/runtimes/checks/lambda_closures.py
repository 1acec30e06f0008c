"""Variables around the function of a Lambda, which a file holds as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.bytecode.code_text import code_bytes
from modelaudit.formats.bytecode.instructions import Instruction, instructions, versions_between
from modelaudit.formats.bytecode.marshal_reader import Code, Unreadable, read_bytecode
from modelaudit.runtimes.model import Reason
from modelaudit.work_budget import spend

_FIX = "Define the layer in code and load the weights into it."
_ARRAYS = ("__numpy__", "__tensor__")  # what Keras writes, and reads back in other places only
_FREE = 0x80  # of the kinds of variables, from Python 3.11 on
# Arithmetic that two lists do not have, by its names before Python 3.11 and its numbers since.
_OPERATIONS = frozenset(
    f"BINARY_{each}"
    for each in ("SUBTRACT", "MULTIPLY", "TRUE_DIVIDE", "FLOOR_DIVIDE", "MODULO", "POWER")
)
_NUMBERS = (2, 5, 6, 8, 10, 11)


def check(function: Json, code: str, route: str) -> Iterator[Reason]:
    """What of the variables no Keras reads back as it was."""
    held = _held(function)
    classes = [each.get("class_name") for each in held if isinstance(each, dict)]
    if "module" in classes:
        yield Reason(
            "lambda-closure",
            LoadOutcome.FAILS,
            f"the function of `{route}` uses a module that was imported in a function around it, "
            "which no Keras reads back",
            "AttributeError: …'dict' object has no attribute",
            _FIX,
            route,
        )
    elif any(each in _ARRAYS for each in classes):
        yield Reason(
            "lambda-array",
            LoadOutcome.FAILS,
            f"the function of `{route}` uses an array of a function around it, which is a "
            "dictionary once any Keras has read it",
            "Exception encountered when calling",
            _FIX,
            route,
        )
    elif _lists_meet(held, code):
        yield Reason(
            "lambda-lists",
            LoadOutcome.FAILS,
            f"the function of `{route}` calculates with two variables of a function around it, "
            "which were arrays and are lists once any Keras has read them",
            fix=_FIX,
            route=route,
        )


def _held(function: Json) -> Sequence[Json]:
    """The values of the variables, in the order of their names in the code."""
    if isinstance(function, dict):
        inner = function.get("config")
        held = inner.get("closure") if isinstance(inner, dict) else None
    else:
        held = function[2] if isinstance(function, list) and len(function) > 2 else None
    return held if isinstance(held, list) else ()


def _lists_meet(held: Sequence[Json], code: str) -> bool:
    """Whether the code subtracts, multiplies or divides two variables that are lists now."""
    lists = {place for place, each in enumerate(held) if isinstance(each, list)}
    if len(lists) < 2:
        return False
    spend()
    read = read_bytecode(code_bytes(code))
    if isinstance(read, Unreadable):
        return False
    places = {place for number, place in enumerate(_free(read.code)) if number in lists}
    found = [
        _meet(each, places)
        for version in versions_between(read.layout.first, read.layout.last)
        if (each := instructions(read.code.bytecode, version))
    ]
    return bool(found) and all(found)


def _free(code: Code) -> Sequence[int]:
    """Where the code has the variables of outer functions among all it has."""
    if code.kinds:
        return [place for place, kind in enumerate(code.kinds) if kind & _FREE]
    return range(len(code.closure) - code.free, len(code.closure))


def _meet(code: Sequence[Instruction], places: set[int]) -> bool:
    """Whether two of the variables are put on the stack, and then calculated with."""
    return any(
        one.name == two.name == "LOAD_DEREF"
        and {one.argument, two.argument} <= places
        and (last.name in _OPERATIONS or (last.name == "BINARY_OP" and last.argument in _NUMBERS))
        for one, two, last in zip(code, code[1:], code[2:], strict=False)
    )
