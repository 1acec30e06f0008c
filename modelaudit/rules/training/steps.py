"""MA430 to MA432, MA438: how long, and how fast, a model was trained, by its optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.audit_types.kernels import BatchNormState, KernelInitialization
from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer, Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.short_steps import slow_descent
from modelaudit.rules.initial_weights.initial_values import never_trained
from modelaudit.rules.initial_weights.sized_kernels import usual_widths
from modelaudit.rules.initial_weights.unsettled_norms import unsettled
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.learning_rates import ADAPTIVE, keeper_of_sums, rate_fault
from modelaudit.rules.network.network_heads import activation_of, output_heads, saved_graph
from modelaudit.rules.training.advice import Training, in_its_format, whole
from modelaudit.rules.training.extent import (
    hardly_changed,
    hardly_left,
    look_drawn,
    moved_beyond,
    short,
    slightly_changed,
    spread_pairs,
    steps_without_effect,
)
from modelaudit.rules.training.still_moving import few_weights, last_bias_alone, still_moving
from modelaudit.structs import replace
from modelaudit.thresholds.design import LOW_RATE
from modelaudit.thresholds.small_layers import FEW_MOVED
from modelaudit.thresholds.training import (
    FEW_STEPS,
    MANY_STEPS,
    ONE_PASS,
    SHORT_REACH,
)

# Their steps are as small as the gradient, or are divided by all that came before.
_DESCENTS = frozenset(("SGD", "Adagrad", "Adadelta"))


def compiled_state(facts: Facts) -> OptimizerState:
    """The state of the model's one optimizer.

    Raises:
        NotRelevant: there is none, or there are several.
    """
    state = optimizer_state(facts.artifact)
    if state is None:
        raise NotRelevant("the file holds no state of one optimizer")
    return state


def _not_trained(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state = compiled_state(facts)
    if state.steps is None:
        raise NotApplicable("the number of training steps is not stored")
    found = facts.measured
    if state.steps and state.rate != 0:
        yield from hardly_changed(rule, facts, state)
        return
    if never_trained(facts.artifact, found.initialization, found.batchnorm)[0]:
        return  # said by MA404
    biases = [kernel.tests.get("bias_initial") for kernel in found.initialization]
    moved = any(kernel.tests.get("fits") is False for kernel in found.initialization)
    moved = moved or any(not norm.statistics_initial for norm in found.batchnorm)
    if moved or False in biases or True not in biases:
        return  # trained before it was compiled again, or nothing to tell by
    if state.steps:
        why = f"The learning rate is 0: {counted(state.steps, 'step', 'steps')} changed nothing"
    else:
        why = "The optimizer has made no step"
    yield rule.finding(
        f"{why}, and every bias still has its initial value.",
        evidence={"measured": state.steps, "unit": "training steps", "learning_rate": state.rate},
        severity=rule.severity if state.steps else Severity.MEDIUM,
    )


def _rate(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state = compiled_state(facts)
    rate = state.rate
    if {"learning_rate", "lr"} & {*state.settings}:
        raise NotRelevant("MA319 judges the learning rate of the compile settings")
    if rate is None:
        raise NotApplicable("the learning rate is not stored, or follows a schedule")
    # Averages of squares that are all 0 may as well be a momentum without gradients.
    squares = [each.squares for each in state.moments if each.second]
    called = variable_names(facts.artifact)
    kept = (keeper_of_sums(called.get(each, each)) for each in squares)
    name = state.name or next(filter(None, kept), "")
    averages = bool(squares) if not name else name.lower() in ADAPTIVE
    fault = rate_fault(facts.artifact, name, rate, averages)
    if fault is not None:
        steps = steps_without_effect(facts)
        effect = f" {counted(steps, 'step', 'steps')} left the weights as they were drawn."
        yield rule.finding(
            f"{fault.detail}.{effect * bool(steps)}",
            evidence={
                "measured": rate if math.isfinite(rate) else str(rate),
                "unit": "learning rate",
                "threshold": fault.limit,
                "optimizer": state.name,
            },
            severity=rule.severity if steps else fault.severity,
        )


def _few(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state = optimizer_state(facts.artifact)
    if state is None or state.steps is None:
        found = [*slightly_changed(rule, facts)]
        if not found:
            raise NotApplicable("the number of training steps is not stored")
        yield from found
        return
    steps = state.steps
    if state.rate == 0:
        raise NotRelevant("the learning rate is 0: MA430 judges it")
    if 0 < steps < ONE_PASS.value:
        named = facts.artifact.architecture is not None  # with the initializers
        why = hardly_left(facts) if named and steps < FEW_STEPS.value else ""
        yield rule.finding(
            f"The optimizer has made {counted(steps, 'step', 'steps')} since the model was "
            f"compiled{why}.",
            evidence={"measured": steps, "unit": "training steps", "threshold": ONE_PASS.value},
            severity=Severity.MEDIUM if why else rule.severity,
        )
        return
    reach = short(facts, state)
    if reach is not None:
        yield rule.finding(
            f"In {counted(steps, 'step', 'steps')} at the stored learning rate of {state.rate:g}, no "
            f"weight can have moved by more than {reach[0]:.2g}, which is {reach[1]:.0%} of their spread.",
            evidence={
                "measured": reach[1],
                "unit": SHORT_REACH.unit,
                "threshold": SHORT_REACH.value,
                "steps": steps,
            },
            confidence=Confidence.MEDIUM,
            fix="Train again with the default learning rate."
            if state.rate is not None and state.rate < LOW_RATE.value
            else "Train for more epochs.",
        )
        return
    yield from still_moving(rule, facts, state)
    if steps > 0 and not [*hardly_changed(rule, facts, state)]:
        yield from _slightly(rule, facts, state) or slow_descent(rule, facts, state, look_drawn)
    yield from few_weights(rule, facts, state)
    yield from last_bias_alone(rule, facts, state)


def _slightly(rule: Rule, facts: Facts, state: OptimizerState) -> list[Finding]:
    if (state.steps or 0) < MANY_STEPS.value:
        return [*slightly_changed(rule, facts)] or [*_hidden_still(rule, facts)]
    if state.name not in _DESCENTS or not usual_widths(facts):
        return []
    # Large initial weights, beside which biases seem small, are excluded then.
    still = slightly_changed(rule, facts)
    return [x for x in still if (number(x.evidence.get("measured")) or 1.0) < FEW_MOVED.value]


def _squashes(layer: Layer) -> bool:
    """Whether a layer passes on a part of the gradient only: of a sigmoid, a quarter at most."""
    return has(layer.class_name, Trait.RECURRENT) or activation_of(layer) == "sigmoid"


def _hidden_still(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Recurrent layers and sigmoids before the last layer that descent left about as drawn."""
    state, found = optimizer_state(facts.artifact), facts.measurements
    pairs = spread_pairs(facts)
    if state is None or state.name not in _DESCENTS or found is None or len(pairs) < 2:
        return
    last = {head.weights.route for head in output_heads(saved_graph(facts))}
    shares = {layer.route: moved_beyond(layer, bias) / kernel.std for layer, kernel, bias in pairs}
    hidden = {route: share for route, share in shares.items() if route not in last}
    if not all(_squashes(layer) for layer, _, _ in pairs if layer.route in hidden):
        return  # others pass on the whole gradient: `last_bias_alone` judges them
    if not hidden or (state.steps or 0) < FEW_STEPS.value:
        return
    share, route = max((share, route) for route, share in hidden.items())
    if not (0 < share < SHORT_REACH.value and look_drawn(facts, share)):
        return
    if never_trained(facts.artifact, found.initialization, found.batchnorm)[0]:
        return  # said by MA404
    yield rule.finding(
        f"{counted(state.steps or 0, 'step', 'steps')} of {state.name} moved no bias before the last "
        f"layer by more than {100 * share:.2g}% of the spread of its kernel (`{route}`), and the kernels look "
        "as their initializers draw them.",
        route=route,
        evidence={"measured": share, "unit": SHORT_REACH.unit, "threshold": SHORT_REACH.value},
        confidence=Confidence.MEDIUM,
        title="Training hardly changed the weights",
        fix="Train with a higher learning rate, a momentum of 0.9 or Adam, and for more epochs.",
    )


