"""Values that a class accepts, but not in the form in which they were saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json, Shape
from modelaudit.formats.keras.json_config import shape
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.checks.sizes import check_sizes, no_units
from modelaudit.runtimes.model import CheckContext, Reason

Config = Mapping[str, Json]


def check(
    name: str, config: Config, context: CheckContext, route: str, by_module: bool
) -> Iterator[Reason]:
    """Reasons for one layer."""
    yield from dtype_policy(config, context, route)
    profile = context.profile
    yield from check_sizes(config, context, route)
    yield from no_units(name, config, context, route)
    yield from _refused(name, config, context, route)
    yield from _integer_dtype(name, config, context, route)
    yield from _arrays(config, context, route)
    yield from _unstated_reset(name, config, context, route)
    yield from _unknown_axis(name, config, context, route)
    if (
        by_module
        and isinstance(config.get("axis"), list)
        and name == "BatchNormalization"
        and context.behaviour("list_axis") is False
    ):
        yield Reason(
            "axis-is-list",
            LoadOutcome.FAILS,
            f"axis of `{route}` is a list, as Keras 2 wrote it",
            "TypeError: …int() argument must be a string, a bytes-like object or a real number, "
            "not 'list'",
            "Replace the list in config.json with the number.",
            route,
            repairs=True,
        )
    yield from slash_in_name(config, context, route)
    if (
        name == "Lambda"
        and profile.keras3
        and isinstance(config.get("output_shape"), list)
        and context.behaviour("lambda_output_shape_list") is False
    ):
        yield Reason(
            "lambda-output-shape",
            LoadOutcome.FAILS,
            f"`{route}` is a Lambda with an output_shape, which {profile.name} does not convert",
            'TypeError: can only concatenate tuple (not "TrackedList") to tuple',
            "Use Keras 3.8 or newer.",
            route,
            repairs=True,
        )
    if profile.keras3 and not by_module:
        yield from resolved(config, context, route)


def slash_in_name(
    config: Config, context: CheckContext, route: str, kind: str = "layer"
) -> Iterator[Reason]:
    """The name of a layer or model with a slash, where the runtime does not take one."""
    name = config.get("name")
    if "/" in str(name) and context.behaviour("slash_in_names") is False:
        yield Reason(
            "slash-in-name",
            LoadOutcome.FAILS,
            f"the {kind} name {name} contains a slash, which Keras 3 does not allow",
            "Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name}",
            f"Rename the {kind} in the config, and in every inbound_nodes entry that has the name.",
            route,
            repairs=True,
        )


def resolved(
    config: Config, context: CheckContext, route: str, *, own: bool = False
) -> Iterator[Reason]:
    """Strings that Keras 3's reader of the old dialect interprets as functions of keras.layers.

    `own` says that the layer is of a class of the program, which may do anything with the function.
    """
    for key, value in config.items():
        if (
            isinstance(value, str)
            and key != "name"
            and context.profile.is_function("layers", value)
            and context.behaviour("resolves_strings")
        ):
            yield Reason(
                "text-taken-for-function",
                LoadOutcome.FAILS,
                f"{key} of `{route}` is the string {value}, which {context.profile.name} "
                f"interprets as the function keras.layers.{value} when it reads HDF5",
                f"Received: {key}=<function {value} at" if key == "score_mode" else "",
                f"Delete {key} from the config if it has the default value, or save as .keras.",
                route,
                unless=f"the class does not use {key}" if own else "",
                repairs=not own,
            )


def _refused(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """The first number or word that the constructor of this runtime refuses."""
    if not context.profile.keras3 or not isinstance(config, Mapping):
        return
    found = context.behaviour("arguments_refused", {})
    for key, refused in found.get(name, {}).items() if isinstance(found, dict) else ():
        value = config.get(key)
        if isinstance(value, str):
            wrong = value in refused.get("words", ())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            wrong = any(_within(value, *bounds) for bounds in refused.get("numbers", ()))
        else:
            continue
        if wrong:
            said = refused["error"]
            yield Reason(
                "argument-refused",
                LoadOutcome.FAILS,
                f"`{route}` ({name}) has {key}={value!r}, which {context.profile.name} does not "
                "accept",
                f"{said}{value!r}" if said.endswith("=") and "numbers" in refused else f"{said}…",
                "Build the model from code with a value that it accepts, and load the weights into "
                "it.",
                route,
            )
            return


def _within(value: float, lowest: float | None, highest: float | None) -> bool:
    return (lowest is None or value >= lowest) and (highest is None or value <= highest)


def _arrays(config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A number of numpy as `json` in Keras up to 2.2 wrote it: an object of type ndarray."""
    for key, value in config.items():
        written = isinstance(value, dict) and value.get("type") == "ndarray" and "value" in value
        if written and context.behaviour("reads_arrays") is False:
            yield Reason(
                "number-as-array",
                LoadOutcome.FAILS,
                f"{key} of `{route}` is a number of numpy, written as an object of type ndarray, "
                f"which {context.profile.name} does not read as a number",
                "float() argument must be a string or a real number, not 'dict'"
                if not context.profile.keras3
                else "",
                "Replace the object in the config with its value, or pass a class in "
                "custom_objects that reads it.",
                route,
                repairs=True,
            )


