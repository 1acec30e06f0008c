"""Object-based checkpoints: which Keras or library gave the parts of the objects their names."""

from __future__ import annotations

from functools import cache

from modelaudit.facts import Artifact
from modelaudit.runtimes.catalogue import shipped_profiles
from modelaudit.runtimes.checks.stored.object_paths import weights

# Attributes that only Keras 3 objects have in an object-based checkpoint.
OPERATIONS = "_operations"  # of a model of Keras 3, by number
_LAYERS = "_layers"  # of a Sequential of Keras 3
_NUMBERED = ("layer-", "layer_with_weights-")  # how Keras 2 names the layers of a model
KERAS3_ATTRIBUTES = frozenset(
    ("_kernel", OPERATIONS, _LAYERS, "_functional", "_trainable_variables", "_embeddings")
)
_OF_OPTIMIZERS = {"_iterations", "_variables"}
_TRAINED = "_trainable_variables"  # the weights that an optimizer of Keras 3 trains
# Attributes of layers of Keras 2 that hold variables; Keras 3 has other names for some of them.
_KERAS2_ATTRIBUTES = frozenset(
    (
        *("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "embeddings"),
        *("recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "alpha"),
    )
)
# Names under which classes of libraries hold layers -> the library, which needs Keras 2.
_LIBRARIES = {
    "_postprocessing_layers": "TF-Agents",
    "_projection_networks": "TF-Agents",
    "_q_value_layer": "TF-Agents",
    "_train_step_counter": "TF-Agents",
    "_box_predictor": "the Object Detection API",
    "_first_stage_box_predictor": "the Object Detection API",
    "_intermediate_dense": "the Model Garden",
}


def by_save_weights(artifact: Artifact) -> bool:
    """Whether it is a checkpoint as `Model.save_weights` of Keras 2 writes it.

    `Checkpoint.save` adds a counter of the checkpoints.
    """
    counted = any(each.name.partition("/")[0] == "save_counter" for each in artifact.tensors)
    return not counted and written_by_keras2(artifact)


def written_by_keras3(artifact: Artifact) -> bool:
    """Whether the keys of an object-based checkpoint are those of Keras 3."""
    kept = weights(artifact)
    if not kept:  # a recurrent layer of several cells, which the file lacks
        return any(OPERATIONS in node.children for node in artifact.object_graph)
    # A class of the program may have an attribute with a name of Keras 3 in a model of Keras 2.
    numbered = any(part.startswith(_NUMBERED) for x in kept for part in x.name.split("/"))
    of_keras3 = KERAS3_ATTRIBUTES - ({_LAYERS} if numbered else set())
    named = any(not of_keras3.isdisjoint(tensor.name.split("/")) for tensor in kept)
    return named or any(_TRAINED in each for each in _optimizers(artifact))


def written_by_keras2(artifact: Artifact) -> bool:
    """Whether the keys of an object-based checkpoint are those of Keras 2.

    Layers of a program have the same names in both generations, and optimizers have not.
    """
    return any(_TRAINED not in each for each in _optimizers(artifact)) or any(
        part.startswith(_NUMBERED) or part in _KERAS2_ATTRIBUTES
        for tensor in weights(artifact)
        for part in tensor.name.split("/")
    )


def _optimizers(artifact: Artifact) -> list[set[str]]:
    """The names of what optimizers hold that keep their variables in a list."""
    names = ({*node.children} for node in artifact.object_graph)
    return [each for each in names if each >= _OF_OPTIMIZERS]


def needs_keras2(artifact: Artifact) -> str:
    """The library of the classes that hold the layers, if it needs Keras 2; otherwise empty."""
    parts = {part for tensor in weights(artifact) for part in tensor.name.split("/")}
    return next((library for part, library in _LIBRARIES.items() if part in parts), "")


@cache
def names_in_keras3() -> frozenset[str]:
    """Names of parts of Keras' own objects in checkpoints, in any version of Keras 3."""
    profiles = (entry.read() for entry in shipped_profiles() if entry.keras >= (3,))
    return frozenset(n for each in profiles for n in each.behaviour("checkpoint_names", ()))
