"""Initializers, regularizers, constraints and activations in a layer's config."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import (
    FUNCTION,
    UPGRADE,
    Config,
    ConfigLocation,
    ReasonCondition,
    is_custom,
    passed,
    reads_modules,
    unknown_arguments,
)

UNKNOWN_OBJECT = "unknown-object"  # code of the reason for an object that is not found
KIND_OF_SUFFIX = {
    "_initializer": "initializers",
    "_regularizer": "regularizers",
    "_constraint": "constraints",
    "activation": "activations",
}


def takes_layers(profile: RuntimeProfile) -> bool:
    """Whether a loaded activation may be a layer, as of `Dense(2, activation=LeakyReLU(0.1))`."""
    return not profile.keras3 or profile.keras >= (3, 10)


def check(config: Config, context: CheckContext, route: str, archive: bool) -> Iterator[Reason]:
    """Initializers, regularizers, constraints, activations of a layer."""
    for key, value in config.items():
        kind = next((k for suffix, k in KIND_OF_SUFFIX.items() if key.endswith(suffix)), "")
        if kind and value is not None:
            place = ConfigLocation(route, kind, archive=archive)
            yield from _part(key, value, context, place)


def _part(key: str, value: Json, context: CheckContext, place: ConfigLocation) -> Iterator[Reason]:
    profile, kind, route = context.profile, place.kind, place.route
    node = mapping(value)
    name = text(value) or text(node.get("class_name"))
    if name == FUNCTION:
        yield from _function(key, node, context, place)
        return
    if name in context.request.custom or is_custom(node, context) or not name:
        if name and not node and not place.archive:
            yield from _by_name(key, name, context, place)
        return
    module = node.get("module")
    # A layer can be an activation. Keras 2 looks its class up in a table, whatever the module is.
    here = module == "keras.layers" or (
        isinstance(node.get("module", ""), str) and not profile.keras3
    )
    looked_up = kind == "activations" and here and takes_layers(profile)
    if looked_up and reads_modules(context) and profile.has_class("layers", name):
        kind = "layers"
    custom = "module" in node and module is None
    known = profile.knows(kind, name) and not (custom and reads_modules(context))
    if not known:
        yield Reason(
            UNKNOWN_OBJECT,
            LoadOutcome.FAILS,
            f"{key} of {route} is {name}, which is not one of the {kind} in {profile.name}",
            f"ValueError: Could not interpret {kind[:-1]} identifier: {name}"
            if profile.keras3
            else f"ValueError: Unknown {kind[:-1]}: {name}",
            f"pass it in custom_objects={{...}}, or {UPGRADE}",
            route,
            **_passed(name, context, place, by_name=not node),
        )
    elif node:
        values = mapping(node.get("config"))
        yield from unknown_arguments(name, kind, set(values), context, f"{route}/{key}", values)


def _passed(
    name: str, context: CheckContext, place: ConfigLocation, by_name: bool
) -> ReasonCondition:
    """The condition of an object of somebody's own; none for one that the writer's Keras has."""
    writer = context.writer
    if writer is None or writer.knows(place.kind, name):
        return {}
    if by_name and not place.archive and not _reads_names(context, place.kind):
        return {}
    return passed(name)


def _reads_names(context: CheckContext, kind: str) -> bool:
    """Whether an HDF5 file may have a function of the program by its name alone."""
    return kind != "activations" or "name" in context.behaviour("function_forms", ("name",))


def _by_name(key: str, name: str, context: CheckContext, place: ConfigLocation) -> Iterator[Reason]:
    """A custom function by its name alone, in an HDF5 file."""
    profile = context.profile
    if not _reads_names(context, place.kind):
        yield Reason(
            UNKNOWN_OBJECT,
            LoadOutcome.FAILS,
            f"{key} of {place.route} is the function {name} by name only, which {profile.name} "
            "misreads even if the function is provided",
            "TypeError: Object of type function is not JSON serializable",
            "use Keras 3.8 or newer",
            place.route,
        )


def _function(
    key: str, node: Config, context: CheckContext, place: ConfigLocation
) -> Iterator[Reason]:
    """`{"class_name": "function", "config": name}`: a function that is not Keras' own."""
    name = text(node.get("config"))
    profile = context.profile
    built_in = profile.knows(place.kind, name)
    condition: ReasonCondition = {}
    given = name in context.request.custom
    read = place.archive or "object" in context.behaviour("function_forms", ("object",))
    if reads_modules(context) and (built_in or (given and read)):
        return
    if given or built_in:
        what = f"in a form that {profile.name} cannot read here"
        fix = f'write the plain string "{name}" into the config, and pass it in custom_objects'
    else:
        what, fix = "which is not in the file", f'pass custom_objects={{"{name}": ...}}'
        if reads_modules(context) and read:
            condition = _passed(name, context, place, by_name=False)
    yield Reason(
        UNKNOWN_OBJECT,
        LoadOutcome.FAILS,
        f"{key} of {place.route} is the function {name}, {what}",
        f"TypeError: Could not locate function '{name}'."
        if profile.keras3
        else "ValueError: Unknown activation function: 'function'",
        fix,
        place.route,
        **condition,
    )
