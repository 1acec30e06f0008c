"""What a class does with values of its config that not every value of JSON lets it do."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum

from modelaudit.formats.source_code.methods import (
    ADD_WEIGHT,
    CONSTRUCTOR,
    Function,
    full_name,
    own_attribute,
    stored,
)
from modelaudit.formats.source_code.walking import walked

_SHAPE = "shape"


class NeededKind(StrEnum):
    """What a value must be or have."""

    TUPLE = "a tuple"
    ATTRIBUTE = "an attribute"
    KEY = "a number as a key"
    SHAPE = "a shape"


def value_uses(
    methods: Mapping[str, Function],
) -> Iterator[tuple[str, NeededKind, str, Function, ast.AST]]:
    """(parameter, need, name of the attribute or key, method, expression) of each use.

    A parameter counts where the constructor gives it no other value; in other methods, the
    attribute that keeps it, where nothing else is assigned to that.
    """
    constructor = methods.get(CONSTRUCTOR)
    if constructor is None:
        return
    given = {each.arg for each in (*constructor.args.args[1:], *constructor.args.kwonlyargs)}
    own = {name: name for name in given - {*_names_stored(constructor)}}
    times = Counter(name for method in methods.values() for name in _attributes_stored(method))
    kept = {
        f"self.{attribute}": parameter
        for parameter, attribute in stored(constructor).items()
        if times[attribute] == 1
    }
    for method in methods.values():
        held = kept | own if method is constructor else kept
        for each in walked(method):
            for value, need, name in _uses(each):
                if parameter := held.get(full_name(value, {})):
                    yield parameter, need, name, method, each


def _uses(node: ast.AST) -> Iterator[tuple[ast.expr, NeededKind, str]]:
    """(value, need, name) of what one expression does."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if _is_tuple(one):
                yield other, NeededKind.TUPLE, ""
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield node.value, NeededKind.ATTRIBUTE, node.attr
    elif isinstance(node, ast.Subscript) and isinstance(getattr(node.slice, "value", None), int):
        yield node.value, NeededKind.KEY, ast.unparse(node.slice)
    elif isinstance(node, ast.Call) and full_name(node.func, {}) == ADD_WEIGHT:
        yield from ((x.value, NeededKind.SHAPE, "") for x in node.keywords if x.arg == _SHAPE)


def _names_stored(method: Function) -> Iterator[str]:
    for each in walked(method):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


def _attributes_stored(method: Function) -> Iterator[str]:
    for each in walked(method):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            yield own_attribute(each)


def _is_tuple(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_tuple(node.left) or _is_tuple(node.right)
    called = full_name(node.func, {}) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Tuple) or called == "tuple"
