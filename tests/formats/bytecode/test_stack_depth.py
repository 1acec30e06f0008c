"""Depth of the stack, against CPython: its own effects, and code that its compiler wrote."""

from __future__ import annotations

import dis
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from modelaudit.formats.bytecode.instructions import Instruction, instructions
from modelaudit.formats.bytecode.stack_depth import stays_on_stack

HERE = sys.version_info[:2]
WIDTH = 2


def code(*steps: str) -> list[Instruction]:
    """Instructions without caches: `NAME argument`."""
    named = [step.split() for step in steps]
    return [
        Instruction(name, int(argument), WIDTH * at, WIDTH * (at + 1))
        for at, (name, argument) in enumerate(named)
    ]


def nested(outer: CodeType) -> Iterator[CodeType]:
    yield outer
    for inner in outer.co_consts:
        if isinstance(inner, CodeType):
            yield from nested(inner)


@pytest.mark.parametrize("name", ["colorsys", "copy", "functools", "heapq", "statistics"])
def test_code_of_the_compiler_stays_on_the_stack(name: str) -> None:
    """Functions of the standard library, as far as they have no patterns, imports or await."""
    path = Path(sysconfig.get_path("stdlib"), f"{name}.py")
    known = 0
    for each in nested(compile(path.read_text("utf-8"), str(path), "exec")):
        found = instructions(each.co_code, HERE)
        assert found
        if not {step.name for step in found} & OTHER:
            known += 1
            assert stays_on_stack(found, HERE, each.co_exceptiontable), each.co_qualname
    assert known > 5


OTHER = {
    *("IMPORT_NAME", "STORE_NAME", "STORE_ATTR", "STORE_GLOBAL", "DELETE_ATTR", "DELETE_SUBSCR"),
    *("SEND", "LOAD_BUILD_CLASS", "LOAD_NAME", "LOAD_SUPER_ATTR", "CALL_INTRINSIC_2"),
    *("DELETE_DEREF", "DELETE_NAME", "DELETE_GLOBAL", "IMPORT_FROM", "MATCH_SEQUENCE", "GET_LEN"),
    *("CLEANUP_THROW", "END_SEND", "GET_YIELD_FROM_ITER", "SETUP_ANNOTATIONS"),
}
ONE = "LOAD_FAST 0"


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 11), (3, 13), (3, 14)])
@pytest.mark.parametrize(
    ("taken", "enough"),
    [
        ("POP_TOP 0", 1),
        ("COPY 3", 3),
        ("SWAP 2", 2),
        ("ROT_THREE 0", 3),
        ("STORE_FAST 0", 1),
        ("BUILD_TUPLE 4", 4),
        ("COMPARE_OP 0", 2),
        ("BINARY_SUBSCR 0", 2),
        ("STORE_SUBSCR 0", 3),
        ("RETURN_VALUE 0", 1),
    ],
)
def test_one_value_less_is_below_the_stack(
    version: tuple[int, int], taken: str, enough: int
) -> None:
    for count in range(enough + 2):
        judged = stays_on_stack(code(*[ONE] * count, taken, ONE, "RETURN_VALUE 0"), version)
        assert judged is (count >= enough)


@pytest.mark.skipif(HERE < (3, 11), reason="exception tables")
@pytest.mark.parametrize("argument", range(9))
def test_effects_are_those_of_cpython(argument: int) -> None:
    """Code that leaves what `dis.stack_effect` says, and needs it all, is just deep enough."""
    for name in ("BUILD_LIST", "UNPACK_SEQUENCE", "LOAD_ATTR", "BUILD_MAP", "MAKE_FUNCTION"):
        effect = dis.stack_effect(dis.opmap[name], argument, jump=False)
        after = 20 + effect
        for deep in (after, after + 1):
            steps = [*[ONE] * 20, f"{name} {argument}", f"BUILD_TUPLE {deep}", "RETURN_VALUE 0"]
            assert stays_on_stack(code(*steps), HERE) is (deep == after), name


def test_a_jump_must_lead_to_an_instruction_with_what_it_needs() -> None:
    back = ("LOAD_FAST 0", "POP_TOP 0")
    assert stays_on_stack(code(*back, "JUMP_BACKWARD 3"), (3, 11))
    assert not stays_on_stack(code(*back, "JUMP_BACKWARD 2"), (3, 11))  # to POP_TOP, without one
    assert not stays_on_stack(code(*back, "JUMP_BACKWARD 9"), (3, 11))
    assert not stays_on_stack(code(ONE, "JUMP_FORWARD 7", "RETURN_VALUE 0"), (3, 11))
    skipped = ("LOAD_FAST 0", "POP_JUMP_FORWARD_IF_TRUE 1", "LOAD_FAST 0", "RETURN_VALUE 0")
    assert not stays_on_stack(code(*skipped), (3, 11))
    assert not stays_on_stack(code(ONE), (3, 11))  # it runs past the end


def test_a_handler_has_what_the_table_says_only_if_that_is_always_there() -> None:
    """From 0 to 4 (in bytes, 2 instructions) exceptions lead to 8 and keep one value, or two."""
    steps = code(ONE, ONE, "POP_TOP 0", "RETURN_VALUE 0", "POP_TOP 0", "RETURN_VALUE 0")
    assert stays_on_stack(steps, (3, 11), bytes([1, 1, 4, 1 << 1]))
    assert not stays_on_stack(steps, (3, 11), bytes([0, 2, 4, 1 << 1]))  # none at the first
    assert not stays_on_stack(steps, (3, 11), bytes([1, 1, 4, 0]))  # then only the exception
    assert not stays_on_stack(steps, (3, 11), bytes([1, 1, 4]))


def test_old_loops_end_with_what_was_there_before() -> None:
    loop = ("SETUP_LOOP 12", ONE, "GET_ITER 0", "FOR_ITER 4", "STORE_FAST 0", "JUMP_ABSOLUTE 6")
    assert stays_on_stack(code(*loop, "POP_BLOCK 0", ONE, "RETURN_VALUE 0"), (2, 7))
    assert not stays_on_stack(code(*loop, "POP_BLOCK 0", "RETURN_VALUE 0"), (2, 7))
    emptied = ("LOAD_FAST 0", "SETUP_LOOP 6", "POP_TOP 0", "LOAD_FAST 0", "POP_BLOCK 0")
    assert not stays_on_stack(code(*emptied, "RETURN_VALUE 0"), (2, 7))
