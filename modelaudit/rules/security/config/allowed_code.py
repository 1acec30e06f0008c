"""Whether a layer's code does only what arithmetic on tensors needs, by an allow list of names.

The list has full paths from a module (`tf.math.log`, `K.mean`), built-in functions, and attributes
of values. Code is on it if every global name begins an allowed path, every other attribute is one
of a value, every instruction computes, and all find what they need on the stack: in one version of
Python at least, and in every other that could also have written the code. Only names of allowed
paths may occur at all, whatever version reads the instructions.
"""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.formats.bytecode.arithmetic_names import arithmetic_names
from modelaudit.formats.bytecode.instructions import (
    Instruction,
    Version,
    executed_part,
    instructions,
    versions_between,
)
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code, Value
from modelaudit.formats.bytecode.stack_kinds import attribute, is_plain_template
from modelaudit.formats.bytecode.stack_values import is_sound
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.config.literals import literals_in, texts_in, unlisted_values
from modelaudit.rules.security.config.windows_code import with_backslashes
from modelaudit.thresholds.security import CODE_BYTES, CODE_TEXT

# Global names and paths, and the module of the list that they stand for.
_ALIASES = {
    "tensorflow": "tf",
    "numpy": "np",
    "backend": "K",
    "tf_keras": "keras",
    "tf.keras": "keras",
    "tf.compat.v1": "tf",
    "keras.backend": "K",
    "keras.ops": "ops",
    "K.tf": "tf",
}
_ROOTS = frozenset({"tf", "K", "keras", "np", "math", "ops", "tensorflow", "numpy", "backend"})
_OTHER = frozenset({"loaded", "defined", "arguments"})  # lists of something else than allowed names
_ROOT_WORDS = _ROOTS | words("tf_keras compat v1 applications")

