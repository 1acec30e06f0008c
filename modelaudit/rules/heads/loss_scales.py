"""MA319: outputs whose losses are of so different sizes that one alone trains what they share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.formats.keras.compiled_losses import CROSS_ENTROPIES, compiled_losses, named_outputs
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.initial_weights.training_reach import kept_squares, moved_share
from modelaudit.rules.model import Facts, NotApplicable
from modelaudit.rules.network.network_heads import output_heads, saved_graph
from modelaudit.thresholds.design import LOSS_PULL, LOSSES_APART
from modelaudit.thresholds.small_layers import LEFT_BEHIND, WEIGHED_APART

Unequal = tuple[str, Json, Severity, str]  # as the faults of the settings


def unequal_losses(facts: Facts, training: Mapping[str, Json]) -> Iterator[Unequal]:
    """Outputs of which one has gradients far above those of a cross-entropy beside it.

    The gradient of a bias of a cross-entropy is at most 1, that of a squared error twice the error.
    """
    architecture, state = facts.artifact.architecture, optimizer_state(facts.artifact)
    kept = kept_squares(state) if state else None
    if architecture is None or state is None or kept is None or not state.steps:
        return
    graph, given = saved_graph(facts), named_outputs(architecture)
    if len(graph.outputs) != len(given) or len(given) < 2:
        return
    losses = dict(zip(graph.outputs, compiled_losses(training, given), strict=True))
    squares = {x.route: x.mean_second for x in state.moments if x.role == "bias"}
    classes: dict[str, float] = {}
    others: dict[str, float] = {}
    for head in output_heads(graph):
        loss, square = losses.get(head.route), squares.get(head.weights.route)
        if loss is None or square is None or not 0 < square < math.inf or head.joined:
            continue
        size = math.sqrt(square / (1 - kept**state.steps))
        (classes if loss.name in CROSS_ENTROPIES else others)[head.route] = size
    if not classes or not others:
        return
    least, most = max(classes, key=classes.__getitem__), max(others, key=others.__getitem__)
    times = times_apart(others[most], classes[least])
    if times is None:
        return
    detail = (
        f"The loss of `{most}` is of another size: gradients of its bias were {others[most]:,.3g}, and "
        f"those of `{least}` {classes[least]:.2g}, so that what both use was trained for `{most}` alone"
    )
    fix = (
        f"targets of `{most}` that are scaled to mean 0 and standard deviation 1, or with loss_weights "
        f"that give it {1 / times:.0e} of the weight,"
    )
    yield detail, times, Severity.LOW, fix


def times_apart(other: float, of_classes: float) -> float | None:
    """How many times one size of gradients is another; None where that is not unusual."""
    times = other / of_classes
    return times if other >= LOSS_PULL.value and times >= LOSSES_APART.value else None


def weighed_apart(
    facts: Facts, weights: Mapping[str, float], alone: Mapping[str, list[str]]
) -> Iterator[Unequal]:
    """An output whose loss weighs next to nothing beside another, if what only it uses hardly moved.

    A loss in other units may weigh little on purpose, and Adam makes steps of one size of any gradient.

    Args:
        facts: the model.
        weights: of the losses, by output, all above 0.
        alone: for each output, the layers that only it uses.
    """
    architecture, state = facts.artifact.architecture, optimizer_state(facts.artifact)
    if architecture is None or state is None or not state.steps or len(weights) < 2:
        return
    largest = max(weights.values())
    moved = {x.route: moved_share(facts.artifact, x) for x in facts.artifact.kernels if x.bias}
    for output, weight in weights.items():
        own = alone.get(output, [])
        if weight > WEIGHED_APART.value * largest or not own:
            continue
        known = [moved[x] for x in own if x in moved]
        rest = [size for route, size in moved.items() if route not in own]
        share = max(known) / max(rest) if known and rest and max(rest) > 0 else math.inf
        if not share < LEFT_BEHIND.value:
            continue
        detail = (
            f"The loss of `{output}` weighs {weight:g} beside {largest:g}, and the "
            f"bias of `{own[0]}`, which only it uses, moved {share:.1g} times as far as others: it has learnt "
            "next to nothing"
        )
        yield detail, weight, Severity.LOW, "loss_weights of about one size, or None,"


def squares_of_shares(facts: Facts) -> float:
    """The largest gradient of a score, if squared errors of sigmoids alone are compiled; otherwise 1.

    That of (s - y) ** 2 is 2 (s - y) s (1 - s), at most 8 / 27 for targets from 0 to 1.
    """
    try:
        pairs = paired_heads(facts)
    except NotApplicable:
        return 1.0
    small = all(
        loss is not None
        and loss.name == "mean_squared_error"
        and not loss.summed
        and head.last == "sigmoid"
        and not head.rescaled
        for head, loss in pairs
    )
    return 8 / 27 if small else 1.0
