"""How many values each instruction takes from the stack, and leaves there."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.formats.bytecode.instructions import Instruction, Version
from modelaudit.formats.keras.builtin_layers import words

_Effect = tuple[int, int]  # values that it takes or looks at, and values that it leaves for them
_PLAIN: Mapping[_Effect, frozenset[str]] = {
    (0, 0): words(
        """NOP RESUME GEN_START NOT_TAKEN KW_NAMES MAKE_CELL COPY_FREE_VARS JUMP_FORWARD
        JUMP_BACKWARD JUMP_BACKWARD_NO_INTERRUPT JUMP_ABSOLUTE SETUP_LOOP BREAK_LOOP POP_BLOCK
        RETURN_CONST DELETE_FAST"""
    ),
    (0, 1): words(
        """LOAD_CONST LOAD_FAST LOAD_FAST_CHECK LOAD_FAST_AND_CLEAR LOAD_FAST_BORROW LOAD_DEREF
        LOAD_CLOSURE PUSH_NULL LOAD_ASSERTION_ERROR LOAD_COMMON_CONSTANT LOAD_SMALL_INT
        RETURN_GENERATOR"""
    ),
    (0, 2): words("LOAD_FAST_LOAD_FAST LOAD_FAST_BORROW_LOAD_FAST_BORROW"),
    (1, 0): words("POP_TOP STORE_FAST STORE_DEREF POP_EXCEPT POP_ITER RETURN_VALUE IMPORT_STAR"),
    (1, 1): words(
        """UNARY_POSITIVE UNARY_NEGATIVE UNARY_NOT UNARY_INVERT TO_BOOL GET_ITER LIST_TO_TUPLE
        FORMAT_SIMPLE CONVERT_VALUE CALL_INTRINSIC_1 YIELD_VALUE SLICE_0
        STORE_FAST_LOAD_FAST"""
    ),
    (1, 2): words(
        "DUP_TOP FOR_ITER LOAD_METHOD BEFORE_WITH LOAD_SPECIAL PUSH_EXC_INFO IMPORT_FROM"
    ),
    (2, 0): words("STORE_FAST_STORE_FAST"),
    (2, 1): words(
        """COMPARE_OP IS_OP CONTAINS_OP FORMAT_WITH_SPEC SLICE_1 SLICE_2 SET_FUNCTION_ATTRIBUTE
        IMPORT_NAME"""
    ),
    (2, 2): words("ROT_TWO CHECK_EXC_MATCH"),
    (2, 4): words("DUP_TOP_TWO"),
    (3, 0): words("STORE_SUBSCR"),
    (3, 1): words("BINARY_SLICE SLICE_3 STORE_MAP"),
    (3, 3): words("ROT_THREE"),
    (4, 0): words("STORE_SLICE"),
    (4, 4): words("ROT_FOUR"),
}
_EFFECTS = {name: effect for effect, names in _PLAIN.items() for name in names}


# Values that it takes for each unit of its argument, and others; the same for those that it leaves.
_COUNTED: Mapping[str, tuple[int, int, int, int]] = {
    **dict.fromkeys(words("SWAP ROT_N"), (1, 0, 1, 0)),
    **dict.fromkeys(
        words(
            """BUILD_TUPLE BUILD_LIST BUILD_SET BUILD_STRING BUILD_TUPLE_UNPACK BUILD_LIST_UNPACK
            BUILD_MAP_UNPACK"""
        ),
        (1, 0, 0, 1),
    ),
    **dict.fromkeys(words("LIST_EXTEND SET_UPDATE DICT_UPDATE RERAISE"), (1, 1, 1, 0)),
    **dict.fromkeys(words("CALL_METHOD CALL"), (1, 2, 0, 1)),
    "COPY": (1, 0, 1, 1),
    "DUP_TOPX": (1, 0, 2, 0),
    "BUILD_CONST_KEY_MAP": (1, 1, 0, 1),
    "BUILD_TUPLE_UNPACK_WITH_CALL": (1, 1, 0, 2),
    "MAP_ADD": (1, 2, 1, 0),
    "DICT_MERGE": (1, 3, 1, 2),
    "UNPACK_SEQUENCE": (0, 1, 1, 0),
    "PRECALL": (1, 2, 1, 2),
    "CALL_KW": (1, 3, 0, 1),
    "RAISE_VARARGS": (1, 0, 0, 0),
}


def _called(name: str, count: int, version: Version) -> _Effect:
    """Calls and function objects. Before 3.6, the second byte counts arguments by name."""
    if name == "CALL_FUNCTION_EX":
        return (4 if version >= (3, 14) else 2 + (version >= (3, 11)) + (count & 1)), 1
    if name.startswith("CALL_FUNCTION"):
        more = 1 + ("VAR" in name) + ("KW" in name)
        return more + (count if version >= (3, 6) else (count & 0xFF) + 2 * (count >> 8)), 1
    if version >= (3, 13):
        return 1, 1
    names = 1 if version < (3, 3) or version >= (3, 11) else 2  # the code, and its name
    if version >= (3, 6):
        return names + (count & 15).bit_count(), 1
    defaults = (count & 0xFF) + 2 * (count >> 8 & 0xFF) + (count >> 16)
    return names + (name == "MAKE_CLOSURE") + (defaults if version >= (3, 0) else count), 1


def _versioned(name: str, count: int, version: Version) -> _Effect | None:
    """Instructions that differ between versions; None for others."""
    match name:
        case "LOAD_GLOBAL":
            return 0, 1 + (count & (version >= (3, 11)))
        case "LOAD_ATTR":
            return 1, 1 + (count & (version >= (3, 12)))
        case "BUILD_MAP":
            return (2 * count if version >= (3, 5) else 0), 1
        case "BUILD_MAP_UNPACK_WITH_CALL":
            return (count if version >= (3, 6) else count & 0xFF) + 2, 3
        case "BUILD_SLICE":
            return (3 if count == 3 else 2), 1
        case "FORMAT_VALUE":
            return (2 if count & 4 else 1), 1
        case "UNPACK_EX":
            return 1, (count & 0xFF) + 1 + (count >> 8)
        case "LIST_APPEND" | "SET_ADD":
            return count + 1, count
        case "END_FOR":
            return (2 if version < (3, 13) else 1), 0
        case "WITH_EXCEPT_START":
            return (4, 5) if version < (3, 14) else (5, 6)
        case _:
            return None


_UNKNOWN = (1 << 40, 0)  # of an instruction that is not understood: more than there can be
# Before 3.11 they work on blocks of handlers, which are not followed.
_CATCHING = words("POP_EXCEPT RERAISE WITH_EXCEPT_START JUMP_IF_NOT_EXC_MATCH")


def effect(each: Instruction, version: Version) -> _Effect:
    """Values that it takes or looks at, and values that it leaves in their place."""
    name, count = each.name, each.argument
    if (name in _CATCHING and version < (3, 11)) or (name == "GEN_START" and each.offset):
        return _UNKNOWN
    if name.startswith(("CALL_FUNCTION", "MAKE_FUNCTION", "MAKE_CLOSURE")):
        return _called(name, count, version)
    if name in _COUNTED:
        per_unit, takes, left_per_unit, leaves = _COUNTED[name]
        return per_unit * count + takes, left_per_unit * count + leaves
    if name.startswith(("POP_JUMP_", "JUMP_IF_")):
        return 1, int(not name.startswith("POP"))
    if name.startswith(("BINARY_", "INPLACE_")) and name != "BINARY_SLICE":
        return 2, 1
    return _versioned(name, count, version) or _EFFECTS.get(name, _UNKNOWN)
