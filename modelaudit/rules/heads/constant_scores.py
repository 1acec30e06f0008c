"""MA439, MA440: scores that no input can bring apart, by the averages of the last layer's gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, CompiledLoss
from modelaudit.measures.kernels.input_scale import reads_inputs
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import NetworkHead, saved_graph
from modelaudit.thresholds.last_layers import INPUTS_TINY, SCORES_APART
from modelaudit.thresholds.small_layers import SCORES_SLOW
from modelaudit.thresholds.training import FEW_STEPS, ONE_RATIO

_AXES, _CHANNELS = 4, (1, 3, 4)  # of pictures
_ENDS = frozenset(("sigmoid", "softmax", "linear"))


class Apart(Struct, frozen=True):
    """How far apart weights and inputs of a last layer can bring its scores.

    Attributes:
        route: the layer.
        scores: how far.
        inputs: root mean square of its inputs.
    """

    route: str
    scores: float
    inputs: float


def scores_apart(facts: Facts) -> Apart | None:
    """The last layer of a classifier whose scores differ least; None if nothing tells.

    Gradients d of a bias and d x of a weight tell the size of the inputs x where the answers were
    wrong. By Cauchy and Schwarz, a score differs from its bias by at most the lengths of weights and
    inputs.
    """
    state = optimizer_state(facts.artifact)
    if state is None or not state.moments or (state.steps or 0) < FEW_STEPS.value:
        return None
    if facts.artifact.architecture is None:
        return None
    try:
        heads = paired_heads(facts)
    except NotApplicable:
        return None
    known = [_apart(facts, state, head, loss) for head, loss in heads]
    found = [each for each in known if each is not None]
    return min(found, key=lambda x: x.scores) if found and len(found) == len(known) else None


def _apart(
    facts: Facts, state: OptimizerState, head: NetworkHead, loss: CompiledLoss | None
) -> Apart | None:
    layer = head.weights
    if loss is None or loss.name not in CROSS_ENTROPIES or head.last not in _ENDS:
        return None
    if layer.class_name != "Dense" or head.joined or head.rescaled:
        return None
    if isinstance(layer.config.get("bias_regularizer"), dict):
        return None
    own = {each.role: each for each in state.moments if each.route == layer.route}
    kernel, bias = own.get("kernel"), own.get("bias")
    stored = facts.artifact.by_name.get(layer.variables.get("kernel", ""))
    if kernel is None or bias is None or stored is None or stored.stats is None:
        return None
    size = _size(state, kernel, bias)
    if size is None or not math.isfinite(size):
        return None
    weights = math.hypot(stored.stats.mean, stored.stats.std)
    return Apart(layer.route, math.prod(kernel.shape[:-1]) * weights * size, size)


def _size(state: OptimizerState, kernel: WeightMoments, bias: WeightMoments) -> float | None:
    """Root mean square of a layer's inputs, where answers were wrong; None if nothing tells."""
    if bias.second is None:
        return kernel.typical / bias.typical if bias.typical > 0 and kernel.first else None
    start = 0.0
    if state.name == "Adagrad":  # a sum that begins there
        start = number(state.settings.get("initial_accumulator_value", 0.1)) or 0.0
    of_kernel, of_bias = (kernel.mean_second or 0.0) - start, (bias.mean_second or 0.0) - start
    # What float32 rounds away of a sum that starts there says nothing.
    if not of_bias > start * ONE_RATIO.value or not 0 < of_kernel < math.inf:
        return None
    return math.sqrt(of_kernel / of_bias)


def tiny_inputs(facts: Facts, most: float = SCORES_APART.value) -> tuple[Apart, float, str] | None:
    """Scores that no input brings apart, the size of the inputs of the model, and the layer with them.

    None unless all layers that take them got next to nothing, and the scores are less than `most` apart.
    """
    apart, state = scores_apart(facts), optimizer_state(facts.artifact)
    if apart is None or state is None or apart.scores >= most:
        return None
    given = reads_inputs(saved_graph(facts), scaled=True)
    biases = {each.route: each for each in state.moments if each.role == "bias"}
    sizes = [
        (size, each.route)
        for each in state.moments
        if each.role == "kernel" and each.route in given and each.route in biases
        if (size := _size(state, each, biases[each.route])) is not None
    ]
    if not sizes or len(sizes) != len({x.route for x in state.moments if x.route in given}):
        return None
    size, route = max(sizes)
    return (apart, size, route) if 0 < size < INPUTS_TINY.value else None


def of_pictures(facts: Facts) -> bool:
    """Whether an input has the shape of pictures, whose values have usual sizes."""
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    shapes = [x.output_shape for x in layers if x.class_name == "InputLayer" and x.output_shape]
    return any(len(x) == _AXES and x[-1] in _CHANNELS for x in shapes)


def nearly_nothing(rule: Rule, facts: Facts, fix: Callable[[str], str]) -> Iterator[Finding]:
    """Inputs of next to nothing, of which the last layer tells that they brought no scores apart.

    `fix` gives what to do about a layer with such inputs.
    """
    found = tiny_inputs(facts, SCORES_SLOW.value if of_pictures(facts) else SCORES_APART.value)
    if found is None:
        return
    apart, size, route = found
    slow = apart.scores >= SCORES_APART.value
    yield rule.finding(
        f"In training, `{route}` got values of about {size:.2g}: so much smaller are the averages of the "
        f"gradients of its kernel than those of its bias. Those of `{apart.route}`, the last layer, say that "
        f"inputs moved its scores by about {apart.scores:.2g}: every input got nearly the same answer"
        + (", and has only begun to get another." if slow else "."),
        route=route,
        evidence={
            "measured": size,
            "unit": "root mean square of the inputs",
            "threshold": INPUTS_TINY.value,
            "scores": apart.scores,
        },
        severity=Severity.LOW if slow else Severity.MEDIUM,
        title="The training inputs were scaled to nearly nothing",
        fix=fix(route),
    )


def constant_scores(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What is said of scores that no input brings apart, where it is not the inputs of the model."""
    apart = scores_apart(facts)
    if apart is None or not 0 < apart.scores < SCORES_APART.value or tiny_inputs(facts):
        return
    yield rule.finding(
        f"In training, the inputs of `{apart.route}`, the last layer, had a root mean square of about "
        f"{apart.inputs:.2g} where the answers were wrong: so much smaller are the averages of the gradients of "
        f"its kernel than those of its bias. With its weights, that moves its scores by about {apart.scores:.2g}: "
        "every input got the same answer, or nearly.",
        route=apart.route,
        evidence={
            "measured": apart.scores,
            "unit": "difference of scores",
            "threshold": SCORES_APART.value,
        },
        title="Every training input got the same answer, or nearly",
        key="scores",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="See why so little comes through: after few steps, train for more epochs; otherwise remove "
        "penalties that draw kernels to 0, leave kernel_initializer at its default, scale the inputs to a "
        'standard deviation of 1, and pad sequences in front (padding="pre") or mask them '
        "(Embedding(mask_zero=True)). Then train again.",
    )
