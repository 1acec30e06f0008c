"""Outputs and inputs of a TensorFlow 1 graph that declares none.

A training graph also holds the loss, metrics, gradients and the input pipeline. Its output is what
the loss is computed from, or the softmax or sigmoid of that; its inputs are the tensors that this
output needs and that can be fed: placeholders, or batches from a queue, an iterator or a parser.
Python 3.7 syntax; TensorFlow 1.15 and later.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .frames import Untyped

MAX_OUTPUTS = 8
MAX_LOOPS = 16  # loops inside each other
ENTERS, EXITS = ("Enter", "RefEnter"), ("Exit", "RefExit")
PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
PIPELINES = re.compile(r"(IteratorGetNext|ParseExample|ParseSingleExample|Dequeue|Unstage)")
_TRAINING_SCOPES = re.compile(
    r"(^|/)(gradients(_\d+)?|save(_\d+)?|report_uninitialized_\w+)/|^init$"
)
_SIDE_EFFECTS = re.compile(r"(Save|Restore|Assign|Summary|Apply|Print|NoOp|Assert)")
_CROSS_ENTROPIES = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
_UPDATES = re.compile(r"^(Resource)?(Sparse)?Apply[A-Z]")
_ACTIVATIONS = ("Softmax", "Sigmoid", "LogSoftmax")
_WEIGHTED = re.compile(r"(MatMul|Conv\dD|Conv2dNative|^BiasAdd|FusedBatchNorm|^Einsum)")
# Operations between the last weights and the output that keep one row per sample.
_ROWWISE = re.compile(
    r"^(Add|AddV2|BiasAdd|Mul|RealDiv|Div|Sub|Identity|Reshape|Squeeze|Tanh|Relu6?|Elu|Selu"
    r"|LeakyRelu|Softplus|Softsign|Exp|Sigmoid|Softmax|LogSoftmax)$"
)
_PASSED = ("Reshape", "Identity", "StopGradient", "Cast", "Squeeze")


def choose_outputs(graph: Untyped) -> list[tuple[str, Any]]:
    """Names and tensors of the outputs, at most `MAX_OUTPUTS`.

    In a training graph, those that the loss is computed from. Otherwise the tensors that nothing
    consumes and that depend on an input.
    """
    every = graph.get_operations()
    looped = _in_loops(every)
    forward = [op for op in every if not _TRAINING_SCOPES.search(op.name)]
    forward = [op for op in forward if op.name not in looped]
    fed = _dependent(forward)
    ends = [op.outputs[0] for op in forward if op.name in fed and _terminal(op)]
    found: list[Any] = []
    # Updates written by hand leave no operation for them, and nothing but them reads the output.
    if not ends or any(op.type in _CROSS_ENTROPIES or _UPDATES.match(op.type) for op in every):
        found = _of_losses(forward)
        for chain in _last_weighted(forward, fed):
            if not any(tensor is other for tensor in chain for other in found):
                found.append(chain[-1])
    if not found:
        found = [t for t in ends if t.shape.rank != 0 and t.dtype.name != "bool"] or ends
    unique = OrderedDict((tensor.name, tensor) for tensor in found)
    return [(label(tensor), tensor) for tensor in unique.values()][:MAX_OUTPUTS]


def needed_sources(outputs: Iterable[Untyped]) -> list[Any]:
    """Tensors to feed for these outputs: the nearest ones behind them that can be fed.

    Placeholders with a default come last, and only those whose default does not come from
    another source; the others are fed themselves.
    """
    found: OrderedDict[str, Any] = OrderedDict()
    optional: OrderedDict[str, Any] = OrderedDict()
    seen: set[str] = set()
    stack = list(outputs)[::-1]
    while stack:
        tensor = stack.pop()
        op = tensor.op
        if op.type in PLACEHOLDERS or PIPELINES.search(op.type):
            if tensor.dtype.name not in {"resource", "variant"}:
                found[tensor.name] = tensor
            continue
        if op.type == "PlaceholderWithDefault":
            piped = needed_sources(op.inputs)
            (found if piped else optional)[tensor.name] = tensor
            continue
        if op.name not in seen:
            seen.add(op.name)
            stack += [*op.inputs][::-1]
    return [*found.values(), *optional.values()]


def label(tensor: Untyped) -> str:
    """Name of a tensor, without the index of a first output."""
    return str(tensor.name)[:-2] if str(tensor.name).endswith(":0") else str(tensor.name)


def _is_source(op: Untyped) -> bool:
    return (
        op.type in PLACEHOLDERS
        or op.type == "PlaceholderWithDefault"
        or bool(PIPELINES.search(op.type))
    )


def _in_loops(ops: Iterable[Untyped]) -> set[str]:
    """Names of the operations inside TensorFlow 1's loops, which compute several values each."""
    found: set[tuple[str, int]] = set()
    stack = [(op, 1) for op in ops if op.type in ENTERS]
    while stack:
        op, depth = stack.pop()
        if (op.name, depth) in found or depth == 0 or depth > MAX_LOOPS:
            continue
        found.add((op.name, depth))
        for reader in [reader for tensor in op.outputs for reader in tensor.consumers()]:
            inner = depth + (reader.type in ENTERS) - (reader.type in EXITS)
            stack.append((reader, inner))
    return {name for name, _ in found}