def _integer_dtype(
    name: str, config: Config, context: CheckContext, route: str
) -> Iterator[Reason]:
    """Layers with integer outputs and a dtype that their constructor does not accept."""
    dtype = config.get("dtype")
    if config.get("output_mode", "int") != "int" or not has(name, Trait.CATEGORIES):
        return
    refused = context.behaviour("dtypes_refused", {}).get(name, ())
    form = "policy" if isinstance(dtype, dict) else "float" if "float" in str(dtype) else ""
    if form in refused:
        yield Reason(
            "dtype-of-integer-layer",
            LoadOutcome.FAILS,
            f"`{route}` ({name}) returns integers, but its dtype is written as {dtype}",
            'When `output_mode="int"`, `dtype` should be an integer type'
            if context.profile.keras3
            else "",
            'Set its dtype to "int64" in the config.',
            route,
            repairs=True,
        )


def _unstated_reset(
    name: str, config: Config, context: CheckContext, route: str
) -> Iterator[Reason]:
    """A GRU of a Keras without reset_after, which later ones build with one bias more.

    Without biases it has the same weights, and only computes something else.
    """
    built = context.behaviour("kwargs_of_rnn", {}).get("GRU.reset_after")
    if name == "GRU" and "units" in config and "reset_after" not in config and built:
        biases = bool(config.get("use_bias", True))
        error = "ValueError: GRU(reset_after=False) is not compatible with GRU(reset_after=True)"
        if context.profile.keras3:
            error = "ValueError: Shape mismatch in layer"
        yield Reason(
            "reset-after-not-stated",
            LoadOutcome.FAILS if biases else LoadOutcome.DIFFERS,
            f"`{route}` (GRU) does not state reset_after, which the Keras that saved it did not "
            f"have, and {context.profile.name} builds it with reset_after=True"
            + (" and other biases" if biases else ", which computes something else"),
            error if biases else "no error",
            "Write reset_after=false into the config.",
            route,
            repairs=context.profile.keras3,
        )


def _unknown_axis(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A Normalization adapted before it was the first layer, whose input has no size then.

    A layer behind another one is built with the shape of that one's output, whatever it states.
    """
    if name != "Normalization":
        return
    given, axis = context.input_shapes.get(route.partition("/")[2], ()), config.get("axis")
    axes = [each for each in (axis if isinstance(axis, list) else [axis]) if type(each) is int]
    if any(-len(given) <= each < len(given) and given[each] is None for each in axes):
        yield Reason(
            "unknown-axis",
            LoadOutcome.FAILS,
            f"the input of `{route}` (Normalization) has no size along the axis that it "
            "normalizes, as Keras 2 writes it where `adapt` was called before the model was built",
            "ValueError: All `axis` values to be kept must have "
            f"{'a ' if context.profile.keras3 else ''}known shape",
            "Write the size of its mean for the null in each batch_input_shape of the config, of "
            "the layer and of the input before it.",
            route,
        )


def input_shapes(artifact: Artifact) -> dict[str, Shape]:
    """Shapes by route that layers get from an InputLayer or, as first layers, state themselves.

    Behind other layers a size that is not inferred may still be known to Keras.
    """
    found: dict[str, Shape] = {}
    layers = artifact.architecture.layers if artifact.architecture else ()
    inputs = {layer.route for layer in layers if layer.class_name == "InputLayer"}
    for layer in layers:
        sources = {source for call in layer.inbound for source in call}
        stated = None if sources else shape(layer.config.get("batch_input_shape"))
        given = layer.input_shapes[0] if layer.input_shapes else stated
        if given is not None and sources <= inputs:
            found[layer.route] = given
    return found


def dtype_policy(config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """Dtype policies that were written as an object."""
    dtype = config.get("dtype")
    if not isinstance(dtype, dict):
        return
    class_name = str(dtype.get("class_name"))
    policy = class_name in ("Policy", "PolicyV1")
    if context.profile.keras3 and not policy:
        yield from _policy_class(class_name, dtype, context, route)
    worked = context.behaviour("policy_object" if policy else "dtype_policy_object")
    if not isinstance(worked, list) or worked[1 if "module" in dtype else 0]:
        return
    inner = dtype.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    yield Reason(
        "dtype-policy",
        LoadOutcome.FAILS,
        f"dtype of `{route}` is a {class_name} object, which {context.profile.name} cannot read",
        "AttributeError: 'str' object has no attribute 'quantization_mode'"
        if policy
        else f"ValueError: Unknown dtype policy: '{class_name}'",
        f'Replace the object in the config with "{name}".',
        route,
        repairs=True,
    )


def _policy_class(name: str, dtype: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A policy class, or policy argument, that this Keras 3 does not have."""
    profile = context.profile
    if not profile.has_class("dtype_policies", "DTypePolicy"):
        return  # the profile has no information on policies
    inner = dtype.get("config")
    given = set(inner) if isinstance(inner, dict) else set()
    accepted = profile.accepts("dtype_policies", name) or frozenset()
    needed = profile.needs("dtype_policies", name)
    extra = sorted(given - accepted)
    if profile.has_class("dtype_policies", name) and not extra and given.issuperset(needed):
        return
    shown = f" with {', '.join(extra)}" if extra else ""
    yield Reason(
        "dtype-policy-class",
        LoadOutcome.FAILS,
        f"dtype of `{route}` is a {name}{shown}, which {profile.name} does not support",
        fix="Load it with a newer Keras 3.",
        route=route,
        repairs=True,
    )
