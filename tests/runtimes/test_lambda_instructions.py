"""A Lambda's bytecode in another Python version: renumbered or resized instructions."""

from __future__ import annotations

import base64
import marshal
import opcode
import platform
import sys

import pytest

from modelaudit.formats.bytecode.code_fields import LAYOUTS
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code, read_bytecode
from modelaudit.runtimes import catalogue
from modelaudit.runtimes.catalogue import find_profile, on_python
from modelaudit.runtimes.checks.lambda_code import _other_instructions, _possible, _running, check
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest

# Numbers of instructions in CPython 3.11 and 3.12, after its Include/opcode.h.
RESUME, LOAD_FAST, LOAD_CONST, BINARY_OP, RETURN = 151, 124, 100, 122, 83
BINARY_SUBSCR = 25  # with four cache entries in 3.11, one in 3.12


def code(*instructions: int, caches: int = 0) -> Bytecode:
    raw = b"".join(bytes((number, 0)) for number in instructions) + bytes(2 * caches)
    return Bytecode(LAYOUTS[0], Code("<lambda>", "f", 1, (), ("t",), (), (), raw))


@pytest.mark.parametrize(
    ("read", "other"),
    [
        (code(RESUME, LOAD_FAST, RETURN), False),
        (code(RESUME, LOAD_FAST, LOAD_CONST, BINARY_OP, caches=1), False),
        (code(RESUME, LOAD_FAST, LOAD_CONST, BINARY_SUBSCR, caches=4), True),
        (code(255), True),
    ],
)
def test_instructions_of_3_11_in_3_12(read, other):
    context = CheckContext(
        find_profile("tf==2.16"), LoadRequest(LoadCall.LOAD_MODEL), find_profile("tf==2.15")
    )
    assert context.writer.python == (3, 11)
    assert context.profile.python == (3, 12)
    assert _other_instructions(read, (3, 11), context) is other


def test_the_instructions_are_those_of_the_python_that_wrote_the_code():
    """Each Keras runs on several; the profile of the writer is of one of them."""
    context = CheckContext(
        find_profile("tf==2.20"), LoadRequest(LoadCall.LOAD_MODEL), find_profile("tf==2.18")
    )
    assert context.writer.python == context.profile.python == (3, 12)
    sliced = code(RESUME, LOAD_FAST, LOAD_CONST, BINARY_SUBSCR, caches=4)
    assert _other_instructions(sliced, (3, 11), context)
    assert not _other_instructions(code(RESUME, LOAD_FAST, RETURN), (3, 11), context)


def test_pythons_without_a_table_are_unknown():
    context = CheckContext(
        find_profile("tf==2.8"), LoadRequest(LoadCall.LOAD_MODEL), find_profile("tf==2.15")
    )
    assert not context.profile.instructions
    assert not _other_instructions(code(255), (3, 11), context)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="no profile is of Python 3.13")
def test_another_python_has_its_own_instructions(monkeypatch):
    """Those of Python itself; a profile with them is read only when they are asked for."""
    there = find_profile("tf==2.15" if sys.version_info >= (3, 12) else "tf==2.21")
    with monkeypatch.context() as patch:
        patch.delattr(catalogue, "shipped_profile")
        here = on_python(there, platform.python_version())
    assert here.python == sys.version_info[:2] != there.python
    names = {number: name for number, (name, _) in here.instructions.items()}
    assert names
    assert names.items() <= {number: name for name, number in opcode.opmap.items()}.items()
    assert there.instructions != here.instructions


@pytest.mark.parametrize(("text", "works"), [("x * 2", True), ("tf.sqrt(x)", False)])
def test_safe_mode_is_advised_only_for_code_that_then_runs(text, works):
    """Keras defines no `tf` for the code: without safe mode it raises a NameError."""
    made = compile(f"lambda x: {text}", "<lambda>", "eval").co_consts[0]
    function = [base64.b64encode(marshal.dumps(made)).decode(), None, None]
    context = CheckContext(find_profile("tf==2.21"), LoadRequest(LoadCall.LOAD_MODEL))
    reasons = [*check("Lambda", {"function": function}, context, "lambda", archive=True)]
    assert reasons[0].code == "lambda-refused"
    assert ("safe_mode=False" in reasons[0].fix) is works
    assert (len(reasons) == 1) is works


@pytest.mark.parametrize(
    ("table", "python"),
    [
        ("8wAAAAA=", (3, 9)),
        ("cwYAAAAAAQYBAv8=", (3, 9)),
        ("cwIAAAAMAA==", (3, 10)),
        ("cwYAAAAGAQIBBP8=", (3, 10)),
    ],
)
def test_the_table_of_lines_tells_python_3_10(table, python):
    """`lambda x: x[0] * 2.0` in one line and in three, as CPython 3.9.18 and 3.10.13 compile it."""
    common = (
        "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMMAAAAfABkARkAZAIUAFMAKQNO6QAAAABnAAAAAAAAAECpACkB2gF4cgIAAAByAgAA"
        "ANoBZtoIPGxhbWJkYT4BAAAA"
    )
    read = read_bytecode(base64.b64decode(common) + base64.b64decode(table))
    assert isinstance(read, Bytecode)
    assert (python in _possible(read)) and ((3, 10) in _possible(read)) is (python == (3, 10))


@pytest.mark.parametrize(
    ("instructions", "fails"),
    [
        ((116, 0, 160, 1, 124, 0, 161, 1, 83, 0), False),  # tf.square(x)
        ((124, 0, 114, 8, 124, 0, 83, 0, 100, 0, 83, 0), True),  # x if x else None
    ],
)
def test_code_of_3_9_in_3_10(instructions, fails):
    """Instructions have the same numbers, and jumps another unit, in opcode.py of both."""
    raw = bytes(instructions)
    lambda_code = Code("<lambda>", "f", 1, ("tf", "square"), ("x",), (), (None,), raw)
    read = Bytecode(LAYOUTS[1], lambda_code)
    assert read.layout.first <= (3, 9) <= read.layout.last
    here = on_python(find_profile("tf==2.14"), "3.10.13")
    context = CheckContext(here, LoadRequest(LoadCall.LOAD_MODEL), find_profile("tf==2.9"))
    found = [each.code for each in _running(read, {}, context, "lambda")]
    assert ("lambda-may-crash" in found) is fails
