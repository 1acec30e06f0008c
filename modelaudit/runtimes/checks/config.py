"""Checks a saved Keras config against the classes of a runtime: names, modules and arguments.

Loaders read two dialects. Objects without a `module` key are looked up by class name in a table
(HDF5 files and SavedModels); objects with one are looked up by module and class (.keras archives
from Keras 2.13 on, and what these versions nest inside HDF5 configs). The checks decide for every
object of the config which lookup the loader would use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.dialects import KEPT_IN_2_1
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import LAYER_CLASSES, Trait, has
from modelaudit.runtimes.checks import (
    lambda_code as match_lambda,
)
from modelaudit.runtimes.checks import (
    layer_parts as match_parts,
)
from modelaudit.runtimes.checks import (
    values as match_values,
)
from modelaudit.runtimes.checks.own_classes import (
    given_code as match_code,
)
from modelaudit.runtimes.checks.own_classes import (
    outdated_code,
    values_of_json,
)
from modelaudit.runtimes.checks.own_classes.constructors import (
    copied,
    doubled,
    endpoint,
    shadowed,
    without_name,
)
from modelaudit.runtimes.checks.own_classes.masks_by_position import masks_in_lists
from modelaudit.runtimes.checks.own_classes.traced_calls import traced_call
from modelaudit.runtimes.checks.sequential import listed_layers, refused_layer
from modelaudit.runtimes.checks.values import dtype_policy, resolved, slash_in_name
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import (
    USE_KERAS_2,
    Config,
    ConfigLocation,
    ReasonCondition,
    is_custom,
    is_model,
    known_in_keras2,
    legacy_key,
    passed,
    reads_modules,
    resolves,
    unknown_arguments,
)
from modelaudit.runtimes.version_bounds import IMPORTS_KERAS_ALONE
from modelaudit.work_budget import spend

PASS_CLASS = "Pass the class in custom_objects={...}, or import the module that registers it."
# Keys under which a wrapper's config contains other objects.
WRAPPED = ("layer", "cell", "backward_layer", "forward_layer")


def check_model(config: Config, context: CheckContext, archive: bool) -> Iterator[Reason]:
    """Reasons for the whole config, with a model at the top level."""
    yield from _object(config, context, ConfigLocation("", archive=archive))


def check_name(config: Config, context: CheckContext) -> Iterator[Reason]:
    """The name of the whole model, if it is made after its layers are connected."""
    if text(config.get("class_name")) != "Sequential" and not is_custom(config, context):
        yield from slash_in_name(mapping(config.get("config")), context, "", "model")


def check_layer(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """Reasons for one layer without modules, as in a SavedModel."""
    yield from _object(node, context, ConfigLocation(route))


def _object(node: Config, context: CheckContext, place: ConfigLocation) -> Iterator[Reason]:
    """One layer, model or operation, and everything inside it."""
    spend(50)
    name = text(node.get("class_name"))
    config = mapping(node.get("config"))
    own_name = text(config.get("name")) or text(node.get("name")) * bool(place.route) or name
    route = f"{place.route}/{own_name}".strip("/")
    custom = is_custom(node, context)
    inner = ConfigLocation(route, archive=place.archive)
    model = is_model(node)
    missing = None if custom else _missing(node, context, place, route)
    if missing:
        yield missing
    custom = custom or (missing is None and _imported(node, context, place))
    if custom or missing:
        yield from match_code.check(node, context, route or name, place.archive)
    if model:
        yield from doubled(node, context, route) if custom else ()
        within = route.partition("/")[2]
        yield from () if place.archive else listed_layers(node, context, within)
        refused = None if place.archive else refused_layer(node, context, within)
        listed = sequence(config.get("layers")) or sequence(node.get("config"))
        # A Sequential is made before its layers, any other model after them.
        named = [] if missing or custom else [*slash_in_name(config, context, route, "model")]
        if name == "Sequential":
            yield from named
        for number, item in enumerate(listed):
            yield from _object(mapping(item), context, inner)
            if refused and refused[0] == number:
                yield refused[1]
        if name != "Sequential" and place.route:  # `check_name` asks for the whole model's
            yield from named
    if model or missing:
        return
    if custom:
        yield from _custom(node, context, route, place.archive)
        return
    yield from _arguments(node, config, context, place, route)
    yield from () if place.archive else copied(name, config, context, route)
    yield from match_lambda.check(name, config, context, route, archive=place.archive)
    yield from outdated_code.timed(name, config, context, route)
    for key in WRAPPED:
        if isinstance(config.get(key), dict) and "class_name" in mapping(config[key]):
            inside = ConfigLocation(route, wrapped=True, archive=place.archive)
            yield from _object(mapping(config[key]), context, inside)
    for cell in sequence(config.get("cells")):
        yield from _object(
            mapping(cell), context, ConfigLocation(route, "layers", True, place.archive)
        )
    yield from match_parts.check(config, context, route, place.archive)
    yield from match_parts.text_functions(name, config, context, route)


def _custom(node: Config, context: CheckContext, route: str, archive: bool) -> Iterator[Reason]:
    """A class of the program's own, which is at hand."""
    name, config = text(node.get("class_name")), mapping(node.get("config"))
    yield from shadowed(node, context, route)
    yield from dtype_policy(config, context, route)
    if context.profile.keras3 and not archive:
        yield from resolved(config, context, route, own=True)
    yield from outdated_code.check(node, context, route or name, archive)
    yield from values_of_json.check(node, context, route or name)
    yield from masks_in_lists(node, context, route or name)
    code = match_code.code_of(node, context)
    if code is not None:
        traced = traced_call(code, context)
        yield from () if traced is None else (traced,)
        revived = {key: config[key] for key in config if key in code.revived}
        yield from match_parts.check(revived, context, route, archive)
    else:
        yield from without_name(name, config, context, route)
        yield from endpoint(node, context, route)
    yield from _inside_custom(config, route, context, archive)


