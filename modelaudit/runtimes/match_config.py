"""A saved Keras config against the classes of a runtime: names, modules and arguments.

Loaders read two dialects. Objects without a `module` key are looked up by class name in a table
(HDF5 files and SavedModels); objects with one are looked up by module and class (.keras archives
from Keras 2.13 on, and what such versions nest inside of HDF5 configs). Which key goes where is
decided for every object of the config as the loader would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelaudit.facts import Json
from modelaudit.runtimes import match_lambda, match_values
from modelaudit.runtimes.match_values import dtype_policy
from modelaudit.runtimes.model import Context, Predicted, Reason

Config = Mapping[str, Json]
MODELS = frozenset(("Functional", "Model", "Sequential"))
KIND_OF_SUFFIX = {
    "_initializer": "initializers",
    "_regularizer": "regularizers",
    "_constraint": "constraints",
    "activation": "activations",
}
# Objects that a wrapper holds in its config.
WRAPPED = ("layer", "cell", "backward_layer", "forward_layer")
FUNCTION = "function"
UPGRADE = "load it with the version that saved it, or with a newer one of that generation"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands: how its siblings were looked up, its route, and its kind."""

    route: str
    kind: str = "layers"
    wrapped: bool = False  # inside a layer's own config, not in a model's list of layers
    archive: bool = False  # the document is that of a .keras archive


def check_model(config: Config, context: Context, archive: bool) -> Iterator[Reason]:
    """Reasons of the whole config, a model at the top."""
    yield from _object(config, context, Place("", archive=archive))


def mapping(value: Json) -> Config:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Json) -> str:
    """The value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def items(value: Json) -> list[Json]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def is_custom(node: Config, context: Context) -> bool:
    """Whether the caller supplies the object."""
    custom = context.request.custom
    name = text(node.get("class_name"))
    registered = text(node.get("registered_name"))
    if context.profile.keras < (2, 3):  # before packages, `lab>Scale` was a name like any other
        return name in custom
    return bool(custom) and (
        name in custom
        or name.rpartition(">")[2] in custom
        or registered in custom
        or registered.rpartition(">")[2] in custom
    )


def reads_modules(context: Context) -> bool:
    """Whether the loader knows objects with a `module` key."""
    return context.profile.keras >= (2, 13)


def is_model(node: Config) -> bool:
    """Whether it is a Sequential or Functional model, of any name, or one of Keras' own."""
    config = node.get("config")
    name = text(node.get("class_name"))
    return name in MODELS or (isinstance(config, dict) and isinstance(config.get("layers"), list))


def _object(node: Config, context: Context, place: Place) -> Iterator[Reason]:
    """One layer, model or operation, and everything inside it."""
    name = text(node.get("class_name"))
    config = mapping(node.get("config"))
    route = f"{place.route}/{text(config.get('name')) or name}".strip("/")
    custom = is_custom(node, context)
    inner = Place(route, archive=place.archive)
    if not custom:
        missing = _missing(node, context, place, route)
        if missing:
            yield missing
            return
    if name in ("Functional", "Model", "Sequential") or (custom and "layers" in config):
        for item in items(config.get("layers")) or items(node.get("config")):
            yield from _object(mapping(item), context, inner)
        return
    if custom:
        yield from dtype_policy(config, context, route)
        return
    yield from _arguments(node, config, context, place, route)
    yield from match_lambda.check(name, config, context, route, archive=place.archive)
    for key in WRAPPED:
        if isinstance(config.get(key), dict) and "class_name" in mapping(config[key]):
            inside = Place(route, wrapped=True, archive=place.archive)
            yield from _object(mapping(config[key]), context, inside)
    for cell in items(config.get("cells")):
        yield from _object(mapping(cell), context, Place(route, "layers", True, place.archive))
    yield from _parts(config, context, route)


