"""Python code in Lambda layers: whether a runtime permits it, can read it and can run it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.bytecode.code_text import code_bytes
from modelaudit.formats.bytecode.instructions import Version, instructions, versions_between
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code, Unreadable, read_bytecode
from modelaudit.runtimes.catalogue import on_python
from modelaudit.runtimes.checks import lambda_closures
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, LoadCall, Reason
from modelaudit.runtimes.version_bounds import SAFE_MODE
from modelaudit.structs import PerObject
from modelaudit.thresholds.security import CODE_BYTES
from modelaudit.work_budget import spend

# Keys of Keras 2's Lambda that Keras 3's reader of the old dialect ignores.
FUNCTION_KEYS = frozenset(("module", "function_type", "output_shape_type", "output_shape_module"))
OF_GLOBAL = "lambda-of-global"  # of one for a name that nothing defines
UNKNOWN_FUNCTION = "lambda-of-unknown-function"  # code of the reason for one of the program's own
# Within a layout, the instructions changed at these versions.
NEW_INSTRUCTIONS = ((3, 6), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
_DECIDES = re.compile("JUMP|FOR_ITER|SETUP_")  # what follows may not run
_IMPORTED = ("tensorflow.", "keras.", "tf_keras.")  # modules that a runtime imports itself
RESAVE = (
    "Load it with the Python that wrote it, and replace the Lambda with a registered function or a "
    "built-in layer."
)
_WITHOUT_SAFE_MODE = (
    " Use safe_mode=False only if you know who made the file and what its code does."
)
_REFUSED_BY_KERAS_3 = (
    "ValueError: Requested the deserialization of a `Lambda` layer whose `function` is a "
    "Python lambda. This carries a potential risk of arbitrary code execution"
)
_REFUSED_BY_KERAS_2 = (
    "ValueError: Requested the deserialization of a Lambda layer with a Python `lambda` inside "
    "it. This carries a potential risk of arbitrary code execution"
)


def check(
    name: str, config: Mapping[str, Json], context: CheckContext, route: str, archive: bool
) -> Iterator[Reason]:
    """Reasons for one layer; none if it is not a Lambda."""
    if name != "Lambda":
        return
    function = config.get("function")
    if (code := code_text(function)) is None:
        yield from named(function, config, context, route)
        return
    unusable = tuple(_bytecode(code, config, context, route))
    if _refused(context, archive):
        yield Reason(
            "lambda-refused",
            LoadOutcome.FAILS,
            f"`{route}` is a Lambda with Python code, which {context.profile.name} rejects in safe "
            "mode",
            _REFUSED_BY_KERAS_3 if context.profile.keras3 else _REFUSED_BY_KERAS_2,
            "Replace the Lambda with a built-in layer where the model was trained, and save it "
            "again." + (_WITHOUT_SAFE_MODE if not unusable else ""),
            route,
            "safe mode is disabled",
            "safe_mode",
            repairs=True,
        )
    yield from unusable
    yield from lambda_closures.check(function, code, route)
    if context.profile.keras3 and _defaults_as_list(function):
        yield Reason(
            "lambda-defaults",
            LoadOutcome.FAILS,
            f"the function of `{route}` has default arguments, which {context.profile.name} reads "
            "as a list and cannot use",
            "TypeError: arg 4 (defaults) must be None or tuple",
            "Define the layer in code and load the weights into it.",
            route,
            repairs=True,
        )


def _defaults_as_list(function: Json) -> bool:
    """Whether the function has defaults; JSON has no tuples. Keras 2 makes one of the list."""
    if isinstance(function, dict):
        inner = function.get("config")
        return isinstance(inner, dict) and isinstance(inner.get("defaults"), list)
    return isinstance(function, list) and len(function) > 1 and isinstance(function[1], list)


def _refused(context: CheckContext, archive: bool) -> bool:
    """Whether this loader requires safe_mode=False here."""
    if not context.request.safe_mode:
        return False
    profile = context.profile
    if archive or context.request.call is LoadCall.FROM_JSON:
        return SAFE_MODE.holds(profile)
    return bool(profile.keras3 and context.behaviour("guards_h5_lambda"))


def code_text(function: Json) -> str | None:
    """Base64 text of the code: `[code, defaults, closure]`, or Keras 3's `__lambda__` object."""
    if isinstance(function, list) and function and isinstance(function[0], str):
        return function[0]
    if isinstance(function, dict) and function.get("class_name") == "__lambda__":
        inner = function.get("config")
        code = inner.get("code", inner.get("value")) if isinstance(inner, dict) else None
        if isinstance(code, list):
            code = code[0] if code else None
        return code if isinstance(code, str) else ""
    return None


