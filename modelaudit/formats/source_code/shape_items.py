"""Which items of its input's shape a `compute_output_shape` computes with, as if it knew them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelaudit.formats.source_code.assigned import taken_apart
from modelaudit.formats.source_code.methods import Function, full_name
from modelaudit.formats.source_code.walking import walked

_COPIES = ("list", "tuple", "tensorflow.TensorShape", "tf.TensorShape")
_MAYBE = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.FunctionDef)


def shape_items(method: Function) -> frozenset[int]:
    """The numbers of items that it always adds, multiplies or divides: None is no number.

    What comes after a statement that may end the method, or change the shape, does not count.
    """
    if len(method.args.args) < 2:
        return frozenset()
    followed = _FollowedShape(method.args.args[1].arg)
    return frozenset(followed.used(method.body))


class _FollowedShape:
    """The statements of a method, with the names that stand for the shape and for its items."""

    def __init__(self, shape: str) -> None:
        self.shapes, self.items = {shape}, dict[str, int]()

    def used(self, body: list[ast.stmt]) -> Iterator[int]:
        for node in body:
            if not isinstance(node, ast.Return | ast.Assign | ast.AugAssign | ast.Expr):
                names = [x for x in walked(node) if isinstance(x, ast.Name)]
                stored = {x.id for x in names if isinstance(x.ctx, ast.Store)}
                ends = any(isinstance(x, ast.Return) for x in walked(node))
                if ends or stored & (self.shapes | self.items.keys()):
                    return
                continue
            yield from self.computed(node)
            for target, value in taken_apart(node) if isinstance(node, ast.Assign) else ():
                self.assign(target, value)
            if isinstance(node, ast.AugAssign):
                self.assign(node.target, node.value)

    def computed(self, node: ast.stmt) -> Iterator[int]:
        """Items that a statement computes with."""
        maybe = {id(x) for each in walked(node) if isinstance(each, _MAYBE) for x in walked(each)}
        for each in walked(node):
            if isinstance(each, ast.BinOp) and id(each) not in maybe:
                found = map(self.item, (each.left, each.right))
                yield from (number for number in found if number is not None)

    def item(self, node: ast.expr) -> int | None:
        """The number of the item of the shape that an expression is."""
        if isinstance(node, ast.Name):
            return self.items.get(node.id)
        if isinstance(node, ast.Subscript) and self.is_shape(node.value):
            try:
                number = ast.literal_eval(node.slice)
            except ValueError:
                return None
            return number if isinstance(number, int) else None
        return None

    def is_shape(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and function.attr == "as_list":
                return self.is_shape(function.value)
            copies = full_name(function, {}) in _COPIES and len(node.args) == 1
            return copies and self.is_shape(node.args[0])
        return isinstance(node, ast.Name) and node.id in self.shapes

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """What names stand for from here on."""
        if isinstance(target, ast.Tuple | ast.List) and self.is_shape(value):
            for place, each in enumerate(target.elts):
                if isinstance(each, ast.Starred):
                    return
                if isinstance(each, ast.Name):
                    self.items[each.id] = place
        elif isinstance(target, ast.Name):
            shape, number = self.is_shape(value), self.item(value)
            self.shapes.discard(target.id)
            self.items.pop(target.id, None)
            if shape:
                self.shapes.add(target.id)
            elif number is not None:
                self.items[target.id] = number
        elif isinstance(target, ast.Subscript) and self.is_shape(target.value):
            self.shapes.clear()  # an item may be another one from here on
