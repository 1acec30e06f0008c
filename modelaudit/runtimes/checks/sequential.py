"""Sequential models in HDF5 files, in the forms in which Keras 2.0 to 2.3 wrote their config."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has, spatial_rank
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, LoadCall, Reason
from modelaudit.runtimes.saved_config import USE_KERAS_2, Config, is_model, quoted_route

# Form of the config, as in the experiment -> what it is.
FORMS = {
    "list": "is a list of layers, as Keras up to 2.2.2 wrote it",
    "first-layer": "has its input shape only in its first layer, as Keras 2.2.3 to 2.3 wrote it",
    "build-shape": "has no input layer, only the shape with which it was built",
    "list-unbuilt": "is a list of layers without an input shape",
    "unbuilt": "has no input shape, because it was built by its first call",
}
_ERRORS = {
    "list": "TypeError: pop expected at most 1 argument, got 2",
    "list-unbuilt": "TypeError: pop expected at most 1 argument, got 2",
}
_TOO_FEW = (
    "ValueError: Layer count mismatch when loading weights from file. Model expected 0 layers"
)
_FROM_CODE = "Build the model from code, call it once, and use `load_weights`."
# How layers refuse an input with an axis too many: when they are added, or at the first call.
_OF_CONVOLUTION = "ValueError: Kernel shape must have the same length as input, but received"
_OF_TRANSPOSED = "IndexError: Exception encountered when calling {name}.call()"
_OF_AXES = "ValueError: Input 0 with name '…' of layer '{layer}' is incompatible with the layer: "
_OF_AXES += "expected ndim={axes}, found ndim={found}."
_OF_SIZES = "ValueError: Shapes used to initialize variables must be fully-defined (no `None` "
_OF_SIZES += "dimensions)."
_OF_DENSE = "ValueError: …Invalid input shape for input"
_AT_THE_CALL = -1
_READS = "reads as one with an axis too many"
# Layers that say how many axes they take, the batch and the features besides those in their names.
_NORMALIZING = Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION
_SPATIAL = Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING | Trait.PADDING | Trait.UPSAMPLING


def check_sequential(
    config: Config, context: CheckContext, weights: bool, route: str = ""
) -> Iterator[Reason]:
    """Reasons for every Sequential model of the config; `weights` says that there are any."""
    layers = _layers(config)
    if text(config.get("class_name")) == "Sequential" and layers:
        yield from _form(config, context, weights, route)
    for layer in layers:
        if is_model(layer) or isinstance(layer.get("config"), list):
            name = text(mapping(layer.get("config")).get("name")) or text(layer.get("name"))
            yield from check_sequential(layer, context, weights, f"{route}/{name}".strip("/"))


def without_layers(config: Config, context: CheckContext, route: str = "") -> Iterator[Reason]:
    """Reasons for Sequential models that were built before any layer was added.

    `Sequential.from_config` of Keras 3 builds a model again that has the shape of an input but no
    input layer, whatever file it is in.
    """
    layers, settings = _layers(config), mapping(config.get("config"))
    empty = text(config.get("class_name")) == "Sequential" and not layers
    if empty and context.profile.keras3 and sequence(settings.get("build_input_shape")):
        name = text(settings.get("name"))
        yield Reason(
            "sequential-without-layers",
            LoadOutcome.FAILS,
            f"the Sequential model {quoted_route(route, 'itself')} was built but has no layers, "
            f"and {context.profile.name} cannot build one without layers",
            f"ValueError: Sequential model {name} cannot be built because it has no layers.",
            "The file holds no network. Add the layers before the model is trained and saved, "
            "and save it again.",
            route,
        )
    for layer in layers:
        if is_model(layer):
            name = text(mapping(layer.get("config")).get("name")) or text(layer.get("name"))
            yield from without_layers(layer, context, f"{route}/{name}".strip("/"))


def _layers(config: Config) -> list[Config]:
    written = config.get("config")
    listed = written if isinstance(written, list) else mapping(written).get("layers")
    return [mapping(layer) for layer in sequence(listed)]


def _form(config: Config, context: CheckContext, weights: bool, route: str) -> Iterator[Reason]:
    form = form_of(config)
    shaped = form in ("list", "first-layer")
    if not shaped and (not form or route or not weights):
        return  # the outer model gives it its shape
    outcomes = context.behaviour("sequential_forms", {})
    if outcomes.get(f"inner-{form}" if route else form) != LoadOutcome.FAILS.value:
        return
    place, error = _refusal(_layers(config)) if form == "first-layer" else (None, "")
    if place == _AT_THE_CALL and not route and _takes_one_value(_layers(config)):
        if not any(text(each.get("class_name")) == "Reshape" for each in _layers(config)):
            yield Reason(
                "sequential-config",
                LoadOutcome.DIFFERS,
                f"the config of the Sequential model itself {FORMS[form]}, which "
                f"{context.profile.name} {_READS}: each answer has one, too",
                "no error",
                f"{USE_KERAS_2}.",
                unless="the program takes that axis of the answers away",
                repairs=True,
            )
        return
    yield Reason(
        "sequential-config",
        LoadOutcome.FAILS,
        f"the config of the Sequential model {quoted_route(route, 'itself')} {FORMS[form]}, which "
        f"{context.profile.name} {_READS if form == 'first-layer' else 'cannot load'}",
        error if form == "first-layer" else _error(form, context),
        # Saved again by tf-keras, Keras 3 loads some as .h5, and none as .keras.
        _FROM_CODE if "unbuilt" in form else f"{USE_KERAS_2}.",
        route,
        later=FIRST_CALL if form == "first-layer" and place in (None, _AT_THE_CALL) else "",
        loads=place == _AT_THE_CALL,
        repairs=shaped,
    )


def _takes_one_value(layers: list[Config]) -> bool:
    """Whether Keras gives its inputs an axis more by itself, as their last one has one value."""
    shape = sequence(mapping(layers[0].get("config")).get("batch_input_shape"))
    return shape[-1:] == [1]


def listed_layers(config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """The reason of a Sequential model inside another one whose config is a list of layers.

    A loader meets it where the model stands among the layers of the outer one.
    """
    inner = bool(route) and text(config.get("class_name")) == "Sequential"
    if inner and form_of(config) == "list":
        yield from _form(config, context, True, route)


def refused_layer(config: Config, context: CheckContext, route: str) -> tuple[int, Reason] | None:
    """The layer that refuses its input when a Sequential model is built with it, and the reason.

    Keras 3 builds the model anew with each layer that it has read, before it reads the next one.
    """
    if text(config.get("class_name")) != "Sequential" or form_of(config) != "first-layer":
        return None
    place, _ = _refusal(_layers(config))
    if place is None or place == _AT_THE_CALL:
        return None
    return next(((place, each) for each in _form(config, context, True, route)), None)


def _refusal(layers: list[Config]) -> tuple[int | None, str]:
    """Which of the layers first refuses an axis too many, and its error; None if that is open.

    Layers that take any number of axes pass it on. A Reshape gives the right number again, so that
    only the inputs of the first call do not fit.
    """
    flat = False
    for place, layer in enumerate(layers):
        name, config = text(layer.get("class_name")), mapping(layer.get("config"))
        if name == "TimeDistributed":  # its layer gets the axis
            name = text(mapping(config.get("layer")).get("class_name"))
            if has(name, Trait.CONVOLUTION) and "Transpose" not in name:
                return place, _OF_CONVOLUTION.replace(": ", ": …", 1)
            if name != "Dense":
                return None, ""
        if flat and has(name, Trait.FEATURE_WEIGHTS):
            return place, _OF_SIZES
        if not flat and (error := _refuses(name, config)):
            return place, error
        if name == "Reshape":
            break
        counted = _counted_axes(name, config)
        if 1 in counted:  # that of the batch now, whose size is open
            return place, _OF_SIZES
        if counted:  # whether loading the weights fails depends on sizes
            return None, ""
        flat = flat or name == "Flatten"
        if not (has(name, Trait.SAME_SHAPE) or name in ("Dense", "Embedding", "Flatten")):
            return None, ""
    return _AT_THE_CALL, _OF_DENSE


def _counted_axes(name: str, config: Config) -> list[Json]:
    """Axes of a normalization that are counted from the first one, so that they are others now."""
    axis = config.get("axis") if has(name, _NORMALIZING) else None
    return [each for each in sequence(axis) or [axis] if isinstance(each, int) and each > 0]


def _refuses(name: str, config: Config) -> str:
    """The error of a layer that does not take one axis more; "" if it may take it."""
    if name == "PReLU" and not sequence(config.get("shared_axes")):
        return _OF_SIZES
    if has(name, Trait.CONVOLUTION):
        return _OF_TRANSPOSED.format(name=name) if "Transpose" in name else _OF_CONVOLUTION
    axes = spatial_rank(name) + 2
    if name == "Permute":
        axes = len(sequence(config.get("dims"))) + 1
    elif name == "RepeatVector":
        axes = 2
    elif has(name, Trait.RECURRENT):
        axes = 3 + spatial_rank(name)
    elif name == "Bidirectional":
        axes = 3 + spatial_rank(text(mapping(config.get("layer")).get("class_name")))
    elif not (has(name, _SPATIAL) or (has(name, Trait.DROPOUT) and spatial_rank(name))):
        return ""
    return _OF_AXES.format(layer=text(config.get("name")), axes=axes, found=axes + 1)


def _error(form: str, context: CheckContext) -> str:
    if not context.profile.keras3:
        return _TOO_FEW
    if form.startswith("list") and context.request.call is LoadCall.FROM_JSON:
        return "TypeError: Expected 'config' to be a dict for Sequential"
    return _ERRORS.get(form, _TOO_FEW)


def form_of(config: Config) -> str:
    """The form of a Sequential model's config; "" for one with an InputLayer, or with no layers."""
    layers, written = _layers(config), config.get("config")
    first = layers[0] if layers else {}
    shaped = "batch_input_shape" in mapping(first.get("config")) or is_model(first)
    layer = text(first.get("class_name")) == "InputLayer"
    if isinstance(written, list):
        return "list" if shaped or layer else "list-unbuilt"
    if layer or not layers or is_model(first):
        return ""
    if shaped:
        return "first-layer"
    return "build-shape" if mapping(written).get("build_input_shape") else "unbuilt"
