"""Lambda layers that Keras 2 makes again by their configs when it reads a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact, Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.checks.lambda_closures import LISTS
from modelaudit.runtimes.checks.lambda_code import OF_GLOBAL, check, named
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, nodes_in
from modelaudit.runtimes.version_bounds import REVIVES_BY_NAME

_LAMBDA = "Lambda"
_WRAPPED = "TimeDistributed"  # which calls the layer in it by its own code


def saved_lambdas(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first that its runtime cannot make again, and the first that it cannot call."""
    if REVIVES_BY_NAME.holds(context.profile):
        yield from next(filter(None, (_by_name(*each, context) for each in _all(artifact))), ())
    for document in artifact.documents:
        for route, config in _called(mapping(document.value), ""):
            given = {**config, "function": _listed(config.get("function"))}
            found = [*check(_LAMBDA, given, context, route, archive=False)]
            fatal = [each for each in found if each.code == OF_GLOBAL]
            if all(each.code == LISTS for each in found):
                fatal = found  # code that cannot be read is put aside for the saved function
            if fatal:
                yield from fatal
                return


def _all(artifact: Artifact) -> Iterator[tuple[str, Config]]:
    for document in artifact.documents:
        for node in nodes_in(document.value):
            if text(node.get("class_name")) == _LAMBDA:
                config = mapping(node.get("config"))
                yield text(config.get("name")), config


def _listed(function: Json) -> Json:
    """A tuple of code, defaults and closure as lists: the metadata tell the two apart."""
    if isinstance(function, dict):
        function = function.get("items", function)
    if not isinstance(function, list):
        return function
    return [each.get("items", each) if isinstance(each, dict) else each for each in function]


def _by_name(route: str, config: Config, context: CheckContext) -> tuple[Reason, ...]:
    """A function that is no code, as a bound method, of which the file has the name."""
    function: Json = config.get("function")
    if config.get("function_type") != "function" or not isinstance(function, str):
        return ()
    return tuple(named(function, config, context, route))


def _called(node: Config, inside: str) -> Iterator[tuple[str, Config]]:
    """Lambda layers that a Functional or Sequential model calls when it is connected again.

    A layer in an own class, or in a subclassed model, keeps its saved function.
    """
    name, config = text(node.get("class_name")), mapping(node.get("config"))
    route = f"{inside}/{text(config.get('name'))}".strip("/")
    if name == _LAMBDA:
        yield from ((route, config),) if inside else ()
    elif name == _WRAPPED:
        yield from _called(mapping(config.get("layer")), route) if inside else ()
    elif has(name, Trait.MODEL):
        for each in sequence(config.get("layers")):
            yield from _called(mapping(each), route)
