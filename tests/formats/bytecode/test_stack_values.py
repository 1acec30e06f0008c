"""Values on the stack, against CPython: its own effects, and code that its compiler wrote."""

from __future__ import annotations

import dis
import marshal
import sys
import sysconfig
from pathlib import Path
from types import CodeType

import pytest

from modelaudit.formats.bytecode.instructions import Instruction, instructions
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code, read_bytecode
from modelaudit.formats.bytecode.stack_values import is_sound

HERE = sys.version_info[:2]
WIDTH = 2
LOCAL, CELL, FREE = 0x20, 0x40, 0x80


def code(*steps: str) -> list[Instruction]:
    """Instructions without caches: `NAME argument`."""
    named = [step.split() for step in steps]
    return [
        Instruction(name, int(argument), WIDTH * at, WIDTH * (at + 1))
        for at, (name, argument) in enumerate(named)
    ]


def made(*names: str, **fields: object) -> Code:
    """A function with one local variable, and room for 30 values."""
    whole = {"name": "f", "filename": "f.py", "first_line": 1, "names": names, "variables": ("x",)}
    whole |= {"closure": (), "constants": (), "bytecode": b"", "stack": 30, "locals": 1}
    return Code(**(whole | fields))


def stays(
    found: list[Instruction], version: tuple[int, int], table: bytes = b"", **fields: object
) -> bool:
    """Whether these instructions are sound as that function; offsets begin at 0."""
    first = "RESUME" if version >= (3, 11) else "NOP"
    start = [] if found[0].name == "MAKE_CELL" else [Instruction(first, 0, 0, 0)]
    whole = [*start, *found]
    kinds = bytes([LOCAL]) if version >= (3, 11) else b""
    return is_sound(made(**({"kinds": kinds, "exceptions": table} | fields)), whole, version)


def read(compiled: CodeType) -> Code:
    found = read_bytecode(marshal.dumps(compiled))
    assert isinstance(found, Bytecode)
    return found.code


def sound(code: Code) -> bool:
    found = instructions(code.bytecode, HERE)
    assert found
    return is_sound(code, found, HERE)


@pytest.mark.parametrize("name", ["colorsys", "copy", "functools", "heapq", "statistics"])
def test_code_of_the_compiler_stays_on_the_stack(name: str) -> None:
    """Functions of the standard library without patterns, await or texts as templates."""
    path = Path(sysconfig.get_path("stdlib"), f"{name}.py")
    known = 0
    for each in read(compile(path.read_text("utf-8"), str(path), "exec")).nested():
        found = instructions(each.bytecode, HERE)
        assert found
        if not {step.name for step in found} & OTHER and "format" not in each.names:
            known += 1
            assert is_sound(each, found, HERE), each.name
    assert known > 5


OTHER = {
    *("STORE_NAME", "STORE_ATTR", "STORE_GLOBAL", "DELETE_ATTR", "DELETE_SUBSCR"),
    *("SEND", "LOAD_BUILD_CLASS", "LOAD_NAME", "LOAD_SUPER_ATTR", "CALL_INTRINSIC_2"),
    *("DELETE_DEREF", "DELETE_NAME", "DELETE_GLOBAL", "MATCH_SEQUENCE", "GET_LEN"),
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
        ("IMPORT_NAME 0", 2),
        ("IMPORT_FROM 0", 1),
    ],
)
def test_one_value_less_is_below_the_stack(
    version: tuple[int, int], taken: str, enough: int
) -> None:
    for count in range(enough + 2):
        judged = stays(code(*[ONE] * count, taken, ONE, "RETURN_VALUE 0"), version)
        assert judged is (count >= enough)


@pytest.mark.parametrize("argument", range(9))
def test_effects_are_those_of_cpython(argument: int) -> None:
    """Code that leaves what `dis.stack_effect` says, and needs it all, is just deep enough."""
    names = ("BUILD_LIST", "UNPACK_SEQUENCE", "LOAD_ATTR", "BUILD_MAP", "BUILD_STRING")
    for name in (*names, "IMPORT_NAME", "IMPORT_FROM"):
        effect = dis.stack_effect(dis.opmap[name], argument, jump=False)
        after = 20 + effect
        for deep in (after, after + 1):
            steps = [*[ONE] * 20, f"{name} {argument}", f"BUILD_TUPLE {deep}", "RETURN_VALUE 0"]
            assert stays(code(*steps), HERE) is (deep == after), name


