"""Decisions at the edges of `modelaudit.thresholds.security`."""

from __future__ import annotations

import marshal
from base64 import b64encode
from types import CodeType

import pytest

from modelaudit.facts import GraphFunction, GraphNode, Problem, ProblemKind
from modelaudit.formats.bytecode.code_fields import LAYOUTS
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import model
from modelaudit.rules.model import Facts
from modelaudit.rules.security.config.allowed_code import judge_bytecode
from modelaudit.rules.security.config.examples import keras_layer, lambda_layer, with_layers
from modelaudit.rules.security.graph.examples import constant, graph_with
from tests.thresholds.edges import Edges, check, outcome

EDGES = Edges()
at = EDGES.at


def pattern(text):
    policy = {
        "module": "keras.dtype_policies",
        "class_name": "DTypePolicyMap",
        "config": {"default_policy": "float32", "policy_map": {text: "float32"}},
    }
    return outcome("MA713", with_layers(keras_layer("Dense", dtype=policy)))


@at("security.PATTERN_LENGTH", {256: "pass", 257: "fail"})
def long_pattern(length):
    return pattern("a" * length)


@at("security.PATTERN_REPEATS", {5: "pass", 6: "fail"})
def repeats(times):
    return pattern("a*" * times)


@at("security.LEFT_BYTES", {63: ["info"], 64: ["info"], 65: ["medium"]})
def bytes_that_nothing_refers_to(count):
    evidence = {"tflite": "unused", "measured": count}
    problem = Problem(ProblemKind.OTHER, "m.tflite", "has bytes", evidence=evidence)
    found = run_rule(rule("MA761"), Facts(model(problems=(problem,)))).findings
    return [each.severity for each in found]


@at("security.LARGEST_SIZE", {2147483648: "pass", 2147483649: "fail"})
def axis(size):
    return outcome("MA714", with_layers(keras_layer("Dense", units=size)))


@at("security.LOOP_ROUNDS", {10**8: "pass", 10**8 + 1: "fail"})
def rounds_of_a_graph(count):
    """A loop that counts to this number."""
    below = GraphNode("below", "Less", ("i", "n:output:0"))
    more = GraphNode("more", "AddV2", ("i", "one:output:0"))
    bound, one = (constant(name, n, dtype="int64") for name, n in (("n", count), ("one", 1)))
    functions = {
        "when": GraphFunction("when", ("i",), (bound, below), {"c": "below:z:0"}),
        "body": GraphFunction("body", ("i",), (one, more), {"i": "more:z:0"}),
    }
    called = {"cond": {"function": "when"}, "body": {"function": "body"}}
    start = constant("start", 0, dtype="int64")
    return outcome("MA753", graph_with("While", (start,), called, functions))


def code_with(literal):
    """A layer with the code `lambda x: (x, literal)`."""
    (code,) = [
        value
        for value in compile(f"lambda x: [x, {literal!r}]", "layer.py", "eval").co_consts
        if isinstance(value, CodeType)
    ]
    return outcome("MA717", with_layers(lambda_layer(b64encode(marshal.dumps(code)).decode())))


@at("security.CODE_TEXT", {1024: "pass", 1025: "fail"})
def long_text_in_code(length):
    return code_with(("ab " * length)[:length])


@at("security.CODE_WORD", {64: "pass", 65: "fail"})
def long_word_in_code(length):
    return code_with("a" * length)


@at("security.CODE_NUMBERS", {1024: "pass", 1025: "fail"})
def numbers_in_code(count):
    return code_with((0.5,) * count)


@at("security.CODE_BYTES", {65536: "pass", 65537: "fail"})
def long_code(size):
    """`lambda x: x` of Python 2.7, with instructions of one byte, `NOP`, at the end."""
    instructions = bytes([124, 0, 0, 83]).ljust(size, b"\x09")
    code = Code("<lambda>", "layer.py", 1, (), ("x",), (), (), instructions, stack=1, locals=1)
    judged = judge_bytecode(Bytecode(LAYOUTS[-1], code), (), None)
    return "fail" if judged.unlisted else "pass"


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