def named(
    function: Json, config: Mapping[str, Json], context: CheckContext, route: str
) -> Iterator[Reason]:
    """A Lambda with a function by name, which the caller has to provide."""
    if isinstance(function, dict):
        name, module = function.get("config"), function.get("module")
    else:
        name, module = function, config.get("module")
    if not isinstance(name, str) or name in context.request.custom:
        return
    profile = context.profile
    if isinstance(module, str):
        if module.split(".")[0] in ("keras", "tf_keras") and isinstance(function, dict):
            return
        if module in context.request.modules and not profile.keras3:
            return
    if not profile.keras3 and name in context.behaviour("lambda_globals", ()):
        return
    yield Reason(
        UNKNOWN_FUNCTION,
        LoadOutcome.FAILS,
        f"`{route}` is a Lambda with the function {name}, which is not in the file",
        f"TypeError: …Could not locate function '{name}'"
        if profile.keras3
        else f"Unknown function: '{name}'",
        f'Pass custom_objects={{"{name}": ...}}.',
        route,
        f"{name} is passed in custom_objects",
        name,
    )


def _bytecode(
    code: str, config: Mapping[str, Json], context: CheckContext, route: str
) -> Iterator[Reason]:
    """Whether the runtime's Python can read and run the code."""
    spend()
    read = read_bytecode(code_bytes(code))
    if isinstance(read, Unreadable):
        yield Reason(
            "lambda-unreadable",
            LoadOutcome.FAILS,
            f"the code of `{route}` cannot be read: {read.reason}",
            fix=RESAVE,
            route=route,
        )
        return
    python = context.profile.python
    first, last = read.layout.first, read.layout.last
    shown = ".".join(map(str, python))
    if not first <= python <= last:
        yield Reason(
            "lambda-of-other-python",
            LoadOutcome.FAILS,
            f"the code of `{route}` was written by Python {read.python}, but "
            f"{context.profile.name} runs on Python {shown}",
            fix=RESAVE,
            route=route,
            repairs=True,
        )
        return
    yield from _running(read, config, context, route)


def _running(
    read: Bytecode,
    config: Mapping[str, Json],
    context: CheckContext,
    route: str,
) -> Iterator[Reason]:
    """Undefined names, and instructions of another Python version."""
    names = read.all_names()
    profile = context.profile
    unknown = _unknown_global(read, config, context)
    if unknown:
        # Keras 3 runs the code to find the shape of its output, unless the config has it.
        loads = profile.keras3 and isinstance(config.get("output_shape"), int | list)
        yield Reason(
            OF_GLOBAL,
            LoadOutcome.FAILS,
            f"the code of `{route}` refers to {unknown}, which Keras does not define for it",
            f"NameError: …name '{unknown}' is not defined" if loads or not profile.keras3 else "",
            "Define the layer in code and load the weights into it.",
            route,
            unless=_imported(unknown, config, context),
            sign=unknown * bool(_imported(unknown, config, context)),
            later=FIRST_CALL * loads,
            loads=loads,
            repairs=True,
        )
    elif (writer := _writer(read, context)) and writer != profile.python:
        between = [v for v in NEW_INSTRUCTIONS if min(writer, profile.python) < v]
        changed = any(v <= max(writer, profile.python) for v in between)
        moved = _jumps(read, writer) if max(writer, profile.python) < (3, 11) else bool(names)
        if changed and (moved or _other_instructions(read, writer, context)):
            yield Reason(
                "lambda-may-crash",
                LoadOutcome.FAILS,
                f"the code of `{route}` was written by Python {'.'.join(map(str, writer))}, whose "
                f"instructions differ from Python {'.'.join(map(str, profile.python))}, so that "
                "the process may crash",
                fix=RESAVE,
                route=route,
                repairs=True,
            )


