"""What an output is for: its kind, which decides how it is measured, and its task.

No file states the task. It is inferred, with a confidence and a reason, from the labels, the
compiled loss, the activation, the shape and the values; or the user declares it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from modelaudit.audit_types.behaviour import OutputTask
from modelaudit.facts import Artifact
from modelaudit.formats.graph.losses import class_scores
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    DISTANCES,
    CompiledLoss,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.architecture.modality import declared_inputs
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.outputs import output_kind
from modelaudit.probe.study.feeding import class_names
from modelaudit.probe.study.runner import Array
from modelaudit.settings import Task
from modelaudit.thresholds.outputs import EXCLUSIVE

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
# What names of outputs and of metrics say of linear outputs whose loss is unknown.
_OF_CLASSES = re.compile(r"logit|class|category|categorical|accuracy|auc\b|top_k", re.IGNORECASE)
_OF_NUMBERS = re.compile(
    r"box|coord|point|landmark|angle|pose|steer|regress|quantile|forecast|depth|"
    r"mean_(squared|absolute)|\bm[as]e\b|\brmse\b|r2_?score",
    re.IGNORECASE,
)


class KnownKind(Struct, frozen=True):
    """Kind of an output (see `outputs.output_kind`).

    Attributes:
        guessed: whether it is a guess.
        scores: whether its numbers are scores before a sigmoid, as the compiled loss tells.
        words: what names tell it; empty where something else does.
    """

    name: str
    guessed: bool = False
    scores: bool = False
    words: str = ""


class _Told(Struct, frozen=True):
    """Whether linear outputs are scores of classes, and what says so."""

    classes: bool
    because: str


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
    outputs without a loss and without labels may be scores of classes or numbers: class names
    beside the model, metrics and the output's name tell (`_told_by_words`), else it is a guess.

    Args:
        values: finite outputs, (n, ...).
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
    if y is None and kind == "sigmoid" and values.shape[-1] > 1 and _measured(loss, name):
        return KnownKind("regression")
    if y is not None and class_labels(y) is None and _are_numbers(values, y):
        return KnownKind("regression")
    if kind != "logits" or loss is not None or (y is not None and class_labels(y) is not None):
        return KnownKind(kind)
    words = _told_by_words(values, artifact, name)
    if words is None:
        return KnownKind(kind, guessed=True)
    return KnownKind(kind if words.classes else "regression", words=words.because)


def _told_by_words(values: Array, artifact: Artifact, name: str) -> _Told | None:
    """What class names, metrics or the output's name say of linear outputs; None if nothing."""
    names = class_names(artifact)
    if len(names) > 1 and len(names) == values.shape[-1]:
        return _Told(classes=True, because=f"{len(names)} names of classes are beside the model")
    metrics = (artifact.training or {}).get("metrics")
    for text, what in ((json.dumps(metrics) if metrics else "", "its metrics"), (name, "its name")):
        classes, numbers = _OF_CLASSES.search(text), _OF_NUMBERS.search(text)
        if bool(classes) != bool(numbers):
            word = (classes or numbers or [""])[0]
            return _Told(classes=bool(classes), because=f"{what} ({word})")
    return None


def _measured(loss: CompiledLoss | None, name: str) -> bool:
    """Whether several values from 0 to 1 are numbers: by a loss of distances, or else by name."""
    return loss.name in DISTANCES if loss else bool(_OF_NUMBERS.search(name))


def _exclude_each_other(values: Array) -> bool:
    """Whether one output is high where the others are low, as scores of classes are.

    Cross-entropy moves the scores of an input against each other and not together, so their sum
    varies much less than that of independent columns.
    """
    alone = float(values.var(axis=0).sum())
    return alone > 0 and float(values.sum(axis=-1).var()) < EXCLUSIVE.value * alone


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
        exclusive = _exclude_each_other(values)
        why = "linear, without a known loss; where one is high, the others are "
        why += "low, as scores of classes are" if exclusive else "not low, as scores would be"
        return OutputTask("classes" if exclusive else "regression", "low", why)
    if known.words:
        return OutputTask("classes" if kind == "logits" else "regression", "medium", known.words)
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
