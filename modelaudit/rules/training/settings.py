"""MA319: saved compile settings with which nothing can be learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    KNOWN,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.one_way import CLIPS, descents_one_way
from modelaudit.measures.optimizer_state import clips_to_zero, compiled_optimizer, optimizer_state
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.heads.loss_scales import squares_of_shares, unequal_losses, weighed_apart
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.learning_rates import (
    ADAPTIVE,
    RateFault,
    clipped,
    rate_fault,
    scheduled,
    summed_rate_fault,
)
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.training.extent import steps_without_effect
from modelaudit.rules.training.loss_parameters import scores, worthless
from modelaudit.structs import replace
from modelaudit.thresholds.design import (
    DECAY_OF_A_STEP,
    LARGE_DECAY,
    LARGE_EPSILON,
    LONG_MEMORY,
    LOW_RATE,
    SMOOTHING,
)
from modelaudit.thresholds.optimizers import VANISHED_RATE
from modelaudit.thresholds.small_layers import CLIPPED_REACH
from modelaudit.thresholds.training import ONE_PASS

_DECAYS = ("momentum", "beta_1", "beta_2", "rho")
_RATES = ("learning_rate", "lr", "initial_learning_rate")

_IF_NOT = "If training did not succeed, compile"

Fault = tuple[str, Json, Severity, str]  # what is wrong, the value, how bad, and what to write


def compile_settings(facts: Facts) -> Mapping[str, Json]:
    """The saved compile settings.

    Raises:
        NotRelevant: there are none.
    """
    found = facts.artifact.training
    if not found:
        raise NotRelevant("the model was saved without compile settings")
    return found


def _settings(rule: Rule, facts: Facts) -> Iterator[Finding]:
    training = compile_settings(facts)
    for detail, value, severity, fix in [
        *_optimizer(facts, training),
        *_loss_weights(facts, training),
        *unequal_losses(facts, training),
        *_smoothing(training, output_names(facts)),
        *_without_loss(facts, training),
        *worthless(training),
        *scores(training, output_names(facts)),
    ]:
        yield rule.finding(
            f"{detail}.",
            evidence={"measured": value, "unit": "as compiled"},
            key=detail.partition(" is ")[0],
            severity=severity,
            title=rule.summary if severity is Severity.HIGH else "A compile setting is unusual",
            fix=f"{_IF_NOT if severity is Severity.LOW else 'Compile'} with {fix} and train again.",
        )


def output_names(facts: Facts) -> list[str]:
    """The names of the outputs, as losses and metrics are compiled for."""
    architecture = facts.artifact.architecture
    return [*named_outputs(architecture)] if architecture else [""]


def _optimizer(facts: Facts, training: Mapping[str, Json]) -> Iterator[Fault]:
    name, config = compiled_optimizer(training)
    if not config:
        return
    rate, adaptive = _rate(config), name.lower() in ADAPTIVE
    fault = None if rate is None else _rate_fault(facts, name, config, rate, adaptive)
    state = optimizer_state(facts.artifact)
    few = state is not None and 0 < (state.steps or 0) < ONE_PASS.value
    fault = fault or summed_rate_fault(facts.artifact, name, config, rate, few=few)
    if fault is not None:
        yield from _rated(facts, name, fault, adaptive)
    yield from scheduled(config, (state.steps if state else None) or math.inf)
    epsilon = number(config.get("epsilon"))
    summed = name.lower() == "adagrad"  # whose root is of squares and epsilon together
    if epsilon is not None and (adaptive or summed) and epsilon >= LARGE_EPSILON.value:
        detail = (
            f"epsilon of {name} is {epsilon:g}: it is added to the size of the gradients, so steps "
            f"are {math.sqrt(epsilon) if summed else epsilon:.2g} times smaller than the learning rate says"
        )
        yield detail, epsilon, Severity.MEDIUM, "epsilon=1e-7"
    for key in _DECAYS:
        value = number(config.get(key))
        if value is not None and value >= 1:
            detail = f"{key} of {name} is {value:g}: steps are not bounded, or stay 0"
            yield detail, value, Severity.HIGH, f"{key}={0.999 if key == 'beta_2' else 0.9}"
        elif key == "momentum" and name == "SGD" and value and value >= LONG_MEMORY.value:
            times = f"{1 / (1 - value):,.0f} times as large as the learning rate says"
            yield (
                f"momentum of SGD is {value:g}: steps add up to {times}",
                value,
                Severity.LOW,
                "momentum=0.9",
            )
    first, second = (number(config.get(key)) for key in ("beta_1", "beta_2"))
    if first is not None and second is not None and 0 < second < first**2 < 1:
        # Reddi, Kale and Kumar, 2018: the steps of Adam need not become smaller then.
        detail = (
            f"beta_2 of {name} is {second:g}, below the square of beta_1, {first:g}: a step is not limited by "
            "the learning rate"
        )
        yield detail, second, Severity.LOW, "beta_1=0.9 and beta_2=0.999"
    for key in CLIPS:
        most = number(config.get(key))
        if most == 0 and clips_to_zero(facts.artifact, config):
            yield f"{key} of {name} is 0: every gradient becomes 0", 0, Severity.HIGH, f"{key}=1.0"
        elif most is not None and most > 0 and rate is not None and rate > 0:
            # Steps of the Adam family divide the gradient by its size plus epsilon.
            step = rate * (most / (most + max(epsilon or 0, 0)) if adaptive else most)
            reach = rate * descents_one_way(state, most) if state else 0.0
            if step < LOW_RATE.value <= rate or 0 < reach < CLIPPED_REACH.value:
                detail = (
                    f"{key} of {name} is {most:g}: no step is larger than {step:.2g}, so weights "
                    "hardly change"
                )
                yield detail, most, Severity.MEDIUM, f"{key}=1.0"
    yield from _decayed(name, number(config.get("weight_decay")), rate, adaptive)
    kept = number(config.get("ema_momentum"))
    if config.get("use_ema") is True and kept is not None and kept >= 1:
        detail = (
            f"ema_momentum of {name} is {kept:g}: the averages keep the weights from the "
            "start of training, and replace those that were trained"
        )
        yield detail, kept, Severity.HIGH, "ema_momentum=0.99"
    yield from _accumulated(name, config, state.steps if state else None)


def _rate_fault(
    facts: Facts, name: str, config: Mapping[str, Json], rate: float, adaptive: bool
) -> RateFault | None:
    """What is wrong with a rate; low where the slope of a sigmoid makes the gradients small."""
    left = clipped(config)
    fault = rate_fault(facts.artifact, name, rate, adaptive, left)
    if fault is None or adaptive or not rate > 0:
        return fault
    small = rate_fault(facts.artifact, name, rate, adaptive, left * squares_of_shares(facts))
    as_bad = small is not None and small.severity is fault.severity
    return fault if as_bad else replace(fault, severity=Severity.LOW)


def _decayed(name: str, decay: float | None, rate: float | None, adaptive: bool) -> Iterator[Fault]:
    """A weight decay that leaves too little of the weights."""
    if decay is None:
        return
    taken = decay * (rate or 0)  # of a weight, in each step
    if taken >= 1:
        detail = (
            f"weight_decay of {name} is {decay:g}: times the learning rate of {rate:g}, each step "
            "takes all that a weight has learned away"
        )
        yield detail, decay, Severity.HIGH, "weight_decay=0.004"
    elif adaptive and decay >= LARGE_DECAY.value:
        detail = (
            f"weight_decay of {name} is {decay:g}: no weight can stay above {1 / decay:.2g}, where "
            "the decay takes away what a step adds"
        )
        shrinks = taken >= DECAY_OF_A_STEP.value
        yield detail, decay, Severity.MEDIUM if shrinks else Severity.LOW, "weight_decay=0.004"
    elif not adaptive and taken >= DECAY_OF_A_STEP.value:
        detail = (
            f"weight_decay of {name} is {decay:g}: times the learning rate of {rate:g}, each step "
            f"takes {taken:.2g} of every weight away"
        )
        yield detail, decay, Severity.MEDIUM, "weight_decay=1e-4"


def _accumulated(name: str, config: Mapping[str, Json], made: int | None) -> Iterator[Fault]:
    """Gradients that are added up over more steps than were made."""
    needed = number(config.get("gradient_accumulation_steps"))
    if needed is not None and made and made < needed:
        steps = counted(made, "step was", "steps were")
        detail = (
            f"gradient_accumulation_steps of {name} is {needed:g}, but {steps} made: "
            "none of them changed a weight"
        )
        yield detail, needed, Severity.HIGH, "gradient_accumulation_steps=None, or far fewer,"


def _rated(facts: Facts, name: str, fault: RateFault, adaptive: bool) -> Iterator[Fault]:
    """What is wrong with the learning rate, and whether its steps had no effect."""
    default = 1.0 if name == "Adadelta" else 0.001 if adaptive else 0.01
    right = f"keras.optimizers.{name}(learning_rate={default})"
    steps = steps_without_effect(facts)
    if steps and 0 <= fault.rate < LOW_RATE.value:
        detail = f"The learning rate of {name} is {fault.rate:g}: "
        detail += f"{counted(steps, 'step', 'steps')} left the weights as they were drawn"
        yield detail, fault.rate, Severity.HIGH, right
    elif 0 < fault.rate < VANISHED_RATE.value:
        detail = (
            f"{fault.detail}; nobody compiles with it: a schedule that multiplies the rate that it"
        )
        detail += " last set, not the first, falls so fast, and what it trained after that is lost"
        plan = "with a schedule that multiplies the first rate (in a LearningRateScheduler the first, not "
        yield detail, fault.rate, fault.severity, f"{right}, {plan}the argument lr),"
    else:
        yield fault.detail, fault.rate, fault.severity, right


def _rate(config: Mapping[str, Json]) -> float | None:
    """The learning rate; of a schedule, its first one. None for schedules with a warm-up."""
    for key in _RATES:
        value = config.get(key)
        if isinstance(value, dict):
            inner = value.get("config")
            if not isinstance(inner, dict) or inner.get("warmup_target") is not None:
                return None
            steps = inner.get("values")  # of PiecewiseConstantDecay
            return number(steps[0]) if isinstance(steps, list) and steps else _rate(inner)
        if key in config:
            return number(value)
    return None


def _loss_weights(facts: Facts, training: Mapping[str, Json]) -> Iterator[Fault]:
    given, names = training.get("loss_weights"), output_names(facts)
    if isinstance(given, dict):
        given = [given.get(name, 1.0) for name in names if given.keys() <= {*names}]
    if not isinstance(given, list):
        return
    weights = [weight for each in given if (weight := number(each)) is not None]
    if weights and not any(weights):
        detail = "The weight of every loss is 0: no gradient reaches any weight"
        yield detail, [*weights], Severity.HIGH, "loss_weights=None"
    elif any(weight < 0 for weight in weights):
        detail = "The weight of a loss is negative: training makes that loss larger"
        detail += ", as adversarial training does on purpose" if len(weights) > 1 else ""
        # The author's own "loss" may be a similarity, which is to grow.
        (loss,) = compiled_losses(training, [""])
        own = len(weights) > 1 or loss is None or loss.name not in KNOWN
        severity = Severity.LOW if own else Severity.MEDIUM
        yield detail, [*weights], severity, "positive loss_weights"
    elif weights and not all(weights):
        state = optimizer_state(facts.artifact)
        moved = {x.route: bool(x.first or x.second) for x in (state.moments if state else ())}
        alone = [each for _, layers in _only_for(facts, [*map(bool, weights)]) for each in layers]
        still = [each for each in alone if moved.get(each) is False] if any(moved.values()) else []
        detail = "The weight of a loss is 0: its output is not trained"
        detail += f", and no gradient ever reached {still[0]}, which only it uses" if still else ""
        severity = Severity.MEDIUM if still else Severity.LOW
        yield detail, [*weights], severity, "loss_weights above 0 for every output"
    elif len(weights) == len(names) and len({*names}) == len(names):
        others = [[x != i for x in range(len(names))] for i in range(len(names))]
        only = dict(each for trained in others for each in _only_for(facts, trained))
        yield from weighed_apart(facts, dict(zip(names, weights, strict=True)), only)


def _without_loss(facts: Facts, training: Mapping[str, Json]) -> Iterator[Fault]:
    """An output without a loss beside others, if layers with weights are for it alone."""
    saved, names = training.get("loss"), output_names(facts)
    if isinstance(saved, dict) and "class_name" not in saved:
        given = [saved.get(name) is not None for name in names]
    elif isinstance(saved, list) and len(saved) == len(names):
        given = [each is not None for each in saved]
    else:
        return
    for route, weighing in _only_for(facts, given):
        detail = f"`{route}` has no loss: nothing trains `{weighing[0]}`, which only it uses"
        yield detail, [*weighing[:20]], Severity.LOW, "a loss for every output"


def _only_for(facts: Facts, trained: Sequence[bool]) -> Iterator[tuple[str, list[str]]]:
    """Outputs that are not trained beside others, each with the layers that only they use."""
    graph = saved_graph(facts) if facts.artifact.architecture else None
    if graph is None or len(graph.outputs) != len(trained) or not any(trained):
        return
    known = graph.above(out for out, is_one in zip(graph.outputs, trained, strict=True) if is_one)
    for route, is_one in zip(graph.outputs, trained, strict=True):
        alone = [] if is_one else sorted(graph.above([route]) - known)
        weighing = [each for each in alone if graph.layer(each).variables]
        if weighing:
            yield route, weighing


def _smoothing(training: Mapping[str, Json], outputs: list[str]) -> Iterator[Fault]:
    for loss in dict.fromkeys(compiled_losses(training, outputs)):
        if loss is None or loss.name not in BINARY | CATEGORICAL:
            continue
        detail = f"label_smoothing of {loss.name} is {loss.smoothing:g}"
        if loss.smoothing >= 1:
            detail += ": the labels of all classes are the same, or exchanged"
            yield detail, loss.smoothing, Severity.HIGH, "label_smoothing=0.1"
        elif loss.smoothing < 0 or loss.smoothing >= SMOOTHING.value:
            below = ": labels are no probabilities" if loss.smoothing < 0 else ""
            detail += below or ": at least half of every label is the same for all inputs"
            yield detail, loss.smoothing, Severity.MEDIUM, "label_smoothing=0.1"


def compiled_example(**settings: Json) -> Callable[[], Facts]:
    """A Dense layer of one unit, compiled with these settings."""
    given: dict[str, Json] = {"loss": "mse", **settings}
    config: dict[str, Json] = {"units": 1, "activation": "linear"}
    return lambda: examples.chain(examples.layer("head", config=config), training=given)


def _adam(rate: float) -> Json:
    return {"class_name": "Adam", "config": {"learning_rate": rate}}


RULES = (
    Rule(
        code="MA319",
        name="training-settings",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="With the saved compile settings, training cannot work",
        pass_title="The saved compile settings allow training",
        why="These settings are those of the last training, unless it was compiled again. With "
        "them the weights do not move, move away from the goal, or learn labels that are the same "
        "for all inputs, and the model answers the same for every input.",
        fix="Compile with usual settings and train again.",
        check=_settings,
        bad=compiled_example(optimizer_config=_adam(-0.001)),
        good=compiled_example(optimizer_config=_adam(0.001)),
    ),
)
