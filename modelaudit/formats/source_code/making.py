"""The layers that a method makes and keeps: as attributes, or in lists and dictionaries."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from modelaudit.formats.source_code.classes import HIDDEN, MadeLayer
from modelaudit.formats.source_code.methods import (
    Function,
    Names,
    assigned,
    calls,
    full_name,
    own_attribute,
)
from modelaudit.formats.source_code.walking import walked

_INPUTS = ("Input", "InputLayer")
_ADD_ONE = ("append", "insert")
_LISTS = ("dict", "list", "tuple")
_SETTERS = ("setattr", "object.__setattr__")
_INPUT_SHAPES = ("batch_input_shape", "input_dim", "input_shape")


def made_layers(node: Function, names: Names) -> Iterator[MadeLayer]:
    """Objects that a method makes and keeps as attributes, perhaps as variables first."""
    local = _made_once(node)
    kept: dict[str, str] = {}  # a variable -> the attribute that it is kept as
    for target, given in assigned(node):
        attribute, value = own_attribute(target), given
        if isinstance(target, ast.Subscript) and (owner := _holder(target.value)):
            for name, inner in _items(ast.List([_known(value, local)]), names):
                listed = owner != HIDDEN  # self.heads["x"] = …
                yield MadeLayer(owner, name, node.name, listed=listed, inner=listed and inner)
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
        for name, inner in _items(_known(value, local), names):
            yield MadeLayer(attribute, name, node.name, listed=True, inner=inner)
    rows = {
        one.id: attribute  # a list in a list
        for each in walked(node)
        for held, given in _added(each)
        if (attribute := own_attribute(held)) and isinstance(given, ast.List)
        for one in given.elts
        if isinstance(one, ast.Name)
    }
    for each in walked(node):
        if isinstance(each, ast.Call) and full_name(each.func, {}) in _SETTERS:
            yield from _set_by_name(each, node.name, local, names)
        for held, given in _added(each):  # self.blocks.append(Dense(8)), or of what is kept later
            variable = held.id if isinstance(held, ast.Name) else ""
            attribute = kept.get(variable) or rows.get(variable, "") or own_attribute(held)
            row = variable in rows and variable not in kept
            for name, inner in _items(_known(given, local), names) if attribute else ():
                yield MadeLayer(attribute, name, node.name, listed=True, inner=inner or row)


def made_by_functions(
    methods: Iterable[Function], functions: Mapping[str, Function], names: Names
) -> Iterator[tuple[MadeLayer, ...]]:
    """Layers of Keras in functions of the file that methods call, but for those under a condition.

    Where a function tries one and makes another if this fails, both come together, in order.
    """
    called = {
        each.func.id: functions[each.func.id]
        for method in methods
        for each in walked(method)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Name)
        and each.func.id in functions
    }
    for function in called.values():
        for node in function.body:
            if isinstance(node, ast.Try) and len(node.handlers) == 1:
                tried, instead = ast.Module(node.body, []), ast.Module(node.handlers[0].body, [])
                parts = [[*_plain_calls(part, function.name, names)] for part in (tried, instead)]
                if all(len(part) == 1 for part in parts):
                    yield tuple(part[0] for part in parts)
            elif isinstance(node, ast.Assign | ast.Expr | ast.Return):
                yield from ((each,) for each in _plain_calls(node, function.name, names))


def _plain_calls(node: ast.AST, method: str, names: Names) -> Iterator[MadeLayer]:
    maybe = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.If, ast.For)
    skipped = {id(x) for each in walked(node) if isinstance(each, maybe) for x in walked(each)}
    for each in walked(node):
        name = full_name(each.func, names) if isinstance(each, ast.Call) else ""
        if isinstance(each, ast.Call) and ".layers." in name and id(each) not in skipped:
            words = frozenset(word.arg for word in each.keywords if word.arg)
            yield MadeLayer("", name, method, words=words)


def _holder(node: ast.expr) -> str:
    """The attribute of `self` that an item is set in; `vars(self)` is one of Python's own."""
    if isinstance(node, ast.Call) and full_name(node.func, {}) == "vars":
        given = [full_name(each, {}) for each in node.args]
        return HIDDEN * (given == ["self"])
    return own_attribute(node)


