"""What the methods of a class do that run when a layer is made, built and called."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from modelaudit.formats.source_code.classes import KERAS, as_literal
from modelaudit.formats.source_code.conditions import tensor_conditions, tensor_repeats
from modelaudit.formats.source_code.list_masks import MASK, mask_as_tensor
from modelaudit.formats.source_code.methods import (
    ADD_WEIGHT,
    BUILD,
    CONSTRUCTOR,
    OUTPUT_SHAPE,
    Function,
    Names,
    full_name,
    literal,
    own_attribute,
    parameters,
)
from modelaudit.formats.source_code.statements import (
    AddedWeight,
    Given,
    InnerCall,
    ParameterUse,
    PassedValue,
    RunningCode,
    Use,
)
from modelaudit.formats.source_code.value_uses import value_uses
from modelaudit.formats.source_code.walking import walked
from modelaudit.graphs import reachable

CALL = "call"
_ADD_VARIABLE = "self.add_variable"
_ADD_LOSS = "self.add_loss"
TRAINING = "training"
_ASKS = ("getattr", "hasattr")


def running(
    methods: Mapping[str, Function], names: Names, functions: Mapping[str, Function]
) -> RunningCode:
    """What runs of a class whose objects are made, built and called.

    Args:
        functions: those at the top level of the file.
    """
    uses = {name: {*_own_names(method)} & methods.keys() for name, method in methods.items()}

    def after(*first: str) -> list[str]:
        return [*reachable([x for x in first if x in methods], uses.__getitem__)]

    made = after(CONSTRUCTOR, BUILD)
    runs = [methods[each] for each in dict.fromkeys((*made, *after(CALL)))]
    early = {id(x) for each in made for x in walked(methods[each])}
    sometimes = {id(x) for method in runs for x in _conditional(method)}
    tried = {id(x) for method in runs for x in _tried(method)}
    masked = mask_as_tensor(methods[CALL], names) if CALL in methods else None
    told = parameters(methods[CALL]).defaults if CALL in methods else {}
    untold = told.get(TRAINING) == as_literal(None)
    until_told = {id(x) for method in runs for x in _until_told(method)}
    if TRAINING in told and not untold:
        tried |= until_told  # never so
    nodes = [each for method in runs for each in walked(method) if id(each) not in tried]
    calls = [each for each in nodes if isinstance(each, ast.Call)]

    def use(node: ast.AST) -> Use:
        waits = untold and id(node) in until_told
        return Use(waits or id(node) not in sometimes, id(node) not in early, waits)

    def by_name(found: Iterator[tuple[str, ast.AST]]) -> dict[str, Use]:
        result: dict[str, Use] = {}
        for name, node in found:
            now, before = use(node), result.get(name)
            result[name] = now if before is None else _either(now, before)
        return result

    asked = {
        each.args[1].value
        for each in calls
        if full_name(each.func, {}) in _ASKS
        and len(each.args) > 1
        and isinstance(each.args[1], ast.Constant)
    }
    return RunningCode(
        reads=by_name((name, x) for name, x in _read(nodes) if name not in asked | methods.keys()),
        keras=by_name(_of_keras(nodes, names)),
        weights=tuple(_weight(each, use(each)) for each in calls if _adds(each)),
        passed=tuple(
            PassedValue(attribute, value, untold and value == TRAINING, use(call))
            for method in runs
            for attribute, value, call in _passed(method)
            if id(call) not in tried
        ),
        losses=by_name(_losses(calls, runs)),
        builds=by_name(_builds(calls, runs)),
        calls=tuple(
            _inner_call(call, attribute, _unchanged(method), use(call))
            for method in runs
            for call, attribute in _calls(method)
            if id(call) not in tried
        ),
        conditions=by_name(
            found
            for method in runs
            for found in tensor_conditions(method, names)
            if id(found[1]) not in tried | early
        ),
        values=tuple(_value_uses(methods, runs, use, tried)),
        repeats=by_name(_repeats(runs, functions, names, tried)),
        mask="" if masked is None else ast.unparse(masked),
    )


def _repeats(
    runs: list[Function], functions: Mapping[str, Function], names: Names, tried: set[int]
) -> Iterator[tuple[str, ast.AST]]:
    """Calls of `ops.tile` with a tensor, in methods or where a method calls a function of them."""
    told: dict[str, str] = {
        name: text
        for name, function in functions.items()
        for text, node in tensor_repeats(function, names)
        if id(node) not in {id(x) for x in _conditional(function)}
    }
    for method in runs:
        found = [*tensor_repeats(method, names)]
        found += [
            (told[node.func.id], node)
            for node in walked(method)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in told
        ]
        yield from ((text, node) for text, node in found if id(node) not in tried)


def _value_uses(
    methods: Mapping[str, Function],
    runs: list[Function],
    use: Callable[[ast.AST], Use],
    tried: set[int],
) -> Iterator[ParameterUse]:
    """Uses of parameters in what runs, and in what tells the shape of an output."""
    for parameter, need, name, method, node in value_uses(methods):
        if id(node) in tried:
            continue
        if any(method is each for each in runs):
            yield ParameterUse(parameter, need, name, use=use(node))
        elif method.name == OUTPUT_SHAPE:
            always = id(node) not in {id(each) for each in _conditional(method)}
            yield ParameterUse(parameter, need, name, of_shape=True, use=Use(always))


def _either(one: Use, other: Use) -> Use:
    """When one of two statements runs that do the same."""
    return Use(
        one.always or other.always,
        one.called and other.called,
        one.untold and other.untold,
    )


def _until_told(method: Function) -> Iterator[ast.AST]:
    """What runs while `training` is None: `if training is None: …`, in no other condition."""
    for each in method.body:
        if isinstance(each, ast.If) and ast.unparse(each.test) == f"{TRAINING} is None":
            for part in each.body:
                yield from walked(part)


def _own_names(method: Function) -> Iterator[str]:
    """Attributes of `self` that a method uses."""
    yield from filter(None, map(own_attribute, walked(method)))


def _conditional(method: Function) -> Iterator[ast.AST]:
    """What a method does only under a condition, or in a function that it may not call."""
    for each in walked(method):
        parts: list[ast.AST] = []
        if isinstance(each, ast.If):
            parts = [*each.body, *each.orelse]
        elif isinstance(each, ast.IfExp):
            parts = [each.body, each.orelse]
        elif isinstance(each, ast.BoolOp):
            parts = [*each.values[1:]]
        elif isinstance(each, ast.Lambda | ast.FunctionDef) and each is not method:
            parts = [each]
        body = getattr(each, "body", None)
        if isinstance(body, list):
            ends = [_may_end(one) for one in body]
            parts += body[ends.index(True) + 1 :] if True in ends else []
        for part in parts:
            yield from walked(part)


def _may_end(node: ast.AST) -> bool:
    """Whether a method may be over after a statement, by a condition in it."""
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Return | ast.Raise) for each in walked(node)
    )


def _tried(method: Function) -> Iterator[ast.AST]:
    """What may fail there."""
    for each in walked(method):
        if isinstance(each, ast.Try):
            for part in each.body:
                yield from walked(part)


def _read(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for each in nodes:
        loads = isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load)
        if loads and (name := own_attribute(each)):
            yield name, each


def _of_keras(nodes: list[ast.AST], names: Names) -> Iterator[tuple[str, ast.AST]]:
    """Full names of what is used of Keras."""
    for each in nodes:
        if isinstance(each, ast.Attribute | ast.Name) and isinstance(each.ctx, ast.Load):
            name = full_name(each, names)
            if name.startswith(KERAS):
                yield name, each


def _adds(call: ast.Call) -> bool:
    return full_name(call.func, {}) in (ADD_WEIGHT, _ADD_VARIABLE)


def _weight(call: ast.Call, use: Use) -> AddedWeight:
    """A weight that is asked for, with what is said of it."""
    words = {word.arg: word.value for word in call.keywords if word.arg}
    return AddedWeight(
        method=full_name(call.func, {}).rpartition(".")[2],
        words={word: ast.unparse(value) for word, value in words.items()},
        constants=frozenset(word for word, x in words.items() if isinstance(x, ast.Constant)),
        positional=len(call.args),
        all_told=all(word.arg for word in call.keywords)
        and not any(isinstance(x, ast.Starred) for x in call.args),
        use=use,
    )


def _losses(calls: list[ast.Call], runs: list[Function]) -> Iterator[tuple[str, ast.AST]]:
    """How losses are added: as "a function", or with a word as `inputs=`."""
    for each in calls:
        if full_name(each.func, {}) != _ADD_LOSS:
            continue
        inner = {
            x.name for method in runs for x in walked(method) if isinstance(x, ast.FunctionDef)
        }
        for given in each.args:
            own = full_name(given, {}) in inner
            if own or isinstance(given, ast.Lambda):
                yield "a function", each
        for word in each.keywords:
            if word.arg == "inputs":
                yield "`inputs=`", each


def _builds(calls: list[ast.Call], runs: list[Function]) -> Iterator[tuple[str, ast.AST]]:
    """Attributes whose `build` the class's own `build` calls."""
    inside = {id(x) for method in runs if method.name == BUILD for x in walked(method)}
    for each in calls:
        if id(each) in inside and isinstance(each.func, ast.Attribute):
            name = own_attribute(each.func.value)
            if name and each.func.attr == BUILD:
                yield name, each


