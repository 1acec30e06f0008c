"""MA307: activations that change nothing, because what they get is never negative."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Layer
from modelaudit.findings import Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.rules.grouped import Check, one_for_alike
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.network.network_heads import (
    LAYERS_OF_ACTIVATIONS,
    activation_of,
    saved_graph,
    weighs,
)

# These give what they get where it is above 0.
_SAME_ABOVE = frozenset(("relu", "leaky_relu", "elu"))
_NEVER_NEGATIVE = frozenset(("relu", "softplus", "exponential"))
_LIMITS = ("max_value", "threshold", "theta")
_KEEPS_SIGN = Trait.KEEPS_RANGE | Trait.LOCAL_POOLING | Trait.GLOBAL_POOLING
_NOISY = Trait.NOISE | Trait.AUGMENTATION


def with_idle(check: Check) -> Check:
    """The check, and what is said of activations without an effect."""

    def both(rule: Rule, facts: Facts) -> Iterator[Finding]:
        idle = [*one_for_alike(_idle, "layer")(rule, facts)]
        yield from idle
        try:
            yield from check(rule, facts)
        except NotApplicable:
            if not idle:
                raise

    return both


def _idle(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.architecture is None:
        return
    graph = saved_graph(facts)
    takers = graph.consumers()
    for layer in graph.layers:
        if layer.class_name not in LAYERS_OF_ACTIVATIONS or layer.custom:
            continue
        second = activation_of(layer)
        if second not in _SAME_ABOVE or _limited(layer):
            continue
        row = [*graph.only_sources(layer.route, _keeps_sign)]
        if not row or not _applies_one(row[-1]):
            continue
        before, first = row[-1], activation_of(row[-1])
        leaks = second != "relu"
        shared = any(len(takers.get(each.route, ())) > 1 for each in row)
        if shared and not leaks:
            continue  # one of several ways, which begins with a ReLU as all do
        yield rule.finding(
            f"`{layer.route}` ({layer.class_name}) gets the {first} of `{before.route}`, which is never "
            "negative, and changes nothing"
            + (
                ": values below 0 are lost before it, and units can die all the same."
                if leaks
                else "."
            ),
            route=layer.route,
            evidence={"measured": [first, second]},
            key=layer.route,
            title="An activation gets values that it does not change",
            severity=Severity.LOW,
            fix=f"Remove the {first} of `{before.name}`, so that `{layer.name}` gets its sums, and train "
            "again."
            if leaks
            else f"Remove `{layer.name}`: without it, the model answers the same. If another layer was "
            "meant to be before it, add that and train again.",
        )


def _keeps_sign(layer: Layer) -> bool:
    """Whether it gives values of the signs that it gets, also in training."""
    random = layer.class_name in {"AlphaDropout", "GaussianDropout"} or has(
        layer.class_name, _NOISY
    )
    return has(layer.class_name, _KEEPS_SIGN) and not random and not layer.custom


def _applies_one(layer: Layer) -> bool:
    known = weighs(layer) or layer.class_name in LAYERS_OF_ACTIVATIONS
    return known and not layer.custom and activation_of(layer) in _NEVER_NEGATIVE


def _limited(layer: Layer) -> bool:
    """Whether it cuts off or moves positive values as well."""
    said = layer.config.get("activation")
    held = said.get("config") if isinstance(said, dict) else None
    name = said if isinstance(said, str) else ""
    settings = held if isinstance(held, dict) else layer.config
    return name.endswith("6") or any(settings.get(key) for key in _LIMITS)
