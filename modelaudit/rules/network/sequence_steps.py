"""Whether the sequences that a recurrent kernel reads have a single step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from modelaudit.facts import Artifact, GraphNode, Json, Layer, Shape
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.structs import PerObject
from modelaudit.work_budget import spend


class _Sequences(Struct, frozen=True):
    """Shapes that tell of steps: of the kernels, the inputs of their layers, and all inputs."""

    ranks: Mapping[str, int]
    own: Mapping[str, Shape]
    known: tuple[Shape, ...]


def _read_sequences(artifact: Artifact) -> _Sequences:
    architecture = artifact.architecture
    own: dict[str, Shape] = {}
    for layer in architecture.layers if architecture else ():
        for name in layer.variables.values() if layer.input_shapes else ():
            own.setdefault(name, layer.input_shapes[0])
    if architecture is None:
        shapes = [each.shape for signature in artifact.signatures for each in signature.inputs]
        nodes = artifact.graphs[0].nodes if artifact.graphs else ()
        fed = [node.attrs.get("shape") for node in nodes if node.op == "Placeholder"]
        shapes += [_shape(shape) for shape in fed if isinstance(shape, list)]
    else:
        shapes = [input_shape(layer) for layer in architecture.layers]
        shapes += [_reshaped(layer) for layer in architecture.layers]
    ranks: dict[str, int] = {}
    for tensor in artifact.tensors:
        ranks.setdefault(tensor.name, len(tensor.shape))
    return _Sequences(ranks, own, _known(shapes))


_sequences = PerObject(_read_sequences)


def _known(shapes: Iterable[Shape | None]) -> tuple[Shape, ...]:
    """Those that are known, each once."""
    known = (shape for shape in shapes if shape is not None and len(shape) > 1)
    return tuple(dict.fromkeys(known))


def one_step(artifact: Artifact, recurrent: str) -> bool | None:
    """Whether the sequences of a layer have a single step; None if its inputs are not known.

    Args:
        recurrent: name of the layer's recurrent kernel.
    """
    sequences = _sequences(artifact)
    rank = sequences.ranks.get(recurrent, 2) + 1  # batch, time and one step, an image for ConvLSTM
    own = sequences.own.get(recurrent)
    if own is not None and len(own) == rank and own[1] is not None:
        return own[1] == 1  # what the steps of other layers are does not matter
    known, windows = sequences.known, False
    if artifact.architecture is None:
        spend()
        nodes = artifact.graphs[0].nodes if artifact.graphs else ()
        scope = f"{recurrent.rpartition('/')[0]}/"
        known += _known(_batch_first(node) for node in nodes if node.name.startswith(scope))
        # In a graph, windows before the layer may leave one step of any input.
        windows = any(kernel.spatial for kernel in artifact.kernels)
    if any(len(shape) == rank and shape[1] == 1 for shape in known):
        return True
    if artifact.architecture is None and _each_of_one_step(artifact):
        return True
    return None if (windows and not _each_of_several_steps(artifact)) or not known else False


def _each_of_one_step(artifact: Artifact) -> bool:
    """Whether the graph shows sequences of one step for every recurrent layer, in either order."""
    taken = _taken(artifact)
    return bool(taken) and all(len(shape) > 2 and 1 in shape[:2] for shape in taken)


def _each_of_several_steps(artifact: Artifact) -> bool:
    """Whether it shows how many steps those of every recurrent layer have, and these are several."""
    taken = _taken(artifact)
    known = (len(shape) > 2 and None in shape[:2] and shape[:2] != (None, None) for shape in taken)
    return bool(taken) and all(known) and not any(1 in shape[:2] for shape in taken)


def _taken(artifact: Artifact) -> list[Shape]:
    """What recurrent layers get, by the graph."""
    shown = graph_architecture(artifact)
    return [
        layer.input_shapes[0] if layer.input_shapes else ()
        for layer in (shown.layers if shown else ())
        if has(layer.class_name, Trait.RECURRENT)
    ]


def open_forward(artifact: Artifact, recurrent: str) -> bool:
    """Whether a layer runs forwards over sequences whose number of steps does not stand in the file."""
    own = _sequences(artifact).own.get(recurrent)
    if own is None or len(own) < 3 or own[1] is not None or artifact.architecture is None:
        return False
    holds = (x for x in artifact.architecture.layers if recurrent in x.variables.values())
    layer = next(holds, None)
    if layer is None or layer.config.get("go_backwards") is True:
        return False
    roles = [role for role, name in layer.variables.items() if name == recurrent]
    return not any("backward" in role for role in roles) and "backward" not in layer.name


def _batch_first(node: GraphNode) -> Shape | None:
    """The shape of a sequence before TensorFlow 1 exchanges its axes of time and batch."""
    shapes = node.attrs.get("_output_shapes") if node.op == "Transpose" else None
    first = shapes[0] if isinstance(shapes, list) and shapes else None
    exchanged = _shape(first) if isinstance(first, list) else ()
    known = len(exchanged) > 1 and exchanged[0] is not None and exchanged[1] is None
    return (None, exchanged[0], *exchanged[2:]) if known else None


def _reshaped(layer: Layer) -> Shape | None:
    """The shape that a layer gives to its input, if its config says so."""
    target = layer.config.get("target_shape")
    if layer.config.get("n") == 1:  # RepeatVector
        return (None, 1, None)
    return (None, *_shape(target)) if isinstance(target, list) else None


def _shape(axes: list[Json]) -> Shape:
    return tuple(axis if isinstance(axis, int) else None for axis in axes)
