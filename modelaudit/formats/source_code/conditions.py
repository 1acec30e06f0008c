"""Statements whose course depends on the values of tensors, which only a graph compiler can run.

Keras 2 translates the `call` of a layer into a graph, with AutoGraph. Keras 3 traces it as it is,
where a tensor is neither true nor false, and no number of steps. Nor does `ops.tile` of Keras 3.13
and later go through the numbers of repeats in a tensor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from modelaudit.formats.source_code.methods import (
    Function,
    Names,
    assigned,
    full_name,
)
from modelaudit.formats.source_code.walking import walked

# Functions of TensorFlow whose result is a tensor, whatever they are given.
_OF_TENSORFLOW = re.compile(
    r"tensorflow\.(?:(?:math|random|linalg|strings|image|signal)\.\w+|reduce_\w+|argmax|argmin|abs|"
    r"cast|constant|convert_to_tensor|equal|greater|greater_equal|less|less_equal|logical_\w+|"
    r"norm|not_equal|range|rank|shape|size|zeros|ones|identity|stop_gradient|maximum|minimum)"
)
_OF_BACKEND = re.compile(
    r"(?:tensorflow\.)?keras\.backend\.(?:all|any|cast|equal|greater|greater_equal|less|less_equal|"
    r"max|mean|min|not_equal|random_\w+|shape|std|sum)"
)
_FUNCTION = "tensorflow.function"
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


def tensor_conditions(method: Function, names: Names) -> Iterator[tuple[str, ast.AST]]:
    """(`if` and what is asked, the statement) of each condition or loop over what is a tensor.

    A method that is a `tf.function` is translated in every version.
    """
    compiled = (each.func if isinstance(each, ast.Call) else each for each in method.decorator_list)
    if _FUNCTION in (full_name(each, names) for each in compiled):
        return
    inner = {
        id(part) for each in walked(method) if _is_inner(each, method) for part in walked(each)
    }
    tensors = _Tensors(method, names)
    for each in walked(method):
        if id(each) in inner:
            continue
        if isinstance(each, ast.If | ast.While | ast.IfExp) and tensors.has(each.test):
            word = "while" if isinstance(each, ast.While) else "if"
            yield f"{word} {ast.unparse(each.test)}", each.test
        elif isinstance(each, ast.For) and tensors.counts(each.iter):
            yield f"for {ast.unparse(each.target)} in {ast.unparse(each.iter)}", each.iter


def _is_inner(node: ast.AST, method: Function) -> bool:
    return isinstance(node, ast.Lambda | ast.FunctionDef) and node is not method


class _Tensors:
    """Which expressions of a method are tensors for sure."""

    def __init__(self, method: Function, names: Names) -> None:
        self._names = names
        self._known: set[str] = set()
        values: dict[str, list[ast.expr]] = {}
        for target, value in assigned(method):
            if isinstance(target, ast.Name):
                values.setdefault(target.id, []).append(value)
        # A value may be made of the name itself, as by `i = i + 1`, behind the first.
        for name, first in ((name, given[0]) for name, given in values.items()):
            if self.has(first):
                self._known.add(name)
        self._known -= {
            name
            for name, given in values.items()
            if not all(map(self.has, given))  # it may be another thing there
        }

    def counts(self, node: ast.expr) -> bool:
        """Whether a loop goes over as many steps as a tensor says."""
        called = full_name(node.func, self._names) if isinstance(node, ast.Call) else ""
        if called == "range" and isinstance(node, ast.Call):
            return any(map(self.has, node.args))
        return called == "tensorflow.range"

    def has(self, node: ast.expr) -> bool:
        """Whether an expression is a tensor."""
        if isinstance(node, ast.Call):
            name = full_name(node.func, self._names)
            return bool(_OF_TENSORFLOW.fullmatch(name) or _OF_BACKEND.fullmatch(name))
        if isinstance(node, ast.Compare):
            plain = (ast.Is, ast.IsNot, ast.In, ast.NotIn)
            if any(isinstance(each, plain) for each in node.ops):
                return False
            return self.has(node.left) or any(map(self.has, node.comparators))
        if isinstance(node, ast.BoolOp):
            return self.has(node.values[0])
        if isinstance(node, ast.BinOp):
            return self.has(node.left) or self.has(node.right)
        if isinstance(node, ast.UnaryOp):
            return self.has(node.operand)
        if isinstance(node, ast.Subscript):
            return self.has(node.value)
        return isinstance(node, ast.Name) and node.id in self._known


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
            if given is not None and _is_made_tensor(given, names):
                yield ast.unparse(each), each


def _is_made_tensor(node: ast.expr, names: Names) -> bool:
    module, _, function = (
        full_name(node.func, names).rpartition(".") if isinstance(node, ast.Call) else ("", "", "")
    )
    return module in _MODULES and function in _MAKERS
