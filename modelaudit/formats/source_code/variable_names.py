"""The names that a class gives to its `tf.Variable`s, as far as its text tells them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import Function, Names, full_name, own_attribute
from modelaudit.formats.source_code.variables import VARIABLES
from modelaudit.formats.source_code.walking import walked

OWN = "*"
"""Stands for the name of the layer in `"{}_gamma".format(self.name)`."""


def variable_names(method: Function, names: Names) -> Iterator[str]:
    """Names that a method gives to a `tf.Variable`."""
    for each in walked(method):
        if isinstance(each, ast.Call) and full_name(each.func, names) in VARIABLES:
            found = (_text(word.value) for word in each.keywords if word.arg == "name")
            yield from filter(None, found)


def _text(node: ast.expr) -> str:
    """A text, with `OWN` for `self.name`; "" if it has other values in it."""
    if own_attribute(node) == "name":
        return OWN
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    parts: list[str] = []
    if isinstance(node, ast.JoinedStr):
        inside = (x.value if isinstance(x, ast.FormattedValue) else x for x in node.values)
        parts = [_text(each) for each in inside]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text(node.left), _text(node.right)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        given = [_text(each) for each in node.args]
        if node.func.attr == "format" and given == [OWN]:
            return _text(node.func.value).replace("{}", OWN)
    return "".join(parts) if all(parts) else ""