_COMPUTING = words(
    """NOP RESUME GEN_START POP_TOP ROT_TWO ROT_THREE ROT_FOUR ROT_N DUP_TOP DUP_TOPX DUP_TOP_TWO COPY
    SWAP PUSH_NULL UNARY_POSITIVE UNARY_NEGATIVE UNARY_NOT UNARY_INVERT TO_BOOL COMPARE_OP IS_OP
    CONTAINS_OP BINARY_OP BINARY_SUBSCR BINARY_SLICE BINARY_ADD BINARY_AND BINARY_DIVIDE
    BINARY_FLOOR_DIVIDE BINARY_LSHIFT BINARY_MATRIX_MULTIPLY BINARY_MODULO BINARY_MULTIPLY BINARY_OR
    BINARY_POWER BINARY_RSHIFT BINARY_SUBTRACT BINARY_TRUE_DIVIDE BINARY_XOR INPLACE_ADD INPLACE_AND
    INPLACE_DIVIDE INPLACE_FLOOR_DIVIDE INPLACE_LSHIFT INPLACE_MATRIX_MULTIPLY INPLACE_MODULO
    INPLACE_MULTIPLY INPLACE_OR INPLACE_POWER INPLACE_RSHIFT INPLACE_SUBTRACT INPLACE_TRUE_DIVIDE
    INPLACE_XOR SLICE_0 SLICE_1 SLICE_2 SLICE_3 STORE_SUBSCR STORE_SLICE STORE_MAP BUILD_TUPLE
    BUILD_LIST BUILD_SET BUILD_MAP BUILD_CONST_KEY_MAP BUILD_SLICE BUILD_STRING BUILD_TUPLE_UNPACK
    BUILD_LIST_UNPACK BUILD_TUPLE_UNPACK_WITH_CALL BUILD_MAP_UNPACK BUILD_MAP_UNPACK_WITH_CALL
    LIST_APPEND LIST_EXTEND LIST_TO_TUPLE SET_ADD SET_UPDATE MAP_ADD DICT_UPDATE DICT_MERGE
    UNPACK_SEQUENCE UNPACK_EX FORMAT_VALUE FORMAT_SIMPLE FORMAT_WITH_SPEC CONVERT_VALUE GET_ITER
    FOR_ITER END_FOR POP_ITER JUMP_FORWARD JUMP_BACKWARD
    JUMP_BACKWARD_NO_INTERRUPT JUMP_ABSOLUTE JUMP_IF_FALSE JUMP_IF_TRUE
    JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE POP_JUMP_IF_NONE
    POP_JUMP_IF_NOT_NONE POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_TRUE
    POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_BACKWARD_IF_FALSE
    POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_BACKWARD_IF_NONE POP_JUMP_BACKWARD_IF_NOT_NONE NOT_TAKEN
    SETUP_LOOP BREAK_LOOP POP_BLOCK PUSH_EXC_INFO POP_EXCEPT CHECK_EXC_MATCH RERAISE RAISE_VARARGS
    LOAD_ASSERTION_ERROR BEFORE_WITH WITH_EXCEPT_START LOAD_SPECIAL LOAD_COMMON_CONSTANT
    LOAD_SMALL_INT RETURN_VALUE RETURN_GENERATOR YIELD_VALUE MAKE_FUNCTION MAKE_CLOSURE
    SET_FUNCTION_ATTRIBUTE COPY_FREE_VARS PRECALL CALL CALL_KW CALL_FUNCTION CALL_FUNCTION_KW
    CALL_FUNCTION_VAR CALL_FUNCTION_VAR_KW CALL_FUNCTION_EX CALL_METHOD"""
)
_CONSTANT = words("LOAD_CONST RETURN_CONST KW_NAMES")
_LOCAL = words(
    """LOAD_FAST LOAD_FAST_CHECK LOAD_FAST_AND_CLEAR LOAD_FAST_BORROW STORE_FAST DELETE_FAST"""
)
_TWO_LOCALS = words(
    """LOAD_FAST_LOAD_FAST LOAD_FAST_BORROW_LOAD_FAST_BORROW STORE_FAST_LOAD_FAST
    STORE_FAST_STORE_FAST"""
)
_SHARED = words("LOAD_DEREF STORE_DEREF LOAD_CLOSURE MAKE_CELL")
_NAMES_FUNCTION = words("MAKE_FUNCTION MAKE_CLOSURE")
# Of `CALL_INTRINSIC_1`: the end of a generator, unary plus, a list as a tuple. Others print or import.
_INTRINSICS = frozenset({3, 5, 6})
_IMPORTS = words("IMPORT_NAME IMPORT_FROM IMPORT_STAR")
_WITH_TUPLES = (3, 6)  # before, each call loads the names of its arguments as texts
_FIRST = ((2, 7), (3, 4))  # of Python 2 and 3: no TensorFlow runs in older ones
# From this version on, code of another version is not bytecode at all: of 501 functions of public
# layers, compiled by three versions, none is read by another as something else.
_DISTINCT = (3, 11)
_INDISTINCT = (3, 10)
# Those before read bytes, not pairs of bytes: to them, honest code of later ones is unsound too.
_WORDS = (3, 6)
_UNSOUND = "an instruction that takes values which are not on the stack, or of other types"
# CPython uses these arguments as indices into tables of its own, unchecked.
_RANGES = {
    "CONVERT_VALUE": range(1, 4),
    "LOAD_COMMON_CONSTANT": range(5),
    "LOAD_SPECIAL": range(4),
    "LOAD_SMALL_INT": range(257),
    "RAISE_VARARGS": range(4),
}
# In source text: literals, words, and names that it defines itself.
_QUOTED = re.compile(r"'[^'\\\n]*'|\"[^\"\\\n]*\"")
_WORD = re.compile(r"[^\W\d]\w*+")
_PARAMETERS = re.compile(r"\blambda\s([^:]*):|\bfor ([\w, ]{1,80}) in\b|\b(\w{1,80}) ?:?=(?!=)")
_RUNNING = frozenset({"import", "class", "global", "del", "exec", "print", "async", "await"})
_CLASS = re.compile(r"[A-Z]\w*[a-z]")  # a value or function of the caller is seldom named like this


class Judgement(Struct, frozen=True):
    """What in a piece of code is not on the list.

    Attributes:
        unlisted: paths, attributes, instructions and literals that are not on it.
        undefined: global names that no Keras defines for the code, only a program that loads it.
        unsound: versions of Python that read the instructions of another as ones that take values
            which are not there.
        damaged: whether no Python runs it, because Keras 2 on Windows replaced an instruction.
    """

    unlisted: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()
    unsound: tuple[str, ...] = ()
    damaged: bool = False


@cache
def allowed_words() -> frozenset[str]:
    """Every name that is a part of an allowed path."""
    sections = {key: names for key, names in arithmetic_names().items() if key not in _OTHER}
    modules = (part for module in sections for part in module.split("."))
    return frozenset({*modules, *_ROOT_WORDS}.union(*sections.values()))


