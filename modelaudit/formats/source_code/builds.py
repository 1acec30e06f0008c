"""How a class makes its layers: what a second `build` leaves behind, and their order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import (
    ADD_WEIGHT,
    BUILD,
    Function,
    full_name,
    own_attribute,
)
from modelaudit.formats.source_code.walking import walked

BUILT = "built"


def marks_built(build: Function) -> bool:
    """Whether a `build` sets `self.built`, so that it is not called again."""
    return any(
        isinstance(each, ast.Attribute)
        and own_attribute(each) == BUILT
        and isinstance(each.ctx, ast.Store)
        for each in walked(build)
    )


def gives_several(output_shape: Function) -> bool:
    """Whether a `compute_output_shape` gives a list that has shapes in it."""
    ends = [each.value for each in walked(output_shape) if isinstance(each, ast.Return)]
    return bool(ends) and all(
        isinstance(end, ast.List)
        and any(isinstance(each, ast.Tuple | ast.List | ast.Call) for each in end.elts)
        for end in ends
    )


def calls_base(build: Function) -> bool:
    """Whether a `build` calls that of a base class."""
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == BUILD
        and not own_attribute(each.func.value)
        for each in walked(build)
    )


def uses_shape(build: Function) -> bool:
    """Whether a `build` uses the shape that it is given, but to pass it to that of a base class."""
    first = build.args.args[1].arg if len(build.args.args) > 1 else ""
    passed = {
        id(given)
        for each in walked(build)
        if isinstance(each, ast.Call) and full_name(each.func, {}) == ""
        for given in each.args
        if isinstance(each.func, ast.Attribute) and each.func.attr == BUILD
    }
    return any(
        isinstance(each, ast.Name) and each.id == first and id(each) not in passed
        for each in walked(build)
    )


def reorders(method: Function) -> bool:
    """Whether a method may keep layers in another order than it makes them.

    It puts them into a dictionary, or into several lists in the same loop.
    """
    for each in walked(method):
        if isinstance(each, ast.DictComp):
            return True
        if isinstance(each, ast.Dict) and any(isinstance(x, ast.Call) for x in each.values):
            return True
        if isinstance(each, ast.Assign) and any(isinstance(x, ast.Subscript) for x in each.targets):
            return True
    return bool(in_turn(method))


def in_turn(method: Function) -> frozenset[str]:
    """Lists that one loop of a method fills in turn, by name, as `self.blocks`."""
    found: set[str] = set()
    for each in walked(method):
        if isinstance(each, ast.For | ast.While):
            calls = (x.func for x in walked(each) if isinstance(x, ast.Call))
            filled = {
                full_name(x.value, {})
                for x in calls
                if isinstance(x, ast.Attribute) and x.attr == "append"
            }
            found |= filled if len(filled) > 1 else set()
    return frozenset(found)


def growing(build: Function) -> Iterator[str]:
    """Attributes that are lists which a second call makes longer, or whose weights it makes anew.

    Keras 2 forgets a weight or layer when an attribute gets another one, and not a list of weights.
    """
    reset: set[str] = set()
    for each in walked(build):
        if isinstance(each, ast.Assign):
            attributes = [*filter(None, map(own_attribute, each.targets))]
            reset |= {*attributes}
            listed = isinstance(each.value, ast.List | ast.ListComp | ast.Tuple | ast.Dict)
            if listed and _adds(each.value):
                yield from attributes
    weights = {
        target.id
        for each in walked(build)
        if isinstance(each, ast.Assign) and _adds(each.value)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    for each in walked(build):
        if not (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)):
            continue
        attribute = own_attribute(each.func.value)
        if not attribute or each.func.attr != "append" or not each.args:
            continue
        given = each.args[0]
        kept = _adds(given) or (isinstance(given, ast.Name) and given.id in weights)
        if kept or attribute not in reset:
            yield attribute


def _adds(node: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Call) and full_name(each.func, {}) == ADD_WEIGHT
        for each in walked(node)
    )
