"""Calls of TensorFlow functions in configs of Keras 2 of which only a constant was saved.

Keras 2 saves the first argument of a call, and the others by the names of the parameters. Tensors
that a function takes as `*inputs` have none: `tf.einsum("ij,jk->ik", x, y)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.runtimes.model import Reason


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
