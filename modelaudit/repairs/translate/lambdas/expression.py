"""One expression from the bytecode of a function, by symbolic execution. Nothing is run."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from modelaudit.formats.bytecode.instructions import (
    Instruction,
    Version,
    instructions,
    versions_between,
)
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code

MOST_INSTRUCTIONS = 400
MOST_VALUE = 1 << 31  # of a whole number that is computed
MOST_TERMS = 200  # of the expression, with every variable replaced by what it stands for
_SKIPPED = ("RESUME", "PRECALL", "CACHE", "NOP")
_CALLS = ("CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_FUNCTION_KW", "CALL_KW")
_BINARY = {
    "BINARY_ADD": "+",
    "BINARY_SUBTRACT": "-",
    "BINARY_MULTIPLY": "*",
    "BINARY_TRUE_DIVIDE": "/",
    "BINARY_DIVIDE": "/",  # of Python 2, which divides tensors of floats as Python 3 does
    "BINARY_POWER": "**",
    "BINARY_MATRIX_MULTIPLY": "@",
}
_WHOLE = {"+": operator.add, "-": operator.sub, "*": operator.mul}
# Arguments of BINARY_OP, from `opcode._nb_ops` of Python 3.11 to 3.14.
_OPERATORS = {0: "+", 4: "@", 5: "*", 8: "**", 10: "-", 11: "/", 26: "[]"}

WORDCODE: Version = (3, 6)  # before it, calls count names and values of keywords apart

Literal: TypeAlias = "bool | int | float | str | slice | tuple[Literal, ...] | None"
Value: TypeAlias = "Parameter | Constant | Name | Apply | Listed"


class Unknown(ValueError):
    """The code has an instruction, a name or a form that is not known here."""


class Parameter(Struct, frozen=True):
    """The argument of the function."""


class Constant(Struct, frozen=True):
    """A literal. Slices are those of Python; an ellipsis is the string "..."."""

    value: Literal


class Name(Struct, frozen=True):
    """A global name with its attributes, `tf.math.abs`."""

    path: str


class Listed(Struct, frozen=True):
    """A list or tuple with expressions in it."""

    items: tuple[Value, ...]


class Apply(Struct, frozen=True):
    """A call of a function, or of an operator (`+`, `[]` …)."""

    function: str
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value] = field(default_factory=dict)


class _Null(Struct, frozen=True):
    """What Python 3.11 and later push below a function that is no method."""


def expression_of(read: Bytecode, known: Mapping[str, Value] | None = None) -> Value:
    """The expression that a function returns, in its first argument.

    Args:
        read: the code.
        known: values of its other arguments.

    Raises:
        Unknown: it is not one expression, or Pythons of its layout read it differently.
    """
    code = read.code
    if not code.arguments or not code.variables:
        raise Unknown("it takes no argument")
    found: list[Value] = []
    problems: list[str] = []
    # The stream does not say which Python of its layout wrote it: all that can read it must agree.
    for version in versions_between(read.layout.first, read.layout.last):
        decoded = instructions(code.bytecode, version)
        if decoded is None:
            continue
        try:
            found.append(_executed(code, decoded, version, known or {}))
        except (Unknown, IndexError) as error:
            problems.append(str(error))
    if not found or any(each != found[0] for each in found):
        raise Unknown(problems[0] if problems else "its Python is not known")
    return found[0]


def _executed(
    code: Code, decoded: Sequence[Instruction], version: Version, known: Mapping[str, Value]
) -> Value:
    if len(decoded) > MOST_INSTRUCTIONS:
        raise Unknown("it has too many instructions")
    machine = _Machine(code, version, known)
    for each in decoded:
        if each.name == "RETURN_VALUE":
            value = machine.result()
            if _terms(value, {}) > MOST_TERMS:
                raise Unknown("it is too long")
            return value
        machine.step(each)
    raise Unknown("it does not return")


def _terms(value: Value, counted: dict[int, int]) -> int:
    """The number of terms; one that is used twice counts twice, but is looked at once."""
    if id(value) not in counted:
        inner: tuple[Value, ...] = ()
        if isinstance(value, Apply):
            inner = (*value.args, *value.kwargs.values())
        elif isinstance(value, Listed):
            inner = value.items
        counted[id(value)] = 1 + sum(_terms(each, counted) for each in inner)
    return counted[id(value)]


class _Machine:
    """A stack of expressions, and the variables."""

    def __init__(self, code: Code, version: Version, known: Mapping[str, Value]) -> None:
        self.code = code
        self.version = version
        self.stack: list[Value | _Null] = []
        self.keywords: tuple[str, ...] = ()
        self.variables: dict[int, Value] = {
            number: known[name] for number, name in enumerate(code.variables) if name in known
        }
        self.variables[0] = Parameter()

    def result(self) -> Value:
        if len(self.stack) != 1:
            raise Unknown("it is not one expression")
        return self._pop()

    def step(self, at: Instruction) -> None:
        """Execute one instruction."""
        name, argument = at.name, at.argument
        if name in _SKIPPED:
            return
        if name in _BINARY or name == "BINARY_SUBSCR":
            self._operator(_BINARY.get(name, "[]"))
        elif "_FAST" in name:
            self._variables(name, argument)
        elif name.startswith("LOAD_") and name not in ("LOAD_CONST", "LOAD_SMALL_INT"):
            self._load(name, argument)
        elif name.startswith("CALL"):
            self._call(name, argument)
        elif name.startswith("BUILD_"):
            self._build(name, argument)
        else:
            self._other(name, argument)

    def _other(self, name: str, argument: int) -> None:
        match name:
            case "LOAD_CONST":
                self.stack.append(Constant(literal(self.code.constants[argument])))
            case "LOAD_SMALL_INT":
                self.stack.append(Constant(argument))
            case "PUSH_NULL":
                self.stack.append(_Null())
            case "KW_NAMES":
                self.keywords = _names(self.code.constants[argument])
            case "BINARY_OP" if argument in _OPERATORS:
                self._operator(_OPERATORS[argument])
            case "BINARY_SLICE":
                self._build("BUILD_SLICE", 2)
                self._operator("[]")
            case "UNPACK_SEQUENCE":
                owner = self._pop()
                items = [Apply("[]", (owner, Constant(place))) for place in range(argument)]
                self.stack += items[::-1]
            case "UNARY_NEGATIVE":
                self.stack.append(Apply("-", (Constant(0), self._pop())))
            case _:
                raise Unknown(f"the instruction {name} {argument}")

    def _pop(self) -> Value:
        value = self.stack.pop()
        if isinstance(value, _Null):
            raise Unknown("a call in an unknown form")
        return value

    def _several(self, count: int) -> list[Value]:
        return [self._pop() for _ in range(count)][::-1]

    def _variables(self, name: str, argument: int) -> None:
        """Read or set variables; Python 3.13 and later do two at once, four bits for each."""
        steps = name.split("_FAST")[:-1]
        numbers = (argument,) if len(steps) == 1 else (argument >> 4, argument & 15)
        for step, number in zip(steps, numbers, strict=True):
            if step.endswith("STORE"):
                self.variables[number] = self._pop()
            elif step.endswith("LOAD") and number in self.variables and "CLEAR" not in name:
                self.stack.append(self.variables[number])
            else:
                raise Unknown(f"the instruction {name} {argument}")

    def _load(self, name: str, argument: int) -> None:
        """A name or its attribute; newer Pythons mark calls in the lowest bit."""
        if name not in ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"):
            raise Unknown(f"the instruction {name}")
        marked = name == "LOAD_GLOBAL" and self.version >= (3, 11)
        marked = marked or (name == "LOAD_ATTR" and self.version >= (3, 12))
        called = (marked and argument & 1) or (name == "LOAD_METHOD" and self.version >= (3, 11))
        word = self.code.names[argument >> marked]
        if name == "LOAD_GLOBAL":
            path = word
        else:
            owner = self._pop()
            if not isinstance(owner, Name):
                raise Unknown(f"the attribute {word} of a tensor")
            path = f"{owner.path}.{word}"
        if called:
            self.stack.append(_Null())
        self.stack.append(Name(path))

    def _operator(self, symbol: str) -> None:
        left, right = self._several(2)
        known = _computed(symbol, left, right)
        self.stack.append(Apply(symbol, (left, right)) if known is None else Constant(known))

    def _build(self, name: str, count: int) -> None:
        """A tuple, list or slice."""
        items = self._several(count)
        values = [each.value for each in items if isinstance(each, Constant)]
        constant = len(values) == count
        if name == "BUILD_SLICE":
            if not constant:
                raise Unknown("a slice with computed bounds")
            self.stack.append(Constant(slice(*values)))
        elif name in ("BUILD_TUPLE", "BUILD_LIST"):
            self.stack.append(Constant(tuple(values)) if constant else Listed(tuple(items)))
        else:
            raise Unknown(f"the instruction {name}")

    def _call(self, name: str, count: int) -> None:
        keywords = self.keywords
        if name not in _CALLS:
            raise Unknown(f"the instruction {name}")
        if name in ("CALL_FUNCTION_KW", "CALL_KW"):
            named = self._pop()
            keywords = _names(named.value if isinstance(named, Constant) else None)
        self.keywords = ()
        if self.version < WORDCODE:
            count, pairs = count & 0xFF, self._several(2 * (count >> 8))
            keywords = _names(
                tuple(each.value for each in pairs[::2] if isinstance(each, Constant))
            )
            named_values = pairs[1::2]
            values = [*self._several(count), *named_values]
        else:
            values = self._several(count)
        function = self._pop()
        if not isinstance(function, Name):
            raise Unknown("a call of something else than a named function")
        if self.stack and isinstance(self.stack[-1], _Null):
            self.stack.pop()
        plain = len(values) - len(keywords)
        given = dict(zip(keywords, values[plain:], strict=True))
        self.stack.append(Apply(function.path, tuple(values[:plain]), given))


def _computed(symbol: str, left: Value, right: Value) -> int | None:
    """The result of whole numbers, as in the bounds of a slice; None if it is not known."""
    if not (isinstance(left, Constant) and isinstance(right, Constant) and symbol in _WHOLE):
        return None
    one, other = left.value, right.value
    if type(one) is not int or type(other) is not int:
        return None
    found: int = _WHOLE[symbol](one, other)
    return found if abs(found) < MOST_VALUE else None


def literal(value: object) -> Literal:
    """A constant of code, or of JSON, as a literal.

    Raises:
        Unknown: it is neither a number, a text nor a sequence of them.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes) and value.isascii():  # a string of Python 2
        return value.decode("ascii")
    if isinstance(value, tuple | list):
        return tuple(map(literal, value))
    raise Unknown(f"a constant of type {type(value).__name__}")


