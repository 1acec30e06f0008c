"""Sequential models in HDF5 files, in the forms in which Keras 2.0 to 2.3 wrote their config."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, has
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
# How the first layer refuses an input with an axis too many.
_OF_CONVOLUTION = "ValueError: Kernel shape must have the same length as input, but received"
_OF_DENSE = "ValueError: …Invalid input shape for input"


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
    keras2 = f"{USE_KERAS_2}, and save it again from there."
    yield Reason(
        "sequential-config",
        LoadOutcome.FAILS,
        f"the config of the Sequential model {quoted_route(route, 'itself')} {FORMS[form]}, which "
        f"{context.profile.name} cannot load",
        _error(form, context, text(_layers(config)[0].get("class_name"))),
        _FROM_CODE if "unbuilt" in form else keras2,
        route,
        later=FIRST_CALL * (form == "first-layer"),
        repairs=shaped,
    )


def _error(form: str, context: CheckContext, first: str) -> str:
    if not context.profile.keras3:
        return _TOO_FEW
    if form.startswith("list") and context.request.call is LoadCall.FROM_JSON:
        return "TypeError: Expected 'config' to be a dict for Sequential"
    if form == "first-layer":
        if has(first, Trait.CONVOLUTION):
            return _OF_CONVOLUTION
        return _OF_DENSE * (first == "Dense")
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
