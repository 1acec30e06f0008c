"""What a pickle names, read from its opcodes without unpickling it."""

from __future__ import annotations

import pickletools

from msgspec import Struct

PICKLE_BYTES = 1 << 18
"""Number of bytes that `pickle_names` is given; arrays come after the names of their classes."""
_NAMES, _LONGEST = 64, 200
_TEXTS = frozenset(
    ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING")
    + ("SHORT_BINSTRING",)
)
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))


class PickleNames(Struct, frozen=True):
    """The classes and functions that a pickle imports, in order.

    `whole` is whether the opcodes could be read up to the end of the pickle; joblib puts the bytes
    of arrays between them. `end` is the offset after it, 0 if it is not known.
    """

    names: tuple[str, ...] = ()
    whole: bool = False
    end: int = 0


def pickle_names(head: bytes) -> PickleNames:
    """The names in the first bytes of a pickle."""
    found: dict[str, None] = {}
    texts: list[str] = []  # in the order in which they come onto the stack; other values as ""
    memo: dict[object, str] = {}
    whole, end = False, 0
    try:
        for opcode, argument, position in pickletools.genops(head):
            if opcode.name in _TEXTS:
                texts.append(str(argument))
            elif opcode.name in _GETS:
                texts.append(memo.get(argument, ""))
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            elif opcode.name in _PUTS:
                memo[argument] = texts[-1] if texts else ""
            elif opcode.name in ("GLOBAL", "INST"):
                found[str(argument).replace(" ", ".", 1)[:_LONGEST]] = None
                texts.append("")
            elif opcode.name == "STACK_GLOBAL":
                found[".".join(texts[-2:])[:_LONGEST]] = None
                texts.append("")
            elif opcode.name == "STOP":
                whole, end = True, (position or 0) + 1
            elif opcode.stack_after:
                texts.append("")
            if len(found) >= _NAMES:
                break
    except (ValueError, OverflowError, IndexError, AttributeError):  # cut off, or no opcode
        whole = False
    return PickleNames(tuple(found), whole, end)
