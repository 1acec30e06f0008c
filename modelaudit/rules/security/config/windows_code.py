"""Bytecode that Keras 2 saved on Windows, where it writes each byte 92 (a backslash) as 47."""

from __future__ import annotations

from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code
from modelaudit.structs import replace

_SLASH, _BACKSLASH = 47, 92  # as an instruction, UNPACK_SEQUENCE; no Python up to 3.10 has a 47


def with_backslashes(read: Bytecode) -> Bytecode:
    """The code with each instruction 47 as 92 again, which its Python compiled."""
    return replace(read, code=_restored(read.code, {}))


def _restored(code: Code, done: dict[int, Code]) -> Code:
    """`done` holds codes that were met before: the same object can occur several times."""
    if id(code) not in done:
        instructions = bytearray(code.bytecode)
        instructions[::2] = instructions[::2].replace(bytes([_SLASH]), bytes([_BACKSLASH]))
        constants = (_restored(x, done) if isinstance(x, Code) else x for x in code.constants)
        done[id(code)] = replace(code, bytecode=bytes(instructions), constants=tuple(constants))
    return done[id(code)]
