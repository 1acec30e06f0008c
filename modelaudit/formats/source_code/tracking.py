"""The order in which Keras 2 and Keras 3 have the layers that a class makes.

Keras 2 has the attributes of an object in the order in which they were last set, and what a list
holds at the place of the list. Keras 3 has a layer from when it is first kept, in an attribute or
in a list that one holds. `self.blocks = []`, another layer, then `self.blocks.append(…)` differ.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from msgspec import Struct

from modelaudit.formats.source_code.assigned import taken_apart
from modelaudit.formats.source_code.kept import Arm, KeptLayer, KeptOrders
from modelaudit.formats.source_code.methods import (
    BUILD,
    CONSTRUCTOR,
    Function,
    Names,
    full_name,
    own_attribute,
)
from modelaudit.formats.source_code.walking import walked

_DEPTH, _STEPS = 3, 5000  # calls inside each other, and statements and values, that are followed
_ITEMS = 64  # of a list
_TURNS = 2  # of a loop whose number of turns the text does not state
_MOST = 8  # turns that the text states, or items of a list
_ADD_ONE, _SETTERS = ("append", "insert"), ("setattr", "self.__setattr__")


class _KeptList(Struct, eq=False):
    """A list: what is in it, and whether an attribute holds it."""

    items: list[_Value]
    held: bool = False


_Value = KeptLayer | _KeptList | None
"""What an expression gives; None if it is neither a layer nor a list of layers."""


def kept_orders(methods: Mapping[str, Function], names: Names) -> KeptOrders:
    """The layers in the order of Keras 2, and in that of Keras 3; none if these are the same."""
    made = [methods[name] for name in (CONSTRUCTOR, BUILD) if name in methods]
    if any(_sorts(each) for method in methods.values() for each in walked(method)):
        return (), ()  # Keras 2 sorts what is in a dictionary
    followed = _Followed(methods, names)
    for method in made:
        followed.body(method.body, {})
    older = tuple(followed.older())
    newer = tuple(each for each in followed.newer if each in older)
    older = tuple(each for each in older if each in newer)
    return ((), ()) if older == newer else (older, newer)


def _sorts(node: ast.AST) -> bool:
    """Whether layers may be put into a dictionary."""
    if isinstance(node, ast.Dict):
        return any(isinstance(each, ast.Call) for each in node.values)
    if isinstance(node, ast.Assign):
        held = (each.value for each in node.targets if isinstance(each, ast.Subscript))
        return isinstance(node.value, ast.Call | ast.Name) and any(map(own_attribute, held))
    return isinstance(node, ast.DictComp)


class _Followed:
    """The methods of a class, followed statement by statement; each branch is taken, in turn."""

    def __init__(self, methods: Mapping[str, Function], names: Names) -> None:
        self.methods, self.names = methods, names
        self.values: list[KeptLayer | _KeptList] = []
        self.attributes: dict[str, tuple[_Value, tuple[Arm, ...]]] = {}
        self.newer: list[KeptLayer] = []
        self.places: dict[tuple[int, ...], int] = {}
        self.stack: list[int] = []  # calls of methods, and turns of loops that the text states
        self.arms: tuple[Arm, ...] = ()
        self.loop = self.turn = self.steps = 0

    def older(self) -> list[KeptLayer]:
        """The layers as Keras 2 has them."""
        found: dict[KeptLayer, None] = {}
        waiting: list[_Value] = [*self.values]
        seen: set[int] = set()
        while waiting:
            first = waiting.pop(0)
            if isinstance(first, _KeptList):
                waiting[:0] = first.items if id(first) not in seen else []
                seen.add(id(first))
            elif first is not None:
                found[first] = None
        return [*found]

    def body(self, statements: list[ast.stmt], local: dict[str, _Value]) -> _Value:
        """Follow what a method does, and tell what it returns."""
        result: _Value = None
        for each in statements:
            self.steps += 1
            if self.steps > _STEPS:
                break
            if isinstance(each, ast.Return):
                result = self.value(each.value, local) or result
            else:
                result = self.statement(each, local) or result
        return result

    def statement(self, node: ast.stmt, local: dict[str, _Value]) -> _Value:
        if isinstance(node, ast.Assign):
            for target, value in taken_apart(node):
                self.assign(target, self.value(value, local), local)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.assign(node.target, self.value(node.value, local), local)
        elif isinstance(node, ast.AugAssign):
            self.add(self.value(node.target, local), self.value(node.value, local))
        elif isinstance(node, ast.Expr):
            self.value(node.value, local)
        elif isinstance(node, ast.If):
            return self.branches(node, local)
        elif isinstance(node, ast.For):
            self.turns(node, node.iter, node.target, node.body, local)
        elif isinstance(node, ast.While):
            self.turns(node, node.test, None, node.body, local)
        elif isinstance(node, ast.With | ast.Try):
            return self.body(node.body, local)
        return None

    def branches(self, node: ast.If, local: dict[str, _Value]) -> _Value:
        before, result = self.arms, None
        for taken, part in ((True, node.body), (False, node.orelse)):
            self.arms = (*before, (node.lineno, taken))
            result = self.body(part, local) or result
        self.arms = before
        return result

    def turns(
        self,
        node: ast.stmt | ast.expr,
        source: ast.expr,
        target: ast.expr | None,
        body: list[ast.stmt] | ast.expr,
        local: dict[str, _Value],
    ) -> list[_Value]:
        """Each turn of a loop; what a comprehension gives in it."""
        over = self.value(source, local) if isinstance(source, ast.Name | ast.Attribute) else None
        stated = _stated(source)
        items: list[_Value] = [None] * (_TURNS if stated is None else stated)
        known = stated is not None
        if isinstance(over, _KeptList):
            items, known = over.items[:_MOST], True
        outer = self.loop, self.turn
        nested = bool(self.loop) and not known
        found: list[_Value] = []
        for number, item in enumerate(items[:1] if nested else items):
            if not known and not nested:
                self.loop, self.turn = node.lineno, number
            self.stack.append(number if known else 0)
            if target is not None:
                self.assign(target, item, local)
            if isinstance(body, list):
                self.body(body, local)
            else:
                found.append(self.value(body, local))
            self.stack.pop()
        self.loop, self.turn = outer
        return found

    def value(self, node: ast.expr | None, local: dict[str, _Value]) -> _Value:
        self.steps += 1
        if self.steps > _STEPS:
            return None
        if isinstance(node, ast.Name):
            return local.get(node.id)
        if isinstance(node, ast.Attribute):
            return self.attributes.get(own_attribute(node), (None, ()))[0]
        if isinstance(node, ast.List | ast.Tuple):
            return _KeptList([self.value(each, local) for each in node.elts])
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            made = node.generators[0]
            return _KeptList(self.turns(node, made.iter, made.target, node.elt, local))
        if isinstance(node, ast.IfExp):
            return self.value(node.body, local) or self.value(node.orelse, local)
        if isinstance(node, ast.Subscript):
            of = self.value(node.value, local)
            return of.items[-1] if isinstance(of, _KeptList) and of.items else None
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left, local), self.value(node.right, local)
            if isinstance(left, _KeptList):
                more = right.items if isinstance(right, _KeptList) else []
                return _KeptList([*left.items, *more][:_ITEMS])
            return right if isinstance(right, _KeptList) else None
        return self.call(node, local) if isinstance(node, ast.Call) else None

    def call(self, node: ast.Call, local: dict[str, _Value]) -> _Value:
        name = full_name(node.func, self.names)
        given = [self.value(each, local) for each in node.args if not _is_made(each, self.names)]
        if name in _SETTERS:
            self.set_attribute(f"{name}{len(self.attributes)}", given[-1] if given else None)
            return None
        if isinstance(node.func, ast.Attribute) and node.args:
            held = self.value(node.func.value, local)
            if isinstance(held, _KeptList):
                last = self.value(node.args[-1], local)
                if node.func.attr in _ADD_ONE:
                    self.add(held, _KeptList([last]))
                elif node.func.attr == "extend":
                    self.add(held, last)
                return None
        of, _, method = name.rpartition(".")
        if of == "self":
            return self.called(self.methods.get(method), node, local)
        if name in ("list", "tuple"):
            return _KeptList([*given[0].items] if given and isinstance(given[0], _KeptList) else [])
        return self.made(node, name) if name else None

    def called(self, method: Function | None, node: ast.Call, local: dict[str, _Value]) -> _Value:
        """A method that another one calls."""
        if method is None or len(self.stack) > _MOST or method.name in (CONSTRUCTOR, BUILD):
            return None
        names = [each.arg for each in method.args.args[1:]]
        given = dict(zip(names, (self.value(each, local) for each in node.args), strict=False))
        given |= {word.arg: self.value(word.value, local) for word in node.keywords if word.arg}
        self.stack.append(node.lineno)
        result = self.body(method.body, given) if self.stack.count(node.lineno) < _DEPTH else None
        self.stack.pop()
        return result

    def made(self, node: ast.Call, name: str) -> KeptLayer:
        key = (node.lineno, node.col_offset, *self.stack)
        place = self.places.setdefault(key, len(self.places))
        words = [*node.args, *(word.value for word in node.keywords)]
        inside = {
            found
            for given in words
            for each in walked(given)
            if isinstance(each, ast.Call) and (found := full_name(each.func, self.names))
        }
        return KeptLayer(name, place, self.loop, self.turn, self.arms, tuple(sorted(inside)))

    def assign(self, target: ast.expr, value: _Value, local: dict[str, _Value]) -> None:
        if isinstance(target, ast.Name):
            local[target.id] = value
        elif attribute := own_attribute(target):
            self.set_attribute(attribute, value)

    def set_attribute(self, attribute: str, value: _Value) -> None:
        old, arms = self.attributes.pop(attribute, (None, ()))
        others = any(each is old for each, _ in self.attributes.values())
        instead = any((line, not taken) in self.arms for line, taken in arms)
        if old is not None and old is not value and not others and not instead:
            self.values = [each for each in self.values if each is not old]
        self.attributes[attribute] = (value, self.arms)
        if value is not None:
            if not any(each is value for each in self.values):
                self.values.append(value)
            self.track(value)

    def add(self, held: _Value, more: _Value) -> None:
        """What is put into a list."""
        if isinstance(held, _KeptList):
            added = [*more.items] if isinstance(more, _KeptList) else [more]
            held.items = [*held.items, *added][:_ITEMS]
            for each in added if held.held else ():
                self.track(each)

    def track(self, value: _Value) -> None:
        """What Keras 3 keeps from now on."""
        if isinstance(value, _KeptList):
            new, value.held = not value.held, True
            for each in value.items if new else ():
                self.track(each)
        elif value is not None and value not in self.newer:
            self.newer.append(value)


def _is_made(node: ast.expr, names: Names) -> bool:
    """Whether an argument is a layer that is made inside another one."""
    return isinstance(node, ast.Call) and bool(full_name(node.func, names))


def _stated(source: ast.expr) -> int | None:
    """How many turns a loop has, where the text states that."""
    if isinstance(source, ast.Call) and full_name(source.func, {}) == "range":
        last = source.args[0] if len(source.args) == 1 else None
        if isinstance(last, ast.Constant) and isinstance(last.value, int):
            return last.value if last.value <= _MOST else None
    if isinstance(source, ast.List | ast.Tuple) and len(source.elts) <= _MOST:
        return len(source.elts)
    return None