def _missing(node: Config, context: Context, place: Place, route: str) -> Reason | None:
    """Why the class is not found, if it is not."""
    profile = context.profile
    name = text(node.get("class_name"))
    top_of_archive = place.archive and not place.route
    if "module" in node and (reads_modules(context) or top_of_archive):
        return _missing_by_module(node, context, place, route)
    if profile.keras3 and place.wrapped:
        return Reason(
            "wrapped-without-module",
            Predicted.FAILS,
            f"{route} is wrapped by another layer and says no module, which Keras "
            f"{_version(context)} needs",
            f"TypeError: Could not locate class '{name}'.",
            'add "module": "keras.layers" and "registered_name": null to the inner object',
            route,
        )
    if profile.keras3 and place.route == "" and place.archive is False and _from_json(context):
        return Reason(
            "json-of-keras-2",
            Predicted.FAILS,
            "the architecture was written by Keras 2, without modules",
            f"TypeError: Could not locate class '{name}'.",
            "use tf_keras.models.model_from_json",
            route,
        )
    if profile.knows(place.kind, name) or (name in MODELS and _model_known(name, context)):
        return None
    return _unknown_layer(name, context, route)


def _from_json(context: Context) -> bool:
    return context.request.call.value == "model_from_json"


def _model_known(name: str, context: Context) -> bool:
    """`Functional` is a class of its own since TensorFlow 2.3."""
    return name != "Functional" or context.profile.keras >= (2, 3)


def _unknown_layer(name: str, context: Context, route: str) -> Reason:
    operation = name in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "AddLoss")
    fix = "give the class as custom_objects={...}, or import the module that registers it"
    if operation:
        fix = "use tf-keras (TF_USE_LEGACY_KERAS=1), or a SavedModel with keras.layers.TFSMLayer"
    elif context.profile.keras3:
        fix += "; a class that Keras 3 removed loads in tf-keras"
    return Reason(
        "unknown-class",
        Predicted.FAILS,
        f"{route or name} is a {name}, which {context.profile.name} does not know",
        f"ValueError: Unknown layer: '{name}'. Please ensure you are using a "
        "`keras.utils.custom_object_scope`",
        fix,
        route,
    )


def _missing_by_module(node: Config, context: Context, place: Place, route: str) -> Reason | None:
    """As `_missing`, for an object that says its module."""
    profile = context.profile
    name, module = text(node.get("class_name")), text(node.get("module"))
    if not profile.keras3 and place.route:
        # Keras 2.13 and later still ask the table first, and drop the module.
        if profile.knows(place.kind, name):
            return None
        if module in context.request.modules and place.wrapped:
            return None
        return Reason(
            "unknown-class",
            Predicted.FAILS,
            f"{route} is a {name} of {module or 'no module'}, which {profile.name} does not know",
            "TypeError: The added layer must be an instance of class Layer. Received: "
            f"layer={name} of type <class 'str'>.",
            "give the class as custom_objects={...}, or import the module that registers it",
            route,
        )
    if _resolves(module, name, context):
        return None
    moved = module.split(".")[0] in ("keras", "tf_keras")
    return Reason(
        "module-moved" if moved else "unknown-class",
        Predicted.FAILS,
        f"{route or name} is a {name} of the module {module or 'null'}, which "
        f"{profile.name} does not have",
        f"TypeError: Could not deserialize class '{name}' because its parent module {module} "
        "cannot be imported."
        if moved
        else f"TypeError: Could not locate class '{name}'.",
        "rewrite the module in config.json, or save as .h5 in the old version"
        if moved
        else "give the class as custom_objects={...}, or import the module that registers it",
        route,
    )


def _resolves(module: str, name: str, context: Context) -> bool:
    """Whether module and name lead to a class."""
    profile = context.profile
    root, _, rest = module.partition(".")
    if root == "tf_keras" and profile.legacy:
        return profile.is_public("keras." + rest, name) or profile.is_internal(module, name)
    if root == "keras":
        if profile.is_public(module, name):
            return True
        inside = "tf_" + module if profile.legacy else module
        return profile.is_internal(inside, name)
    if not module:
        return False
    free = profile.behaviour("imports_any_module", default=not profile.keras3)
    return bool(free) and module in context.request.modules


