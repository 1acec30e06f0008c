"""MA439: layers that got the same values from every training input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from enum import Enum, auto

from msgspec import Struct

from modelaudit.facts import Artifact, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.kernels.one_vector import errors_stayed
from modelaudit.measures.optimizer_state import WeightMoments, optimizer_state
from modelaudit.measures.weights_in_order import NOT_TRAINED
from modelaudit.rules import examples
from modelaudit.rules.heads.constant_scores import constant_scores
from modelaudit.rules.heads.one_class import one_class, one_error
from modelaudit.rules.heads.one_sided_heads import with_one_sided
from modelaudit.rules.initial_weights.training_reach import (
    FADED_AWAY,
    forgets_gradients,
    forgets_squares,
    last_step_alone,
    require_steps,
)
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.limited_values import unreached
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.training.alike_vectors import (
    SMALLER_RATE,
    constant_before,
    driven_below,
    in_last_step,
    narrow,
    of_zeros,
    one_vector,
    unmasked,
)
from modelaudit.rules.training.steps import adam, compiled_state
from modelaudit.rules.training.still_statistics import still_statistics
from modelaudit.rules.training.used_rows import one_row_used
from modelaudit.structs import replace
from modelaudit.thresholds.training import FEW_UNITS, ONE_RATIO, TELLING_SQUARE

_SCALES = ("gamma", "beta")  # of normalizations, which pass on what they get


class FedAlike(Struct, frozen=True):
    """A layer of which every input was the same in training.

    Attributes:
        route: the layer.
        value: of each of its inputs.
        first: whether it is the first layer with weights.
        zeros: whether the model got nothing but zeros: the layer did, and is the first, or no
            gradient reached any weight before it. What ReLUs that died later passed on was not 0
            at first, and taught the kernels before them.
    """

    route: str
    value: float
    first: bool
    zeros: bool


def fed_alike(
    moments: Sequence[WeightMoments], below: Set[str] = frozenset(), *, lasting: bool = False
) -> FedAlike | None:
    """The first layer of which every input was the same, by the averages of its gradients.

    `below` are layers with biases below 0, whose ReLUs may have given 0 from the start, and `lasting`
    says that a momentum shows the gradient of every step.
    """
    biases = {each.route: each for each in moments if each.role == "bias"}
    before: list[WeightMoments] = []
    for each in moments:
        bias = biases.get(each.route)
        value = _only_input(each, bias) if bias is not None and each.role == "kernel" else None
        if value is not None:
            silent = all(
                not _reached(other, lasting) and other.route not in below for other in before
            )
            first = not any(other.role == "kernel" for other in before)
            return FedAlike(each.route, value, first, value == 0 and silent)
        before.append(each)
    return None


def _below_zero(artifact: Artifact) -> frozenset[str]:
    """The layers with a bias below 0."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    biases = {layer.variables.get("bias"): layer.route for layer in layers}
    biases |= {each.bias: each.route for each in artifact.kernels}
    return frozenset(
        biases[t.name]
        for t in artifact.tensors
        if t.name in biases and t.stats is not None and t.stats.minimum < 0
    )


def fed_zeros(artifact: Artifact) -> bool:
    """Whether the model got nothing but zeros in training."""
    state = optimizer_state(artifact)
    if state is None:
        return False
    fed = fed_alike(state.moments, _below_zero(artifact), lasting=not forgets_gradients(state))
    if fed is None or not fed.zeros:
        return False
    return _fed(artifact, state.moments, fed) is InputShare.ALL


class InputShare(Enum):
    """Which part of the model's inputs is shown to be the same."""

    ALL = auto()  # every layer that is the first on a way from an input shows it
    INSIDE = auto()  # the layer gets all inputs, by layers with weights
    PART = auto()  # other inputs, or other layers that take them, may have got anything


def _fed(artifact: Artifact, moments: Sequence[WeightMoments], fed: FedAlike) -> InputShare:
    shown = shown_architecture(artifact)
    if shown is None:
        return InputShare.PART
    graph = layer_graph(shown)
    if not graph.layers:  # of a class of the program, which makes its first layer first
        first_made = fed.route == moments[0].route or fed.zeros
        return InputShare.INSIDE if first_made else InputShare.PART
    inputs = {layer.route for layer in graph.layers if not any(graph.calls[layer.route])}
    taught = {x.route for x in graph.layers if x.variables.keys() - {*NOT_TRAINED, *_SCALES}}
    first = {route for route in taught if graph.above([route]) & taught == {route}}
    if first <= _showing(moments, fed, _below_zero(artifact)) and inputs <= graph.above(first):
        return InputShare.ALL
    above = graph.above([fed.route])
    return (
        InputShare.INSIDE
        if inputs <= above and not above & first <= {fed.route}
        else InputShare.PART
    )


