"""MA314, and the constants behind MA305: layers that give the same for every input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.network_heads import (
    SOFTMAXES,
    activation_of,
    behind_weights,
    joined_graph,
    saved_graph,
    softmax_axis,
)
from modelaudit.rules.network.softmax_fixes import is_column, softmax_fix
from modelaudit.rules.network.softmax_shares import (
    adds_up_shares,
    apart_fix,
    averages_shares,
    of_positions,
    over_places,
    passes_all,
    shared_out,
)
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.structs import PerObject, replace


class Constancy(Struct, frozen=True):
    """Why a layer gives the same for every input: a code, and what it computes, in words."""

    code: str
    text: str
    activation: str = ""  # that normalizes over too little


_DIFFERENCE = Constancy("difference", "a difference of a value and itself")
_COSINE = Constancy("cosine", "a cosine of a value and itself")
_NORMALIZATION = Constancy("normalization", "a normalization over a single value")
_PRODUCT = Constancy("product", "a multiplication by 0")
_LIMIT = Constancy("limit", "a limit of 0")
_SHARES = Constancy("mean-of-shares", "a mean of all shares of a softmax")
_OVER_PLACES = Constancy("over-positions", "a mean over the positions that a softmax runs over")
_CATEGORY = Constancy("one-bin", "one bin for all values")
ADDED, OVER_ONE, OVER_BATCH = "added-shares", "over-one-value", "over-batch"


def over_one_value(activation: str) -> Constancy:
    """The reason of an activation that normalizes over one value, such as a softmax of one unit."""
    return Constancy(OVER_ONE, f"{activation} over a single value", activation)


def constant_reason(graph: LayerGraph, layer: Layer) -> Constancy | None:
    """Why a layer gives the same for every input, whatever its weights are; None if it does not."""
    config, shape = layer.config, layer.output_shape
    if layer.custom:
        return None
    if own := _of_itself(graph, layer) or _by_settings(layer) or _added(graph, layer):
        return own
    name = activation_of(layer)
    if name in SOFTMAXES and layer.class_name not in _OWN_ACTIVATION:
        axis = softmax_axis(layer) if layer.class_name == "Softmax" else -1
        if axis == 0 or (shape and axis == -len(shape)):
            return Constancy(OVER_BATCH, f"{name} over the inputs of a batch", name)
        if over_one(layer, axis):
            return over_one_value(name)
    if layer.class_name == "LayerNormalization":
        axes = config.get("axis", -1)
        axes = axes if isinstance(axes, list) else [axes]
        if axes and all(isinstance(axis, int) and over_one(layer, axis) for axis in axes):
            return _NORMALIZATION
    flat = layer.class_name == "GroupNormalization" and shape is not None and len(shape) == 2
    if flat and shape and config.get("groups") in (-1, shape[-1]):
        return _NORMALIZATION
    if has(layer.class_name, Trait.GLOBAL_POOLING) and has(layer.class_name, Trait.LINEAR):
        if averages_shares(graph, layer):
            return _SHARES
        return _OVER_PLACES if over_places(graph, layer) else None
    return None


def _of_itself(graph: LayerGraph, layer: Layer) -> Constancy | None:
    """What a layer computes of one tensor that it gets twice; None if that is no constant."""
    name = operation_name(layer)
    if name not in {"Subtract", "Dot"}:
        return None
    calls = graph.calls[layer.route]
    if not calls or not all(is_one(graph, call) for call in calls):
        return None
    if name == "Subtract":
        return _DIFFERENCE
    vectors = len(layer.output_shape or ()) == 2 and layer.config.get("normalize") is True
    return _COSINE if layer.class_name == "Dot" and vectors else None


def _times_zero(layer: Layer) -> bool:
    """Whether an operation multiplies by the number 0, as `x * 0.0` is saved."""
    if operation_name(layer) not in {"Multiply", "Mul"}:
        return False
    given = [each.get(key) for each in layer.call_kwargs for key in ("y", "x2")]
    numbers = [each for call in layer.call_numbers for each in call]
    found = [each for each in map(number, [*given, *numbers]) if each is not None]
    return bool(found) and not any(found)


def _by_settings(layer: Layer) -> Constancy | None:
    """What the settings of a layer alone make constant; None if nothing."""
    if (layer.class_name == "Rescaling" and layer.config.get("scale") == 0) or _times_zero(layer):
        return _PRODUCT
    if layer.class_name == "ReLU" and layer.config.get("max_value") == 0:
        return _LIMIT
    return _CATEGORY if _one_bin(layer) else None


def _added(graph: LayerGraph, layer: Layer) -> Constancy | None:
    how = adds_up_shares(graph, layer)
    return Constancy(ADDED, f"a {how} over the axis that a softmax runs over") if how else None


def _one_bin(layer: Layer) -> bool:
    """Whether a layer has one bin for all values, as without boundaries between them."""
    if layer.class_name == "Discretization":
        bounds = layer.config.get("bin_boundaries")
        return bounds == [] or (bounds is None and layer.config.get("num_bins") == 1)
    return layer.class_name == "Hashing" and layer.config.get("num_bins") == 1


def is_one(graph: LayerGraph, call: tuple[str, ...]) -> bool:
    """Whether both inputs of a call are the same tensor, not two outputs of one layer.

    A layer that is called twice, such as a tower for two images, has an output for each call.
    """
    source = graph.get(call[0]) if len(call) == 2 and call[0] == call[1] else None
    if source is None or source.custom or not has(source.class_name, _ONE_OUTPUT):
        return False
    wrapped = source.config.get("layer")
    inner = wrapped.get("config") if isinstance(wrapped, dict) else None
    states = inner.get("return_state") if isinstance(inner, dict) else None
    around, inside, _ = source.route.partition("/")  # the outermost model that it is in
    same = [x for x in graph.layers if inside and x.route.startswith(f"{around}/")] or [source]
    once = all(len(graph.calls[layer.route]) <= 1 for layer in same)
    return once and not (states or source.config.get("return_state"))


def constant_fix(graph: LayerGraph, layer: Layer, reason: Constancy) -> str:
    """What to do about a layer that is constant for a reason; empty where the rule says it."""
    if reason == _DIFFERENCE:
        return f"Subtract two different tensors in `{layer.name}`, or remove it, and train again."
    if reason == _COSINE:
        return f"Give `{layer.name}` two different tensors, or remove it, and train again."
    if reason == _NORMALIZATION:
        return (
            f"Remove `{layer.name}`, or give what it gets more features (a Dense layer before it), "
            "and train again. "
            "BatchNormalization takes its statistics over the batch, so it may stay there."
        )
    if reason == _PRODUCT and (_times_zero(layer) or behind_weights(graph, layer)):
        return f"Remove `{layer.name}`, or give it a factor other than 0, and train again."
    if reason == _PRODUCT:
        return (
            "If 1 // 255 was meant for pixels, that is 0. Use this layer and train again:\n"
            f"keras.layers.Rescaling(1 / 255, name={layer.name!r})"
        )
    if reason == _LIMIT:
        return f"Use this layer and train again:\nkeras.layers.ReLU(name={layer.name!r})"
    if reason == _SHARES:
        shares = [*graph.only_sources(layer.route, passes_all)][-1]
        if not of_positions(graph, shares):
            return (
                f"Remove the softmax of `{shares.name}` and train again. For classes, use "
                f"it behind `{layer.name}`, on values that are averaged for each class."
            )
        return (
            f"To weight positions, multiply the values with the softmax, and let `{layer.name}` average "
            "these products. Then train again."
        )
    if reason == _OVER_PLACES:
        name = shared_out(graph, layer).name
        return (
            "For classes, let the softmax run over the last axis, behind the mean, and train again:\n"
            f"keras.layers.Softmax(axis=-1, name={name!r})  # behind `{layer.name}`"
        )
    if reason.code == ADDED:
        return apart_fix(graph, layer)
    if reason == _CATEGORY and layer.class_name == "Discretization":
        bins = layer.config.get("num_bins")
        many = bins if isinstance(bins, int) and bins > 1 else 10
        return (
            "Give it boundaries, or several bins and data that has them, and train again:\n"
            f"layer = keras.layers.Discretization(num_bins={many}, name={layer.name!r})\n"
            "layer.adapt(x)  # before the model is built"
        )
    if reason == _CATEGORY:
        return (
            "Use more bins than there are categories, as many in the layer that takes the indices, "
            f"and train again:\nkeras.layers.Hashing(num_bins=64, name={layer.name!r})"
        )
    return ""


# Layers with one output for each call; attention and operations of TensorFlow can have several.
_ONE_OUTPUT = (
    Trait.SAME_SHAPE
    | Trait.AFFINE
    | Trait.LINEAR
    | Trait.KEEPS_RANGE
    | Trait.CONVOLUTION
    | Trait.LOCAL_POOLING
    | Trait.GLOBAL_POOLING
    | Trait.MERGE
    | Trait.SEQUENCE
    | Trait.RECURRENT
)
# Layers whose `activation` is not the last thing that they compute.
_OWN_ACTIVATION = classes(Trait.RECURRENT) | {"Bidirectional"}


def over_one(layer: Layer, axis: int) -> bool:
    """Whether an axis of the output has the size 1."""
    shape = layer.output_shape
    if shape and -len(shape) <= axis < len(shape):
        return shape[axis] == 1
    sizes = [layer.config[key] for key in ("units", "filters") if key in layer.config]
    return axis == -1 and sizes == [1]


def _reasons(graph: LayerGraph) -> Mapping[str, Constancy]:
    reasons = ((layer.route, constant_reason(graph, layer)) for layer in graph.layers)
    return {route: reason for route, reason in reasons if reason}


constant_reasons = PerObject(_reasons)
"""Layer that gives the same for every input -> why."""


def _constant_outputs(graph: LayerGraph) -> Mapping[str, Layer]:
    reasons = constant_reasons(graph)
    if not reasons:
        return {}

    def step(layer: Layer, values: Sequence[str | None]) -> str | None:
        if layer.route in reasons:
            return layer.route
        if layer.custom or not values or not all(values):
            return None
        return values[0]

    found = graph.propagate(step, lambda one, _: one)
    return {route: graph.layer(found[route]) for route in graph.outputs if route in found}


constant_outputs = PerObject(_constant_outputs)
"""Output that is the same for every input -> the layer that makes it so."""


def constant_in_graph(artifact: Artifact) -> Mapping[str, tuple[Layer, Constancy, str]]:
    """The same of the layers that a graph shows, each with the reason and what to do."""
    shown = graph_architecture(artifact)
    if shown is None:
        return {}
    graph = layer_graph(shown)
    found, why = constant_outputs(graph), constant_reasons(graph)
    return {
        route: (layer, why[layer.route], constant_fix(graph, layer, why[layer.route]))
        for route, layer in found.items()
    }


def behind_constants(facts: Facts) -> Callable[[str], bool]:
    """Whether the layer of a route reaches the outputs of the model through constant layers only.

    No gradient reaches it, nor the scale of a constant normalization: MA305 and MA314 say why.
    """
    if facts.artifact.architecture is None:
        return lambda _: False
    graph = saved_graph(facts)
    reasons = constant_reasons(graph)
    stops = {route for route, why in reasons.items() if why.code != OVER_BATCH}
    if not stops:
        return lambda _: False
    live = graph.above((each for each in graph.outputs if each not in stops), around=stops)
    cut = graph.above(graph.outputs) - live
    return lambda route: any(route == each or route.startswith(f"{each}/") for each in cut)


def _hidden(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = joined_graph(facts)
    reasons = constant_reasons(graph)
    reported = {layer.route for layer in constant_outputs(graph).values()}
    for route in [each for each in reasons if each not in reported]:
        layer, reason = graph.layer(route), reasons[route]
        fix = constant_fix(graph, layer, reason)
        if reason.code == OVER_ONE and reason.activation == "softmax":
            fix = softmax_fix(layer, column=is_column(graph, layer))
        batch = reason.code == OVER_BATCH
        yield rule.finding(
            f"`{layer.route}` computes {reason.text}, so it gives the same for every input"
            + (" that is given alone." if batch else "."),
            route=layer.route,
            evidence={"measured": reason.text, "class": layer.class_name},
            severity=Severity.LOW if batch else None,  # where a batch is one bag of instances
            fix=fix,
        )


def _attention(axis: int) -> Facts:
    """Scores of positions, normalized over an axis, beside a path without them."""
    scores: dict[str, Json] = {"axis": axis}
    first = examples.layer("hidden", config={"units": 8})
    layer = examples.layer("scores", "Softmax", {}, scores, inbound=(("hidden",),))
    layer = replace(layer, output_shape=(None, 12, 1))
    both = examples.layer("weighted", "Multiply", {}, {}, inbound=(("scores", "hidden"),))
    return Facts(examples.model(first, layer, both))


RULES = (
    Rule(
        code="MA314",
        name="constant-layer",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.LAYERS,),
        summary="A layer gives the same for every input, whatever the weights",
        pass_title="No layer is constant by construction",
        why="Everything before such a layer has no effect through it. The usual case is an "
        "attention whose softmax runs over one score instead of over the positions: it weights all "
        "positions with 1.",
        fix="Remove the layer, or let it normalize over the right axis, and train again.",
        check=_hidden,
        assumes="output",
        bad=lambda: _attention(-1),
        good=lambda: _attention(1),
    ),
)
