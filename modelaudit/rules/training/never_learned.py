"""Why the whole model is still at its initial values, and what to do then."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Format
from modelaudit.findings import Severity
from modelaudit.formats.keras.compiled_losses import CATEGORICAL, SPARSE
from modelaudit.measures.optimizer_state import OptimizerState, clips_to_zero, optimizer_state
from modelaudit.rules.architecture.constant_layers import constant_outputs
from modelaudit.rules.assumed_parts import with_outputs
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.initial_weights.training_reach import kept_squares, one_step_of
from modelaudit.rules.initial_weights.training_traces import optimizer_moved, steps_of_nothing
from modelaudit.rules.model import Facts, NotApplicable
from modelaudit.rules.network.frozen_layers import all_frozen
from modelaudit.rules.network.learning_rates import rate_of
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.training.advice import as_saved
from modelaudit.rules.training.extent import steps_without_effect, training_without_steps
from modelaudit.rules.training.loss_parameters import worthless
from modelaudit.thresholds.design import LARGE_EPSILON, LOW_RATE

_START = (
    ". The file holds weights alone, without a trace of a training, so that it may be meant as the start "
    "of trainings"
)
_IF_START = "If it is the start that several trainings share, waive this finding. If not: "
_TRAIN_OR_LOAD = "train the model, or call `model.load_weights(path)`, before saving."
_WHOLE = (Format.LEGACY_H5_FULL, Format.KERAS_ARCHIVE, Format.SAVEDMODEL_TF2)  # of model.save
_WEIGHTS = (
    *(Format.WEIGHTS_H5_LEGACY, Format.WEIGHTS_H5_V3, Format.NPZ_WEIGHTS),
    *(Format.TF1_CHECKPOINT, Format.TF1_CHECKPOINT_V1, Format.TF2_CHECKPOINT),
)
_NUMBERED = re.compile(r"-0*[1-9][0-9]*\Z")  # as `Saver.save(…, global_step=100)` names its files
_DELTA = re.compile(r"/accum(?:_update|_var)(?:$|[:/])")  # averages of squared steps, of Adadelta


def why_initial(facts: Facts, moved: float) -> tuple[str, Severity | None, str]:
    """Why no kernel has moved, the severity if it is not that of the rule, and a fix if known.

    Args:
        moved: the farthest that any bias has moved.
    """
    state = optimizer_state(facts.artifact)
    needed = number(state.settings.get("gradient_accumulation_steps")) if state else None
    if state and state.steps and needed and state.steps < needed:
        steps = counted(state.steps, "training step", "training steps")
        why = f"the {steps} only added up gradients, which {needed:g} steps would have applied"
        return why, Severity.LOW, "See MA319, then train again."
    if state and state.steps and (faults := [*worthless(facts.artifact.training or {})]):
        steps = counted(state.steps, "training step", "training steps")
        why = f"the {steps} had no effect, as {faults[0][0]}"
        return why, Severity.LOW, "Mend the loss, see MA319, then train again."
    if state and state.steps and without_gradient(facts):
        steps = counted(state.steps, "training step", "training steps")
        return (
            f"the {steps} had no effect, since no output depends on them or its loss does not",
            Severity.LOW,
            "Mend the output, see MA305 or MA306, then train again.",
        )
    if without := steps_without_effect(facts):
        assert state is not None
        steps = counted(without, "training step", "training steps")
        why = f"the {steps} had no effect, since the learning rate is {rate_of(state) or 0:g}"
        return why, Severity.LOW, "Compile with the default learning rate, then train again."
    if state and state.steps and not moved and (head := _relu_output(facts)):
        steps = counted(state.steps, "training step", "training steps")
        return (
            f"the {steps} had no effect, as where the ReLU of `{head}` gives 0 for every input",
            None if _nothing_came(facts.artifact, state) else Severity.LOW,
            "Mend the output, see MA306, then train again.",
        )
    if state and state.steps and not moved and _nothing_came(facts.artifact, state):
        steps = counted(state.steps, "training step", "training steps")
        why = (
            f"the {steps} had no effect, and the optimizer's averages of all gradients are 0, as "
            "where the loss clips what the output gives, or a ReLU gives 0 for every input"
        )
        fix = (
            "Mend what stops the gradient, such as the activation of the output, or a parameter of the "
            "loss that the file does not hold (the delta of Huber), then train again."
        )
        return why, None, fix
    if moved and state and state.steps == 1:
        why = f"the one training step moved no bias further than {moved:.1g}"
        return why, Severity.MEDIUM, _fix(facts)
    if moved:
        step = one_step_of(facts.artifact)
        least = f", less than one step of the optimizer ({step:.1g})" if moved <= step else ""
        why = (
            f"training had hardly any effect, as no bias has moved further than {moved:.1g}{least}"
        )
        fix = _clipped(facts.artifact, state) or _larger_rate(facts.artifact, state)
        return why, None, fix or _fix(facts)
    why = "the model was never trained, or its weights were not loaded before it was saved"
    if steps_of_nothing(facts.artifact):
        return (
            "the training steps changed no weight, since all layers were frozen",
            Severity.LOW,
            "See MA321: unfreeze what is to learn, compile, and train again.",
        )
    if _frozen(facts):
        fix = "Load its weights. If it is to learn, unfreeze it, compile and train again:\n"
        frozen = f"{why}. All its layers are frozen, so training cannot change them"
        return frozen, None, f"{fix}model.trainable = True"
    if may_be_start(facts.artifact):
        return why + _START, Severity.MEDIUM, _IF_START + (_fix(facts) or _TRAIN_OR_LOAD)
    return why, None, _fix(facts)


def may_be_start(artifact: Artifact) -> bool:
    """Whether untrained weights alone may be so on purpose: those from which several runs begin.

    A whole model is saved to be used, and a checkpoint of TensorFlow 1 has the number of its steps
    in its name.
    """
    if artifact.format not in _WEIGHTS:
        return False
    state = optimizer_state(artifact)
    numbered = artifact.format is not Format.TF2_CHECKPOINT
    stepped = (state is not None and state.steps) or (
        numbered and _NUMBERED.search(artifact.root.name)
    )
    return not stepped and not optimizer_moved(artifact)


def why_left(facts: Facts) -> tuple[str, str]:
    """Why training cannot have moved what is left as drawn, and what to do; empty if it can."""
    if _frozen(facts):
        return (
            ", since all layers are frozen",
            "If it is to learn, unfreeze it, compile and train again:\nmodel.trainable = True",
        )
    if fix := _fix(facts):
        return ", since the optimizer has made no step since the model was compiled", fix
    if _without_settings(facts.artifact) and _only_frozen_trained(facts):
        why = ", as nothing but frozen layers is, and the file has no settings of a training"
        return why, f"If it was never trained, {_TRAIN_OR_LOAD}"
    return "", ""


def _without_settings(artifact: Artifact) -> bool:
    """Whether the file has no trace of a training, nor settings of one."""
    saved = artifact.format in _WHOLE and artifact.architecture is not None
    optimized = optimizer_state(artifact) is not None or any(
        t.role == "optimizer" for t in artifact.tensors
    )
    return may_be_start(artifact) or (saved and not artifact.training and not optimized)


def _only_frozen_trained(facts: Facts) -> bool:
    """Whether all kernels that are not frozen are as drawn, beside a frozen base."""
    kernels = facts.measurements.initialization if facts.measurements else ()
    open_ones = [k for k in kernels if k.tests.get("trainable") is not False]
    return len(open_ones) < len(kernels) and not any(
        k.tests.get("fits") is False or k.tests.get("bias_initial") is False for k in open_ones
    )


def _fix(facts: Facts) -> str:
    """What to do with a graph, or where the optimizer has made no step; empty otherwise."""
    return as_saved(training_without_steps(facts), facts.artifact.format)


def _clipped(artifact: Artifact, state: OptimizerState | None) -> str:
    """What to do where gradients are clipped or divided to nearly nothing; empty if they are not."""
    for key in ("clipvalue", "clipnorm", "global_clipnorm"):
        most = number(state.settings.get(key)) if state else None
        ignored = most == 0 and state is not None and not clips_to_zero(artifact, state.settings)
        if most is not None and most <= LOW_RATE.value and not ignored:
            left = f"{key}={most:g} leaves nearly nothing of a gradient"
            return f"{left}: compile with {key}=1.0 (see MA319) and train again."
    epsilon = number(state.settings.get("epsilon")) if state else None
    if epsilon is not None and epsilon >= LARGE_EPSILON.value:
        divided = f"epsilon={epsilon:g} makes steps {epsilon:.2g} times smaller"
        return f"{divided}: compile with epsilon=1e-7 (see MA319) and train again."
    return _small_gradients(state, epsilon) if state else ""


def _small_gradients(state: OptimizerState, epsilon: float | None) -> str:
    """What to do where all gradients were below epsilon, by which steps are divided; or empty."""
    squares = [each.second for each in state.moments if each.second is not None]
    kept = kept_squares(state)
    if not squares or not epsilon or kept is None or not state.steps:
        return ""
    largest = math.sqrt(max(squares) / (1 - kept**state.steps))
    if not 0 < largest < epsilon:
        return ""
    return (
        f"The gradients were not above {largest:.1g}, and steps are divided by epsilon={epsilon:g} beside them: "
        "mend what makes them so small, such as a parameter of the loss that the file may not hold (the "
        "delta of Huber) or initial values of next to nothing, then train again."
    )


def _larger_rate(artifact: Artifact, state: OptimizerState | None) -> str:
    """What to do where Adadelta made the steps, of which the first are far below its rate."""
    named = state.name if state else ""
    kept = any(_DELTA.search(t.name) for t in artifact.tensors if t.role == "optimizer")
    if named != "Adadelta" and (named or not kept):
        return ""
    rate = state.rate if state else None
    if rate is not None and rate >= 1:  # arXiv:1212.5701 has no other factor
        return ""
    said = f"{rate:g}" if rate is not None else "0.001, if it is the default"
    return (
        f"Train it at a larger learning rate. The optimizer is Adadelta, whose rate ({said}) hardly "
        f"moves a weight: use 1.0, as in its paper, or Adam.\n\n"
        '    model.compile(keras.optimizers.Adadelta(1.0), loss="…")'
    )


def _nothing_came(artifact: Artifact, state: OptimizerState) -> bool:
    """Whether the optimizer keeps averages of gradients, and all of them are 0."""
    kept = [x for each in state.moments for x in (each.first, each.second) if x is not None]
    if not state.moments:  # of weights alone, which do not tell whose averages they are
        slots = [t for t in artifact.tensors if t.role == "optimizer" and t.shape and t.stats]
        kept = [max(abs(t.stats.minimum), abs(t.stats.maximum)) for t in slots if t.stats]
    return bool(kept) and not any(kept)


def _relu_output(facts: Facts) -> str:
    """The output if it is a ReLU, whatever its loss: it passes no gradient where it gives 0."""
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return ""
    only = heads[0][0] if len(heads) == 1 else None
    return only.route if only is not None and only.last == "relu" else ""


def _frozen(facts: Facts) -> bool:
    architecture = facts.artifact.architecture
    compiled = bool((facts.artifact.training or {}).get("loss"))
    return compiled and architecture is not None and all_frozen(architecture.layers)


def without_gradient(facts: Facts) -> bool:
    """Whether no weight changes any loss: each output is constant, or its share of one class is."""
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return False
    if with_outputs(facts.artifact) is None:
        return all(
            head.units == 1 and head.last == "softmax" and head.activations[-1].axis == -1
            for head, _ in heads
        )
    graph = saved_graph(facts)

    def constant() -> Iterator[str]:
        yield from constant_outputs(graph)
        for head, loss in heads:
            if loss is not None and head.units == 1 and loss.name in CATEGORICAL | SPARSE:
                yield head.route

    return {*graph.outputs} <= {*constant()}
