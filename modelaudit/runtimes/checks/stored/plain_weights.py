"""Whether weights alone are those of layers of Keras that Keras connects.

Of such a model, a file of weights tells what the loader looks for. The names of another one are
those of attributes and classes of a program, whose code decides which weights it makes, in which
order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.builtin_layers import made_of, snake_case, without_number, words
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import LAYER_CLASSES, OWN_NAMES

_LAYERS = ("layers", "_layer_checkpoint_dependencies")  # of a model
_HOLDERS = (*_LAYERS, "cells")  # what holds containers that are named after classes
_CONTAINERS = frozenset(snake_case(OWN_NAMES.get(name, name)) for name in LAYER_CLASSES)
# Names that a model of Keras gives its layers in a checkpoint.
_NUMBERED = re.compile(r"layer(_with_weights)?-[0-9]+|[0-9]+|_operations|_layers|_functional")
# Attributes of layers of Keras: their weights, and the layers and weights that they hold.
_ATTRIBUTES = words(
    """
    kernel bias gamma beta moving_mean moving_variance embeddings recurrent_kernel alpha mean
    variance count adapt_mean adapt_variance depthwise_kernel pointwise_kernel vars cell cells layer
    forward_layer backward_layer query_dense key_dense value_dense output_dense seed_generator
    lora_kernel_a lora_kernel_b lora_embeddings_a lora_embeddings_b kernel_scale scale
    concat_score_weight attention_v sn_u moving_std vector_u stddev total iteration
    query key value attention_output seed_generator_state u
    """
)
_CELLS = ("_cell", "_cells")
_NOT_WEIGHTS = words(
    """
    optimizer _optimizer .OPTIMIZER_SLOT metrics keras_api save_counter
    _CHECKPOINTABLE_OBJECT_GRAPH
    """
)


def is_plain(artifact: Artifact) -> bool:
    """Whether all names of weights are those that Keras gives weights of its own layers."""
    if artifact.format is Format.WEIGHTS_H5_LEGACY:
        groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
        names = [
            text(each).removeprefix(f"{name}/").partition(":")[0].split("/")
            for name, held in groups.items()
            for each in sequence(held)
        ]
        return bool(names) and all(map(_in_group, names))
    paths = (tensor.name.split("/") for tensor in artifact.tensors)
    found = [path for path in paths if _NOT_WEIGHTS.isdisjoint(path)]
    if artifact.format is Format.TF2_CHECKPOINT:
        found = [_in_model(path) for path in found]
    return bool(found) and all(map(_of_keras, found))


def _in_model(path: list[str]) -> list[str]:
    """A path without the name under which a program gives its model to `tf.train.Checkpoint`."""
    return path if _of_model(path[0]) else path[1:]


def _of_keras(path: Sequence[str]) -> bool:
    """Whether Keras itself makes each name on the way to a weight."""
    if not path or not _of_model(path[0]):
        return False
    before = ""
    for name in path:
        if before in _HOLDERS and not name.isdecimal():
            known = without_number(name) in _CONTAINERS
        else:
            known = name.lstrip("_") in _ATTRIBUTES or name in _LAYERS or _is_numbered(name)
        if not known:
            return False
        before = name
    return True


def _of_model(name: str) -> bool:
    """Whether a model that Keras connects has it for one of its layers or for all of them."""
    return name in _LAYERS or _is_numbered(name)


def _is_numbered(name: str) -> bool:
    return _NUMBERED.fullmatch(name) is not None


def _in_group(path: Sequence[str]) -> bool:
    """Whether a weight of a layer, or of one in a model in a model, is one that Keras makes.

    A layer of the program begins with its own name, and has those of its layers behind it.
    """
    return path[-1] in _ATTRIBUTES and all(map(_is_inner, path[1:-1]))


def _is_inner(name: str) -> bool:
    """Whether it is what a layer of Keras calls a layer inside: `lstm_cell_1`, `forward_gru`."""
    plain = name.removeprefix("forward_").removeprefix("backward_")
    known = any(each in _CONTAINERS for each in made_of(plain))
    cells = any(each.endswith(_CELLS) for each in made_of(plain))
    return name in _ATTRIBUTES or (known and (cells or plain != name))
