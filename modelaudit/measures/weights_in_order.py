"""The weights of a model in the orders in which optimizers number what they keep of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, permutations
from typing import TypeAlias

from modelaudit.facts import Artifact, Tensor

NOT_TRAINED = ("moving_mean", "moving_variance", "mean", "variance", "count", "seed_generator")
"""Roles of variables that no optimizer changes."""

Owned: TypeAlias = tuple[str, str, Tensor]  # route and role, "" if unknown

_TRAINABLE = re.compile(r"(^|/)_trainable_variables/\d+$")
_NUMBER = re.compile(r"(\d+)")
_NUMBERED = re.compile(r"(.+?)(/vars)?/\d+$")
_OF_LAYERS = ("kernel", "bias")
_OF_CELLS = ("kernel", "recurrent_kernel", "bias")
_OF_NORMS = 4  # vectors of a batch normalization; the last two are its statistics
_MOST_ORDERS = 24  # of the attributes of a class, as many as four have
_WEIGHT_ORDER = (
    *("kernel", "depthwise_kernel", "pointwise_kernel", "gamma", "embeddings", "recurrent_kernel"),
    *("bias", "beta"),
)


def weight_orders(artifact: Artifact) -> Iterator[list[tuple[str, str, Tensor]]]:
    """The weights in the orders in which optimizers may have numbered them: all, or the trainable.

    SavedModels list the variables of a layer by name, not in the order in which it made them.
    """
    weights = list(owned_weights(artifact))
    layers = artifact.architecture.layers if artifact.architecture else ()
    places = {layer.route: place for place, layer in enumerate(layers)}
    frozen = {layer.route for layer in layers if not layer.trainable}
    for chosen in (weights, [each for each in weights if each[0] not in frozen]):
        yield chosen
        if places:
            yield sorted(chosen, key=lambda each: (places[each[0]], _place(each[1])))
    if artifact.architecture is not None and (artifact.architecture.assumed or not layers):
        yield from _of_attributes(artifact)


def _of_attributes(artifact: Artifact) -> Iterator[list[Owned]]:
    """The weights below the attributes of a class, with the attributes in any order.

    A `.keras` archive stores them under the names of attributes, and an optimizer in the order in
    which the class made them.
    """
    layers: dict[str, list[Tensor]] = defaultdict(list)
    for tensor in sorted(artifact.tensors, key=lambda each: natural(each.name)):
        found = _NUMBERED.fullmatch(tensor.name)
        if found and tensor.role == "weight" and tensor.shape and tensor.dtype.startswith("float"):
            layers[found[1]].append(tensor)
    attributes: dict[str, list[Owned]] = defaultdict(list)
    owned = {each.tensor: (each.route, "kernel") for each in artifact.kernels}
    owned |= {each.bias: (each.route, "bias") for each in artifact.kernels if each.bias}
    for route, own in layers.items():
        shapes = [each.shape for each in own]
        normalizes = len(own) == _OF_NORMS and len({*shapes}) == len(shapes[0]) == 1
        roles = _roles_by_shape(route, shapes)
        for place, tensor in enumerate(own[: _OF_NORMS // 2] if normalizes else own):
            known = owned.get(tensor.name, (route, roles[place] if roles else ""))
            attributes[route.partition("/")[0]].append((*known, tensor))
    for order in islice(permutations(attributes.values()), _MOST_ORDERS):
        yield [each for owned in order for each in owned]


def _roles_by_shape(route: str, shapes: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    """The roles of a layer's variables, in order, if their shapes are those of a usual layer."""
    roles = _OF_CELLS if route.endswith("/cell") else _OF_LAYERS
    wide = len(shapes) == len(roles) and all(len(shape) > 1 for shape in shapes[:-1])
    line = 2 if roles is _OF_CELLS else 1  # a GRU has two biases in one matrix
    fits = wide and len(shapes[-1]) <= line and shapes[0][-1:] == shapes[-1][-1:]
    return roles if fits else ()


def _place(role: str) -> int:
    return _WEIGHT_ORDER.index(role) if role in _WEIGHT_ORDER else len(_WEIGHT_ORDER)


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts 10 behind 9."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in _NUMBER.split(name[:500])]


def owned_weights(artifact: Artifact) -> Iterator[tuple[str, str, Tensor]]:
    """Route, role and tensor of the weights, in the order in which optimizers keep them."""
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    if artifact.architecture is not None:
        for layer in artifact.architecture.layers:
            for role, name in layer.variables.items():
                if role not in NOT_TRAINED and name in tensors:
                    yield layer.route, role, tensors[name]
        return
    weights = [t for t in artifact.tensors if t.role == "weight"]
    # A graph shows which bias belongs to which kernel.
    owned = {each.tensor: (each.route, "kernel") for each in artifact.kernels}
    owned |= {each.bias: (each.route, "bias") for each in artifact.kernels if each.bias}
    listed = [t for t in weights if _TRAINABLE.search(t.name)]
    for tensor in sorted(listed or weights, key=_in_layer):
        route, _, role = tensor.name.rpartition("/")
        if listed:
            yield tensor.name, "", tensor
        elif tensor.name in owned:
            yield *owned[tensor.name], tensor
        elif role not in NOT_TRAINED:
            yield route, role, tensor


def _in_layer(tensor: Tensor) -> tuple[list[tuple[int, str]], int]:
    route, _, role = tensor.name.rpartition("/")
    return natural(tensor.name if _TRAINABLE.search(tensor.name) else route), _place(role)
