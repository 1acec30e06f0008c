"""What the rest of a file tells about kernels that look freshly drawn: optimizer, inputs, copies."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Artifact, Layer, Shape
from modelaudit.formats.keras.json_config import mapping
from modelaudit.graphs import VALUE, VARIABLE_KEY_END
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_shapes import one_position
from modelaudit.measures.kernels.batchnorm import (
    batchnorm_tensors,
)
from modelaudit.measures.kernels.other_weights import frozen_variables
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.initial_weights.initial_explained import NO_STATE, ONE_POSITION
from modelaudit.rules.network.learning_rates import ADAPTIVE
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.structs import PerObject
from modelaudit.thresholds.weights import FADED

_Pair = tuple[float | None, float | None]
Moments = tuple[_Pair, ...]


def may_be_rotation(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether an orthogonal matrix may be no drawn one: its initializer is not named, or a constraint
    of the layer can keep it orthogonal.

    A recurrent kernel starts orthogonal by default, and a bias at its start speaks for a draw.
    """
    if kernel.tests.get("law") != "orthogonal" or kernel.tests.get("bias_initial") is True:
        return False
    layer = _layer_around(artifact, kernel)
    if layer:
        return any(layer.config.get(key) for key in ("kernel_constraint", "recurrent_constraint"))
    return kernel.guessed and not kernel.route.endswith("/recurrent_kernel")