def _names(value: object) -> tuple[str, ...]:
    found = literal(value)
    if isinstance(found, tuple) and all(isinstance(each, str) for each in found):
        return tuple(map(str, found))
    raise Unknown("keyword names in an unknown form")


def shown(value: Value, parameter: str) -> str:
    """The expression as Python text."""
    match value:
        case Parameter():
            return parameter
        case Constant(value=literal):
            return _shown_literal(literal)
        case Name(path=path):
            return path
        case Listed(items=items):
            return "[" + ", ".join(shown(each, parameter) for each in items) + "]"
        case Apply(function="[]", args=(owner, key)):
            return f"{shown(owner, parameter)}[{shown(key, parameter).strip('()')}]"
        case Apply(function=symbol, args=(left, right)) if symbol in _SYMBOLS:
            return f"({shown(left, parameter)} {symbol} {shown(right, parameter)})"
        case Apply(function=function, args=args, kwargs=kwargs):
            words = [shown(each, parameter) for each in args]
            words += [f"{key}={shown(each, parameter)}" for key, each in kwargs.items()]
            return f"{function}({', '.join(words)})"


_SYMBOLS = {*_BINARY.values()}


def _shown_literal(value: Literal) -> str:
    if isinstance(value, slice):
        start, stop = ("" if each is None else each for each in (value.start, value.stop))
        return f"{start}:{stop}" + (f":{value.step}" if value.step is not None else "")
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_shown_literal, value)) + ")"
    return repr(value)
