"""Whether bytecode uses the stack and its frame as a compiler would, by abstract interpretation.

CPython does not check. An instruction that reaches below the stack finds the frame's own fields,
such as the dictionary of built-in functions, without any name; one that takes a number for a cell,
or a text for the code of a function, reads memory that the file chooses. So the depth of the stack
is followed, and the kinds of those values that CPython trusts. The method `format` of a text can
read any attribute of its arguments, unless the text is a constant that names none.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelaudit.formats.bytecode.exception_table import Handler, handlers
from modelaudit.formats.bytecode.instructions import Instruction, Version
from modelaudit.formats.bytecode.marshal_reader import Code
from modelaudit.formats.bytecode.stack_effects import effect
from modelaudit.formats.bytecode.stack_kinds import (
    CELL,
    DICT,
    EXCEPTION,
    FREE,
    LIST,
    NULL,
    ONE_CELL,
    POSITION,
    PREVIOUS,
    SET,
    TEMPLATE,
    TUPLE,
    Kinds,
    Step,
    Unsound,
    check_call,
    formats_a_text,
    function_of,
    holds_cell,
    loaded,
    need,
    with_attribute,
)
from modelaudit.formats.keras.builtin_layers import words

# They leave values that they only look at.
_LOOKING = words(
    """LIST_APPEND SET_ADD MAP_ADD LIST_EXTEND SET_UPDATE DICT_UPDATE DICT_MERGE PRECALL
    WITH_EXCEPT_START RERAISE FOR_ITER IMPORT_FROM"""
)
_MOVING = words("COPY SWAP ROT_N ROT_TWO ROT_THREE ROT_FOUR DUP_TOP DUP_TOP_TWO DUP_TOPX")
_ENDS = words("RETURN_VALUE RETURN_CONST RAISE_VARARGS RERAISE BREAK_LOOP")
_ALWAYS = words("JUMP_FORWARD JUMP_BACKWARD JUMP_BACKWARD_NO_INTERRUPT JUMP_ABSOLUTE")
_PREFIX = words("NOP COPY_FREE_VARS MAKE_CELL RETURN_GENERATOR POP_TOP")  # before RESUME
_SHARED = words("LOAD_DEREF STORE_DEREF LOAD_CLOSURE")
_SETS = words("STORE_FAST DELETE_FAST LOAD_FAST_AND_CLEAR")

_GENERATOR, _COROUTINES = 0x20, 0x380  # flags of code objects
_KEEPING = _LOOKING | _MOVING | words("CHECK_EXC_MATCH BUILD_TUPLE_UNPACK_WITH_CALL")

_CATCHING = words("CHECK_EXC_MATCH PUSH_EXC_INFO POP_EXCEPT CALL_INTRINSIC_1")
_MADE = {
    "PUSH_NULL": NULL,
    "BUILD_LIST": LIST,
    "BUILD_MAP": DICT,
    "BUILD_CONST_KEY_MAP": DICT,
    "BUILD_SET": SET,
    "LIST_TO_TUPLE": TUPLE,
    "LOAD_CLOSURE": ONE_CELL,
}
# What they change, and how many values lie above it.
_CHANGED = {
    **dict.fromkeys(words("LIST_APPEND LIST_EXTEND"), (LIST, 0)),
    **dict.fromkeys(words("SET_ADD SET_UPDATE"), (SET, 0)),
    **dict.fromkeys(words("DICT_UPDATE DICT_MERGE"), (DICT, 0)),
    "MAP_ADD": (DICT, 1),
}


class _State(Struct, frozen=True):
    """The values on the stack, and for the loops around where they end and what is below."""

    stack: Kinds
    loops: tuple[tuple[int, int], ...] = ()


def is_sound(code: Code, found: Sequence[Instruction], version: Version) -> bool:
    """Whether all instructions that can be reached find what they need on the stack and beside it.

    One pass in the order of the code: a jump back must have the values that were assumed where it
    leads. Code of Python before 3.11 that catches exceptions is not followed: False.

    Args:
        code: the code object.
        found: its instructions.
        version: the Python version that reads them.
    """
    caught = handlers(code.exceptions)
    if caught is None or len(caught) > len(found):
        return False
    try:
        first = _frame(code, found, version)
        reached = _Reached(found, first)
        for each, following in zip(found, (*found[1:], Instruction("", 0)), strict=True):
            state = reached.states.get(each.offset)
            if state is not None:
                _step(Step(each, following, code, version), state, reached, caught)
    except Unsound:
        return False
    return True


def _frame(code: Code, found: Sequence[Instruction], version: Version) -> int:
    """Check what precedes the code proper, and return where that begins.

    From Python 3.11 on, instructions make the cells and the generator that the code then uses.
    """
    made = [each for each in found if each.name in {"YIELD_VALUE", "RETURN_GENERATOR"}]
    need(not code.flags & _COROUTINES and (not made or bool(code.flags & _GENERATOR)))
    if version < (3, 11):
        need(code.locals == len(code.variables))
        return 0
    size = next((at for at, each in enumerate(found) if each.name not in _PREFIX), 0)
    before = found[:size]
    cells = [at for at, kind in enumerate(code.kinds) if kind & CELL]
    free = [at for at, kind in enumerate(code.kinds) if kind & FREE]
    need(len(code.kinds) == len(code.variables))
    need(sorted(e.argument for e in found if e.name == "MAKE_CELL") == cells)
    need([e.argument for e in found if e.name == "COPY_FREE_VARS"] == [len(free)] * bool(free))
    starts = sum(e.name == "RETURN_GENERATOR" for e in before)
    need(starts == bool(code.flags & _GENERATOR) == len(made) - _yields(made))
    wanted = len(cells) + bool(free) + starts
    need(sum(each.name in _PREFIX - {"NOP", "POP_TOP"} for each in before) == wanted)
    return found[size].offset


def _yields(made: Sequence[Instruction]) -> int:
    return sum(each.name == "YIELD_VALUE" for each in made)


def _step(step: Step, state: _State, reached: _Reached, caught: Sequence[Handler]) -> None:
    """Check an instruction, and continue at those that follow it."""
    each, stack = step.each, state.stack
    around = [
        one
        for one in caught
        if one.start <= each.offset < one.end and each.name != "PUSH_EXC_INFO"  # never raises
    ]
    below = [*(one.depth for one in around), *(depth for _, depth in state.loops)]
    takes, leaves = effect(each, step.version)
    # What a handler or a loop keeps must stay.
    kept = len(stack) - (max(takes - leaves, 0) if each.name in _KEEPING else takes)
    need(len(stack) >= takes and kept >= max(below, default=0))
    _check_locals(step, stack)
    after = _after(step, stack, takes, leaves)
    for one in around:
        left = (*stack[: one.depth], *[POSITION] * one.position, EXCEPTION)
        reached.enter(each, one.target, _State(left, state.loops), step.code.stack)
    for target, following in _next(each, state, after, step.version):
        reached.enter(each, target, following, step.code.stack)


class _Reached:
    """The states of the instructions that are reached; the code proper begins at `first`."""

    def __init__(self, found: Sequence[Instruction], first: int) -> None:
        self.states: dict[int, _State] = {0: _State(())}
        self._starts = {each.offset for each in found}
        self._first = first

    def enter(self, origin: Instruction, target: int, state: _State, most: int) -> None:
        """Continue at `target`, with at most `most` values on the stack."""
        back = target <= origin.offset
        known = self.states.get(target)
        need(target in self._starts and len(state.stack) <= most)
        need(not back or (known is not None and target >= self._first))
        if known is None:
            self.states[target] = state
            return
        need(known.loops == state.loops and len(known.stack) == len(state.stack))
        pairs = zip(known.stack, state.stack, strict=True)
        merged = _State(tuple(a if a == b else _either(a, b) for a, b in pairs), state.loops)
        need(not back or merged == known)
        self.states[target] = merged


def _either(a: str, b: str) -> str:
    need(not a.startswith("local") and not b.startswith("local"))
    return ""


def _check_locals(step: Step, stack: Kinds) -> None:
    """Cells stay cells, and no local is overwritten while the stack borrows its value."""
    name, index = step.each.name, step.each.argument
    need(name not in _SHARED or step.version < (3, 11) or holds_cell(step.code, index))
    changed: tuple[int, ...] = (index,) if name in _SETS else ()
    if name.startswith("STORE_FAST_"):
        changed = (index >> 4, index & 15)[: 2 - name.endswith("LOAD_FAST")]
    for each in changed:
        need(not holds_cell(step.code, each) and f"local:{each}" not in stack)
    if name.startswith("STORE_FAST"):
        need(not any(kind.startswith("local") for kind in stack[-len(changed) :]))


def _after(step: Step, stack: Kinds, takes: int, leaves: int) -> Kinds:
    """The stack after an instruction."""
    name, count = step.each.name, step.each.argument
    if name in _MOVING:
        return _moved(name, stack, takes, leaves)
    taken = stack[len(stack) - takes :]
    if name in _CHANGED:
        kind, above = _CHANGED[name]
        need(count > 0 and stack[-count - 1 - above] == kind)
    if name in _LOOKING:
        if name == "RERAISE":
            need(stack[-1] == EXCEPTION and (not count or stack[-1 - count] == POSITION))
        need(name != "WITH_EXCEPT_START" or stack[-1] == EXCEPTION)
        return (*stack[: len(stack) - max(takes - leaves, 0)], *[""] * (leaves - takes))
    below = stack[: len(stack) - takes]
    if name in {"MAKE_FUNCTION", "MAKE_CLOSURE"}:
        return (*below, function_of(name, count, taken, step.version))
    if name == "SET_FUNCTION_ATTRIBUTE":
        return (*below, with_attribute(count, *taken))
    # A function whose closure is not set yet is nothing else's to take.
    need(not any(k.startswith("function") and k != "function:0" for k in taken))
    if name in _CATCHING:
        return (*below, *_caught(name, count, taken))
    if name == "LIST_TO_TUPLE":
        need(taken == (LIST,))
    check_call(step, taken)
    need(not formats_a_text(step) or taken == (TEMPLATE,))
    if name == "BUILD_TUPLE":
        cells = bool(taken) and all(kind == ONE_CELL for kind in taken)
        return (*below, f"cells:{count}" if cells else TUPLE)
    if name in {"LOAD_CONST", "LOAD_FAST", "LOAD_FAST_BORROW"}:
        return (*below, loaded(step))
    if name == "LOAD_FAST_BORROW_LOAD_FAST_BORROW":
        return (*below, f"local:{count >> 4}", f"local:{count & 15}")
    return (*below, *[_MADE.get(name, "")] * leaves)


def _caught(name: str, count: int, taken: Kinds) -> Kinds:
    """What remains of the values of instructions that handle exceptions."""
    if name == "CHECK_EXC_MATCH":
        return (taken[0], "")
    if name == "PUSH_EXC_INFO":
        need(taken == (EXCEPTION,))
        return (PREVIOUS, EXCEPTION)
    if name == "POP_EXCEPT":
        need(taken == (PREVIOUS,))
        return ()
    wanted = {3: EXCEPTION, 6: LIST}.get(count)
    need(wanted is None or taken == (wanted,))
    return ({3: EXCEPTION, 6: TUPLE}.get(count, ""),)


def _moved(name: str, stack: Kinds, takes: int, leaves: int) -> Kinds:
    """The stack after an instruction that copies or exchanges values."""
    need(takes > 0)
    deep = stack[len(stack) - takes :]
    below = stack[: len(stack) - takes]
    if leaves > takes:  # copies: all of them, or the lowest
        return (*stack, *(deep[:1] if name == "COPY" else deep))
    if name == "SWAP":
        return (*below, deep[-1], *deep[1:-1], *deep[: min(takes - 1, 1)])
    return (*below, deep[-1], *deep[:-1])


def _next(
    each: Instruction, state: _State, after: Kinds, version: Version
) -> list[tuple[int, _State]]:
    """Where it continues, and with what."""
    name, stack, loops = each.name, after, state.loops
    target = _target(each, version)
    if name == "BREAK_LOOP":
        need(bool(loops))
        return [(loops[-1][0], _State(stack[: loops[-1][1]], loops[:-1]))]
    if name == "SETUP_LOOP":
        loops = (*loops, (target, len(stack)))
    elif name == "POP_BLOCK":
        need(bool(loops))
        stack, loops = stack[: loops[-1][1]], loops[:-1]
    found = [] if name in _ENDS | _ALWAYS else [(each.end, _State(stack, loops))]
    if name == "FOR_ITER":  # at the end, newer versions skip instructions that take the rest
        skipped = {(3, 12): 2, (3, 13): 4, (3, 14): 2}.get(version, 0)
        left = state.stack if version >= (3, 14) else state.stack[:-1]
        found.append((target + skipped, _State(left, loops)))
    elif "JUMP" in name:
        found.append((target, _State(stack, loops)))
    if name.endswith("_OR_POP"):
        found[0] = (each.end, _State(stack[:-1], loops))
    return found


def _target(each: Instruction, version: Version) -> int:
    """Where a jump leads."""
    distance = each.argument * (2 if version >= (3, 10) else 1)
    name = each.name
    relative = name in {"JUMP_FORWARD", "FOR_ITER", "SETUP_LOOP", "JUMP_IF_FALSE", "JUMP_IF_TRUE"}
    if "BACKWARD" in name:
        return each.end - distance
    return each.end + distance if relative or version >= (3, 11) else distance
