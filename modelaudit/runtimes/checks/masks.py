"""Masks that reach layers which Keras 2 revives from the functions of a SavedModel.

A layer whose class is not provided keeps only the functions that were traced when it was saved.
`load_model` builds the model around it anew, so a mask can reach it that was not there then, or be
missing: the mask of a `Masking` layer is lost in tracing, a revived layer passes none on. No
function matches such a call. (Observed in Keras 2.4, 2.6 and 2.15, in 14 models.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Layer
from modelaudit.formats.keras.json_config import sequence
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.model import CheckContext, Reason

_CALL = re.compile(r"__inference_(.+)_layer_call_(?:fn|and_return_conditional_losses)_\d+\Z")
_MASK = "mask"  # the argument
_MASKS = re.compile(rf"{_MASK}(?:_\d+)?\Z")  # of a list of tensors, one has a number for each


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first revived layer that is called with another mask than it was traced with."""
    traced = _traced(artifact)
    layers = artifact.architecture.layers if artifact.architecture and traced else ()
    arrives = _arriving(layers)
    for layer in layers:
        if layer.name not in traced or not _revived(layer, context):
            continue
        with_mask = traced[layer.name]
        if arrives[layer.route] not in with_mask and not _passed(layer):
            was, now = ("a", "no") if True in with_mask else ("no", "a")
            yield Reason(
                "mask-of-revived-layer",
                LoadOutcome.FAILS,
                f"`{layer.route}` ({layer.class_name}) was traced with {was} mask, but gets {now} "
                f"mask in the model that {context.profile.name} builds around its saved functions",
                "ValueError: Could not find matching concrete function to call loaded from the "
                "SavedModel.",
                "Pass the class in custom_objects={...}, or use `tf.saved_model.load` and call its "
                "signature.",
                layer.route,
                f"{layer.class_name} is passed in custom_objects",
                "Could not find matching",
            )
            return
    yield from _not_passed_on(layers, traced, arrives, context)


def _revived(layer: Layer, context: CheckContext) -> bool:
    names = {layer.class_name, layer.class_name.rpartition(">")[2]}
    return layer.custom and not names & context.request.custom


def _passed(layer: Layer) -> bool:
    """Whether the program itself passes what is named like a mask, as a map of classes."""
    return any(call.get(_MASK) is not None for call in layer.call_kwargs)


def _not_passed_on(
    layers: tuple[Layer, ...],
    traced: Mapping[str, set[bool]],
    arrives: Mapping[str, bool],
    context: CheckContext,
) -> Iterator[Reason]:
    """A layer of Keras that had a mask, which the revived layer before it makes or passes on."""
    stops = next((x for x in layers if arrives[x.route] and _revived(x, context)), None)
    made = None if any(_starts(layer) for layer in layers) else _maker(layers, traced, context)
    for layer in layers if stops or made else ():
        if not layer.custom and True in traced.get(layer.name, ()) and not arrives[layer.route]:
            own = stops or made
            assert own is not None
            if stops is None and _passed(layer):
                continue
            does = "passes on" if stops else "or a layer like it makes"
            yield Reason(
                "mask-not-passed-on",
                LoadOutcome.DIFFERS,
                f"`{layer.route}` ({layer.class_name}) was traced with a mask, which "
                f"`{own.route}` ({own.class_name}) {does}; revived from its functions in "
                f"{context.profile.name}, it does not, and padding is computed as data",
                "no error",
                "Pass the class in custom_objects={...}, or use `tf.saved_model.load` and call its "
                "signature.",
                layer.route,
                f"{own.class_name} is passed in custom_objects",
            )
            return


def _maker(
    layers: tuple[Layer, ...], traced: Mapping[str, set[bool]], context: CheckContext
) -> Layer | None:
    """The first revived layer that comes before one of Keras which was traced with a mask.

    Where no layer of Keras starts a mask, one of the program does, by its `compute_mask`.
    """
    own = None
    for layer in layers:
        if _revived(layer, context):
            own = own or layer
        elif not layer.custom and True in traced.get(layer.name, ()):
            return own
    return None


def _starts(layer: Layer) -> bool:
    """Whether a layer of Keras makes a mask."""
    if layer.class_name == "Masking":
        return True
    return layer.class_name == "Embedding" and layer.config.get("mask_zero") is True


def _traced(artifact: Artifact) -> dict[str, set[bool]]:
    """Name of a layer whose `call` takes a mask -> whether its functions were traced with one."""
    functions = {name: each for graph in artifact.graphs for name, each in graph.functions.items()}
    found: dict[str, set[bool]] = {}
    for node in artifact.object_graph:
        if _MASK not in sequence(node.detail.get("parameters")):
            continue
        for name in sequence(node.detail.get("concrete_functions")):
            called = _CALL.fullmatch(str(name))
            if called and name in functions:
                given = any(map(_MASKS.match, functions[str(name)].args))
                found.setdefault(called[1], set()).add(given)
    return found


def _arriving(layers: tuple[Layer, ...]) -> dict[str, bool]:
    """Route of a layer -> whether a mask reaches it in the model that is built."""
    arrives: dict[str, bool] = {}
    leaves: dict[str, bool] = {}
    models = {"", *(layer.route for layer in layers if layer.is_model)}
    last: dict[str, str] = {}  # model -> its layer listed last, whose mask it passes on
    for layer in layers:
        outer = layer.route.rpartition("/")[0]
        sources = {route for call in layer.inbound for route in call}
        if not sources and outer in last:  # the layers of a Sequential model follow each other
            sources = {last[outer]}
        arrives[layer.route] = (
            any(_left(route, leaves, last) for route in sources)
            if sources
            else arrives.get(outer, False)
        )
        leaves[layer.route] = _passes(layer, arrives)
        if outer in models:
            last[outer] = layer.route
    return arrives


def _left(route: str, leaves: Mapping[str, bool], last: Mapping[str, str]) -> bool:
    """Whether a layer, or the last one of a nested model, passes a mask on."""
    while route in last:
        route = last[route]
    return leaves.get(route, False)


def _passes(layer: Layer, arrives: Mapping[str, bool]) -> bool:
    """Whether a mask leaves the layer."""
    if _starts(layer):
        return True
    if not has(layer.class_name, Trait.KEEPS_MASK) or layer.custom:
        return False
    sequences = layer.config.get("return_sequences")
    wrapped = layer.config.get("layer")
    if isinstance(wrapped, dict) and layer.class_name == "Bidirectional":
        config = wrapped.get("config")
        sequences = config.get("return_sequences") if isinstance(config, dict) else None
    return arrives[layer.route] and sequences is not False
