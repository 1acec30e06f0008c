"""What an output is for: its kind, which decides how it is measured, and its task.

No file states the task. It is inferred, with a confidence and a reason, from the labels, the
compiled loss, the activation, the shape and the values; or the user declares it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from modelaudit.audit_types.behaviour import OutputTask
from modelaudit.facts import Artifact
from modelaudit.formats.graph.losses import class_scores
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CompiledLoss,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.architecture.modality import declared_inputs
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.outputs import output_kind
from modelaudit.probe.study.runner import Array
from modelaudit.settings import Task

# How outputs of a declared task are measured; several classes as softmax if they sum to 1.
_KINDS: Mapping[Task, str] = {
    "classes": "logits",
    "multilabel": "sigmoid",
    "regression": "regression",
    "ordinal": "regression",
    "reconstruction": "regression",
    "detection": "regression",
    "map": "regression",
    "sequence": "regression",
    "embedding": "embedding",
}
_CLASSES: Mapping[str, str] = {
    "softmax": "its values are at least 0 and sum to 1",
    "logits": "the loss or the labels are of classes",
}
_BOXES = re.compile(r"box|anchor|detection", re.IGNORECASE)


class KnownKind(Struct, frozen=True):
    """Kind of an output (see `outputs.output_kind`).

    Attributes:
        guessed: whether it is a guess.
        scores: whether its numbers are scores before a sigmoid, as the compiled loss tells.
    """

    name: str
    guessed: bool = False
    scores: bool = False


def kind_of(
    values: Array,
    artifact: Artifact,
    y: Array | None,
    *,
    name: str = "",
    single: bool = True,
    task: Task | None = None,
) -> KnownKind:
    """Kind of the output.

    A declared task has priority, then labels: real numbers make it a regression. Several linear
    outputs without a loss and without labels may be scores of classes or numbers, which is a
    guess.

    Args:
        values: finite outputs, (n, ...).
        artifact: the model's file.
        y: labels, or None.
        name: of the output, by which its layer and its loss are found if there are several.
        single: whether the model has only this output.
        task: as the user declares it, or None.
    """
    activation, loss = _head(values, artifact, name, single=single)
    kind = output_kind(
        values,
        activation=activation,
        loss=loss.name if loss else None,
        has_head=bool(artifact.kernels) or artifact.architecture is None,
    )
    if task:
        return KnownKind(_declared(task, kind))
    if kind in {"regression", "logits"} and loss and loss.name in BINARY and loss.from_logits:
        return KnownKind("regression", scores=True)
    if kind not in {"logits", "sigmoid"}:
        return KnownKind(kind)
    if y is None and kind == "sigmoid" and single and _rebuilds_input(values, artifact):
        return KnownKind("regression")
    if y is not None and class_labels(y) is None and _are_numbers(values, y):
        return KnownKind("regression")
    told = loss is not None or (y is not None and class_labels(y) is not None)
    return KnownKind(kind, guessed=kind == "logits" and not told)


def _declared(task: Task, kind: str) -> str:
    """The kind for a declared task of outputs that look like `kind`."""
    if kind == "spatial" or (task == "classes" and kind in {"softmax", "sigmoid"}):
        return kind
    return _KINDS[task]


def task_of(
    known: KnownKind,
    values: Array,
    artifact: Artifact,
    y: Array | None,
    name: str,
    task: Task | None = None,
) -> OutputTask:
    """The task of an output of a known kind, how sure that is, and why. Arguments as `kind_of`."""
    if task:
        return OutputTask(task, "high", "declared in the settings")
    kind = known.name
    if known.scores:
        several = values.shape[-1] > 1
        why = "the compiled loss takes scores before a sigmoid"
        return OutputTask("multilabel" if several else "classes", _sure(y), why)
    if known.guessed:
        why = "linear outputs without a known loss: scores of classes, or numbers"
        return OutputTask("classes", "low", why)
    if kind == "sigmoid":
        one = values.shape[-1] == 1
        why = f"{'one value' if one else 'several values'} from 0 to 1"
        return OutputTask("classes" if one else "multilabel", _sure(y), why)
    if kind in _CLASSES:
        return OutputTask("classes", _sure(y), _CLASSES[kind])
    if kind == "embedding":
        why = "features without an output layer, or of norm 1, or rectified"
        sure: Literal["medium", "low"] = "low" if artifact.architecture is None else "medium"
        return OutputTask("embedding", sure, why)
    if _rebuilds_input(values, artifact):
        return OutputTask("reconstruction", "medium", "it has the shape of the input")
    if _BOXES.search(name):
        return OutputTask("detection", "medium", f"its name, {name!r}")
    if kind == "spatial":
        if values.ndim > 3:
            return OutputTask("map", "medium", "it has axes of height and width")
        return OutputTask("sequence", "medium", "it has an axis of steps")
    if y is not None and class_labels(y) is not None:
        return OutputTask("ordinal", "medium", "numbers, and labels that are whole")
    return OutputTask("regression", _sure(y), "its values are no probabilities")


def _sure(y: Array | None) -> Literal["high", "medium"]:
    """Labels that suit an output confirm its task."""
    return "medium" if y is None else "high"


def _head(
    values: Array, artifact: Artifact, name: str, *, single: bool
) -> tuple[str | None, CompiledLoss | None]:
    """Activation of the output's last kernel layer, and its loss; None where they are unknown."""
    names = (named_outputs(artifact.architecture) if artifact.architecture else ()) or (name,)
    losses = compiled_losses(artifact.training, names)
    by_name = dict(zip(names, losses, strict=True))
    loss = losses[0] if single else by_name.get(name)
    if loss is None and name in class_scores(artifact.graphs):
        loss = CompiledLoss("categorical_crossentropy", from_logits=True)
    own = [kernel for kernel in artifact.kernels if kernel.route.rpartition("/")[2] == name]
    last = next(iter(artifact.kernels[-1:] if single else own), None)
    fits = last is not None and bool(last.shape) and last.shape[-1] == values.shape[-1]
    return last.activation if last is not None and fits else None, loss


def _rebuilds_input(values: Array, artifact: Artifact) -> bool:
    """Whether the outputs (n, k) are those of an autoencoder.

    Labels can be as many as features, so the layers between have to mirror each other as well,
    around one that is narrower than the input.
    """
    size = values.shape[-1]
    shapes = [(port.shape or ())[1:] for port in declared_inputs(artifact)]
    hidden = [kernel.shape[-1] for kernel in artifact.kernels[:-1]]
    mirrored = hidden == hidden[::-1] and min(hidden, default=size) < size
    return size > 1 and values.shape[1:] in shapes and mirrored


def _are_numbers(values: Array, y: Array) -> bool:
    """Whether these are targets for outputs (n, ...) that are not all 0 or 1."""
    if y.dtype.kind not in "iuf" or y.size != values.size:
        return False
    return not bool(((y == 0) | (y == 1)).all())