def is_arithmetic(path: list[str]) -> bool:
    """Whether a path such as `tf.math.log` is on the list."""
    return not any(True for _ in _unlisted_path(path))


def judge_bytecode(read: Bytecode, module: Iterable[str], given: Json) -> Judgement:
    """What in a code object is not on the list.

    Args:
        module: modules whose names the config adds to the code's globals.
        given: its defaults and the values of its closure, from the config.
    """
    size = sum(len(code.bytecode) for code in read.code.nested())
    if size > CODE_BYTES.value:
        return Judgement((f"{size:,} bytes of instructions",))
    first = max(read.layout.first, _FIRST[read.layout.first >= (3,)])
    judged = {
        version: found
        for version in reversed(versions_between(first, read.layout.last))
        if (found := _as_version(read, version)) is not None
    }
    if not judged:
        return _as_compiled(read, module, given)
    # Before the versions became distinct, honest code of one can be unsound in another.
    possible = [
        found
        for version, found in judged.items()
        if version >= _DISTINCT or _UNSOUND not in found[0]
    ] or [min(judged.values(), key=lambda each: len(each[0]))]
    unlisted, undefined, texts = max(possible, key=lambda each: len(each[0]))
    values = (
        *literals_in(given),
        *(each for code in read.code.nested() for each in code.constants),
    )
    unlisted |= dict.fromkeys(unlisted_values(values, read.layout.byte_names))
    # Whichever version reads the instructions, it finds only these names.
    others = {name for code in read.code.nested() for name in code.names}
    others -= allowed_words() | {"format"}  # of a text; `is_sound` knows which
    unlisted |= dict.fromkeys(sorted(others - undefined.keys()) if not unlisted else ())
    texts += len(texts_in(given))
    if undefined and (texts or any(map(_is_loaded, module))):
        unlisted, undefined = unlisted | undefined, {}
    unsound = () if unlisted else tuple(_unsound_versions(read))
    return Judgement(tuple(unlisted), tuple(undefined), unsound)


def _as_compiled(read: Bytecode, module: Iterable[str], given: Json) -> Judgement:
    """Of instructions that no Python runs: what they were before Windows."""
    compiled = with_backslashes(read)
    if compiled == read:
        return Judgement(("instructions of no version of Python",))
    found = judge_bytecode(compiled, module, given)
    return Judgement(found.unlisted, found.undefined, found.unsound, damaged=True)


def _unsound_versions(read: Bytecode) -> Iterator[str]:
    """Versions of the same layout in which the code does harm, also where it then fails."""
    first, last = max(read.layout.first, _WORDS), min(read.layout.last, _INDISTINCT)
    for version in versions_between(first, last):
        codes = read.code.nested()
        if not all(is_sound(e, executed_part(e.bytecode, version), version) for e in codes):
            yield ".".join(map(str, version))


def judge_source(text: str) -> Judgement:
    """What in source text is not on the list: words that are no keyword, parameter or own name."""
    if len(text) > CODE_TEXT.value:
        return Judgement((f"a text of {len(text):,} characters",))
    code = _QUOTED.sub("", text)
    own = _WORD.findall(" ".join(" ".join(found) for found in _PARAMETERS.findall(code)))
    known = allowed_words() | {*own, *keyword.kwlist}
    unlisted = [name for name in dict.fromkeys(_WORD.findall(code)) if name not in known - _RUNNING]
    return Judgement((*unlisted, *unlisted_values([text], byte_texts=False)))


_Found = tuple[dict[str, None], dict[str, None], int]


def _as_version(read: Bytecode, version: Version) -> _Found | None:
    """What is unlisted and undefined, and the number of texts that calls can use."""
    unlisted: dict[str, None] = {}
    undefined: dict[str, None] = {}
    texts = 0
    for code in read.code.nested():
        found = instructions(code.bytecode, version)
        if not found or (version >= (3, 11) and not _resumes(found)):
            return None
        for path in _paths(code, found, version):
            if path.startswith("?"):
                undefined[path[1:]] = None
            else:
                unlisted[path] = None
        if not is_sound(code, found, version):
            unlisted[_UNSOUND] = None
        named = arithmetic_names()["arguments"] if version < _WITH_TUPLES else frozenset[str]()
        texts += sum(map(len, (texts_in(each) - named for each in _used_constants(code, found))))
    return unlisted, undefined, texts