def test_a_jump_must_lead_to_an_instruction_with_what_it_needs() -> None:
    back = ("LOAD_FAST 0", "POP_TOP 0")
    assert stays(code(*back, "JUMP_BACKWARD 3"), (3, 11))
    assert not stays(code(*back, "JUMP_BACKWARD 2"), (3, 11))  # to POP_TOP, without one
    assert not stays(code(*back, "JUMP_BACKWARD 9"), (3, 11))
    assert not stays(code(ONE, "JUMP_FORWARD 7", "RETURN_VALUE 0"), (3, 11))
    skipped = ("LOAD_FAST 0", "POP_JUMP_FORWARD_IF_TRUE 1", "LOAD_FAST 0", "RETURN_VALUE 0")
    assert not stays(code(*skipped), (3, 11))
    assert not stays(code(ONE), (3, 11))  # it runs past the end


def test_a_handler_has_what_the_table_says_only_if_that_is_always_there() -> None:
    """From 0 to 4 (in bytes, 2 instructions) exceptions lead to 8 and keep one value, or two."""
    tail = ("POP_TOP 0", "POP_TOP 0", ONE, "RETURN_VALUE 0")
    steps = code(ONE, ONE, "POP_TOP 0", "RETURN_VALUE 0", *tail)
    assert stays(steps, (3, 11), bytes([1, 1, 4, 1 << 1]))
    assert not stays(steps, (3, 11), bytes([0, 2, 4, 1 << 1]))  # none at the first
    assert not stays(steps, (3, 11), bytes([1, 1, 4, 0]))  # then only the exception
    assert not stays(steps, (3, 11), bytes([1, 1, 4]))


def test_old_loops_end_with_what_was_there_before() -> None:
    loop = ("SETUP_LOOP 12", ONE, "GET_ITER 0", "FOR_ITER 4", "STORE_FAST 0", "JUMP_ABSOLUTE 6")
    assert stays(code(*loop, "POP_BLOCK 0", ONE, "RETURN_VALUE 0"), (2, 7))
    assert not stays(code(*loop, "POP_BLOCK 0", "RETURN_VALUE 0"), (2, 7))
    emptied = ("LOAD_FAST 0", "SETUP_LOOP 6", "POP_TOP 0", "LOAD_FAST 0", "POP_BLOCK 0")
    assert not stays(code(*emptied, "RETURN_VALUE 0"), (2, 7))


INNER = made(name="inner")
CLOSED = made(name="closed", kinds=bytes([LOCAL | FREE]))
CLOSED_OLD = made(name="closed", free=1)
CONSTANTS = (INNER, CLOSED, CLOSED_OLD, ("a", "b"), [1, 2], 7, "f")
CELLS = {"variables": ("x", "c"), "kinds": bytes([LOCAL, CELL])}
TAKEN = ("POP_TOP 0", ONE, "RETURN_VALUE 0")
PAIR = (ONE, ONE, ONE, ONE)
CLOSURE = ("LOAD_CLOSURE 0", "BUILD_TUPLE 1")
FUNCTION = ("MAKE_FUNCTION 0", "SET_FUNCTION_ATTRIBUTE 8")