def _calls(method: Function) -> Iterator[tuple[ast.Call, str]]:
    """Calls of what an attribute keeps, in a list or by itself."""
    loops = dict(_loops(method))
    for each in walked(method):
        if isinstance(each, ast.Call):
            held = each.func.value if isinstance(each.func, ast.Subscript) else each.func
            attribute = own_attribute(held)
            if isinstance(each.func, ast.Name):
                attribute = loops.get(each.func.id, "")
            if attribute:
                yield each, attribute


def _inner_call(call: ast.Call, attribute: str, own: set[str], use: Use) -> InnerCall:
    starred = any(isinstance(each, ast.Starred) for each in call.args)
    return InnerCall(
        attribute,
        tuple(_given(each, own) for each in call.args),
        frozenset(word.arg for word in call.keywords if word.arg),
        not starred and all(word.arg for word in call.keywords),
        use,
    )


def _given(argument: ast.expr, own: set[str]) -> Given:
    name = argument.id if isinstance(argument, ast.Name) and argument.id in own else ""
    if (value := literal(argument)) == as_literal(None):
        return Given.NONE
    if name == MASK:
        return Given.MASK
    return Given.VALUE if value or name == TRAINING else Given.OTHER


def _unchanged(method: Function) -> set[str]:
    """Parameters that a method gives no other value."""
    stored = (x for x in walked(method) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store))
    return {each.arg for each in method.args.args[1:]} - {x.id for x in stored}


def _passed(method: Function) -> Iterator[tuple[str, str, ast.AST]]:
    """(attribute, value, call) of what a method passes by position that is no tensor.

    That is a flag or a number, or its `training`.
    """
    own = _unchanged(method)
    for call, attribute in _calls(method):
        for argument in call.args:
            if _given(argument, own) is Given.VALUE:
                yield attribute, ast.unparse(argument), call


def _loops(method: Function) -> Iterator[tuple[str, str]]:
    """Variables of loops, and the attribute of `self` that the loop goes over."""
    for each in walked(method):
        if isinstance(each, ast.For):
            over = [name for x in walked(each.iter) if (name := own_attribute(x))]
            targets = [x.id for x in walked(each.target) if isinstance(x, ast.Name)]
            if isinstance(each.target, ast.Name) and len(over) == 1:
                yield targets[0], over[0]
            elif len(targets) == 1 + len(over) and len(over) == 1:
                yield targets[-1], over[0]  # enumerate
            elif len(targets) == len(over):
                yield from zip(targets, over, strict=True)  # zip