def _dependent(ops: list[Any]) -> set[str]:
    """Names of the operations that depend on a source."""
    found: set[str] = set()
    stack = [op for op in ops if _is_source(op)]
    while stack:
        op = stack.pop()
        if op.name not in found:
            found.add(op.name)
            stack += [reader for tensor in op.outputs for reader in tensor.consumers()]
    return found


def _terminal(op: Untyped) -> bool:
    if not op.outputs or _SIDE_EFFECTS.search(op.type) or _is_source(op) or op.type == "Const":
        return False
    return not any(tensor.consumers() for tensor in op.outputs)


def _of_losses(forward: list[Any]) -> list[Any]:
    """What cross-entropies are computed from: the activation of the scores, or the scores."""
    found = []
    for op in forward:
        if op.type in _CROSS_ENTROPIES:
            found.append(_activated(_origin(op.inputs[0]), "Softmax"))
        elif op.type == "Log1p":
            scores = _sigmoid_scores(op)
            if scores is not None:
                found.append(_activated(_origin(scores), "Sigmoid"))
    return found


def _sigmoid_scores(op: Untyped) -> Untyped:
    """The scores of a sigmoid cross-entropy: x of log1p(exp(where(x >= 0, -x, x)))."""
    exponent = op.inputs[0].op
    if exponent.type != "Exp":
        return None
    chosen = exponent.inputs[0].op
    if chosen.type not in {"Select", "SelectV2"} or chosen.inputs[1].op.type != "Neg":
        return None
    return chosen.inputs[2] if chosen.inputs[1].op.inputs[0] is chosen.inputs[2] else None


def _origin(tensor: Untyped) -> Untyped:
    """The tensor before operations that only change its form for the loss."""
    while tensor.op.type in _PASSED:
        tensor = tensor.op.inputs[0]
    return tensor


def _activated(scores: Untyped, activation: str) -> Untyped:
    """The activation of the scores, if the graph computes it outside of the gradients."""
    stack = [scores]
    while stack:
        tensor = stack.pop()
        for reader in tensor.consumers():
            if _TRAINING_SCOPES.search(reader.name) or reader.inputs[0] is not tensor:
                continue
            if reader.type == activation:
                return reader.outputs[0]
            if reader.type in _PASSED:
                stack.append(reader.outputs[0])
    return scores


def _last_weighted(forward: list[Any], fed: set[str]) -> list[list[Any]]:
    """For each last weighted operation, its output and what follows it without further data."""
    inside = {op.name for op in forward}
    weighted = [op for op in forward if op.name in fed and _WEIGHTED.search(op.type)]
    before: set[str] = set()
    stack = [tensor.op for op in weighted for tensor in op.inputs]
    while stack:
        op = stack.pop()
        if op.name not in before:
            before.add(op.name)
            stack += [tensor.op for tensor in op.inputs]
    last = [op for op in weighted if op.name not in before]
    return [_followed(op.outputs[0], inside, fed) for op in last]


def _followed(tensor: Untyped, inside: set[str], fed: set[str]) -> list[Any]:
    """The tensor, and the results of operations that keep its rows and take no other data."""
    chain = [tensor]
    while True:
        readers = [
            op
            for op in chain[-1].consumers()
            if op.name in inside
            and _ROWWISE.match(op.type)
            and not any(other.op.name in fed for other in op.inputs if other is not chain[-1])
        ]
        if not readers:
            return chain
        activations = [op for op in readers if op.type in _ACTIVATIONS]
        chain.append((activations or readers)[0].outputs[0])
