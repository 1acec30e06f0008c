"""Initializers, regularizers, constraints and activations in a layer's config."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.checks.own_classes import given_code as match_code
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
from modelaudit.runtimes.version_bounds import LAYERS_AS_ACTIVATIONS

UNKNOWN_OBJECT = "unknown-object"  # code of the reason for an object that is not found
KIND_OF_SUFFIX = {
    "_initializer": "initializers",
    "_regularizer": "regularizers",
    "_constraint": "constraints",
    "activation": "activations",
}
_SUFFIXES = (*KIND_OF_SUFFIX,)
# Arguments of TextVectorization that may be functions -> the names that it knows.
TEXT_FUNCTIONS = {
    "standardize": ("lower", "lower_and_strip_punctuation", "strip_punctuation"),
    "split": ("character", "whitespace"),
}


def takes_layers(profile: RuntimeProfile) -> bool:
    """Whether a loaded activation may be a layer, as of `Dense(2, activation=LeakyReLU(0.1))`."""
    return not profile.keras3 or LAYERS_AS_ACTIVATIONS.holds(profile)


def check(config: Config, context: CheckContext, route: str, archive: bool) -> Iterator[Reason]:
    """Initializers, regularizers, constraints, activations of a layer."""
    items = list(config.items())
    if not archive:  # the constructor reads them; in an archive, what reads the config does
        items.sort(key=lambda item: _place_in_constructor(item[0]))
    for key, value in items:
        kind = kind_of(key)
        if kind and value is not None:
            place = ConfigLocation(route, kind, archive=archive)
            yield from _part(key, value, context, place)


def text_functions(
    name: str, config: Config, context: CheckContext, route: str
) -> Iterator[Reason]:
    """Functions of the program's own by which a TextVectorization prepares its texts."""
    if name != "TextVectorization":
        return
    for key, known in TEXT_FUNCTIONS.items():
        value = config.get(key)
        node = mapping(value)
        function = text(value) or text(node.get("config")) * (node.get("class_name") == FUNCTION)
        if not function or function in known or function in context.request.custom:
            continue
        yield Reason(
            UNKNOWN_OBJECT,
            LoadOutcome.FAILS,
            f"{key} of `{route}` is the function {function}, which is not in the file",
            f"TypeError: …Could not locate function '{function}'" if context.profile.keras3 else "",
            f'Pass custom_objects={{"{function}": ...}}.',
            route,
            **passed(function),
        )


def kind_of(key: str) -> str:
    """The kind of object under a key of a layer's config (`initializers` …), or ""."""
    if not key.endswith(_SUFFIXES):  # as most
        return ""
    return next(kind for suffix, kind in KIND_OF_SUFFIX.items() if key.endswith(suffix))


def _place_in_constructor(key: str) -> tuple[int, int]:
    """Where a constructor of Keras reads an argument: all of one kind together, biases last."""
    kinds = ("activations", "initializers", "regularizers", "constraints")
    kind = kind_of(key)
    return kinds.index(kind) if kind in kinds else -1, int(key.startswith("bias"))


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
        elif node:
            yield from match_code.check(node, context, f"{route}/{key}", place.archive)
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
            f"{key} of `{route}` is {name}, which is not one of the {kind} in {profile.name}",
            _not_interpreted(kind, name, bool(node), profile),
            f"Pass it in custom_objects={{...}}, or {UPGRADE}.",
            route,
            repairs=kind == "initializers",
            **_passed(name, context, place, by_name=not node),
        )
    elif node:
        values = mapping(node.get("config"))
        if not (place.archive or profile.keras3):
            yield from _array(key, name, values, profile, route)
        yield from unknown_arguments(name, kind, set(values), context, f"{route}/{key}", values)


def _array(
    key: str, name: str, values: Config, profile: RuntimeProfile, route: str
) -> Iterator[Reason]:
    """An array of numpy in HDF5, as of `Constant(matrix)`: Keras 2 writes it and does not read it.

    In an archive, what reads the config makes arrays of such objects.
    """
    for argument, value in values.items():
        if mapping(value).get("class_name") == "__numpy__":
            yield Reason(
                "array-in-hdf5",
                LoadOutcome.FAILS,
                f"{argument} of {name}, the {key} of `{route}`, is an array of numpy, which "
                f"{profile.name} does not read from HDF5",
                "",
                "Replace the array in the config with a number: the weights are in the file.",
                route,
                sign="__numpy__",
            )


def _not_interpreted(kind: str, name: str, as_object: bool, profile: RuntimeProfile) -> str:
    """The error about an object that is not found.

    Since Keras 3 looks for activations among all classes, it says so itself.
    """
    what = "activation function" if kind == "activations" else kind[:-1]
    if profile.keras3 and as_object and kind == "activations" and takes_layers(profile):
        return f"TypeError: …Could not locate class '{name}'."
    if profile.keras3:
        said = f"Could not interpret {what} identifier: "
        return said + (f"{{'class_name': '{name}'" if as_object else name)
    return f"Unknown {what}: '{name}'"


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
            f"{key} of `{place.route}` is the function {name} by name only, which {profile.name} "
            "misreads even if the function is provided",
            "TypeError: Object of type function is not JSON serializable",
            "Use Keras 3.8 or newer.",
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
    what = f"in a form that {profile.name} cannot read here"
    fix = f'Write the plain string "{name}" into the config, and pass it in custom_objects.'
    if not (given or built_in):
        what = "which is not in the file"
        fix = f'Pass custom_objects={{"{name}": ...}}.' if read else fix
        if reads_modules(context) and read:
            condition = _passed(name, context, place, by_name=False)
    yield Reason(
        UNKNOWN_OBJECT,
        LoadOutcome.FAILS,
        f"{key} of `{place.route}` is the function {name}, {what}",
        _function_error(name, place, profile),
        fix,
        place.route,
        **condition,
    )


def _function_error(name: str, place: ConfigLocation, profile: RuntimeProfile) -> str:
    """The error about a function that is not Keras' own."""
    if profile.keras3:
        return f"TypeError: …Could not locate function '{name}'"
    what = "activation function" if place.kind == "activations" else place.kind[:-1]
    return f"Unknown {what}" if place.archive else f"Unknown {what}: 'function'"
