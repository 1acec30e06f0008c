"""What one method of a class does, by its syntax tree."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from modelaudit.formats.source_code.assigned import taken_apart
from modelaudit.formats.source_code.classes import (
    BaseCall,
    MadeLayer,
    MadeObject,
    Parameters,
    as_literal,
)

ANY_ATTRIBUTE = "*"
CONSTRUCTOR, BUILD, ADD_WEIGHT = "__init__", "build", "self.add_weight"
OUTPUT_SHAPE = "compute_output_shape"
_PARTS = ("activations", "constraints", "initializers", "regularizers")
_INPUTS = ("Input", "InputLayer")
_INPUT_SHAPES = ("batch_input_shape", "input_dim", "input_shape")
Names = Mapping[str, str]
"""A name in the file -> the full name that it was imported as."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def full_name(node: ast.expr, names: Names) -> str:
    """`layers.Dense` as its full name; "" if it is no name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def calls(methods: Mapping[str, Function], name: str) -> Iterator[ast.Call]:
    """Calls of a function by its name, as `self.add_weight`, in all methods of a class."""
    for method in methods.values():
        for each in ast.walk(method):
            if isinstance(each, ast.Call) and full_name(each.func, {}) == name:
                yield each


def weight_name(call: ast.Call) -> str:
    """The name that a weight is given as text."""
    for word in call.keywords:
        if word.arg == "name" and isinstance(word.value, ast.Constant):
            return word.value.value if isinstance(word.value.value, str) else ""
    return ""


def stored(constructor: Function) -> dict[str, str]:
    """Parameters that the constructor keeps as they are, and never gives another value."""
    given = {each.arg for each in (*constructor.args.args[1:], *constructor.args.kwonlyargs)}
    found: dict[str, str] = {}
    for each in ast.walk(constructor):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            given.discard(each.id)
    for target, value in assigned(constructor):
        name = own_attribute(target)
        if name and isinstance(value, ast.Name):
            found[value.id] = name
    return {parameter: name for parameter, name in found.items() if parameter in given}


def of_first(method: Function) -> Iterator[str]:
    """The attributes of the first parameter that a method uses, before it gives it a new value."""
    first = method.args.args[1].arg if len(method.args.args) > 1 else ""
    for each in ast.walk(method):
        if isinstance(each, ast.Name) and each.id == first and isinstance(each.ctx, ast.Store):
            return
    for each in ast.walk(method):
        owner = each.value if isinstance(each, ast.Attribute) else None
        if isinstance(each, ast.Attribute) and isinstance(owner, ast.Name) and owner.id == first:
            yield each.attr


def literal(node: ast.expr) -> str:
    """A number, text or list of these as `as_literal` writes it; "" for anything else."""
    try:
        return as_literal(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""


def made_objects(tree: ast.Module) -> Iterator[MadeObject]:
    """Calls of what may be a class: its name begins with a capital letter."""
    for each in ast.walk(tree):
        name = full_name(each.func, {}).rpartition(".")[2] if isinstance(each, ast.Call) else ""
        if isinstance(each, ast.Call) and name[:1].isupper():
            words = {
                word.arg or "": literal(word.value) if word.arg else "" for word in each.keywords
            }
            yield MadeObject(name, tuple(map(literal, each.args)), words)


def parameters(node: Function) -> Parameters:
    """What a method takes."""
    given = node.args
    positional = [each.arg for each in (*given.posonlyargs, *given.args)][1:]
    first_default = len(positional) - len(given.defaults)
    required = positional[: max(first_default, 0)]
    required += [
        each.arg
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    ]
    defaults = dict(zip(positional[first_default:], map(literal, given.defaults), strict=True))
    for name, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        defaults |= {name.arg: literal(default)} if default is not None else {}
    only = {each.arg for each in given.posonlyargs}
    names = [each for each in positional if each not in only]
    keywords = given.kwarg.arg if given.kwarg else ""
    return Parameters(
        names=(*names, *(each.arg for each in given.kwonlyargs)),
        required=tuple(required),
        keywords=bool(keywords),
        read=frozenset(_read(node, keywords)) if keywords else frozenset(),
        defaults={name: value for name, value in defaults.items() if value},
        variadic=bool(given.vararg and given.vararg.arg == "args" and keywords == "kwargs"),
    )


def _read(node: Function, keywords: str) -> Iterator[str]:
    """Words that a method takes out of its `**kwargs`."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and full_name(each.func, {}) == f"{keywords}.pop":
            first = each.args[0] if each.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def uses_keywords_as_is(node: Function) -> bool:
    """Whether all that a method does with its `**kwargs` is to pass them on, or to pop words."""
    if node.args.kwarg is None:
        return True
    keywords = node.args.kwarg.arg
    plain: set[int] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            plain |= {id(word.value) for word in each.keywords if word.arg is None}
            if isinstance(each.func, ast.Attribute) and each.func.attr in ("pop", "get"):
                named = bool(each.args) and isinstance(each.args[0], ast.Constant)
                plain |= {id(each.func.value)} if named else set()
    return all(
        id(each) in plain
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and each.id == keywords
    )