@pytest.mark.parametrize(
    ("version", "honest", "hostile", "fields"),
    [
        ((3, 11), ["LOAD_CONST 0", "MAKE_FUNCTION 0"], ["LOAD_CONST 5", "MAKE_FUNCTION 0"], {}),
        ((2, 7), ["LOAD_CONST 0", "MAKE_FUNCTION 0"], ["LOAD_FAST 0", "MAKE_FUNCTION 0"], {}),
        (
            (3, 8),
            ["LOAD_CONST 0", "LOAD_CONST 6", "MAKE_FUNCTION 0"],
            ["LOAD_CONST 6", "LOAD_CONST 0", "MAKE_FUNCTION 0"],
            {},
        ),
        (
            (3, 8),
            [*CLOSURE, "LOAD_CONST 2", "LOAD_CONST 6", "MAKE_FUNCTION 8"],
            [ONE, "BUILD_TUPLE 1", "LOAD_CONST 2", "LOAD_CONST 6", "MAKE_FUNCTION 8"],
            {"closure": ("c",)},
        ),
        ((3, 8), ["LOAD_CLOSURE 0"], ["LOAD_CONST 2", "LOAD_CONST 6", "MAKE_FUNCTION 0"], {}),
        (
            (3, 13),
            ["LOAD_FAST 1", "BUILD_TUPLE 1", "LOAD_CONST 1", *FUNCTION],
            ["LOAD_FAST 0", "BUILD_TUPLE 1", "LOAD_CONST 1", *FUNCTION],
            CELLS | {"before": ["MAKE_CELL 1"]},
        ),
        ((3, 11), ["LOAD_DEREF 1"], ["LOAD_DEREF 0"], CELLS | {"before": ["MAKE_CELL 1"]}),
        (
            (3, 11),
            ["LOAD_DEREF 1"],
            [ONE, "STORE_FAST 1", "LOAD_DEREF 1"],
            CELLS | {"before": ["MAKE_CELL 1"]},
        ),
        (
            (3, 11),
            [*PAIR, "KW_NAMES 3", "CALL 2"],
            [*PAIR, "KW_NAMES 4", "CALL 2"],  # a list
            {},
        ),
        ((3, 12), [*PAIR, "KW_NAMES 3", "CALL 2"], [*PAIR[1:], "KW_NAMES 3", "CALL 1"], {}),
        (
            (3, 8),
            [*PAIR[1:], "LOAD_CONST 3", "CALL_FUNCTION_KW 2"],
            [*PAIR[1:], "LOAD_CONST 5", "CALL_FUNCTION_KW 2"],
            {},
        ),
        ((3, 11), ["BUILD_LIST 0", ONE, "LIST_APPEND 1"], [ONE, ONE, "LIST_APPEND 1"], {}),
        ((3, 9), ["BUILD_LIST 0", ONE, "LIST_EXTEND 1"], ["BUILD_MAP 0", ONE, "LIST_EXTEND 1"], {}),
        ((3, 12), ["BUILD_MAP 0", ONE, ONE, "MAP_ADD 1"], [ONE, ONE, ONE, "MAP_ADD 1"], {}),
        (
            (3, 14),
            ["LOAD_FAST_BORROW 0"],
            ["LOAD_FAST_BORROW 0", "LOAD_CONST 5", "STORE_FAST 0"],  # used after it is freed
            {},
        ),
        ((3, 11), [ONE], ["POP_EXCEPT 0", ONE], {"before": [ONE]}),
        ((3, 10), [ONE], ["YIELD_VALUE 0"], {"before": [ONE]}),
        ((3, 11), [ONE, ONE, ONE, "BUILD_TUPLE 3"], [ONE] * 4, {"stack": 3}),
    ],
)
def test_a_value_of_the_wrong_type(
    version: tuple[int, int], honest: list[str], hostile: list[str], fields: dict[str, object]
) -> None:
    """CPython uses these values without looking at their types."""
    fields = {"constants": CONSTANTS, **fields}
    before = fields.pop("before", [])
    assert isinstance(before, list)
    assert stays(code(*before, *honest, *TAKEN), version, **fields)
    assert not stays(code(*before, *hostile, *TAKEN), version, **fields)


def test_an_index_into_variables_that_the_frame_has_not() -> None:
    steps = code(ONE, "RETURN_VALUE 0")
    assert stays(steps, (3, 10))
    assert not stays(steps, (3, 10), locals=0)
    assert not stays(steps, (3, 11), kinds=b"")
    assert not stays(steps, (3, 11), flags=0x80)
    assert not stays(steps, (3, 11), **CELLS)  # without the instruction that makes the cell


def test_a_generator_begins_as_one() -> None:
    begin, body = ("RETURN_GENERATOR 0", "POP_TOP 0"), (ONE, "YIELD_VALUE 0", "RETURN_VALUE 0")
    resumed = code(*begin, "RESUME 0", *body)
    kinds = bytes([LOCAL])
    assert is_sound(made(kinds=kinds, flags=0x20), resumed, (3, 11))
    assert not is_sound(made(kinds=kinds), resumed, (3, 11))
    assert not is_sound(made(kinds=kinds, flags=0x20), code("RESUME 0", *body), (3, 11))
    assert not is_sound(made(kinds=kinds, flags=0x20), code("RESUME 0", *begin, *body), (3, 11))
