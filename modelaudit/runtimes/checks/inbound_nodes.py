"""Connections between layers: node indices and operations that Keras 3 reads differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.runtimes.checks.constant_calls import (
    call_entries,
    constant_first,
    is_constant_call,
    structured_call,
)
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.saved_config import USE_KERAS_2, is_model, quoted_route

# Layers whose weights depend on the size of the last axis; layers that also keep the other axes,
# including one that an EinsumDense may have left unspecified; and layers that keep all axes.
SIZED_WEIGHTS = classes(Trait.FEATURE_WEIGHTS)
SAME_SHAPE = classes(Trait.POINTWISE) - SIZED_WEIGHTS
SAME_AXES = SIZED_WEIGHTS | SAME_SHAPE | {"Conv1D", "MaxPooling1D"}


def check_nodes(config: Mapping[str, Json], context: CheckContext, hdf5: bool) -> Iterator[Reason]:
    """Reasons for a whole config; `hdf5` says that it was read from an HDF5 file."""
    yield from _model(config, context, "", hdf5)


def _model(
    node: Mapping[str, Json], context: CheckContext, route: str, hdf5: bool
) -> Iterator[Reason]:
    layers = [mapping(item) for item in sequence(mapping(node.get("config")).get("layers"))]
    shifted = _shifted(node, layers) if context.profile.keras3 else {}
    for key in ("input_layers", "output_layers"):
        ends = sequence(mapping(node.get("config")).get(key))
        if ends and isinstance(ends[0], str):
            yield from _flat(key, context, route)
    if context.profile.keras3:
        yield from _lists(node, layers, context, route)
        yield from _output_number(node, shifted, route)
    yield from _unknown_sizes(node, layers, context, route)
    named = {text(layer.get("name")) for layer in layers}
    for layer in layers:
        name = text(layer.get("name")) or text(mapping(layer.get("config")).get("name"))
        here = f"{route}/{name}".strip("/")
        yield from _inbound(layer, shifted, context, here)
        if context.profile.keras3:
            yield from _keyword_tensors(layer, named, context, here)
            yield from _initial_states(layer, layers, here)
            if hdf5:
                yield from _operation(layer, context, here)
        if is_model(layer):
            yield from _model(layer, context, here, hdf5)


def _flat(key: str, context: CheckContext, route: str) -> Iterator[Reason]:
    """`output_layers` (or `input_layers`) as a single entry, as newer Keras 3 versions write it."""
    if context.behaviour("takes_flat_outputs") is False:
        yield Reason(
            "flat-outputs",
            LoadOutcome.FAILS,
            f"{key} of {quoted_route(route)} is a single entry instead of a list of entries, "
            f"which {context.profile.name} cannot read",
            "TypeError: get_tensor() takes 3 positional arguments but … were given",
            "Put the entry into a list in the config, or use a newer Keras 3.",
            route,
            repairs=True,
        )


def _lists(
    node: Mapping[str, Json],
    layers: Sequence[Mapping[str, Json]],
    context: CheckContext,
    route: str,
) -> Iterator[Reason]:
    """A Functional model whose output is a list of one, where a single tensor is needed."""
    around: list[tuple[str, Mapping[str, Json]]] = [
        ("TimeDistributed", mapping(mapping(layer.get("config")).get("layer")))
        for layer in layers
        if text(layer.get("class_name")) == "TimeDistributed"
    ]
    if text(node.get("class_name")) == "Sequential":
        # A model behind it takes a list of one as its input, a layer does not.
        pairs = pairwise(layers)
        around += [("Sequential", layer) for layer, after in pairs if not is_model(after)]
    for outer, inner in around:
        outputs = sequence(mapping(inner.get("config")).get("output_layers"))
        if len(outputs) != 1 or not isinstance(outputs[0], list):
            continue
        outcome = context.behaviour("lists_in", {}).get(outer)
        if outcome is None:
            context.untested.add("lists_in")
        if outcome == LoadOutcome.FAILS.value:
            name = text(mapping(inner.get("config")).get("name"))
            yield Reason(
                "list-of-one-output",
                LoadOutcome.FAILS,
                f"the model `{name}` inside {outer} ({quoted_route(route)}) returns a list of one "
                f"output, which {context.profile.name} passes on as a list",
                fix="Write output_layers in the config as a single entry instead of a list of one.",
                route=f"{route}/{name}".strip("/"),
                repairs=True,
                later=FIRST_CALL,
            )
            return


def _unknown_sizes(
    node: Mapping[str, Json],
    layers: Sequence[Mapping[str, Json]],
    context: CheckContext,
    route: str,
) -> Iterator[Reason]:
    """An EinsumDense with an unspecified size, flattened: Keras 2 took the size from the input.

    In Keras 3 the size stays unspecified up to a layer whose weights depend on it.
    """
    if not context.profile.keras3 or context.writer is None or context.writer.keras3:
        return
    inside: dict[str, str] = {}  # layer with an unspecified size -> the EinsumDense it comes from
    flattened: dict[str, str] = {}  # the same, if it is the size of the last axis
    before = ""
    for layer in layers:
        config, kind = mapping(layer.get("config")), text(layer.get("class_name"))
        name = text(config.get("name"))
        sources = [text(sequence(entry)[0]) for entry in _all_entries(layer) if sequence(entry)]
        if text(node.get("class_name")) == "Sequential":
            sources = [before]
        opened = next((inside[source] for source in sources if source in inside), "")
        flat = next((flattened[source] for source in sources if source in flattened), "")
        if kind == "EinsumDense" and None in sequence(config.get("output_shape")):
            inside[name] = name
        elif kind == "Flatten" and opened:
            flattened[name] = opened
        elif kind in SIZED_WEIGHTS and flat:
            yield _size_left_open(flat, f"{route}/{name}".strip("/"))
        elif opened and kind in SAME_AXES:
            inside[name] = opened
        elif flat and kind in SAME_SHAPE:
            flattened[name] = flat
        before = name


def _size_left_open(source: str, route: str) -> Reason:
    return Reason(
        "size-left-open",
        LoadOutcome.FAILS,
        f"`{route}` needs the size of its input, which comes flattened from `{source}`, an "
        "EinsumDense with an unspecified size in output_shape; unlike Keras 2, Keras 3 does not "
        "take it from the input",
        "ValueError: Shapes used to initialize variables must be fully-defined (no `None` "
        "dimensions).",
        f"Add the size to output_shape of {source} in the config.",
        route,
    )


def _all_entries(layer: Mapping[str, Json]) -> Iterator[Json]:
    for call in sequence(layer.get("inbound_nodes")):
        yield from call_entries(call)


def _shifted(node: Mapping[str, Json], layers: Sequence[Mapping[str, Json]]) -> dict[str, int]:
    """Inner models whose calls Keras 2 counted from 1, after the node of their own input: calls.

    A class of the program is such a model where its calls are counted so. Keras 3 counts them from
    0, as Keras 2 did where an inner Sequential got no input of its own.
    """
    calls = {
        text(mapping(layer.get("config")).get("name")): len(sequence(layer.get("inbound_nodes")))
        for layer in layers
    }
    references = [entry for layer in layers for entry in _all_entries(layer)]
    references += call_entries(mapping(node.get("config")).get("output_layers"))
    found = {}
    for source, index in map(_reference, references):
        if source in calls and index >= calls[source] > 0:
            found[source] = calls[source]
    return found


def _reference(entry: Json) -> tuple[str, int]:
    """The layer that an entry names, and which of its calls; 0 where the entry does not say."""
    parts = sequence(entry)
    index = parts[1] if len(parts) > 1 else 0
    return text(parts[0]) if parts else "", index if isinstance(index, int) else 0


def _output_number(
    node: Mapping[str, Json], shifted: Mapping[str, int], route: str
) -> Iterator[Reason]:
    """An output of an inner Sequential: Keras 3 corrects the number for inner Functional models."""
    config = mapping(node.get("config"))
    layers = [mapping(item) for item in sequence(config.get("layers"))]
    plain = {
        text(mapping(layer.get("config")).get("name"))
        for layer in layers
        if text(layer.get("class_name")) == "Sequential"
    }
    for source, index in map(_reference, call_entries(config.get("output_layers"))):
        if source in plain and index >= shifted.get(source, index + 1):
            yield Reason(
                "node-number-of-output",
                LoadOutcome.FAILS,
                f"an output of {quoted_route(route)} is a call of the Sequential `{source}` by "
                "Keras 2 numbering; Keras 3 numbers calls differently and finds no such call",
                "IndexError: list index out of range",
                f"{USE_KERAS_2}.",
                route or source,
                repairs=True,
            )
            return


def _inbound(
    layer: Mapping[str, Json], shifted: Mapping[str, int], context: CheckContext, route: str
) -> Iterator[Reason]:
    for call in sequence(layer.get("inbound_nodes")):
        if context.profile.keras3 and (unread := structured_call(call, route)):
            yield unread
            return
        entries = call_entries(call)
        for entry in entries:
            parts = sequence(entry)
            if not parts:
                continue
            source, index = _reference(entry)
            if is_constant_call(entries):
                yield constant_first(route)
            elif source in shifted and index > 0:
                yield _node_number(route, source, context)


def _node_number(route: str, source: str, context: CheckContext) -> Reason:
    loops = context.profile.keras <= (3, 8)  # 3.3 and 3.8 never return; 3.15 raises an error
    return Reason(
        "node-number-of-inner-model",
        LoadOutcome.FAILS,
        f"`{route}` refers to the second call of the inner model `{source}` by Keras 2 numbering; "
        "Keras 3 numbers calls differently and finds no such call"
        + (", so that the loader may never return" if loops else ""),
        ""
        if loops
        else "ValueError: Invalid Functional model configuration. The graph of the Functional "
        "model either has loops or disconnected nodes.",
        f"{USE_KERAS_2}.",
        route,
        repairs=True,
    )


def _keyword_tensors(
    layer: Mapping[str, Json], named: set[str], context: CheckContext, route: str
) -> Iterator[Reason]:
    """Tensors that Keras 2 passed by keyword: Keras 3 does not resolve their references."""
    for call in sequence(layer.get("inbound_nodes")):
        for entry in call_entries(call):
            parts = sequence(entry)
            keywords = mapping(parts[3]) if len(parts) > 3 else {}
            for key, value in keywords.items():
                if _is_reference(value, named):
                    yield Reason(
                        "tensor-by-keyword",
                        LoadOutcome.FAILS,
                        f"`{route}` was called with the tensor {key} by keyword, which "
                        f"{context.profile.name} does not resolve in a Keras 2 model",
                        f"TypeError: {text(layer.get('class_name'))}.build() missing 1 required "
                        f"positional argument: '{key}_shape'",
                        f"{USE_KERAS_2}, or build the model from code and load the weights.",
                        route,
                        repairs=True,
                    )
                    return


def _initial_states(
    layer: Mapping[str, Json], layers: Sequence[Mapping[str, Json]], route: str
) -> Iterator[Reason]:
    """Initial states of a recurrent layer, which Keras 2 lists as further inputs of the call."""
    name = text(layer.get("class_name"))
    if not has(name, Trait.RECURRENT) and name != "Bidirectional":
        return
    for call in sequence(layer.get("inbound_nodes")):
        if len(entries := call_entries(call)) > 1 and all(map(sequence, entries)):
            yield Reason(
                "initial-state-as-input",
                LoadOutcome.FAILS,
                f"`{route}` ({name}) has {len(entries) - 1} of its inputs as initial states, which "
                "Keras 3 takes by keyword only",
                "TypeError: … got an unexpected keyword argument 'constants'"
                if name == "Bidirectional"
                else f'ValueError: Layer "{route.rpartition("/")[2]}" expects 1 input(s), but it '
                f"received {len(entries)} input tensors",
                f"{USE_KERAS_2}.",
                route,
                repairs=not any(  # with a mask, Keras 3.15 computes something else
                    mapping(each.get("config")).get("mask_zero") is True
                    or text(each.get("class_name")) == "Masking"
                    for each in layers
                ),
            )
            return


def _operation(layer: Mapping[str, Json], context: CheckContext, route: str) -> Iterator[Reason]:
    """Arithmetic of Keras 3 in HDF5, which has no modules: `x * 2` comes back as a layer."""
    config, name = mapping(layer.get("config")), text(layer.get("class_name"))
    nodes = [mapping(call) for call in sequence(layer.get("inbound_nodes"))]
    several = [node for node in nodes if len(sequence(node.get("args"))) > 1]
    if (
        "trainable" in config
        or "module" in layer
        or not context.profile.knows("layers", name)
        or not several
    ):
        return  # a layer, an operation whose class is not found at all, or one like a layer
    numbers = any(
        not isinstance(each, dict) for node in nodes for each in sequence(node.get("args"))
    )
    behaviour = context.behaviour("operations_from_h5", {})
    if behaviour.get("number" if numbers else "tensor") == LoadOutcome.FAILS.value:
        yield Reason(
            "operation-as-layer",
            LoadOutcome.FAILS,
            f"`{route}` is the operation {name} on symbolic tensors; HDF5 stores only its name, "
            f"which {context.profile.name} takes for the layer {name}",
            "ValueError: Only input tensors may be passed as positional arguments"
            if numbers
            else "",
            "Save it as .keras, which stores the module too.",
            route,
            repairs=True,
        )


def _is_reference(value: Json, named: set[str]) -> bool:
    parts = sequence(value)
    if len(parts) >= 3 and isinstance(parts[0], str) and isinstance(parts[1], int):
        return parts[0] in named
    return any(_is_reference(part, named) for part in parts)
