"""The arguments that a class accepts, determined from its signatures and its source.

Like all of `collecting` it runs in other interpreters: standard library, and syntax of Python 3.7.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

AnyObject = Any  # an object of the runtime's own packages, whose types are unknown here


class Body(ast.NodeVisitor):
    """What one function does with its mapping of keywords (`kwargs`, `config`)."""

    def __init__(self, mapping: str) -> None:
        self.mapping = mapping
        self.taken: set[str] = set()  # popped, read, or listed as allowed
        self.removed: set[str] = set()  # popped: removed before the constructor sees the mapping
        self.needed: set[str] = set()  # read without a default
        self.helpers: set[str] = set()  # functions that receive the mapping
        self.checked = False  # remaining keys raise an error
        self.forwards: set[str] | None = (
            None  # keywords beside **mapping in a call to the base's constructor
        )

    def visit_Call(self, node: AnyObject) -> None:
        """`kwargs.pop("x", ...)`, helpers, `super().__init__(a=a, **kwargs)`."""
        function = node.func
        if isinstance(function, ast.Attribute):
            if self.is_mapping(function.value) and function.attr in ("pop", "get", "setdefault"):
                key = constant(node.args[0]) if node.args else None
                if key is not None:
                    self.taken.add(key)
                    if function.attr == "pop":
                        self.removed.add(key)
                        if len(node.args) == 1 and not node.keywords:
                            self.needed.add(key)
            elif function.attr in ("__init__", "from_config"):
                passed = [word for word in node.keywords if word.arg is None]
                if any(self.is_mapping(word.value) for word in passed):
                    names = {word.arg for word in node.keywords if word.arg}
                    self.forwards = names if self.forwards is None else self.forwards & names
        if any(self.is_mapping(argument) for argument in node.args):
            named = set(filter(None, map(constant, node.args)))  # keys that the helper reads
            self.taken |= named
            self.removed |= named
            name = function.attr if isinstance(function, ast.Attribute) else name_of(function)
            if name:
                self.helpers.add(name)
        self.generic_visit(node)

    def visit_If(self, node: AnyObject) -> None:
        """`if kwargs: raise ...`."""
        tested = node.test
        if isinstance(tested, ast.Call) and name_of(tested.func) in ("len", "set", "bool"):
            tested = tested.args[0]
        if isinstance(tested, ast.BoolOp):
            tested = tested.values[0]
        self.checked |= self.is_mapping(tested)
        self.generic_visit(node)

    def visit_For(self, node: AnyObject) -> None:
        """`for key in kwargs: if key not in allowed: raise ...`."""
        self.checked |= self.is_mapping(node.iter)
        self.generic_visit(node)

    def visit_Subscript(self, node: AnyObject) -> None:
        """`kwargs["x"]`."""
        index = node.slice.value if type(node.slice).__name__ == "Index" else node.slice
        key = constant(index)
        if self.is_mapping(node.value) and key is not None:
            self.taken.add(key)
            if isinstance(node.ctx, ast.Load):
                self.needed.add(key)
        self.generic_visit(node)

    def visit_Compare(self, node: AnyObject) -> None:
        """`"x" in kwargs`."""
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            key = constant(node.left)
            if key is not None and self.is_mapping(node.comparators[0]):
                self.taken.add(key)
                self.needed.discard(key)
        self.generic_visit(node)

    def visit_Assign(self, node: AnyObject) -> None:
        """`allowed_kwargs = {"x", ...}`."""
        names = [name_of(target) or "" for target in node.targets]
        if any("allowed" in name for name in names) and isinstance(
            node.value, (ast.Set, ast.List, ast.Tuple)
        ):
            self.taken.update(filter(None, map(constant, node.value.elts)))
        self.generic_visit(node)

    def is_mapping(self, node: AnyObject) -> bool:
        """Whether an expression is the mapping itself."""
        return isinstance(node, ast.Name) and node.id == self.mapping


def constant(node: AnyObject) -> str | None:
    """The value of a string literal, or None."""
    value = getattr(node, "value", getattr(node, "s", None))
    return value if isinstance(value, str) else None


def name_of(node: AnyObject) -> str | None:
    """The identifier of a name, or None."""
    return node.id if isinstance(node, ast.Name) else None


def body_of(function: AnyObject, mapping: str) -> Body:
    """What `function` does with `mapping`; helpers that receive it are followed."""
    body = Body(mapping)
    function = plain(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return body
    body.visit(tree)
    conditional = {
        constant(test.left)
        for test in ast.walk(tree)
        if isinstance(test, ast.Compare) and any(isinstance(o, ast.In) for o in test.ops)
    }
    body.needed -= conditional
    return body


def plain(function: AnyObject) -> AnyObject:
    """The function under a class method and decorators."""
    method: AnyObject = getattr(function, "__func__", function)
    return inspect.unwrap(method)


def helper(owner: AnyObject, function: AnyObject, name: str) -> AnyObject:
    """The function that `name` refers to inside a method of `owner`, or None."""
    function = plain(function)
    found = getattr(owner, name, None) or getattr(function, "__globals__", {}).get(name)
    return found if inspect.isroutine(found) else None


def keywords(function: AnyObject) -> tuple[list[str], list[str], str | None]:
    """Names of the explicit parameters, of those without a default, and of `**kwargs`."""
    parameters = list(inspect.signature(inspect.unwrap(function)).parameters.values())[1:]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = [p.name for p in named if p.default is p.empty]
    variable = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    return [p.name for p in named], required, variable[0] if variable else None


def constructor(cls: AnyObject) -> tuple[set[str], set[str], bool]:
    """(accepted, required, open) of a class's constructor, over its bases.

    `open` says that keywords go somewhere that no source tells of.
    """
    accepted: set[str] = set()
    required: set[str] = set()
    blocked: set[str] = set()
    first_constructor = True
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        if base is object:
            return accepted, required, False
        names, needed, mapping = keywords(vars(base)["__init__"])
        accepted |= set(names) - blocked
        if first_constructor:
            required, first_constructor = set(needed), False
        if mapping is None:
            return accepted, required, False
        body = body_of(vars(base)["__init__"], mapping)
        accepted |= body.taken - blocked
        checked = body.checked
        for name in body.helpers:
            checked |= "valid" in (name or "")
            routine = helper(cls, vars(base)["__init__"], name)
            first = mapping_parameter(routine)
            if first:
                helping = body_of(routine, first)
                accepted |= helping.taken
                checked |= helping.checked
        if body.forwards is None:
            return accepted, required, not checked
        blocked |= body.forwards - accepted
    return accepted, required, False


def mapping_parameter(routine: AnyObject) -> str | None:
    """The parameter of a helper that takes the keywords: `kwargs`, else none."""
    try:
        names = list(inspect.signature(routine).parameters) if routine else []
    except (TypeError, ValueError):
        return None
    return next((name for name in names if name in ("kwargs", "config", "init_config")), None)


def from_config(cls: AnyObject) -> tuple[set[str], set[str]]:
    """(removed, needed) keys of a class's `from_config`, over the bases that it calls."""
    removed, needed = set(), set()
    for base in cls.__mro__:
        method = vars(base).get("from_config")
        if method is None:
            continue
        function = getattr(method, "__func__", method)
        names = list(inspect.signature(inspect.unwrap(function)).parameters)
        if len(names) < 2:
            break
        body = body_of(function, names[1])
        removed |= body.removed
        needed |= body.needed
        for name in body.helpers:
            first_parameter = mapping_parameter(helper(cls, function, name))
            if first_parameter:
                removed |= body_of(helper(cls, function, name), first_parameter).removed
        if "super" not in inspect.unwrap(function).__code__.co_names:
            break
    return removed, needed


def describe(cls: AnyObject) -> dict[str, AnyObject]:
    """One class: the keys that its `from_config` accepts (`accepts`) and needs, or `open`."""
    try:
        accepted, required, is_open = constructor(cls)
        removed, needed = from_config(cls)
    except (TypeError, ValueError):
        return {"accepts": [], "open": True}
    entry: dict[str, AnyObject] = {"accepts": sorted(accepted | removed)}
    needed = (needed | required) - {"self", "config"}
    if needed:
        entry["needs"] = sorted(needed)
    if is_open:
        entry["open"] = True
    return entry
