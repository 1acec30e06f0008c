"""Codes of operations that TOCO wrote for each operator, of which the model lists one of a kind."""

from __future__ import annotations

from collections.abc import Callable

import flatbuffers
import pytest

from modelaudit.facts import Artifact
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from tests.made import lite_files as made

CODES = (0, 3, 19)  # of which ADD, as the default, is in no field


def with_codes(operators: int, written: int, hidden: bytes = b"") -> bytes:
    """A chain of operators, and codes in the file that nothing refers to."""
    schema = made.schema()
    model = made.empty_model()
    for number in range(operators + 1):
        made.add_tensor(model, f"t{number}", (1, 4), "float32", 0)
    relu = schema.BuiltinOperator.RELU
    for number in range(operators):
        made.add_operator(model, relu, [number], [number + 1])
    for operator in model.subgraphs[0].operators:
        operator.opcodeIndex = 0
    model.operatorCodes = model.operatorCodes[:1]
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = [0], [operators]
    builder = flatbuffers.Builder(1024)
    for number in range(written):
        code = schema.OperatorCodeT()
        code.deprecatedBuiltinCode = CODES[number % len(CODES)]
        code.version = 1
        code.Pack(builder)
    if hidden:
        builder.CreateByteVector(hidden)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("operators", "written", "hidden", "severity"),
    [
        (300, 299, b"", "info"),
        (40, 39, b"", "info"),
        (300, 299, b"another program " * 12, "medium"),
        (5, 1_000, b"", "medium"),  # no converter wrote so many
    ],
)
def test_codes_for_each_operator_are_left_by_the_converter(
    reading: Callable[[bytes], Artifact],
    operators: int,
    written: int,
    hidden: bytes,
    severity: str,
) -> None:
    artifact = reading(with_codes(operators, written, hidden))
    found = run_rule(rule("MA761"), Facts(artifact)).findings
    assert [each.severity.value for each in found] == [severity]
