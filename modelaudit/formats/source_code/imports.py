"""What a Python file needs of Keras when it is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import Function, Names, full_name
from modelaudit.formats.source_code.walking import walked

KERAS_MODULES = ("keras.", "tensorflow.keras.", "tf_keras.")
OLD_KERAS = "tensorflow.compat.v1.keras."
"""How names begin that TensorFlow with Keras 3 has as attributes, and in no module."""


def needed_names(tree: ast.Module, names: Names) -> Iterator[str]:
    """Full names in Keras without which the import of a file fails.

    What is under a condition, or where an error is caught, does not count.
    """
    for node in tree.body:
        found: list[str] = []
        if isinstance(node, ast.ImportFrom) and not node.level:
            found = [f"{node.module}.{each.name}" for each in node.names if each.name != "*"]
        elif isinstance(node, ast.ClassDef):
            found = [_name(each, names) for each in (*node.decorator_list, *node.bases)]
        elif isinstance(node, Function):
            given = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each]
            inside = [part for each in given for part in walked(each)]
            used = [each for each in inside if isinstance(each, ast.Attribute)]
            found = [_name(each, names) for each in (*node.decorator_list, *used)]
        if isinstance(node, ast.ImportFrom):
            yield from (each for each in found if each.startswith(OLD_KERAS))
        yield from (each for each in found if each.startswith(KERAS_MODULES))


def _name(node: ast.expr, names: Names) -> str:
    return full_name(node.func if isinstance(node, ast.Call) else node, names)