def _arguments(
    node: Config, config: Config, context: Context, place: Place, route: str
) -> Iterator[Reason]:
    """Keys that the constructor does not take, and keys that it needs."""
    name = text(node.get("class_name"))
    given = set(config)
    by_module = "module" in node and reads_modules(context)
    if context.profile.keras3 and not by_module and not place.wrapped:
        given = {_legacy_key(key, name) for key in given} - {""}
        if name == "Lambda":
            given -= match_lambda.FUNCTION_KEYS
    kind = "layers" if context.profile.has_class("layers", name) else "ops"
    yield from unknown_arguments(name, kind, given, context, route)
    yield from match_values.check(name, config, context, route, by_module)


def _legacy_key(key: str, name: str) -> str:
    """What Keras 3's reader of the old dialect makes of a key."""
    if key == "batch_input_shape":
        return "batch_shape" if name == "InputLayer" else "input_shape"
    return key


def unknown_arguments(
    name: str, kind: str, given: set[str], context: Context, route: str
) -> Iterator[Reason]:
    """Reasons for keys that the class does not take or that it misses."""
    profile = context.profile
    accepted = profile.accepts(kind, name)
    if accepted is not None and (extra := sorted(given - accepted)):
        listed = ", ".join(extra)
        yield Reason(
            "unknown-argument",
            Predicted.FAILS,
            f"{route} ({name}) has {listed}, which {name} of {profile.name} does not take",
            f"TypeError: Unrecognized keyword arguments passed to {name}: {listed}"
            if profile.keras3
            else f"TypeError: ('Keyword argument not understood:', '{extra[0]}')",
            f"delete {listed} from the saved config where it holds the default, or {UPGRADE}",
            route,
        )
    if absent := sorted(set(profile.needs(kind, name)) - given):
        yield Reason(
            "missing-argument",
            Predicted.FAILS,
            f"{route} ({name}) lacks {', '.join(absent)}, which {name} of {profile.name} needs",
            f"KeyError: '{absent[0]}'",
            "load it with the version that saved it and save it again as weights",
            route,
        )


def _parts(config: Config, context: Context, route: str) -> Iterator[Reason]:
    """Initializers, regularizers, constraints, activations of a layer."""
    for key, value in config.items():
        kind = next((k for suffix, k in KIND_OF_SUFFIX.items() if key.endswith(suffix)), "")
        if kind and value is not None:
            yield from _part(kind, key, value, context, route)


def _part(kind: str, key: str, value: Json, context: Context, route: str) -> Iterator[Reason]:
    profile = context.profile
    node = mapping(value)
    name = text(value) or text(node.get("class_name"))
    if name == FUNCTION:
        yield from _function(kind, node, context, f"{route}/{key}")
        return
    if name in context.request.custom or is_custom(node, context) or not name:
        return
    custom = "module" in node and node["module"] is None
    known = profile.knows(kind, name) and not (custom and reads_modules(context))
    if not known:
        yield Reason(
            "unknown-object",
            Predicted.FAILS,
            f"{key} of {route} is {name}, which is not among the {kind} of {profile.name}",
            f"ValueError: Could not interpret {kind[:-1]} identifier: {name}"
            if profile.keras3
            else f"ValueError: Unknown {kind[:-1]}: {name}",
            f"give it as custom_objects={{...}}, or {UPGRADE}",
            route,
        )
    elif node:
        given = set(mapping(node.get("config")))
        yield from unknown_arguments(name, kind, given, context, f"{route}/{key}")


def _function(kind: str, node: Config, context: Context, route: str) -> Iterator[Reason]:
    """`{"class_name": "function", "config": name}`: a function that is not Keras' own."""
    name = text(node.get("config"))
    known = context.profile.knows(kind, name) or name in context.request.custom
    if known and reads_modules(context):
        return
    yield Reason(
        "unknown-object",
        Predicted.FAILS,
        f"{route} is the function {name}, written in a form that {context.profile.name} does not "
        "read here",
        "TypeError: Unknown activation function: 'function'",
        f'write the plain string "{name}" into the config, and give it as custom_objects',
        route,
    )


def _version(context: Context) -> str:
    return str(context.profile.data["versions"]["keras"])
