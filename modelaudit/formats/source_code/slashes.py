"""Names with a slash that a method gives to layers and weights, which Keras 3 refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from modelaudit.formats.source_code.classes import KERAS
from modelaudit.formats.source_code.methods import ADD_WEIGHT, Function, Names, full_name
from modelaudit.formats.source_code.walking import walked

_NAME = "name"


def naming_functions(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Functions of a file that take a `name`, with their parameters in order."""
    found: dict[str, tuple[str, ...]] = {}
    for node in tree.body:
        if isinstance(node, Function):
            names = tuple(each.arg for each in node.args.args)
            found |= {node.name: names} if _NAME in names else {}
    return found


def slashed_names(
    method: Function, names: Names, functions: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, bool]]:
    """(name, whether every object of the class gets it) of each name with a slash.

    Args:
        functions: those of the same file that pass a name on, as `naming_functions` finds them.
    """
    conditional = {
        id(inner)
        for each in walked(method)
        if isinstance(each, ast.If | ast.IfExp | ast.For | ast.While | ast.Try)
        for inner in walked(each)
    }
    for each in walked(method):
        if isinstance(each, ast.Call) and (name := _name_given(each, names, functions)):
            yield name, id(each) not in conditional


def _name_given(call: ast.Call, names: Names, functions: Mapping[str, tuple[str, ...]]) -> str:
    own = functions.get(full_name(call.func, {}), ())
    known = full_name(call.func, names).startswith(KERAS)
    if not (own or known or full_name(call.func, {}) == ADD_WEIGHT):
        return ""
    given = [word.value for word in call.keywords if word.arg == _NAME]
    given += [value for name, value in zip(own, call.args, strict=False) if name == _NAME]
    return next(filter(None, map(_with_slash, given)), "")


def _with_slash(value: ast.expr) -> str:
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    return ast.unparse(value) if any(isinstance(x, str) and "/" in x for x in texts) else ""