def _showing(moments: Sequence[WeightMoments], fed: FedAlike, below: Set[str]) -> set[str]:
    """The layers that got the value; of zeros also those that no gradient reached."""
    biases = {each.route: each for each in moments if each.role == "bias"}
    values = {
        each.route: _only_input(each, biases[each.route])
        for each in moments
        if each.role == "kernel" and each.route in biases
    }
    alike = {
        route
        for route, value in values.items()
        if value is not None and math.isclose(value, fed.value, rel_tol=ONE_RATIO.value)
    }
    if not fed.zeros:
        return alike
    moved = {each.route for each in moments if _reached(each, fed.zeros)}
    return alike | ({each.route for each in moments} - moved - below)


def _either(size: float) -> str:
    """A value of this size: the squares of gradients do not tell its sign."""
    return f"{size:.3g} or -{size:.3g}" if size else "0"


def _all_alike(rule: Rule, facts: Facts) -> Iterator[Finding]:
    still = [*still_statistics(rule, facts), *one_row_used(rule, facts)]
    yield from still
    try:
        yield from _alike(rule, facts)
    except NotApplicable:
        if not still:
            raise


def _alike(rule: Rule, facts: Facts) -> Iterator[Finding]:
    state = compiled_state(facts)
    if not state.moments:
        raise NotApplicable("the file does not say which average of gradients belongs to what")
    require_steps(state)
    biased = {each.route for each in state.moments if each.role == "bias"}
    kernels = [each for each in state.moments if each.role == "kernel" and each.route in biased]
    if not kernels:
        raise NotApplicable("no layer has averages of the gradients of a kernel and a bias")
    lasting = not forgets_gradients(state)
    fed = fed_alike(state.moments, _below_zero(facts.artifact), lasting=lasting)
    if fed is None:
        alike = [*one_vector(rule, facts, state.moments)]
        alike = alike or [*one_class(rule, facts)] or [*one_error(rule, facts)]
        yield from alike or constant_scores(rule, facts)
        return
    graph = saved_graph(facts) if facts.artifact.architecture else None
    exactly = facts.measurements is not None and facts.measurements.one_vector == fed.route
    if fed.value and errors_stayed(state) and not exactly:
        return  # the mean of what the layer got where the model was wrong
    if graph is not None and (
        any(unreached(layer) is not None for layer in graph.layers)
        or constant_before(facts, graph, fed.route)
    ):
        return  # said by MA305, MA314, MA322, MA332, MA406 or MA437
    if last_step_alone(state) and all(each.second is None for each in state.moments):
        yield in_last_step(rule, fed.route, _either(fed.value))
        return
    reach = _fed(facts.artifact, state.moments, fed)
    alone = all(each.second is None for each in state.moments)
    lately = not lasting if alone and fed.zeros else forgets_squares(state) or alone
    when = "At the end of training" if lately else "In training"
    evidence: dict[str, Json] = {"measured": fed.value, "unit": "as every value", "n": len(kernels)}
    if reach is InputShare.PART:
        yield rule.finding(
            f"{when}, every value that `{fed.route}` got was {_either(fed.value)}. Other layers "
            "that take inputs of the model do not show it.",
            route=fed.route,
            evidence=evidence,
            title="A layer got the same values from every training input",
            severity=Severity.LOW,
            fix=f"If `{fed.route}` should have learnt from its input, check that it differs. "
            f"{rule.fix}",
        )
        return
    if fed.zeros and (few := narrow(graph, fed.route)):
        yield rule.finding(
            f"{when}, every value that `{fed.route}` got was 0, and no gradient ever reached the layers "
            f"before it: all inputs were 0, or the few units of {few} were below 0 for every input "
            "from the start, where a ReLU passes no gradient.",
            route=fed.route,
            evidence=evidence,
            severity=rule.severity if reach is InputShare.ALL else Severity.MEDIUM,
            fix=f"See whether the training inputs are all 0. If not, give {few} more units or "
            'activation="leaky_relu", and train again.',
        )
        return
    if fed.zeros and reach is InputShare.ALL:
        before = "" if fed.first else ", and no gradient ever reached the layers before it"
        hidden, fix = of_zeros(graph, fed.route)
        yield rule.finding(
            f"{when}, every value that `{fed.route}` got was 0{before}: all inputs were the "
            f"same, 0 or scaled to 0{hidden}.",
            route=fed.route,
            evidence=evidence,
            title="The training inputs were all 0",
            fix=f"{fix} {rule.fix}",
        )
        return
    first = fed.first and reach is InputShare.ALL
    before = "" if first else ", or the layers before it gave one value for all inputs"
    driven = "" if first or fed.value else driven_below(facts, state)
    before += driven
    yield rule.finding(
        f"{when}, every value that `{fed.route}` got was {_either(fed.value)}: all inputs were "
        f"the same{before}. The gradient of a kernel is that of the bias times the input, and here "
        + (
            "the averages of both have one ratio."
            if fed.value
            else "that of the kernel is 0 and that of the bias is not."
        ),
        route=fed.route,
        evidence=evidence,
        severity=rule.severity if first else Severity.MEDIUM,
        fix=unmasked(graph, fed.route, fed.value) or (SMALLER_RATE if driven else ""),
    )