def base_call(node: Function, owner: ast.ClassDef, names: Names) -> BaseCall | None:
    """The call of the base class's constructor, if there is exactly one."""
    found = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == CONSTRUCTOR
    ]
    if len(found) != 1:
        return None
    call = found[0]
    of = call.func.value if isinstance(call.func, ast.Attribute) else call
    by_super = isinstance(of, ast.Call) and full_name(of.func, {}) == "super"
    by_name = full_name(of, names) in {full_name(each, names) for each in owner.bases}
    if not (by_super or by_name):
        return None
    keywords = node.args.kwarg.arg if node.args.kwarg else ""
    unpacked = [full_name(each.value, {}) for each in call.keywords if each.arg is None]
    if any(each != keywords for each in unpacked):
        return None
    starred = [each for each in call.args if isinstance(each, ast.Starred)]
    given = call.args[1:] if by_name and not by_super else call.args
    return BaseCall(
        words=frozenset(each.arg for each in call.keywords if each.arg is not None),
        positional=len(given) - len(starred),
        keywords=bool(unpacked),
        passed=tuple(full_name(each, {}) for each in given if each not in starred),
    )


def made_layers(node: Function, names: Names) -> Iterator[MadeLayer]:
    """Objects that a method makes and keeps as attributes, perhaps as variables first."""
    local = _made_once(node)
    kept: dict[str, str] = {}  # a variable -> the attribute that it is kept as
    for target, given in assigned(node):
        attribute, value = own_attribute(target), given
        if not attribute:
            continue
        if isinstance(given, ast.Name):
            kept[given.id] = attribute
            value = local.get(given.id, given)
        if isinstance(value, ast.Call):
            words = frozenset(word.arg for word in value.keywords if word.arg)
            name = full_name(value.func, names)
            variable = given.id if isinstance(given, ast.Name) else f"self.{attribute}"
            inside = _without_input(_with_added(value, variable, node), name, names)
            yield MadeLayer(attribute, name, node.name, words=words, inside=inside)
        for name in _listed(value, names):
            yield MadeLayer(attribute, name, node.name, listed=True)
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and full_name(each.func, {}) == "setattr":
            yield from _set_by_name(each, node.name, names)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            held = each.func.value  # self.blocks.append(Dense(8)), or of blocks that are kept later
            attribute = kept.get(held.id, "") if isinstance(held, ast.Name) else own_attribute(held)
            if attribute and each.func.attr == "append" and each.args:
                for one in _apart(each.args[0]):
                    made = local.get(one.id, one) if isinstance(one, ast.Name) else one
                    name = full_name(made.func, names) if isinstance(made, ast.Call) else ""
                    yield MadeLayer(attribute, name, node.name, listed=True)


def _apart(node: ast.expr) -> list[ast.expr]:
    """What a list or tuple holds, or what is none."""
    return node.elts if isinstance(node, ast.List | ast.Tuple) else [node]


def _made_once(node: Function) -> dict[str, ast.expr]:
    """Variables of a method that it gives a value once, and the values."""
    given = [(each.id, value) for each, value in assigned(node) if isinstance(each, ast.Name)]
    often = Counter(name for name, _ in given)
    return {name: value for name, value in given if often[name] == 1}


