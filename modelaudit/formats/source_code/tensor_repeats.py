"""Calls of `ops.tile` with the number of repeats as a tensor.

Keras goes through the numbers one by one from 3.13 on, which a tensor of a graph does not allow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import Function, Names, assigned, full_name
from modelaudit.formats.source_code.walking import walked

_TILE = ("keras.ops.tile", "keras.ops.numpy.tile", "tensorflow.keras.ops.tile")
_REPEATS = "repeats"
_MAKERS = frozenset(
    (
        *("array", "cast", "concat", "concatenate", "constant", "convert_to_tensor", "expand_dims"),
        *("ones", "reshape", "stack"),
    )
)
"""Functions of `keras.ops` and of TensorFlow whose result is a tensor, whatever they are given."""
_MODULES = ("keras.ops", "keras.ops.numpy", "tensorflow", "tensorflow.keras.ops")


def tensor_repeats(method: Function, names: Names) -> Iterator[tuple[str, ast.AST]]:
    """(the call as text, the call) of each."""
    values: dict[str, list[ast.expr]] = {}
    for target, value in assigned(method):
        if isinstance(target, ast.Name):
            values.setdefault(target.id, []).append(value)
    for each in walked(method):
        if isinstance(each, ast.Call) and full_name(each.func, names) in _TILE:
            words = {word.arg: word.value for word in each.keywords}
            given = each.args[1] if len(each.args) > 1 else words.get(_REPEATS)
            if isinstance(given, ast.Name):
                held = values.get(given.id, [])
                given = held[0] if len(held) == 1 else None
            if given is not None and _is_tensor(given, names):
                yield ast.unparse(each), each


def _is_tensor(node: ast.expr, names: Names) -> bool:
    module, _, function = (
        full_name(node.func, names).rpartition(".") if isinstance(node, ast.Call) else ("", "", "")
    )
    return module in _MODULES and function in _MAKERS
