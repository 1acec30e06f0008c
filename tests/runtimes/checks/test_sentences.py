"""The form of what findings say and advise about runtimes, for every cause in the source."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import modelaudit.runtimes
from tests.runtimes.checks.sentences import faults

ROOT = Path(modelaudit.runtimes.__file__).parent
TEXT, FIX = 2, 4  # positions of the arguments of a reason
VARIABLE = "X"  # stands for what is filled in


def _rendered(node: ast.expr | None, module: ModuleType) -> Iterator[str]:
    """The texts that an expression may have; none where it is computed elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [[*_rendered(each, module)] or [VARIABLE] for each in node.values]
        yield "".join(each[0] for each in parts)
    elif isinstance(node, ast.FormattedValue):
        yield from _rendered(node.value, module)
    elif isinstance(node, ast.IfExp):
        yield from (*_rendered(node.body, module), *_rendered(node.orelse, module))
    elif isinstance(node, ast.Name) and isinstance(getattr(module, node.id, None), str):
        yield getattr(module, node.id)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from (
            one + other
            for one in _rendered(node.left, module)
            for other in [*_rendered(node.right, module)] or [""]
        )
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from _rendered(node.left, module)


def _reasons() -> Iterator[tuple[str, str, str]]:
    """(place, argument, text) of every reason in the source."""
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT.parents[1]).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "Reason":
                continue
            module = importlib.import_module(name)
            keywords = {each.arg: each.value for each in node.keywords}
            for argument, position in (("text", TEXT), ("fix", FIX)):
                given = node.args[position] if len(node.args) > position else keywords.get(argument)
                for text in _rendered(given, module):
                    yield f"{path.name}:{node.lineno}", argument, text


FOUND = tuple(_reasons())


def test_most_reasons_are_read() -> None:
    assert sum(argument == "fix" for _, argument, _ in FOUND) > 50


@pytest.mark.parametrize(("place", "argument", "text"), FOUND)
def test_advice_is_sentences_and_causes_are_clauses(place: str, argument: str, text: str) -> None:
    """A cause stands behind "because" and before a full stop."""
    if argument == "text":
        text = f"It fails because {text}."
    assert faults(text) == [], place


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Use tf-keras.", 0),
        ("`tf.saved_model.load(...).signatures` has it.", 0),
        ("Run this:\n\n    modelaudit repair m.h5\n\nOr use tf-keras.", 0),
        ('Pass custom_objects={"a": ...}.', 0),
        ("use tf-keras.", 1),
        ("Use tf-keras", 1),
        ("It fails (the message is misleading.). Use tf-keras.", 1),
        ("Use tf-keras..", 2),
        ("Use tf-keras,; or not.", 1),
    ],
)
def test_the_form_is_checked(text: str, number: int) -> None:
    assert len(faults(text)) == number
