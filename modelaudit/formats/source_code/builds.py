"""What a second call of a class's `build` would leave behind, by its syntax tree."""

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

BUILT = "built"


def marks_built(build: Function) -> bool:
    """Whether a `build` sets `self.built`, so that it is not called again."""
    return any(
        isinstance(each, ast.Attribute)
        and own_attribute(each) == BUILT
        and isinstance(each.ctx, ast.Store)
        for each in ast.walk(build)
    )


def gives_several(output_shape: Function) -> bool:
    """Whether a `compute_output_shape` gives a list that has shapes in it."""
    ends = [each.value for each in ast.walk(output_shape) if isinstance(each, ast.Return)]
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
        for each in ast.walk(build)
    )


def growing(build: Function) -> Iterator[str]:
    """Attributes that are lists which a second call makes longer, or whose weights it makes anew.

    Keras 2 forgets a weight or layer when an attribute gets another one, and not a list of weights.
    """
    reset: set[str] = set()
    for each in ast.walk(build):
        if isinstance(each, ast.Assign):
            attributes = [*filter(None, map(own_attribute, each.targets))]
            reset |= {*attributes}
            listed = isinstance(each.value, ast.List | ast.ListComp | ast.Tuple | ast.Dict)
            if listed and _adds(each.value):
                yield from attributes
    weights = {
        target.id
        for each in ast.walk(build)
        if isinstance(each, ast.Assign) and _adds(each.value)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    for each in ast.walk(build):
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
        for each in ast.walk(node)
    )
