"""What names in a Python file stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.layer_classes import LAYER_CLASSES

_LAYERS = ("keras.layers", "tensorflow.keras.layers", "tf_keras.layers")
_EVERY = "*"


def taken_apart(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets and values of an assignment, as of `layers, K = keras.layers, keras.backend`."""
    for target in node.targets:
        left = target.elts if isinstance(target, ast.Tuple) else []
        right = node.value.elts if isinstance(node.value, ast.Tuple) else []
        if left and len(left) == len(right):
            yield from zip(left, right, strict=True)
        else:
            yield target, node.value


def from_import(node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Names that an import gives, and their full names; of `*` those of the layers of Keras."""
    module = node.module or ""
    for each in node.names:
        if each.name != _EVERY:
            yield each.asname or each.name, f"{module}.{each.name}".lstrip(".")
        elif module in _LAYERS:
            yield from ((name, f"{module}.{name}") for name in (*LAYER_CLASSES, "Layer"))
