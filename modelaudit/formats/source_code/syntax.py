"""Finds the classes of a Python file in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from modelaudit.formats.source_code.assigned import from_import, taken_apart
from modelaudit.formats.source_code.builds import (
    calls_base,
    gives_several,
    growing,
    in_turn,
    marks_built,
    reorders,
    uses_shape,
)
from modelaudit.formats.source_code.classes import ClassCode, MadeLayer, as_literal
from modelaudit.formats.source_code.imports import needed_names
from modelaudit.formats.source_code.making import (
    made_by_functions,
    made_layers,
    returned,
    returned_list,
)
from modelaudit.formats.source_code.methods import (
    ADD_WEIGHT,
    BUILD,
    CONSTRUCTOR,
    OUTPUT_SHAPE,
    Function,
    Names,
    base_call,
    calls,
    full_name,
    of_first,
    only_makes,
    own_attribute,
    parameters,
    revived,
    sets_item,
    stored,
    used,
    uses_keywords_as_is,
    weight_name,
)
from modelaudit.formats.source_code.running import running
from modelaudit.formats.source_code.shape_items import shape_items
from modelaudit.formats.source_code.slashes import naming_functions, slashed_names
from modelaudit.formats.source_code.tracking import kept_orders
from modelaudit.formats.source_code.variable_names import variable_names
from modelaudit.formats.source_code.variables import drawn, variables
from modelaudit.formats.source_code.walking import walked

_CALL, _FROM_CONFIG, _TRAINING = "call", "from_config", "training"
_LOOKUP = "tensorflow.nn.embedding_lookup"
_REGISTER = "register_keras_serializable"
_PACKAGE = "Custom"  # under which Keras registers a class whose decorator names no package
# Decorators that leave a class as it is.
_PLAIN = ("keras_export", "final", "tf_export")


def classes_in(tree: ast.Module, module: str, where: str) -> Iterator[ClassCode]:
    """The classes that a file defines at its top level, or there under a condition.

    Args:
        module: the dotted path of the file.
        where: the file, as reasons name it.
    """
    names, functions = _imported(tree), naming_functions(tree)
    outer = {each.name: each for each in _outer(tree.body) if isinstance(each, Function)}
    needed = frozenset(needed_names(tree, names))
    for node in _outer(tree.body):
        if isinstance(node, ast.ClassDef):
            found = _class(node, names, module, where, functions, outer)
            if node.name in found.bases:  # `class Model(Model)`: what had the name before
                before = [each for each in tree.body if each.lineno < node.lineno]
                earlier = _imported(ast.Module(before, []))
                found = replace(found, bases=tuple(_bases(node, names | earlier)))
            yield replace(found, needed=needed)
        elif isinstance(node, Function):
            inside = [*_given_back(node)]
            there = _imported(ast.Module([*tree.body, *node.body], [])) if inside else names
            for each in inside:
                yield _class(each, there, module, where, functions, outer)


def _given_back(function: Function) -> Iterator[ast.ClassDef]:
    """Classes that a function makes and returns, as one that first imports TensorFlow."""
    returned = {
        each.value.id
        for each in function.body
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Name)
    }
    for each in function.body:
        if isinstance(each, ast.ClassDef) and each.name in returned:
            yield each


def functions_in(tree: ast.Module) -> Iterator[str]:
    """The names, and those with their package, of functions at the top level of a file."""
    names = _imported(tree)
    for node in _outer(tree.body):
        if isinstance(node, Function):
            yield node.name
            yield from filter(
                None, (_registered(each, names, node.name) for each in node.decorator_list)
            )


def makers_in(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Functions at the top level of a file, and the classes of what they make and return."""
    names = _imported(tree)
    for node in _outer(tree.body):
        if isinstance(node, Function):
            yield node.name, returned(node, names)