def _resumes(found: tuple[Instruction, ...]) -> bool:
    """Whether it begins as all code does from Python 3.11 on; the number tells versions apart."""
    return any(each.name == "RESUME" for each in found[: found[0].argument + 16])


def _paths(code: Code, found: tuple[Instruction, ...], version: Version) -> Iterator[str]:
    """What is not on the list; `?name` for a global that only the caller could define."""
    path: list[str] = []
    values = arithmetic_names()["values"]
    ends = Instruction("RETURN_VALUE", 0)
    for before, each in zip((ends, *found), (*found, ends), strict=True):
        name, index = each.name, each.argument
        taken = attribute(each, code.names, version)
        if taken is not None:
            if path:
                path.append(taken)
            elif taken not in values and not (taken == "format" and _is_template(code, before)):
                yield f".{taken}"
            continue
        if path:
            yield from _unlisted_path(path)
            path = []
        if name == "LOAD_GLOBAL":
            index >>= version >= (3, 11)
            if index < len(code.names):
                path = [code.names[index]]
            else:
                yield _at(code.names, index)
        elif not _computes(code, name, index, version):
            yield _instruction(code, name, index)


def _is_template(code: Code, each: Instruction) -> bool:
    """Whether it loads a text that `format` fills; that nothing else comes there, is checked too."""
    loaded = code.constants[each.argument : each.argument + 1]
    return each.name == "LOAD_CONST" and any(map(is_plain_template, loaded))


def _at(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else f"name {index} of {len(names)}"


def _instruction(code: Code, name: str, index: int) -> str:
    if name in _IMPORTS:
        return f"import {_at(code.names, index)}"
    if name in _CONSTANT | _LOCAL | _TWO_LOCALS | _SHARED:
        return f"{name} {index}, which does not exist"
    return f"the instruction {name}"


def _computes(code: Code, name: str, index: int, version: Version) -> bool:
    """Whether an instruction is one that arithmetic needs, and what it refers to exists."""
    if name in _CONSTANT:
        return index < len(code.constants)
    if name in _LOCAL:
        return index < len(code.variables)
    if name in _TWO_LOCALS:
        return max(index >> 4, index & 15) < len(code.variables)
    if name in _SHARED:
        return index < len(code.variables if version >= (3, 11) else code.closure)
    if name == "CALL_INTRINSIC_1":
        return index in _INTRINSICS
    if name == "BINARY_OP":
        return index < (27 if version >= (3, 14) else 26)
    if name == "COMPARE_OP":
        unused = {(3, 12): 4}.get(version, 5 if version >= (3, 13) else 0)
        return index >> unused < (6 if version >= (3, 9) else 11)
    return name in _COMPUTING and index in _RANGES.get(name, (index,))


def _unlisted_path(path: list[str]) -> Iterator[str]:
    lists, shown = arithmetic_names(), ".".join(path)
    if f"keras.applications.{path[0]}" in lists:  # a module that programs import by its name
        path = ["keras", "applications", *path]
    if path[0] not in _ROOT_WORDS:
        if path[0] not in lists["builtins"]:
            known = _is_defined(path[0]) or _CLASS.match(path[0])
            yield path[0] if known else f"?{path[0]}"
        if set(path[1:]) - lists["values"]:
            yield shown
        return
    module = ""
    for position, part in enumerate(path):
        inner = f"{module}.{part}" if module else part
        if module and part in lists.get(module, ()):
            if set(path[position + 1 :]) - lists["values"]:
                yield shown
            return
        module = _ALIASES.get(inner, inner)
    yield shown


@cache
def _is_defined(name: str) -> bool:
    """Whether Python, or what Keras gives to the code of a layer, may define a global name."""
    return name in arithmetic_names()["defined"] or name.startswith("__") or hasattr(builtins, name)


def _is_loaded(module: str) -> bool:
    """Whether a module is one that every program with TensorFlow has loaded."""
    root = module.partition(".")[0]
    return root in arithmetic_names()["loaded"] or root in sys.stdlib_module_names - {"__main__"}


def _used_constants(code: Code, found: tuple[Instruction, ...]) -> Iterator[Value]:
    """Constants that are values: not docstrings, names of functions or of arguments."""
    for each, following in zip(found, (*found[1:], Instruction("", 0)), strict=True):
        named = following.name in _NAMES_FUNCTION or following.name.endswith("_KW")
        if each.name in {"LOAD_CONST", "RETURN_CONST"} and not named:
            yield from code.constants[each.argument : each.argument + 1]
