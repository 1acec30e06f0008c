"""Constant folding: evaluates operations on constants, such as joined paths and computed shapes.

Values are flat lists of numbers, strings or booleans; None is an unknown value.
"""

from __future__ import annotations

import base64
import binascii
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

from modelaudit.facts import Json

Values: TypeAlias = "list[Json] | None"
Attributes: TypeAlias = "Mapping[str, Json]"

PASSING = frozenset(
    [
        *("Identity", "IdentityN", "Snapshot", "StopGradient", "PreventGradient", "EnsureShape"),
        *("Reshape", "ExpandDims", "Squeeze", "Cast", "Enter", "RefEnter", "Switch", "RefSwitch"),
        *("Exit", "NextIteration"),
    ]
)
"""Operations whose first input is treated as the value itself."""

_MOST_VALUES = 1024
_LONGEST_TEXT = 4096
_LARGEST = 1 << 128  # larger than any size; keeps numbers from growing with every step


def _power(base: float, exponent: float) -> float:
    try:
        power = math.pow(base, exponent)
    except (OverflowError, ValueError):
        return _LARGEST
    return int(power) if power.is_integer() else power


def _whole(rounding: Callable[[float], int], number: float) -> float:
    """A rounded number; infinity and NaN as they are."""
    return rounding(number) if math.isfinite(number) else number


_NUMBERS: Mapping[str, Callable[[float, float], float]] = {
    "Mul": operator.mul,
    "Add": operator.add,
    "AddV2": operator.add,
    "Sub": operator.sub,
    "Maximum": max,
    "Minimum": min,
    "Pow": _power,
    "LeftShift": lambda a, b: _power(2, b) * a,
    "RightShift": lambda a, b: a // _power(2, max(b, 0)) if b < _MOST_VALUES else 0,
    "FloorDiv": lambda a, b: a // b if b else 0,
    "Div": lambda a, b: a / b if b else 0,
    "RealDiv": lambda a, b: a / b if b else 0,
}
_ALONE: Mapping[str, Callable[[float], float]] = {
    "Neg": operator.neg,
    "Abs": abs,
    "Square": lambda number: _power(number, 2),
    "Exp": lambda number: _power(math.e, number),
    "Sqrt": lambda number: math.sqrt(max(number, 0)),
    "Floor": lambda number: _whole(math.floor, number),
    "Ceil": lambda number: _whole(math.ceil, number),
    # Half to even, as in TensorFlow.
    **dict.fromkeys(("Round", "Rint"), lambda number: _whole(round, number)),
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "Equal": operator.eq,
    "NotEqual": operator.ne,
}
_REDUCTIONS: Mapping[str, Callable[[list[float]], float]] = {
    "Prod": lambda numbers: reduce(lambda a, b: _clipped(a * b), numbers),
    "Sum": sum,
    "Max": max,
    "Min": min,
}


def fold(op: str, inputs: Sequence[Values], attributes: Attributes) -> Values:
    """The output of an operation on constants; None if the operation is not supported."""
    made = _fold(op, inputs, attributes)
    return made if made is not None and is_small(made) else None


def is_small(values: list[Json]) -> bool:
    """Whether values are few and short: a string that is joined with itself doubles every time."""
    long = any(isinstance(value, str) and len(value) > _LONGEST_TEXT for value in values)
    return len(values) <= _MOST_VALUES and not long


def _fold(op: str, inputs: Sequence[Values], attributes: Attributes) -> Values:
    if op in {"LogicalOr", "LogicalAnd"}:  # one side can decide
        decisive: list[Json] = [op == "LogicalOr"]
        return decisive if decisive in inputs else _all(inputs, lambda: [not decisive[0]])
    known = [values for values in inputs if values is not None]
    if not known or (len(known) != len(inputs) and op not in PASSING) or inputs[0] is None:
        return None
    first, second = known[0], known[1] if len(known) > 1 else []
    if op in PASSING:
        return first
    if op in {"Pack", "Concat", "ConcatV2"}:
        parts = {"Pack": known, "Concat": known[1:], "ConcatV2": known[:-1]}[op]
        return [value for part in parts for value in part]
    if op == "LogicalNot":
        return [not value for value in first]
    if op in {"Select", "SelectV2"} and len(known) == 3 and len({*map(len, known)}) == 1:
        return [b if a else c for a, b, c in zip(*known, strict=True)]
    if op == "Fill":
        count = math.prod(n for n in first if isinstance(n, int))
        return second * count if 0 < count <= _MOST_VALUES else None
    if op in _NUMBERS or op in _COMPARISONS:
        return _elementwise(op, first, second)
    if op in _ALONE:
        return [_clipped(_ALONE[op](number)) for number in _numbers(first)] or None
    if op in _REDUCTIONS:
        numbers = _numbers(first)
        return [_clipped(_REDUCTIONS[op](numbers))] if numbers else None
    return _texts(op, known, attributes)


def _all(inputs: Sequence[Values], made: Callable[[], list[Json]]) -> Values:
    return made() if inputs and all(values is not None for values in inputs) else None


def _elementwise(op: str, first: list[Json], second: list[Json]) -> Values:
    a, b = _numbers(first), _numbers(second)
    if not a or not b or (len(a) != len(b) and 1 not in {len(a), len(b)}):
        return None
    size = max(len(a), len(b))
    pairs = zip(a * (size // len(a)), b * (size // len(b)), strict=True)
    if op in _COMPARISONS:
        return [_COMPARISONS[op](x, y) for x, y in pairs]
    return [_clipped(_NUMBERS[op](x, y)) for x, y in pairs]


def _numbers(values: list[Json]) -> list[float]:
    numbers = [value for value in values if isinstance(value, (int, float))]
    return [*numbers] if len(numbers) == len(values) <= _MOST_VALUES else []


def _clipped(number: float) -> float:
    return max(min(number, _LARGEST), -_LARGEST)


def _texts(op: str, inputs: list[list[Json]], attributes: Attributes) -> Values:
    texts = [[value for value in values if isinstance(value, str)] for values in inputs]
    separator = attributes.get("separator")
    separator = separator if isinstance(separator, str) else ""
    if op == "StringJoin":
        return [separator.join(values[0] for values in texts)] if _alone(texts) else None
    if op == "ReduceJoin":
        return [separator.join(texts[0])]
    if op == "AsString":
        return [str(value) for value in inputs[0]]
    if op == "StringFormat":
        return _formatted([value for values in inputs for value in values], attributes)
    if op == "UnicodeEncode":
        numbers = [n for n in inputs[0] if isinstance(n, int) and 0 <= n < 0xD800]
        return ["".join(map(chr, numbers))]
    if op == "DecodeBase64" and _alone(texts):
        return _decoded(texts[0][0])
    if op == "StringStrip":
        return [text.strip() for text in texts[0]]
    if op == "StringLower":
        return [text.lower() for text in texts[0]]
    if op == "StringUpper":
        return [text.upper() for text in texts[0]]
    return None


def _alone(texts: list[list[str]]) -> bool:
    return all(len(values) == 1 for values in texts)


def _formatted(values: list[Json], attributes: Attributes) -> Values:
    text, mark = attributes.get("template"), attributes.get("placeholder")
    if not isinstance(text, str) or not isinstance(mark, str) or not mark:
        return None
    pieces = text.split(mark)
    filled = [*map(str, values), *[""] * len(pieces)]
    return ["".join(a + b for a, b in zip(pieces, [*filled[: len(pieces) - 1], ""], strict=True))]


def _decoded(text: str) -> Values:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return [data.decode("utf-8", "backslashreplace")]
