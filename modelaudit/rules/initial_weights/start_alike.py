"""MA323: hidden layers whose units start alike, by the initializers that the config names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import CONSTANT_INITIALIZERS, canonical_name
from modelaudit.rules.model import Rule

_ROLES = ("kernel_initializer", "recurrent_initializer")
_USUAL = {"kernel_initializer": "glorot_uniform", "recurrent_initializer": "orthogonal"}


def start_alike(rule: Rule, graph: LayerGraph, said: Set[str]) -> Iterator[Finding]:
    """Trained layers of several units whose kernel, or recurrent kernel, starts with one value.

    Zeros are left to the rules on what they let through: a branch that is added may start with them.

    Args:
        rule: MA323.
        graph: the layers.
        said: layers of which it says that their units are alike still.
    """
    for layer in graph.layers:
        recurrent = has(layer.class_name, Trait.RECURRENT)
        units = layer.config.get("units")
        if layer.custom or not layer.trainable or not (recurrent or layer.class_name == "Dense"):
            continue
        if layer.route in graph.outputs or layer.route in said or not isinstance(units, int):
            continue
        found = {role: value for role in _ROLES if (value := _constant(layer, role)) is not None}
        if units < 2 or not found:
            continue
        role, value = next(reversed(found.items()))
        why = (
            ": each unit gets the sum of all of them at every step, and saturates"
            if role == "recurrent_initializer"
            else ": at first they compute one number, and then differ only by what the layers behind it tell"
        )
        yield rule.finding(
            f"The weights of all {units} units of `{layer.route}` start at {value:g}, by its {role}{why}.",
            route=layer.route,
            evidence={"measured": value, "unit": "first weight", "n": units},
            key=f"{layer.route} start",
            title="The units of a hidden layer start with the same weights",
            severity=Severity.LOW,
            confidence=Confidence.MEDIUM,
            fix="Draw them at random, and train again:\n"
            f"keras.layers.{layer.class_name}({units}, ..., "
            + ", ".join(f'{each}="{_USUAL[each]}"' for each in found)
            + f", name={layer.name!r})",
        )


def _constant(layer: Layer, role: str) -> float | None:
    """The value that an initializer gives to all weights; None if it gives several, or 0."""
    said: Json = layer.config.get(role)
    given: Mapping[str, Json] = said if isinstance(said, dict) else {"class_name": str(said)}
    inner, name = given.get("config"), canonical_name(given)
    if name not in CONSTANT_INITIALIZERS:
        return None
    config = inner if isinstance(inner, dict) else {}
    value = 1.0 if name == "ones" else number(config.get("value")) if name == "constant" else None
    return value or None
