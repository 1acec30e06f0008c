"""Calls in configs of Keras 2 that lost their tensors, or that have them in a structure.

Keras 2 saves the first argument of a call, and the others by the names of the parameters. Tensors
that a function takes as `*inputs` have none: `tf.einsum("ij,jk->ik", x, y)`. An argument that is a
dictionary, or a list with lists in it, is saved as such, with an entry for each tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.runtimes.model import Reason
from modelaudit.runtimes.saved_config import USE_KERAS_2


def constant_calls(node: Mapping[str, Json], route: str = "") -> Iterator[Reason]:
    """The calls of this kind in a model's config, and in those of models inside."""
    for item in sequence(mapping(node.get("config")).get("layers")):
        layer = mapping(item)
        name = text(layer.get("name")) or text(mapping(layer.get("config")).get("name"))
        here = f"{route}/{name}".strip("/")
        if any(is_constant_call(call_entries(x)) for x in sequence(layer.get("inbound_nodes"))):
            yield constant_first(here)
        yield from constant_calls(layer, here)


def is_constant_call(entries: Sequence[Json]) -> bool:
    """Whether a call has no tensor, neither as its first argument nor by name."""
    parts = sequence(entries[0]) if len(entries) == 1 else []
    return bool(parts) and parts[0] == "_CONSTANT_VALUE" and not mapping(parts[-1])


def call_entries(call: Json) -> list[Json]:
    """The inputs of one call; a call with one input may be that input itself."""
    entries = sequence(call)
    return [entries] if entries and isinstance(entries[0], str) else entries


def constant_first(route: str) -> Reason:
    """The reason for such a call."""
    return Reason(
        "constant-first-argument",
        LoadOutcome.FAILS,
        f"`{route}` calls a TensorFlow function whose first argument is a constant, which no "
        "version can load",
        'ValueError: Exception encountered when calling layer "…" (type TFOpLambda).',
        "Wrap the call in a custom layer and load the weights into it.",
        route,
    )


def structured_call(call: Json, route: str) -> Reason | None:
    """Why Keras 3 does not read a call of Keras 2 whose argument is a dictionary or nested.

    It takes a dictionary for a call of its own, which has `args` and `kwargs`, and each entry of a
    list for one tensor.
    """
    dictionary = isinstance(call, dict) and bool(call) and "args" not in call
    entries = call_entries(call)
    if not (dictionary or any(isinstance(next(iter(sequence(x)), ""), list) for x in entries)):
        return None
    what = "a dictionary" if dictionary else "a list with lists in it"
    return Reason(
        "call-of-structure",
        LoadOutcome.FAILS,
        f"`{route}` was called with {what} of tensors, and Keras 2 saves the call in a form that "
        "Keras 3 does not read",
        "KeyError: 'args'" if dictionary else "",
        f"{USE_KERAS_2}, or build the model from code and load the weights.",
        route,
    )