def _reached(moments: WeightMoments, lasting: bool) -> bool:
    """Whether a gradient may have come to a weight; an average of gradients alone forgets them."""
    lately = not lasting or moments.first != 0
    return lately if moments.second is None else moments.second != 0


def _only_input(kernel: WeightMoments, bias: WeightMoments) -> float | None:
    """The size of the input of a layer, if every value of it was the same in training.

    For z = x W + b, the gradients are dL/dW[i, j] = x[i] dL/db[j]. Of inputs that are 1 or -1, the
    squares are those of the bias as well; their averages themselves cancel. So squares alone, as of
    RMSprop, show zeros only.
    """
    if bias.second is None:
        return _by_averages(kernel, bias)
    if kernel.second is None or not bias.second:
        return None
    if kernel.second == 0 and not kernel.first:
        # Of small gradients, the squares of those of a kernel underflow for small inputs, too.
        return 0.0 if bias.second >= TELLING_SQUARE.value else None
    if kernel.first is None or not (bias.first and bias.mean_second):
        return None
    ratio = kernel.first / bias.first
    pairs = (
        (kernel.second, bias.second * ratio**2),
        (kernel.mean_second or 0.0, bias.mean_second * ratio**2),
        (kernel.typical, bias.typical * ratio),
    )
    return ratio if _all_close(pairs) else None


def _by_averages(kernel: WeightMoments, bias: WeightMoments) -> float | None:
    """The same of momentum and Lion, which keep averages of the last gradients alone.

    What is left of a single gradient shows one input, whose values may be 1 and -1: their mean
    differs. Of few inputs, both can have one ratio by chance.
    """
    if kernel.first is None or not bias.first or bias.first < FADED_AWAY:
        return None
    if kernel.first == 0:
        return 0.0
    if math.prod(kernel.shape[:-1]) < FEW_UNITS.value:
        return None
    ratio = kernel.first / bias.first
    pairs = (
        (kernel.typical, bias.typical * ratio),
        (abs(kernel.mean_first), abs(bias.mean_first) * ratio),
    )
    return ratio if _all_close(pairs) else None


def _all_close(pairs: Iterable[tuple[float, float]]) -> bool:
    return all(math.isclose(one, other, rel_tol=ONE_RATIO.value) for one, other in pairs)


def _inputs(first: float, second: float) -> Facts:
    """A layer whose bias has an average gradient of 0.1 and an average square of 0.2."""
    facts = adam(("kernel", first, second), ("bias", 0.1, 0.2))
    variables = {name: f"{name}/kernel" for name in ("kernel", "bias")}
    made = examples.model(examples.layer("dense", variables=variables))
    return replace(facts, artifact=replace(facts.artifact, architecture=made.architecture))


RULES = (
    Rule(
        code="MA439",
        name="inputs-alike-in-training",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="A layer got the same values from every training input",
        pass_title="The training inputs of every layer differed",
        why="Integer division of pixels, a normalization of each row by itself, or a mask that "
        "covers everything leaves the same input for all samples; labels of one class, one row of an "
        "embedding, or one vector for all leave as little. What can be learned is how frequent the "
        "classes are, so the model answers the same for every input.",
        fix="Look at what the model was given, then train again:\n\n"
        "    print(x.dtype, x.min(), x.max(), x.std(axis=0))\n"
        '    x = x.astype("float32") / 255  # scale as floats, by constants of the whole data set',
        check=with_one_sided(_all_alike),
        bad=lambda: _inputs(0.2, 0.8),
        good=lambda: _inputs(0.2, 0.7),
    ),
)