def _outer(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the file is imported."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            for part in ("body", "orelse", "finalbody"):
                yield from _outer(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _outer(handler.body)


def _imported(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in _outer(tree.body):
        if isinstance(node, ast.Import):
            for each in node.names:
                root = each.name.partition(".")[0]
                found[each.asname or root] = each.name if each.asname else root
        elif isinstance(node, ast.ImportFrom):
            found |= dict(from_import(node))
        elif isinstance(node, ast.Assign):
            # `layers = tf.keras.layers`, as programs write it
            told = {
                target.id: full
                for target, value in taken_apart(node)
                if isinstance(target, ast.Name) and (full := full_name(value, found))
            }
            found |= told
            found |= {
                target.id: "tensorflow.keras"  # of what only running tells: `given.keras`
                for target, value in taken_apart(node)
                if isinstance(target, ast.Name)
                and isinstance(value, ast.Attribute)
                and value.attr == "keras"
                and not full_name(value, found)
            }
        elif isinstance(node, ast.ClassDef):
            found.pop(node.name, None)  # in place of what an import of everything gave
    return found


def _class(
    node: ast.ClassDef,
    names: Names,
    module: str,
    where: str,
    functions: Mapping[str, tuple[str, ...]],
    outer: Mapping[str, Function],
) -> ClassCode:
    methods = {each.name: each for each in node.body if isinstance(each, Function)}
    constructor = methods.get(CONSTRUCTOR)
    registered = [_registered(each, names, node.name) for each in node.decorator_list]
    others = [
        each
        for each, name in zip(node.decorator_list, registered, strict=True)
        if not name and full_name(_callee(each), names).rpartition(".")[2] not in _PLAIN
    ]
    plain = constructor is None or uses_keywords_as_is(constructor)
    return ClassCode(
        name=node.name,
        module=module,
        where=f"{where}:{node.lineno}",
        bases=tuple(_bases(node, names)),
        registered=next(filter(None, registered), ""),
        static=not (others or node.keywords or "__new__" in methods) and plain,
        constructor=None if constructor is None else parameters(constructor),
        base_call=None if constructor is None else base_call(constructor, node, names),
        methods=frozenset(methods) | frozenset(_assigned(node)),
        made=tuple(
            resolved
            for each in methods.values()
            for made in made_layers(each, names)
            if made.attribute
            for resolved in _resolved(made, methods, names)
        ),
        built=frozenset(used(methods[BUILD])) if BUILD in methods else frozenset(),
        variables=frozenset(name for each in methods.values() for name in variables(each, names)),
        drawn=frozenset(name for each in methods.values() for name in drawn(each, names)),
        weights=frozenset(filter(None, map(weight_name, calls(methods, ADD_WEIGHT)))),
        called=frozenset(
            name
            for method in methods.values()
            for each in walked(method)
            if isinstance(each, ast.Call) and (name := own_attribute(each.func))
        ),
        stored={} if constructor is None else stored(constructor),
        names_first=any(
            each.args
            and isinstance(each.args[0], ast.JoinedStr | ast.Constant)
            and isinstance(getattr(each.args[0], "value", ""), str)
            for each in calls(methods, ADD_WEIGHT)
        ),
        deserializes=any(
            isinstance(each, ast.Call)
            and full_name(each.func, names).rpartition(".")[2].startswith("deserialize")
            for each in (walked(methods[_FROM_CONFIG]) if _FROM_CONFIG in methods else ())
        ),
        slashed=dict(
            found
            for each in (CONSTRUCTOR, BUILD)
            if each in methods
            for found in slashed_names(methods[each], names, functions)
        ),
        of_shapes=frozenset(of_first(methods[BUILD])) if BUILD in methods else frozenset(),
        growing=frozenset(growing(methods[BUILD])) if BUILD in methods else frozenset(),
        marks_built=BUILD in methods and marks_built(methods[BUILD]),
        calls_base=BUILD in methods and calls_base(methods[BUILD]),
        revived=frozenset() if constructor is None else frozenset(revived(constructor, names)),
        traced=_CALL in methods
        and any(
            full_name(_callee(each), names) == "tensorflow.function"
            for each in methods[_CALL].decorator_list
        ),
        of_output_shapes=frozenset(of_first(methods[OUTPUT_SHAPE]))
        if OUTPUT_SHAPE in methods
        else frozenset(),
        builds_itself=constructor is not None
        and any(
            isinstance(each, ast.Call) and full_name(each.func, {}) == f"self.{BUILD}"
            for each in walked(constructor)
        ),
        only_makes=_FROM_CONFIG in methods and only_makes(methods[_FROM_CONFIG]),
        shape_items=shape_items(methods[OUTPUT_SHAPE]) if OUTPUT_SHAPE in methods else frozenset(),
        sets_output_shape=OUTPUT_SHAPE in methods and sets_item(methods[OUTPUT_SHAPE]),
        trains=_CALL in methods
        and parameters(methods[_CALL]).defaults.get(_TRAINING) == as_literal(True),
        several_outputs=OUTPUT_SHAPE in methods and gives_several(methods[OUTPUT_SHAPE]),
        variable_names=frozenset(
            name for each in methods.values() for name in variable_names(each, names)
        ),
        reorders=any(map(reorders, methods.values())),
        looks_up=_looks_up(methods, names),
        in_turn=frozenset(
            name.removeprefix("self.")
            for each in methods.values()
            for name in in_turn(each)
            if name.startswith("self.")
        ),
        assigned=frozenset(
            own_attribute(each)
            for method in methods.values()
            for each in walked(method)
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        ),
        uses_shape=BUILD in methods and uses_shape(methods[BUILD]),
        running=running(methods, names, outer),
        helped=tuple(
            made_by_functions(
                [methods[each] for each in (CONSTRUCTOR, BUILD) if each in methods], outer, names
            )
        ),
        kept=kept_orders(methods, names),
        call=parameters(methods[_CALL]) if _CALL in methods else None,
    )


def _resolved(
    made: MadeLayer, methods: Mapping[str, Function], names: Names
) -> Iterator[MadeLayer]:
    """What a method of the class makes and returns, or what is in a list, in place of a call."""
    of, _, method = made.name.rpartition(".")
    node = methods.get(method) if of == "self" else None
    listed = [] if node is None else [*returned_list(node, names)]
    for name, inner in listed:
        yield replace(made, name=name, listed=True, inner=inner)
    if listed:
        return
    found = () if node is None else returned(node, names)
    if not found or found[0].startswith("self."):
        yield made
    else:
        yield replace(made, name=found[0], inside=found[1:])


def _bases(node: ast.ClassDef, names: Names) -> Iterator[str]:
    """Bases, without the one that only forbids what lacks a method."""
    for each in node.bases:
        if (name := full_name(each, names)) != "abc.ABC":
            yield name


def _looks_up(methods: Mapping[str, Function], names: Names) -> bool:
    """Whether a class calls `tf.nn.embedding_lookup`, and never `tf.cast`."""
    called = {
        full_name(each.func, names)
        for method in methods.values()
        for each in ast.walk(method)
        if isinstance(each, ast.Call)
    }
    return _LOOKUP in called and not any(each.endswith(".cast") for each in called)


def _callee(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _registered(node: ast.expr, names: Names, name: str) -> str:
    """The name under which a decorator registers a class, "" if it is another decorator."""
    if full_name(_callee(node), names).rpartition(".")[2] != _REGISTER:
        return ""
    given: dict[str, str] = {}
    if isinstance(node, ast.Call):
        words = [*zip(("package", "name"), node.args, strict=False)]
        words += [(each.arg or "", each.value) for each in node.keywords]
        for key, value in words:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                given[key] = value.value
    return f"{given.get('package', _PACKAGE)}>{given.get('name', name)}"


def _assigned(node: ast.ClassDef) -> Iterator[str]:
    """Names that the class body binds otherwise, as `from_config = classmethod(made)`."""
    for each in node.body:
        if isinstance(each, ast.Assign):
            yield from (target.id for target in each.targets if isinstance(target, ast.Name))