def _inside_custom(
    config: Config, route: str, context: CheckContext, archive: bool
) -> Iterator[Reason]:
    """Layers and models in the config of a class of the program's own, which makes them anew."""
    place = ConfigLocation(route, wrapped=True, archive=archive)
    for node in layers_in(list(config.values())):
        if context.profile.keras3 and not archive and match_code.is_revived(node, context):
            yield from _object(node, context, ConfigLocation(route))
        # In the dialect of Keras 2 a layer is told from other objects by its class alone.
        elif "module" in node or not context.profile.keras3:
            yield from _object(node, context, place)
        else:
            yield from filter(None, (_missing(node, context, place, f"{route}/{_name_of(node)}"),))


def _name_of(node: Config) -> str:
    return text(mapping(node.get("config")).get("name")) or text(node.get("class_name"))


def layers_in(values: Sequence[Json]) -> Iterator[Config]:
    """The outermost layers and models in a config: Keras' own, or of the program."""
    for value in values:
        if isinstance(value, list):
            yield from layers_in(value)
        elif isinstance(value, dict):
            if "class_name" in value and "config" in value:
                if _is_layer(value):
                    yield value
            else:
                yield from layers_in(list(value.values()))


def _is_layer(node: Config) -> bool:
    module = text(node.get("module")).split(".")
    return text(node.get("class_name")) in LAYER_CLASSES or is_model(node) or "layers" in module


def _missing(
    node: Config, context: CheckContext, place: ConfigLocation, route: str
) -> Reason | None:
    """Why the class is not found, if it is not."""
    profile = context.profile
    name = text(node.get("class_name"))
    top_of_archive = place.archive and not place.route
    if "module" in node and (reads_modules(context) or top_of_archive):
        return _missing_by_module(node, context, place, route)
    if profile.keras3 and place.wrapped:
        return Reason(
            "wrapped-without-module",
            LoadOutcome.FAILS,
            f"`{route}` ({name}) is wrapped by another layer, and the file does not state its "
            f"module, which Keras {profile.data['versions']['keras']} requires",
            f"TypeError: Could not locate class '{name}'.",
            f"{USE_KERAS_2}.",
            route,
            repairs=True,
        )
    if profile.keras3 and place.route == "" and place.archive is False and _from_json(context):
        return Reason(
            "json-of-keras-2",
            LoadOutcome.FAILS,
            "the architecture was written before Keras 3, without modules",
            f"TypeError: Could not locate class '{name}'.",
            "Use `tf_keras.models.model_from_json`.",
            route,
        )
    if profile.knows(place.kind, name) or (has(name, Trait.MODEL) and _model_known(name, context)):
        return None
    return _unknown_layer(name, context, route)


def _from_json(context: CheckContext) -> bool:
    return context.request.call.value == "model_from_json"


