"""Kinds of those values on the stack that CPython trusts: of functions, calls and exceptions."""

from __future__ import annotations

import re
from string import Formatter

from msgspec import Struct

from modelaudit.formats.bytecode.arithmetic_names import arithmetic_names
from modelaudit.formats.bytecode.instructions import Instruction, Version
from modelaudit.formats.bytecode.marshal_reader import Code

CELL, FREE = 0x40, 0x80  # kinds of variables, from Python 3.11 on

# Kinds of values. Others are "", an object of any type.
NULL, LIST, DICT, SET, TUPLE, ONE_CELL = "null", "list", "dict", "set", "tuple", "cell"
EXCEPTION, PREVIOUS, POSITION = "exception", "previous", "position"
TEMPLATE = "template"  # a text whose `format` reads no more than code may
_DEFAULTS = {1: (TUPLE,), 2: (DICT,), 4: (TUPLE, DICT), 16: ("function:0",)}
_CLOSURE = 8
_FIELD = re.compile(r"\w*(?:\.\w+|\[\w+\])*")  # an argument, and attributes and items of it
_ATTRIBUTE = re.compile(r"\.(\w+)")

Kinds = tuple[str, ...]


class Unsound(Exception):
    """No compiler writes this."""


class Step(Struct, frozen=True):
    """An instruction, the next one, and the code and version that they belong to."""

    each: Instruction
    following: Instruction
    code: Code
    version: Version


def need(true: bool) -> None:
    """Raise `Unsound` unless a condition holds."""
    if not true:
        raise Unsound


def holds_cell(code: Code, index: int) -> bool:
    """Whether a variable is a cell, from Python 3.11 on."""
    return index < len(code.kinds) and bool(code.kinds[index] & (CELL | FREE))


def loaded(step: Step) -> str:
    """The kind of a constant, or of the value of a local variable."""
    index = step.each.argument
    if step.each.name != "LOAD_CONST":
        if holds_cell(step.code, index):
            return ONE_CELL
        return f"local:{index}" if step.each.name.endswith("BORROW") else ""
    value = step.code.constants[index] if index < len(step.code.constants) else None
    if isinstance(value, Code):
        return f"code:{value.free + sum(bool(kind & FREE) for kind in value.kinds)}"
    if isinstance(value, tuple):
        text = str if step.version >= (3,) else (str, bytes)
        return f"names:{len(value)}" if all(isinstance(e, text) for e in value) else TUPLE
    return TEMPLATE if is_plain_template(value) else ""


def is_plain_template(value: object) -> bool:
    """Whether a constant is a text for which `str.format` takes only attributes that code may take.

    It takes attributes of its arguments, as `"{0.__class__}".format(x)` does.
    """
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    allowed = arithmetic_names()["values"]
    try:
        return isinstance(text, str) and all(
            field is None
            or (
                _FIELD.fullmatch(field) is not None
                and allowed.issuperset(_ATTRIBUTE.findall(field))
                and is_plain_template(form)
            )
            for _, field, form, _ in Formatter().parse(text)
        )
    except (ValueError, RecursionError):  # braces that do not match
        return False


def formats_a_text(step: Step) -> bool:
    """Whether an instruction takes the attribute `format`, with which a text reads any other."""
    return attribute(step.each, step.code.names, step.version) == "format"


def attribute(each: Instruction, names: tuple[str, ...], version: Version) -> str | None:
    """The attribute that an instruction takes; None if it takes none, or none that has a name."""
    if each.name not in {"LOAD_ATTR", "LOAD_METHOD"}:
        return None
    index = each.argument >> (version >= (3, 12) and each.name == "LOAD_ATTR")
    return names[index] if index < len(names) else f"name {index} of {len(names)}"


def _is(kind: str, wanted: str) -> bool:
    return kind == wanted or (wanted == TUPLE and kind.startswith(("names", "cells")))


def function_of(name: str, count: int, taken: Kinds, version: Version) -> str:
    """The kind of a function that is made of values: its code, closure and defaults."""
    above = (3, 3) <= version < (3, 11)  # its name
    kind, _, free = taken[-1 - above].partition(":")
    need(kind == "code")
    if version >= (3, 13):
        return f"function:{free}"
    rest = list(taken[: len(taken) - 1 - above])
    closed = name == "MAKE_CLOSURE" or (version >= (3, 6) and bool(count & _CLOSURE))
    need((rest.pop() if closed else "cells:0") == f"cells:{free}")
    if version >= (3, 6):
        given = [bit for bit in (4, 2, 1) if count & bit]
        need(count < 16 and all(any(_is(rest.pop(), k) for k in _DEFAULTS[b]) for b in given))
    return "function:0"


def with_attribute(flag: int, value: str, function: str) -> str:
    """The kind of a function with one more attribute, from Python 3.13 on."""
    name, _, free = function.partition(":")
    need(name == "function")
    if flag == _CLOSURE:
        need(value == f"cells:{free}")
        return "function:0"
    need(any(_is(value, wanted) for wanted in _DEFAULTS.get(flag, ())))
    return function


def check_call(step: Step, taken: Kinds) -> None:
    """Names of arguments are a tuple of texts, no more than there are arguments."""
    name, count, version = step.each.name, step.each.argument, step.version
    if name in {"CALL_KW", "CALL_FUNCTION_KW"} and version >= (3, 6):
        kind, _, size = taken[-1].partition(":")
        need(kind == "names" and int(size) <= count)
    elif name == "KW_NAMES":
        kind, _, size = loaded(Step(Instruction("LOAD_CONST", count), *_rest(step))).partition(":")
        called = step.following
        need(kind == "names" and called.name in {"PRECALL", "CALL"})
        need(int(size) <= called.argument)
    elif name == "CALL_FUNCTION_EX" and version >= (3, 9) and (count & 1 or version >= (3, 14)):
        need(taken[-1] in {DICT, NULL} if version >= (3, 14) else taken[-1] == DICT)


def _rest(step: Step) -> tuple[Instruction, Code, Version]:
    return step.following, step.code, step.version
