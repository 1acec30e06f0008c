"""Instructions of code objects, against Python's own disassembler."""

from __future__ import annotations

import ast
import dis
import sys
from pathlib import Path
from types import CodeType

from modelaudit.formats.bytecode.instructions import Instruction, instructions, versions_between

HERE = sys.version_info[:2]
SOURCES = (ast, dis)


def codes(code: CodeType) -> list[CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [code, *(found for each in inner for found in codes(each))]


def test_the_instructions_are_those_of_the_disassembler() -> None:
    count = 0
    last = ""
    for module in SOURCES:
        assert module.__file__ is not None
        top = compile(Path(module.__file__).read_text(encoding="utf-8"), "m.py", "exec")
        for code in codes(top):
            expected: list[Instruction] = []
            starts: list[int] = []
            for each in dis.get_instructions(code):
                if not starts or last != "EXTENDED_ARG":
                    starts.append(each.offset)
                last = each.opname
                if last != "EXTENDED_ARG":
                    expected.append(Instruction(last, each.arg or 0))
            ends = [*starts[1:], len(code.co_code)]
            placed = zip(expected, starts, ends, strict=True)
            assert instructions(code.co_code, HERE) == tuple(
                Instruction(each.name, each.argument, start, end) for each, start, end in placed
            )
            count += len(expected)
    assert count > 10_000


def test_other_bytes_are_no_instructions() -> None:
    versions = versions_between((3, 6), HERE)
    for data in (b"\xff\x00", b"\x00\x00", bytes([116]), b"\x6a\x00\x01"):
        assert all(instructions(data, version) is None for version in versions)
    assert instructions(b"\x7c\x00", (2, 7)) is None  # an argument of one byte
    assert instructions(b"\x91\xff\xff" * 3 + b"\x7c\x00\x00", (2, 7)) is None  # beyond 32 bits


def test_arguments_are_joined() -> None:
    extended = bytes([145, 1, 0, 100, 2, 0, 83])
    assert instructions(extended, (2, 7)) == (
        Instruction("LOAD_CONST", 0x10002, 0, 6),
        Instruction("RETURN_VALUE", 0, 6, 7),
    )
    words = bytes([144, 1, 100, 2, 83, 0])
    assert instructions(words, (3, 8)) == (
        Instruction("LOAD_CONST", 0x102, 0, 4),
        Instruction("RETURN_VALUE", 0, 4, 6),
    )
