"""What one method of a class does, by its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.formats.source_code.assigned import taken_apart
from modelaudit.formats.source_code.classes import (
    BaseCall,
    MadeObject,
    Parameters,
    as_literal,
)
from modelaudit.formats.source_code.walking import walked

ANY_ATTRIBUTE = "*"
CONSTRUCTOR, BUILD, ADD_WEIGHT = "__init__", "build", "self.add_weight"
OUTPUT_SHAPE = "compute_output_shape"
_OF_FROM_CONFIG = 2  # the class, and the config
_COPIES = ("dict", "copy.copy", "copy.deepcopy")
_PARTS = ("activations", "constraints", "initializers", "regularizers")
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
        for each in walked(method):
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
    for each in walked(constructor):
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
    for each in walked(method):
        if isinstance(each, ast.Name) and each.id == first and isinstance(each.ctx, ast.Store):
            return
    for each in walked(method):
        owner = each.value if isinstance(each, ast.Attribute) else None
        if isinstance(each, ast.Attribute) and isinstance(owner, ast.Name) and owner.id == first:
            yield each.attr


def sets_item(method: Function) -> bool:
    """Whether a method sets an item of its first parameter, or of that under another name."""
    first = method.args.args[1].arg if len(method.args.args) > 1 else ""
    same, found = {first}, False
    for target, value in assigned(method):
        if isinstance(target, ast.Subscript):
            found |= isinstance(target.value, ast.Name) and target.value.id in same
        elif isinstance(target, ast.Name) and isinstance(value, ast.Name) and value.id in same:
            same.add(target.id)
        elif isinstance(target, ast.Name) and target.id in same:
            return False
    return found and bool(first)


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
        starred=given.vararg.arg if given.vararg else "",
    )


def _read(node: Function, keywords: str) -> Iterator[str]:
    """Words that a method takes out of its `**kwargs`."""
    for each in walked(node):
        if isinstance(each, ast.Call) and full_name(each.func, {}) == f"{keywords}.pop":
            first = each.args[0] if each.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def only_makes(method: Function) -> bool:
    """Whether a class method returns `cls(**config)`, or that of a copy, and does nothing else."""
    names = [each.arg for each in method.args.args]
    body = [each for each in method.body if not (_is_text(each) or _copies(each, names[1:]))]
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    if len(names) != _OF_FROM_CONFIG or not isinstance(value, ast.Call) or value.args:
        return False
    given = [full_name(each.value, {}) for each in value.keywords]
    unpacked = all(each.arg is None for each in value.keywords)
    return full_name(value.func, {}) == names[0] and given == names[1:] and unpacked


def _copies(node: ast.stmt, names: Sequence[str]) -> bool:
    """Whether a statement is `config = config.copy()`, or that of `dict(config)`."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
        return False
    given = [full_name(each, {}) for each in (*node.targets, *node.value.args)]
    made = full_name(node.value.func, {})
    copied = made == f"{given[0]}.copy" if len(given) == 1 else made in _COPIES and len(given) == 2
    return copied and {*given} <= {*names} and len({*given}) == 1 and not node.value.keywords


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def uses_keywords_as_is(node: Function) -> bool:
    """Whether all that a method does with its `**kwargs` is to pass them on, or to pop words."""
    if node.args.kwarg is None:
        return True
    keywords = node.args.kwarg.arg
    plain: set[int] = set()
    for each in walked(node):
        if isinstance(each, ast.Call):
            plain |= {id(word.value) for word in each.keywords if word.arg is None}
            if isinstance(each.func, ast.Attribute) and each.func.attr in ("pop", "get"):
                named = bool(each.args) and isinstance(each.args[0], ast.Constant)
                plain |= {id(each.func.value)} if named else set()
    return all(
        id(each) in plain
        for each in walked(node)
        if isinstance(each, ast.Name) and each.id == keywords
    )


def base_call(node: Function, owner: ast.ClassDef, names: Names) -> BaseCall | None:
    """The call of the base class's constructor, if there is exactly one."""
    found = [
        each
        for each in walked(node)
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
        name=next((literal(each.value) for each in call.keywords if each.arg == "name"), ""),
    )


def assigned(node: Function) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets and values, of which tuples are taken apart."""
    for each in walked(node):
        if isinstance(each, ast.AnnAssign) and each.value is not None:
            yield each.target, each.value
        elif isinstance(each, ast.Assign):
            yield from taken_apart(each)


def revived(constructor: Function, names: Names) -> Iterator[str]:
    """Parameters of which a constructor makes an object, as by `keras.initializers.get`."""
    for each in walked(constructor):
        if isinstance(each, ast.Call) and each.args and isinstance(each.args[0], ast.Name):
            module, _, function = full_name(each.func, names).rpartition(".")
            if function == "get" and module.rpartition(".")[2] in _PARTS:
                yield each.args[0].id


def own_attribute(node: ast.AST) -> str:
    """The attribute of `self` that an expression names; "" if it names none."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == "self" else ""
    return ""


def used(node: Function) -> Iterator[str]:
    """Attributes of `self` that a method builds or calls, also in a loop over them."""
    for each in walked(node):
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
            yield from filter(None, map(own_attribute, walked(each.iter)))
