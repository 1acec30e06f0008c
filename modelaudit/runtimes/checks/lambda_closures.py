"""Variables around the function of a Lambda, which a file holds as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.bytecode.code_text import code_bytes
from modelaudit.formats.bytecode.instructions import Instruction, instructions, versions_between
from modelaudit.formats.bytecode.marshal_reader import Code, Unreadable, read_bytecode
from modelaudit.runtimes.model import Reason
from modelaudit.runtimes.saved_config import ARRAYS
from modelaudit.work_budget import spend

_FIX = "Define the layer in code and load the weights into it."
LISTS = "lambda-lists"  # code of the reason
_FREE = 0x80  # of the kinds of variables, from Python 3.11 on
# Arithmetic that two lists do not have, by its names before Python 3.11 and its numbers since.
_OPERATIONS = frozenset(
    f"BINARY_{each}"
    for each in ("SUBTRACT", "MULTIPLY", "TRUE_DIVIDE", "FLOOR_DIVIDE", "MODULO", "POWER")
)
_PUSHES = frozenset(("LOAD_CONST", "LOAD_DEREF", "LOAD_FAST", "LOAD_GLOBAL"))
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
    elif any(each in ARRAYS for each in classes):
        yield Reason(
            "lambda-array",
            LoadOutcome.FAILS,
            f"the function of `{route}` uses an array of a function around it, which is a "
            "dictionary once any Keras has read it",
            "Exception encountered when calling",
            _FIX,
            route,
        )
    elif used := _lists_used(held, code):
        yield Reason(
            LISTS,
            LoadOutcome.FAILS,
            f"the function of `{route}` {used} of a function around it, which no list can do, and "
            "arrays are lists once any Keras has read them",
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


def _lists_used(held: Sequence[Json], code: str) -> str:
    """What the code does with variables that are lists now, and no list can do; "" if nothing."""
    lists = {place for place, each in enumerate(held) if isinstance(each, list)}
    if not lists:
        return ""
    spend()
    read = read_bytecode(code_bytes(code))
    if isinstance(read, Unreadable):
        return ""
    places = {place for number, place in enumerate(_free(read.code)) if number in lists}
    found = [
        each
        for version in versions_between(read.layout.first, read.layout.last)
        if (each := instructions(read.code.bytecode, version))
    ]
    if found and all(_meet(each, places) for each in found):
        return "calculates with two variables"
    if found and all(_indexed(each, places, read.code.constants) for each in found):
        return "takes rows or columns of a variable"
    return ""


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


def _indexed(code: Sequence[Instruction], places: set[int], constants: Sequence[object]) -> bool:
    """Whether one of the variables is indexed with a tuple, as in `window[:, None]`."""
    return any(
        each.name == "LOAD_DEREF"
        and each.argument in places
        and _tuple_follows(code[place + 1 :], constants)
        for place, each in enumerate(code)
    )


def _tuple_follows(code: Sequence[Instruction], constants: Sequence[object]) -> bool:
    """Whether instructions make one tuple of names and literals, and index with it."""
    depth = 0
    for each, after in pairwise(code):
        indexes = after.name == "BINARY_SUBSCR"
        if each.name == "BUILD_TUPLE":
            return indexes and depth == each.argument
        if each.name == "BUILD_SLICE":
            depth -= each.argument - 1
        elif each.name in _PUSHES:
            depth += 1
            constant = each.name == "LOAD_CONST" and each.argument < len(constants)
            if indexes and constant and depth == 1:
                return isinstance(constants[each.argument], tuple)
        elif each.name != "LOAD_ATTR":
            return False
    return False
