"""MA329: sigmoids whose score has the same sign for every input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Json, Layer, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import BINARY
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.heads import paired_heads
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network_heads import POSITIVE, activation_of, saved_graph
from modelaudit.rules.value_ranges import sums_up

_KEEPS_SIGN = Trait.KEEPS_RANGE | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_KEEPS_SIGN |= Trait.ADAPTIVE_POOLING | Trait.UPSAMPLING | Trait.BETWEEN_INPUTS
_SUMS = frozenset(("Add", "Multiply"))


def _one_sided(rule: Rule, facts: Facts) -> Iterator[Finding]:
    stored = {tensor.name: tensor.stats for tensor in facts.artifact.tensors}
    graph, positive = saved_graph(facts), None
    for head, loss in paired_heads(facts):
        layer = head.weights
        applied = [each.activation for each in head.steps if each.activation not in {"", "linear"}]
        if applied != ["sigmoid"] or head.joined or not has(layer.class_name, Trait.AFFINE):
            continue
        limited = sums_up(layer)
        sign = 1 if limited else _sign(layer, stored)
        positive = _never_negative(graph) if sign and positive is None else positive
        sources = {source for call in graph.calls.get(layer.route, ()) for source in call}
        if not sign or not positive or not sources or not sources <= positive:
            continue
        which = "negative" if sign > 0 else "positive"
        bias = layer.config.get("use_bias") is not False
        parts = f"{'weight or bias' if bias else 'weight'} of {layer.route}"
        told = f"kernel_constraint lets no weight of {layer.route} be negative, it has no bias"
        binary = loss is None or loss.name in BINARY
        yield rule.finding(
            f"{told if limited else f'No {parts} is {which}'}, and its inputs are never negative: "
            f"the sigmoid never gives {'less' if sign > 0 else 'more'} than 0.5, which at the usual "
            "limit is one answer for all inputs.",
            route=head.route,
            evidence={"measured": sign, "unit": "as the sign of every score", "limited": limited},
            key=head.route,
            severity=Severity.LOW if not binary else None if limited else Severity.MEDIUM,
            fix=f"Allow weights below 0 and a bias, and train again:\n{head.code('sigmoid')}"
            if limited
            else f"Train again from other initial values, and check that the classes differ:\n"
            f"{head.code('sigmoid')}",
        )


def _sign(layer: Layer, stored: Mapping[str, TensorStats | None]) -> int:
    """1 if no stored weight or bias is below 0, -1 if none is above, 0 otherwise."""
    roles = ("kernel", "bias") if layer.config.get("use_bias") is not False else ("kernel",)
    found = [stored.get(layer.variables.get(role, "")) for role in roles]
    stats = [each for each in found if each is not None and not each.nonfinite]
    if len(stats) < len(roles) or stats[0].constant:
        return 0  # MA406 tells of a constant kernel
    if all(each.minimum >= 0 for each in stats):
        return 1
    return -1 if all(each.maximum <= 0 for each in stats) else 0


def _never_negative(graph: LayerGraph) -> set[str]:
    """The layers whose results are never negative, whatever the weights are."""

    def step(layer: Layer, values: Sequence[bool | None]) -> bool | None:
        if layer.custom:
            return None
        if activation_of(layer) in POSITIVE and not layer.config.get("threshold"):
            return True
        keeps = has(layer.class_name, _KEEPS_SIGN) or layer.class_name in _SUMS
        return True if keeps and values and all(values) else None

    return {*graph.propagate(step, lambda one, _: one)}


def _head(**config: Json) -> Facts:
    head: dict[str, Json] = {"units": 1, "activation": "sigmoid", "use_bias": False}
    last = examples.layer("head", "Dense", {"kernel": "head/kernel"}, head | config)
    return examples.chain(examples.dense("hidden"), last, training={"loss": "binary_crossentropy"})


RULES = (
    Rule(
        code="MA329",
        name="one-sided-output",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARCHITECTURE,),
        summary="A sigmoid gets scores of one sign only",
        pass_title="No sigmoid is limited to one side of 0.5",
        why="Behind a ReLU, features are never negative. Where no weight and no bias of the last layer "
        "is negative either, every score is at least 0, and the sigmoid of it at least 0.5: the model "
        "says yes to every input, however it is trained.",
        fix="Allow weights below 0 and a bias in the last layer, and train again.",
        check=one_for_alike(_one_sided, "output"),
        bad=lambda: _head(kernel_constraint={"class_name": "NonNeg", "config": {}}),
        good=_head,
    ),
)