def _statistics(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if not facts.measured.batchnorm:
        raise NotRelevant("the model has no batch normalization")
    yield from unsettled(rule, facts, compiled_state(facts).steps)


def _slot(number: int, low: float, high: float, shape: tuple[int, ...] = (4, 2)) -> Tensor:
    stats = TensorStats(low, high, (low + high) / 2, high - low, 0, 0)
    kind = "float32" if number else "int64"
    return replace(
        examples.tensor(f"optimizer/vars/{number}", shape, stats), role="optimizer", dtype=kind
    )


def adam(
    *layers: tuple[str, float, float],
    compiled: bool = True,
    steps: int = 500,
    rate: float = 0.001,
    measurements: Measurements | None = None,
) -> Facts:
    """A chain of layers without bias, each with the largest m and v of its kernel.

    Without compile settings, the learning rate is a variable, as in checkpoints.
    """
    made = [
        replace(
            examples.layer(name, variables={"kernel": f"{name}/kernel"}),
            expected={"kernel": (4, 2)},
        )
        for name, _, _ in layers
    ]
    slots = [_slot(0, float(steps), float(steps), ())]
    for _, m, v in layers:
        slots += [_slot(len(slots), -m, m), _slot(len(slots) + 1, 0.0, v)]
    artifact = examples.model(*made)
    config: dict[str, Json] = {"learning_rate": rate, "epsilon": 1e-7}
    training: dict[str, Json] = {"optimizer": {"class_name": "Adam", "config": config}}
    if not compiled:
        slots.append(replace(_slot(1, rate, rate, ()), name="optimizer/learning_rate"))
    artifact = replace(
        artifact,
        tensors=(*artifact.tensors, *slots),
        training=training if compiled else None,
    )
    return Facts(artifact, measurements=measurements or Measurements())


def _initial(steps: int, *, moved: bool = False) -> Facts:
    kernel = KernelInitialization(
        "a", "a/kernel", "GlorotUniform", "undecidable", tests={"bias_initial": not moved}
    )
    return adam(("a", 0.1, 0.1), steps=steps, measurements=Measurements(initialization=(kernel,)))


def _normalised(steps: int) -> Facts:
    facts = adam(("bn", 0.1, 0.1), steps=steps)
    names = {"moving_mean": "bn/mean", "moving_variance": "bn/variance"}
    layer = examples.layer("bn", "BatchNormalization", names)
    stats = examples.ORDINARY
    norm = BatchNormState("bn", 8, False, False, 1.0)
    artifact = examples.model(
        layer,
        tensors=(
            *facts.artifact.tensors,
            examples.tensor("bn/mean", (8,), replace(stats, mean=1.0)),
            examples.tensor("bn/variance", (8,), replace(stats, mean=1.0)),
        ),
    )
    artifact = replace(artifact, training=facts.artifact.training)
    return Facts(artifact, measurements=Measurements(batchnorm=(norm,)))


_MEASURED = (Need.TENSORS, Need.MEASUREMENTS)

RULES = (
    Rule(
        code="MA430",
        name="training-without-effect",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=_MEASURED,
        summary="Training made no step, a step of size 0, or steps that hardly changed the weights",
        pass_title="The optimizer changed the weights, or they were trained before",
        why="The model was compiled and saved, but its weights are those that it started with.",
        fix=whole(Training.WITH_A_RATE),
        check=in_its_format(Training.WITH_A_RATE, _not_trained),
        bad=lambda: _initial(0),
        good=lambda: _initial(0, moved=True),
    ),
    Rule(
        code="MA431",
        name="unusual-learning-rate",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="The stored learning rate is negative, not finite, very large or very small",
        pass_title="The stored learning rate is in the usual range",
        why="With a rate that is too large the first steps throw the weights far off: units die or "
        "saturate, and the output is often the same for every input. With one that is too small they stay "
        "as they were drawn.",
        fix="Train again with the default rate of the optimizer, or less:\n\n"
        "    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=model.loss)",
        check=_rate,
        bad=lambda: adam(("a", 0.1, 0.1), rate=-0.01, compiled=False),
        good=lambda: adam(("a", 0.1, 0.1), compiled=False),
    ),
    Rule(
        code="MA432",
        name="few-training-steps",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="The model was trained for a few steps only",
        pass_title="The optimizer has made more than a few steps",
        why="After a few steps the outputs are close to those of random weights. A model that was "
        "compiled again after training starts to count from 0.",
        fix=whole(Training.LONGER),
        check=in_its_format(Training.LONGER, _few),
        bad=lambda: adam(("a", 0.1, 0.1), steps=3),
        good=lambda: adam(("a", 0.1, 0.1)),
    ),
    Rule(
        code="MA438",
        name="batchnorm-few-steps",
        family=Family.WEIGHTS,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=_MEASURED,
        summary="Moving statistics may still be close to their initial values",
        pass_title="There were enough steps for the moving statistics to forget their initial values",
        why="Each training step keeps the share `momentum` of the moving statistics. In training "
        "the statistics of the batch are used, so only predictions show the problem.",
        fix="Train for more steps, or with a smaller momentum:\n\n"
        "    keras.layers.BatchNormalization(momentum=0.9)",
        check=_statistics,
        bad=lambda: _normalised(20),
        good=lambda: _normalised(2000),
    ),
)