def _jumps(read: Bytecode, version: tuple[int, ...]) -> bool:
    """Whether the code jumps: before 3.10 by bytes, since then by instructions."""
    return any(
        _DECIDES.search(each.name)
        for code in read.code.nested()
        for each in instructions(code.bytecode, (version[0], version[-1])) or ()
    )


def _writer(read: Bytecode, context: CheckContext) -> tuple[int, ...] | None:
    """The Python that wrote the code: that of the profile, unless the instructions are of another.

    Each version of Keras runs on several versions of Python, and a profile is of one.
    """
    possible = _possible(read)
    usual = context.writer.python if context.writer else None
    if usual is not None and (usual in possible or not possible):
        return usual
    if not possible or context.profile.python in possible:
        return None
    return possible[-1] if usual is not None and usual > possible[-1] else possible[0]


def _find_possible(read: Bytecode) -> tuple[Version, ...]:
    codes = tuple(read.code.nested())
    if sum(len(code.bytecode) for code in codes) > CODE_BYTES.value:
        return ()
    found = []
    for version in versions_between(read.layout.first, read.layout.last):
        spend()
        if all(_is_of(code, version) for code in codes):
            found.append(version)
    return tuple(found)


_possible = PerObject(_find_possible)
"""The versions of Python that could have compiled the code; none for code of unusual length."""


def _is_of(code: Code, version: Version) -> bool:
    """Whether a version could have compiled it; all code begins with `RESUME` from 3.11 on.

    The table of lines of 3.10 has all instructions (PEP 626), those before leave out the last line.
    """
    found = instructions(code.bytecode, version) or ()
    if version >= (3, 11):
        return any(each.name == "RESUME" for each in found)
    whole = sum(code.lines[::2]) == len(code.bytecode)
    return bool(found) and whole is (version == (3, 10))


def _other_instructions(read: Bytecode, writer: tuple[int, ...], context: CheckContext) -> bool:
    """Whether an instruction of the code differs, or has another size, in this Python."""
    usual = context.writer
    there = on_python(usual, ".".join(map(str, writer))).instructions if usual else {}
    here = context.profile.instructions
    if not there or not here:
        return False
    for code in read.code.nested():
        position = 0
        while position < len(code.bytecode):
            instruction = there.get(code.bytecode[position])
            if instruction is None or instruction != here.get(code.bytecode[position]):
                return True
            position += 2 + 2 * instruction[1]
    return False


def _unknown_global(
    read: Bytecode, config: Mapping[str, Json], context: CheckContext
) -> str | None:
    """The first global name that the code looks up and that is not defined."""
    profile = context.profile
    module = config.get("module")
    # Keras 2 adds the names of the module that the function was written in, if it is imported.
    written = module if isinstance(module, str) and not profile.keras3 else ""
    if written in context.request.imported or written.startswith(_IMPORTED):
        return None
    defined = {*context.behaviour("lambda_globals", ()), *context.request.custom}
    found = (name for name in _globals(read) if name not in defined and not hasattr(builtins, name))
    return next(found, None)


def _imported(name: str, config: Mapping[str, Json], context: CheckContext) -> str:
    """What of the program defines a name: Keras 2 adds those of the module, if it is imported."""
    module = config.get("module")
    stated = isinstance(module, str) and not context.profile.keras3
    return f"{module}, which defines {name}, is imported before" if stated else ""


def _globals(read: Bytecode) -> Iterator[str]:
    """Names that each code object looks up outside itself before it first decides anything."""
    versions = _possible(read)
    for code in read.code.nested() if versions else ():
        for each in instructions(code.bytecode, versions[0]) or ():
            if _DECIDES.search(each.name):
                break
            index = each.argument >> (each.name == "LOAD_GLOBAL" and versions[0] >= (3, 11))
            if each.name in ("LOAD_GLOBAL", "LOAD_NAME") and index < len(code.names):
                yield code.names[index]