def _model_known(name: str, context: CheckContext) -> bool:
    """`Functional` is a separate class since TensorFlow 2.3."""
    return name != "Functional" or context.profile.keras >= (2, 3)


def _unknown_layer(name: str, context: CheckContext, route: str) -> Reason:
    fix = PASS_CLASS
    kept = name in KEPT_IN_2_1
    if kept:
        fix = "Load it in Keras 2.1, build the model there without this layer, and save it again."
    elif context.profile.keras3 and known_in_keras2("layers", name):
        fix = f"{USE_KERAS_2}.{' It runs on a GPU only.' if name.startswith('CuDNN') else ''}"
    return Reason(
        "unknown-class",
        LoadOutcome.FAILS,
        f"`{route or name}` has the class {name}, which is not part of {context.profile.name}"
        + ("; Keras 2.2 removed it" if kept else ""),
        f"ValueError: Unknown layer: '{name}'. Please ensure you are using a "
        "`keras.utils.custom_object_scope`",
        fix,
        route,
        repairs=True,
        **(_passed(name) or {"sign": f"'{name}'"}),
    )


def _passed(name: str) -> ReasonCondition:
    """The condition of a class of somebody's own; none for a class of Keras."""
    if name in LAYER_CLASSES:
        return {}
    return passed(name)


def _missing_by_module(
    node: Config, context: CheckContext, place: ConfigLocation, route: str
) -> Reason | None:
    """As `_missing`, for an object with a module."""
    profile = context.profile
    name, module = text(node.get("class_name")), text(node.get("module"))
    if not profile.keras3 and place.route:
        # Keras 2.13 and later still look in the table first, and ignore the module.
        if profile.knows(place.kind, name):
            return None
        return Reason(
            "unknown-class",
            LoadOutcome.FAILS,
            f"`{route}` has the class {name} (module {module or 'not stated'}), which is not part "
            f"of {profile.name}",
            "TypeError: The added layer must be an instance of class Layer. Received: "
            f"layer={name} of type <class 'str'>.",
            PASS_CLASS,
            route,
            **_passed(name),
        )
    if resolves(module, name, context):
        return None
    package = module.split(".")[0]
    moved = package in ("keras", "tf_keras")
    imported = package == "keras" or not IMPORTS_KERAS_ALONE.holds(profile)
    fix = PASS_CLASS
    if moved and place.archive:
        fix = "Load it with the version that saved it, and save it there as .h5."
    elif moved:
        fix = "Load it with tf-keras (`pip install tf-keras`, and `tf_keras.models.load_model`)."
    sought = f"tf_{module}" if profile.legacy and package == "keras" else module
    return Reason(
        "module-moved" if moved else "unknown-class",
        LoadOutcome.FAILS,
        f"the file says that `{route or name}` is the class {name} of the module "
        f"{module or 'null'}, but {profile.name} has no such class in that module",
        f"TypeError: Could not deserialize class '{name}' because its parent module {sought} "
        "cannot be imported."
        if moved and imported
        else f"TypeError: Could not locate class '{name}'.",
        fix,
        route,
        repairs=moved,
        **({} if moved else _passed(name)),
    )


def _imported(node: Config, context: CheckContext, place: ConfigLocation) -> bool:
    """Whether a class that is found is one of the program, whose module the file states.

    Keras 2 takes a class of its own of that name before it looks into the module.
    """
    known = context.profile.knows(place.kind, text(node.get("class_name")))
    known = known and not context.profile.keras3
    return not known and text(node.get("module")) in context.request.modules


def _arguments(
    node: Config, config: Config, context: CheckContext, place: ConfigLocation, route: str
) -> Iterator[Reason]:
    """Keys that the constructor does not accept, and keys that it requires."""
    name = text(node.get("class_name"))
    given = set(config)
    by_module = "module" in node and reads_modules(context)
    if context.profile.keras3 and not by_module and not place.wrapped:
        given = {legacy_key(key, name) for key in given} - {""}
        if name == "Lambda":
            given -= match_lambda.FUNCTION_KEYS
    is_operation = by_module and ".ops." in text(node.get("module"))
    kind = "layers" if context.profile.has_class("layers", name) and not is_operation else "ops"
    yield from unknown_arguments(name, kind, given, context, route, config)
    yield from match_values.check(name, config, context, route, by_module)