def assigned(node: Function) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets and values, of which tuples are taken apart."""
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign) and each.value is not None:
            yield each.target, each.value
        elif isinstance(each, ast.Assign):
            yield from taken_apart(each)


def _without_input(call: ast.Call, name: str, names: Names) -> tuple[str, ...]:
    """The classes that a Sequential is made of, if none of them is its input."""
    if name.rpartition(".")[2] != "Sequential" or not call.args:
        return ()
    found = tuple(_listed(call.args[0], names))
    inputs = any(each.rpartition(".")[2] in _INPUTS for each in found)
    shaped = any(
        word.arg in _INPUT_SHAPES
        for each in ast.walk(call)
        if isinstance(each, ast.Call)
        for word in each.keywords
    )
    return () if inputs or shaped else found


def returned(node: Function, names: Names) -> tuple[str, ...]:
    """The classes of the one object that a function makes and returns; () if it is not known.

    Those of layers follow that it adds to a model without an input.
    """
    ends = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    made = ends[0] if len(ends) == 1 else None
    variable = made.id if isinstance(made, ast.Name) else ""
    given = [value for target, value in assigned(node) if full_name(target, {}) == variable]
    made = given[0] if variable and len(given) == 1 else made
    if not isinstance(made, ast.Call) or not (name := full_name(made.func, names)):
        return ()
    return (name, *_without_input(_with_added(made, variable, node), name, names))


def _with_added(made: ast.Call, variable: str, node: Function) -> ast.Call:
    """A call that makes a model, as if it were given what `add` of the model adds to it."""
    added = [one for each in calls({"": node}, f"{variable}.add") for one in each.args]
    return ast.Call(made.func, [ast.List([*made.args, *added])], made.keywords) if added else made


def _set_by_name(call: ast.Call, method: str, names: Names) -> Iterator[MadeLayer]:
    """`setattr(self, f"dense{i}", Dense(4))`."""
    if len(call.args) != 3 or full_name(call.args[0], {}) != "self":
        return
    _, key, made = call.args
    if isinstance(key, ast.JoinedStr) and isinstance(made, ast.Call):
        first = key.values[0] if key.values else None
        begin = str(first.value) if isinstance(first, ast.Constant) else ""
        yield MadeLayer(f"{begin}*", full_name(made.func, names), method)


def revived(constructor: Function, names: Names) -> Iterator[str]:
    """Parameters of which a constructor makes an object, as by `keras.initializers.get`."""
    for each in ast.walk(constructor):
        if isinstance(each, ast.Call) and each.args and isinstance(each.args[0], ast.Name):
            module, _, function = full_name(each.func, names).rpartition(".")
            if function == "get" and module.rpartition(".")[2] in _PARTS:
                yield each.args[0].id


def own_attribute(node: ast.AST) -> str:
    """The attribute of `self` that an expression names; "" if it names none."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == "self" else ""
    return ""


def _listed(node: ast.expr, names: Names) -> Iterator[str]:
    """The classes of what a list or dictionary holds."""
    items: list[ast.expr] = []
    if isinstance(node, ast.List | ast.Tuple):
        items = node.elts
    elif isinstance(node, ast.ListComp):
        items = [node.elt]
    elif isinstance(node, ast.Dict):
        items = node.values
    elif isinstance(node, ast.DictComp):
        items = [node.value]
    for each in items:
        if isinstance(each, ast.Call):
            yield full_name(each.func, names)
        yield from _listed(each, names)


def used(node: Function) -> Iterator[str]:
    """Attributes of `self` that a method builds or calls, also in a loop over them."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            if attribute := own_attribute(each.func):
                yield attribute
            if full_name(each.func, {}) == "self":
                yield "call"
            if full_name(each.func, {}) == "getattr":
                yield ANY_ATTRIBUTE
            if isinstance(each.func, ast.Attribute) and each.func.attr == BUILD:
                yield own_attribute(each.func.value)
        elif isinstance(each, ast.For):
            yield from filter(None, map(own_attribute, ast.walk(each.iter)))