def may_be_held(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether a matrix that was set, and not drawn, may be meant to stay as it is.

    It is frozen, a penalty or a constraint can keep it so, or nothing else shows that its layer was
    trained.
    """
    layer = _layer_around(artifact, kernel)
    wrapped = mapping(mapping(layer.config.get("layer") if layer else None).get("config"))
    held = [
        config.get(f"{part}_{kind}")
        for config in ((layer.config, wrapped) if layer else ())
        for part in ("kernel", "recurrent", "embeddings")
        for kind in ("regularizer", "constraint")
    ]
    trained = kernel.tests.get("bias_initial") is False
    return (
        kernel.tests.get("trainable") is False or any(held) or not (trained or not kernel.guessed)
    )


def _layer_around(artifact: Artifact, kernel: KernelInitialization) -> Layer | None:
    """The layer of a kernel, whose route may name the variable, and the cell that has it, as well."""
    route, find = kernel.route, artifact.architecture.find if artifact.architecture else None
    while find and route:
        if found := find(route):
            return found
        route = route.rpartition("/")[0]
    return None


def tells_frozen(artifact: Artifact) -> bool:
    """Whether the file tells which layers or variables are frozen."""
    return (
        artifact.architecture is not None
        or any(node.kind == "variable" for node in artifact.object_graph)
        or any(graph.trainable for graph in artifact.graphs)
    )


def reached(artifact: Artifact, kernel: KernelInitialization) -> bool | None:
    """Whether the optimizer's moments of the kernel are not 0; None if it is unknown which are."""
    own = _owned(artifact, kernel)
    return any(first or second for first, second in own) if own else None


def without_state(
    artifact: Artifact, kernels: Sequence[KernelInitialization]
) -> tuple[KernelInitialization, ...]:
    """Trainable kernels that an optimizer which moved others keeps nothing of, with biases at 0.

    An optimizer of TensorFlow 1 makes its slots for the weights that the loss depends on.
    """
    kept = _with_state(artifact) if optimizer_moved(artifact) else ()
    return tuple(
        kernel
        for kernel in kernels
        if kept
        and kernel.tensor not in kept
        and kernel.tests.get("trainable") is True
        and kernel.tests.get("bias_initial") is True
    )


def frozen_norms(artifact: Artifact) -> set[str]:
    """Routes of layers that the architecture, the list of trainable variables, or the references
    of the optimizer's state call frozen.
    """
    affine = {x.route: [t for t in (x.gamma, x.beta) if t] for x in batchnorm_tensors(artifact)}
    kept = _with_state(artifact)
    found = {
        route
        for route, own in affine.items()
        if kept and own and kept.isdisjoint(t.name for t in own)
    }
    if artifact.architecture is not None:
        return found | {
            layer.route for layer in artifact.architecture.layers if not layer.trainable
        }
    frozen = frozen_variables(artifact)
    return found | {
        route for route, own in affine.items() if own and frozen.issuperset(t.name for t in own)
    }


def _moved(artifact: Artifact) -> bool:
    """Whether the optimizer's state shows training steps: also the gradient of a single bias."""
    state = optimizer_state(artifact)
    moments = state.moments if state else ()
    lone = any(each.first and math.prod(each.shape) == 1 for each in moments)
    return lone or any(
        tensor.role == "optimizer"
        and tensor.size > 1
        and tensor.stats is not None
        and not tensor.stats.constant
        for tensor in artifact.tensors
    )


optimizer_moved = PerObject(_moved)


def never_optimized(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the file has optimizer state, but none for the kernel, or none of its shape."""
    if (kept := _with_state(artifact)) and kernel.tensor not in kept:
        return True
    like_slots = _like_slots(artifact)
    return bool(like_slots) and kernel.tensor not in like_slots


def _shaped_like_slots(artifact: Artifact) -> set[str]:
    """Names of the tensors that have the shape of some optimizer state, which is one of them."""
    slots = {t.shape for t in artifact.tensors if t.role == "optimizer" and t.shape}
    return {tensor.name for tensor in artifact.tensors if tensor.shape in slots}


_like_slots = PerObject(_shaped_like_slots)


def steps_of_nothing(artifact: Artifact) -> int:
    """The steps of an optimizer that had no weight to change, all layers being frozen; or 0.

    It would keep averages of the gradients of each weight that it trains.
    """
    state = optimizer_state(artifact)
    if state is None or not state.steps or state.name.lower() not in ADAPTIVE:
        return 0
    layers = artifact.architecture.layers if artifact.architecture else ()
    weighing = [layer for layer in layers if layer.variables and not layer.is_model]
    slots = any(t.role == "optimizer" and t.shape for t in artifact.tensors)
    frozen = bool(weighing) and not any(layer.trainable for layer in weighing)
    return state.steps if frozen and not slots else 0


def left_out(artifact: Artifact, kernel: KernelInitialization) -> str:
    """Why the file shows that training left the kernel out on purpose or by design, or ""."""
    if steps_of_nothing(artifact) or never_optimized(artifact, kernel):
        return NO_STATE
    return ONE_POSITION if _attends_once(artifact, kernel) else ""


def _attends_once(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether it makes queries or keys of an attention to a single position."""
    parts = kernel.route.removesuffix("/kernel").split("/")
    if not ("query" in parts[-1] or "key" in parts[-1]):
        return False
    saved = artifact.architecture
    if saved is not None and saved.layers:
        return any(
            kernel.route.startswith(f"{layer.route}/") and one_position(layer)
            for layer in saved.layers
        )
    # An export counts the calls of a layer, and names the operations after it.
    shown = graph_architecture(artifact) if len(parts) > 1 else None
    named = re.compile(rf"(^|/){re.escape(parts[-2])}(_\d+)?(/|$)") if shown else None
    found = [
        layer
        for layer in (shown.layers if shown else ())
        if named and has(layer.class_name, Trait.ATTENTION) and named.search(layer.route)
    ]
    return bool(found) and all(map(one_position, found))


def _referred(artifact: Artifact) -> set[str]:
    """Weights whose optimizer state refers to them, in an object graph or by TensorFlow 1's names.

    Empty for optimizers that only number their variables.
    """
    nodes = {node.index: node for node in artifact.object_graph}
    owners = {owner for node in nodes.values() for owner, _, _ in node.slots}
    keys = [nodes[owner].attributes.get(VALUE, {}).get("key", "") for owner in owners]
    weights = {tensor.name for tensor in artifact.tensors if tensor.role == "weight"}
    slots = [tensor.name for tensor in artifact.tensors if tensor.role == "optimizer"]
    return weights & (
        {key.removesuffix(VARIABLE_KEY_END) for key in keys}
        or {name.rpartition("/")[0] for name in slots}
    )


_with_state = PerObject(_referred)


def faded_moments(artifact: Artifact, kernels: Sequence[KernelInitialization]) -> set[Moments]:
    """The moments of kernels that have moved, if all of them have faded to 0."""
    trained = [_moments(artifact, each) for each in kernels if each.tests.get("fits") is False]
    return {
        found
        for found in trained
        if found and all(not first and (second or 0.0) <= FADED.value for first, second in found)
    }


def without_gradient(
    artifact: Artifact, kernel: KernelInitialization, faded: Set[Moments]
) -> bool | None:
    """Whether every moment of the kernel is 0, in an optimizer that trained others.

    None where those of a kernel that has moved have faded to 0 as well: averages of gradients that
    stopped long ago tell nothing.

    Args:
        kernel: one that looks as drawn.
        faded: the `faded_moments` of all its kernels.
    """
    own = _moments(artifact, kernel)
    if not own or any(first or second for first, second in own) or not optimizer_moved(artifact):
        return False
    return None if faded - {own} else True


def got_gradients(artifact: Artifact, kernel: KernelInitialization) -> bool:
    """Whether the optimizer keeps an average of the kernel's gradients that is not 0."""
    return any(first or second for first, second in _owned(artifact, kernel))


def _moments(artifact: Artifact, kernel: KernelInitialization) -> Moments:
    """Largest moments of a kernel, of gradients and of squares; of its shape, if no owner is known."""
    return _owned(artifact, kernel) or _by_shape(artifact).get(kernel.tensor, ())


def _owned(artifact: Artifact, kernel: KernelInitialization) -> Moments:
    """The same; empty if no owner is known."""
    names = _by_name(artifact)
    return names.get(kernel.route, ()) + names.get(f"{kernel.route}/kernel", ())


def _named(artifact: Artifact) -> dict[str, Moments]:
    """Moments by route and role of their weight."""
    state = optimizer_state(artifact)
    found: dict[str, list[_Pair]] = {}
    for each in state.moments if state else ():
        name = f"{each.route}/{each.role}"
        found.setdefault(name, []).append((each.first, each.second))
    return {name: tuple(own) for name, own in found.items()}


def _shaped(artifact: Artifact) -> dict[str, Moments]:
    """Moments of the shape of each tensor, by its name."""
    found: dict[Shape, list[_Pair]] = {}
    for t in artifact.tensors:
        if t.role == "optimizer" and t.stats is not None:
            largest = max(abs(t.stats.minimum), abs(t.stats.maximum))
            found.setdefault(t.shape, []).append((None, largest))
    of_shapes = {shape: tuple(each) for shape, each in found.items()}
    return {t.name: of_shapes.get(t.shape, ()) for t in artifact.tensors}


_by_name = PerObject(_named)
_by_shape = PerObject(_shaped)


def among_siblings(
    artifact: Artifact, kernel: KernelInitialization, kernels: Sequence[KernelInitialization]
) -> bool:
    """Whether one scope has several kernels of this shape as drawn, and others that moved.

    Layers with a kernel for each kind of sample, such as each degree of an atom, look like this if
    no sample of some kinds was in the data. An architecture or an optimizer's state would tell.
    """
    if artifact.architecture is not None or any(t.role == "optimizer" for t in artifact.tensors):
        return False
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    same = [
        other.tests.get("fits")
        for other in kernels
        if numbered(other.tensor) == numbered(kernel.tensor)
        and shapes.get(other.tensor) == shapes.get(kernel.tensor)
    ]
    return "/" in kernel.tensor and same.count(True) > 1 and False in same


def numbered(name: str) -> str:
    """The name of a variable without its number, `scope/kernel` of `scope/kernel_3`."""
    return re.sub(r"_[0-9]+\Z", "", name)


def left_over(
    artifact: Artifact, kernel: KernelInitialization, kernels: Sequence[KernelInitialization]
) -> bool:
    """Whether the kernel is a second, unused copy: unclaimed, or named as a trained one."""
    unclaimed = artifact.extra.get("unclaimed")
    if isinstance(unclaimed, list) and kernel.tensor in unclaimed:
        return True
    if artifact.architecture is not None:
        return False
    return any(
        other.tests.get("fits") is False
        and other.weights == kernel.weights
        and (_within(kernel.route, other.route) or _within(other.route, kernel.route))
        for other in kernels
    )


def _within(route: str, longer: str) -> bool:
    """Whether `longer` is the same variable in another scope."""
    return longer.endswith(f"/{route}")
