"""Softmaxes whose shares are added up again, so that nothing of the input is left."""

from __future__ import annotations

from math import prod

from modelaudit.facts import Json, Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules.network.batch_mixing import given, operation
from modelaudit.rules.network.network_heads import activation_of, softmax_axis, weighs

_ADDS = {"mean": "mean", "reducemean": "mean", "sum": "sum", "reducesum": "sum"}
_RESIZES = Trait.PADDING | Trait.UPSAMPLING | Trait.RESIZING | Trait.AUGMENTATION


def averages_shares(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it gives the mean of all results of one softmax for each input."""
    if _size(layer) != 1:
        return False
    before = [*graph.only_sources(layer.route, passes_all)]
    last = before[-1] if before else None
    shares = last is not None and not last.custom and activation_of(last) == "softmax"
    return last is not None and shares and len(last.output_shape or ()) == 2


def adds_up_shares(graph: LayerGraph, layer: Layer) -> str:
    """How an operation reduces what a softmax shares out, over all of its axes; empty otherwise.

    The sum is 1, and the mean one by their number.
    """
    name = _ADDS.get(operation(layer), "")
    told = given(layer, "axis") if name else []
    shares = shared_out(graph, layer) if told else layer
    rank = len(shares.output_shape or ())
    if shares is layer or shares.custom or not rank or activation_of(shares) != "softmax":
        return ""
    if has(shares.class_name, Trait.RECURRENT) or shares.class_name == "Bidirectional":
        return ""
    said: Json = shares.config.get("axis", -1) if shares.class_name == "Softmax" else -1
    return name if _axes(said, rank) <= _axes(told[0], rank) else ""


def apart_fix(graph: LayerGraph, layer: Layer) -> str:
    """What to do about an operation that adds up all shares of a softmax."""
    shares, how = shared_out(graph, layer), adds_up_shares(graph, layer)
    places = len(shares.output_shape or ()) > 2
    return (
        f"The shares of `{shares.name}` add up to 1 along this axis. "
        + (
            f"Let the {how} run over the positions instead, such as axis=1"
            if places
            else f"Remove the {how}, and use the shares themselves"
        )
        + ", and train again."
    )


def _axes(said: Json, rank: int) -> set[int]:
    """These axes, counted from the first; all if none is said."""
    listed = range(rank) if said is None else said if isinstance(said, list) else [said]
    return {axis % rank for axis in listed if isinstance(axis, int)}


def over_places(graph: LayerGraph, layer: Layer) -> bool:
    """Whether it averages what one softmax shares out among positions, for each channel."""
    if layer.config.get("data_format") == "channels_first" or not graph.calls[layer.route]:
        return False
    shares = shared_out(graph, layer)
    if shares.class_name != "Softmax" or shares.custom:
        return False
    rank, axis = len(shares.output_shape or ()), softmax_axis(shares)
    above = map(graph.layer, graph.above([shares.route]))
    # Where a mask hides positions, their number counts.
    masked = any(x.class_name == "Masking" or x.config.get("mask_zero") is True for x in above)
    return rank > 2 and -rank <= axis < rank and 0 < axis % rank < rank - 1 and not masked


def shared_out(graph: LayerGraph, layer: Layer) -> Layer:
    """The layer whose results this one gets, through dropout alone; itself if there are several."""
    before = [*graph.only_sources(layer.route, lambda x: has(x.class_name, Trait.DROPOUT))]
    return before[-1] if before else layer


def of_positions(graph: LayerGraph, shares: Layer) -> bool:
    """Whether a softmax gets one score of each position: of a last axis of size 1."""
    if weighs(shares):
        return False
    before = [shares, *graph.only_sources(shares.route, passes_all)]
    shapes = [
        shape for each in before for shape in (each.output_shape, *each.input_shapes) if shape
    ]
    return any(len(shape) > 2 and shape[-1] == 1 for shape in shapes)


def passes_all(layer: Layer) -> bool:
    """Whether it passes every value on, unlike one that crops or interpolates."""
    changes = has(layer.class_name, _RESIZES)
    return has(layer.class_name, Trait.KEEPS_RANGE) and not changes and not layer.custom


def _size(layer: Layer) -> int:
    """The number of values for each input; 0 if it is not known."""
    return prod(n or 0 for n in layer.output_shape[1:]) if layer.output_shape else 0
