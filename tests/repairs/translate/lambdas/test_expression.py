"""Expressions read from bytecode, against what Python computes with the same code."""

from __future__ import annotations

import marshal
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.formats.bytecode.code_fields import LAYOUTS
from modelaudit.formats.bytecode.marshal_reader import Bytecode, read_bytecode
from modelaudit.repairs.translate.lambdas.expression import (
    Constant,
    Unknown,
    expression_of,
    shown,
)
from modelaudit.structs import replace

FUNCTIONS = types.SimpleNamespace(
    abs=np.abs,
    mean=lambda x, axis=None, keepdims=False: np.mean(x, axis=axis, keepdims=keepdims),
    maximum=np.maximum,
    nn=types.SimpleNamespace(relu=lambda x: np.maximum(x, 0)),
)
K = FUNCTIONS
X = np.linspace(-2, 3, 24).reshape(2, 3, 4)

HONEST = [
    "lambda x: x",
    "lambda x: x / 127.5 - 1",
    "lambda x: 1 - x",
    "lambda x: -x * 3",
    "lambda x: (x - 0.5) ** 2 + x",
    "lambda x: x[:, 0]",
    "lambda x: x[:, -1, :]",
    "lambda x: x[0:2, 1:3]",
    "lambda x: K.abs(x[0] - x[1])",
    "lambda x: K.mean(x, axis=1)",
    "lambda x: K.mean(x, 1, keepdims=True) * 2",
    "lambda x: K.nn.relu(x) + K.maximum(x, 0.25)",
    "lambda x: K.mean(x, axis=(1, 2))",
]
OTHERS = [
    "lambda x: x if x.sum() > 0 else -x",
    "lambda x: [y for y in x]",
    "lambda x: (lambda y: y)(x)",
    "lambda x: x.reshape(4)",
    "lambda x: K.__class__(x)(x)",
    "lambda x: f'{x}'",
    "lambda x: x.tofile('a')",
    "lambda x, y=1: x * y",
    "lambda x: K.mean(*x)",
]


def read(source: str) -> Bytecode:
    found = read_bytecode(marshal.dumps(eval(source).__code__))
    assert isinstance(found, Bytecode)
    return found


@pytest.mark.parametrize("source", HONEST)
def test_the_text_of_the_expression_computes_what_the_code_does(source: str) -> None:
    text = shown(expression_of(read(source)), "x")
    names = {"K": FUNCTIONS, "x": X}
    assert np.array_equal(eval(text, dict(names)), eval(source, dict(names))(X))


@pytest.mark.parametrize("source", OTHERS)
def test_other_code_is_no_expression(source: str) -> None:
    with pytest.raises(Unknown):
        expression_of(read(source))


def two_steps(pair, scale=2.0):
    left, right = pair[0], pair[1]
    apart = K.abs(left - right)
    return (apart * scale + apart) / left


def swapped(pair, scale):
    a = pair * scale
    b = a - 1
    a = b * b
    return a + b


FUNCTION_CASES = [(two_steps, {}), (two_steps, {"scale": 0.5}), (swapped, {"scale": 3})]


@pytest.mark.parametrize(("function", "given"), FUNCTION_CASES)
def test_statements_and_other_arguments(function: types.FunctionType, given: dict) -> None:
    code = read_bytecode(marshal.dumps(function.__code__))
    assert isinstance(code, Bytecode)
    known = {"scale": Constant(given.get("scale", 2.0))}
    text = shown(expression_of(code, known), "x")
    names = {"K": FUNCTIONS, "x": X}
    there = types.FunctionType(function.__code__, names, argdefs=function.__defaults__)
    assert np.array_equal(eval(text, dict(names)), there(X, **given))


def doubled(x):
    x = x + x
    x = x + x
    x = x + x
    x = x + x
    x = x + x
    x = x + x
    x = x + x
    return x + x


def test_an_expression_that_grows_with_each_statement_is_not_written_out() -> None:
    code = read_bytecode(marshal.dumps(doubled.__code__))
    assert isinstance(code, Bytecode)
    with pytest.raises(Unknown, match="too long"):
        expression_of(code)


def test_an_argument_without_a_value_is_unknown() -> None:
    code = read_bytecode(marshal.dumps(swapped.__code__))
    assert isinstance(code, Bytecode)
    with pytest.raises(Unknown):
        expression_of(code)


numbers = st.floats(-8, 8).map(lambda value: round(value, 2))
terms = st.recursive(
    st.one_of(st.just("x"), numbers.map(lambda value: f"({value!r})")),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda each: f"({each[0]} {each[1]} {each[2]})"
    ),
    max_leaves=8,
)


@given(terms)
def test_arithmetic_of_any_form(term: str) -> None:
    source = f"lambda x: {term}"
    text = shown(expression_of(read(source)), "x")
    for x in (-1.75, 0.5, 3.0):
        assert eval(text, {"x": x}) == eval(source)(x)


@pytest.mark.parametrize("bytecode", [b"|\x00d\x01\x14\x00d\x02\x17\x00S\x00"])
def test_instructions_of_python_3_6_to_3_10(bytecode: bytes) -> None:
    code = replace(read("lambda t: t").code, constants=(None, 2.0, 1.0), bytecode=bytecode)
    for layout in (each for each in LAYOUTS if (3, 0) <= each.first < (3, 11)):
        assert shown(expression_of(Bytecode(layout, code)), "t") == "((t * 2.0) + 1.0)"


def test_a_call_with_keywords_in_python_3_7() -> None:
    code = replace(
        read("lambda t: t").code,
        names=("tf", "reduce_sum"),
        constants=(None, 1, ("axis",)),
        bytecode=b"t\x00j\x01|\x00d\x01d\x02\x8d\x02S\x00",
    )
    found = expression_of(Bytecode(next(each for each in LAYOUTS if each.first == (3, 0)), code))
    assert shown(found, "t") == "tf.reduce_sum(t, axis=1)"


def test_keywords_of_python_before_3_6() -> None:
    # `lambda t: K.mean(t, axis=1)`: CALL_FUNCTION with one value and one pair of name and value
    code = replace(
        read("lambda t: t").code,
        names=("K", "mean"),
        constants=(None, b"axis", 1),
        bytecode=b"t\x00\x00j\x01\x00|\x00\x00d\x01\x00d\x02\x00\x83\x01\x01S",
    )
    (layout,) = (each for each in LAYOUTS if each.last == (2, 7))
    assert shown(expression_of(Bytecode(layout, code)), "t") == "K.mean(t, axis=1)"


def test_bounds_of_a_slice_are_computed_from_whole_numbers() -> None:
    code = read("lambda x, i=1: x[:, i * 2 - 1 : (i + 1) * 2]")
    computed = expression_of(code, {"i": Constant(1)})
    assert computed == expression_of(read("lambda x: x[:, 1:4]"))
    huge = read("lambda x, i=1: x[: i * 65536 * 65536]")
    with pytest.raises(Unknown, match="computed bounds"):
        expression_of(huge, {"i": Constant(1)})