def _added(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """A list that gets longer, and what is added to it, in a list."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield node.target, node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr in _ADD_ONE:
            yield node.func.value, ast.List([node.args[-1]])
        elif node.func.attr == "extend":
            yield node.func.value, node.args[0]


def _known(node: ast.expr, local: Mapping[str, ast.expr]) -> ast.expr:
    """An expression with what variables stand for in place of those that are all of it."""
    if isinstance(node, ast.Name):
        return local.get(node.id, node)
    if isinstance(node, ast.List | ast.Tuple):
        return ast.List([_known(each, local) for each in node.elts])
    return node


def _made_once(node: Function) -> dict[str, ast.expr]:
    """Variables of a method that it gives a value once, and the values."""
    given = [(each.id, value) for each, value in assigned(node) if isinstance(each, ast.Name)]
    often = Counter(name for name, _ in given)
    return {name: value for name, value in given if often[name] == 1}


def _without_input(call: ast.Call, name: str, names: Names) -> tuple[str, ...]:
    """The classes that a Sequential is made of, if none of them is its input."""
    if name.rpartition(".")[2] != "Sequential" or not call.args:
        return ()
    found = tuple(_listed(call.args[0], names))
    inputs = any(each.rpartition(".")[2] in _INPUTS for each in found)
    shaped = any(
        word.arg in _INPUT_SHAPES
        for each in walked(call)
        if isinstance(each, ast.Call)
        for word in each.keywords
    )
    return () if inputs or shaped else found


def returned(node: Function, names: Names) -> tuple[str, ...]:
    """The classes of the one object that a function makes and returns; () if it is not known.

    Those of layers follow that it adds to a model without an input.
    """
    ends = [each.value for each in walked(node) if isinstance(each, ast.Return)]
    made = ends[0] if len(ends) == 1 else None
    variable = made.id if isinstance(made, ast.Name) else ""
    given = [value for target, value in assigned(node) if full_name(target, {}) == variable]
    made = given[0] if variable and len(given) == 1 else made
    if not isinstance(made, ast.Call) or not (name := full_name(made.func, names)):
        return ()
    return (name, *_without_input(_with_added(made, variable, node), name, names))


def returned_list(node: Function, names: Names) -> Iterator[tuple[str, bool]]:
    """The classes of what is in the one list that a method makes and returns, as `_items` says."""
    ends = [each.value for each in walked(node) if isinstance(each, ast.Return)]
    if len(ends) != 1 or ends[0] is None:
        return
    local = _made_once(node)
    variable = ends[0].id if isinstance(ends[0], ast.Name) else ""
    yield from _items(_known(ends[0], local), names)
    for each in walked(node):
        for held, given in _added(each):
            if variable and isinstance(held, ast.Name) and held.id == variable:
                yield from _items(_known(given, local), names)


def _with_added(made: ast.Call, variable: str, node: Function) -> ast.Call:
    """A call that makes a model, as if it were given what `add` of the model adds to it."""
    added = [one for each in calls({"": node}, f"{variable}.add") for one in each.args]
    return ast.Call(made.func, [ast.List([*made.args, *added])], made.keywords) if added else made


def _set_by_name(
    call: ast.Call, method: str, local: Mapping[str, ast.expr], names: Names
) -> Iterator[MadeLayer]:
    """`setattr(self, f"dense{i}", Dense(4))`."""
    if len(call.args) != 3 or full_name(call.args[0], {}) != "self":
        return
    key, made = (_known(each, local) for each in call.args[1:])
    hidden = full_name(call.func, {}) != _SETTERS[0]
    if isinstance(made, ast.Call) and (attribute := HIDDEN if hidden else _beginning(key)):
        yield MadeLayer(attribute, full_name(made.func, names), method)


def _beginning(key: ast.expr) -> str:
    """A text as far as the code states it, with an asterisk for the rest; "" for no text."""
    if isinstance(key, ast.Constant):
        return key.value if isinstance(key.value, str) else ""
    if isinstance(key, ast.JoinedStr):
        return f"{_beginning(key.values[0]) if key.values else ''}*"
    if isinstance(key, ast.BinOp):  # "dense" + str(i), "dense%d" % i
        begin = _beginning(key.left)
        return f"{begin.partition('%' if isinstance(key.op, ast.Mod) else '*')[0]}*" * bool(begin)
    if isinstance(key, ast.Call) and isinstance(key.func, ast.Attribute):  # "dense{}".format(i)
        begin = _beginning(key.func.value) if key.func.attr == "format" else ""
        return f"{begin.partition('{')[0]}*" * bool(begin)
    return ""


def _listed(node: ast.expr, names: Names) -> Iterator[str]:
    """The classes of what a list or dictionary holds, and of what is in lists in it."""
    return (name for name, _ in _items(node, names))


def _items(node: ast.expr, names: Names) -> Iterator[tuple[str, bool]]:
    """The same, however it is put together, and whether each is in a list in it."""
    items: list[ast.expr] = []
    if isinstance(node, ast.List | ast.Tuple):
        items = node.elts
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        items = [node.elt]
    elif isinstance(node, ast.Dict):
        items = node.values
    elif isinstance(node, ast.DictComp):
        items = [node.value]
    elif isinstance(node, ast.BinOp):  # [None] + [Dense(4)], [Dense(4)] * 2
        yield from _items(node.left, names)
        yield from _items(node.right, names)
    elif isinstance(node, ast.Call) and full_name(node.func, {}) in _LISTS:
        for each in (*node.args, *(word.value for word in node.keywords if word.arg)):
            yield from _items(each, names)
    for each in items:
        for one in _choices(each):
            if isinstance(one, ast.Call) and full_name(one.func, {}) not in _LISTS:
                yield full_name(one.func, names), False
            spread = isinstance(each, ast.Starred)
            yield from ((name, inner or not spread) for name, inner in _items(one, names))


def _choices(node: ast.expr) -> list[ast.expr]:
    """The values that `Dense(4) if deep else None` has, or an expression that has one."""
    if isinstance(node, ast.Starred):
        return [node.value]
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
