"""MA325, MA327: states and positions of sequences and maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from modelaudit.facts import Architecture, Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CROSS_ENTROPIES,
    HINGES,
    compiled_losses,
    named_outputs,
)
from modelaudit.layer_classes import Trait, classes, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.rules import examples
from modelaudit.rules.grouped import one_for_alike
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import (
    NetworkHead,
    joined_graph,
    output_heads,
    saved_graph,
)
from modelaudit.rules.plain_graphs.architecture import joined_architecture
from modelaudit.structs import replace

_RECURRENT = classes(Trait.RECURRENT) | {"Bidirectional"}


def _states(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    found = [layer for layer in graph.layers if layer.class_name in _RECURRENT]
    if not found:
        raise NotRelevant("the model has no recurrent layer")
    if kept := stateful(found):
        yield rule.finding(
            f"`{kept[0].route}` keeps its state from one batch to the next, so the answer to an "
            "input depends on the inputs before it.",
            route=kept[0].route,
            evidence={"measured": len(kept), "unit": "layers", "n": len(found)},
        )


def stateful(layers: Iterable[Layer]) -> list[Layer]:
    """The layers that keep their state from one batch to the next."""
    return [layer for layer in layers if inner_config(layer).get("stateful") is True]


def inner_config(layer: Layer) -> dict[str, Json]:
    """The config of a layer, or of the one that it wraps."""
    inner = layer.config.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else layer.config
    return dict(config) if isinstance(config, dict) else dict(layer.config)


def _positions(rule: Rule, facts: Facts) -> Iterator[Finding]:
    architecture = joined_architecture(facts.artifact)
    graph = joined_graph(facts)
    names = named_outputs(architecture) if architecture else ()
    losses = compiled_losses(facts.artifact.training, names)
    classes = 0 if any(losses) else _named_classes(facts)
    # Of an export that says neither, a map of single numbers is worth a remark.
    exported = not (any(losses) or classes or facts.artifact.training) and any(
        len(graph.layer(route).output_shape or ()) > 3 for route in graph.outputs
    )
    if not (any(losses) or classes or exported) or len(losses) != len(graph.outputs):
        raise NotRelevant("the model was saved without a loss of Keras, or names of classes")
    heads = {head.route: head for head in output_heads(graph)}
    if not heads:
        raise NotApplicable("no output is computed by layers whose effect is known")
    given = {  # tokens have no axis for channels
        positions
        for layer in graph.layers
        if not graph.calls[layer.route] and (shape := input_shape(layer))
        for positions in (shape[1:-1], shape[1:])
    }
    for route, loss in zip(graph.outputs, losses, strict=True):
        head, shape = heads.get(route), graph.layer(route).output_shape
        if head is None or not shape or len(shape) < 3:
            continue
        number = exported and head.units == 1 and len(shape) > 3
        named = classes == head.units and head.last in PROBABILITIES
        if loss is None and not (number or named):
            continue
        counts = [prod(n or 0 for n in each) for each in (shape[1:-1], *given)]
        if counts[0] == 1 or not _one_each(graph, head):
            continue
        same = shape[1:-1] in given
        # Cross-entropies raise an error for labels of another rank, but for Keras 2's binary one
        # of sequences.
        checked = CROSS_ENTROPIES | HINGES if len(shape) > 3 else CROSS_ENTROPIES - BINARY
        silent = loss is not None and loss.name not in checked and head.units == 1
        compared = loss is None or loss.name in CROSS_ENTROPIES
        tagged = loss is not None and compared and same and _may_be_one_label(graph, head, shape)
        # What the operations of a graph do to positions may be unknown.
        judged = (silent and architecture is facts.artifact.architecture) or (
            (silent or (compared and not same)) and _windowed(graph, route)
        )
        if not (judged or tagged):
            continue
        size = "x".join(str(n or "?") for n in shape[1:-1])
        yield rule.finding(
            f"`{route}` gives one value for each of {size} positions. With one label per input, "
            f"{loss.name} compares all positions with it and raises no error."
            if silent and loss
            else f"`{route}` gives one answer for each of {size} positions, as taggers do, and none for the "
            "input as a whole."
            if tagged
            else f"`{route}` gives one answer for each of {size} positions, which are others than those "
            "of the input: it has no single answer for an input.",
            route=route,
            evidence={"measured": [*shape[1:]], "loss": loss.name if loss else None},
            # Events in a sound are named at each of some steps, and then without one label.
            severity=Severity.INFO
            if (same and not (silent and _may_broadcast(graph, head, architecture)))
            or (loss is None and (number or len(shape) == 3))
            else rule.severity,
            confidence=Confidence.LOW if same or not silent else Confidence.MEDIUM,
            fix=_one_value(graph, head, len(shape)),
        )


def _may_broadcast(graph: LayerGraph, head: NetworkHead, architecture: Architecture | None) -> bool:
    """Whether one number for each position of an input is perhaps compared with one for all.

    A TimeDistributed layer says that each position has its own, and so does an input of such numbers.
    """
    around = head.weights.route.rpartition("/")[0]
    said = any(
        x.route == around and x.class_name == "TimeDistributed"
        for x in (architecture.layers if architecture else ())
    )
    given = [input_shape(x) for x in graph.layers if not any(graph.calls[x.route])]
    return not said and not any(shape and shape[-1] == 1 for shape in given)


def _may_be_one_label(graph: LayerGraph, head: NetworkHead, shape: Sequence[int | None]) -> bool:
    """Whether classes at each position of one sequence may stand for classes of the whole.

    A language model answers with words, as many as its embedding knows.
    """
    inputs = [layer for layer in graph.layers if not any(graph.calls[layer.route])]
    words = [layer.config.get("input_dim") for layer in graph.layers]
    plain = len(shape) == 3 and head.last == "softmax" and not head.joined
    return plain and len(inputs) == len(graph.outputs) == 1 and head.units not in words


def _named_classes(facts: Facts) -> int:
    """How many classes a file beside the model names: all that an export says of labels."""
    labels = facts.artifact.extra.get("labels")
    names = labels.get("names") if isinstance(labels, dict) else None
    return len(names) if isinstance(names, list) else 0


def _one_each(graph: LayerGraph, head: NetworkHead) -> bool:
    """Whether a Dense layer computes the output, in a network that restores no positions."""
    if head.weights.class_name != "Dense":
        return False  # a convolution may judge patches on purpose
    return not any(
        has(layer.class_name, Trait.UPSAMPLING)
        or "Transpose" in layer.class_name
        or layer.class_name == "RepeatVector"
        or _says_more_axes(layer)
        # To one position, as in squeeze and excitation, it makes no map.
        or (
            layer.class_name == "Reshape"
            and prod(n or 2 for n in (layer.output_shape or ())[1:-1]) != 1
        )
        for layer in graph.layers
    )


def _says_more_axes(layer: Layer) -> bool:
    """Whether the author of a Lambda said that it adds an axis: of copies, or a batch size by mistake."""
    said, given = layer.config.get("output_shape"), layer.input_shapes
    known = layer.class_name == "Lambda" and isinstance(said, list) and bool(given)
    return known and isinstance(said, list) and 1 + len(said) > max(map(len, given))


def _windowed(graph: LayerGraph, route: str) -> bool:
    """Whether windows alone chose the positions, not a decoder that says how many it gives."""
    behind = [graph.layer(each) for each in graph.above([route])]
    windows = any(has(x.class_name, Trait.CONVOLUTION | Trait.LOCAL_POOLING) for x in behind)
    return windows and not any(
        x.custom or (x.class_name in _RECURRENT and "Conv" not in x.class_name) for x in behind
    )


def _one_value(graph: LayerGraph, head: NetworkHead, rank: int) -> str:
    calls = graph.calls[head.weights.route]
    before = graph.get(calls[0][0]) if calls and calls[0] else None
    if before is not None and before.class_name in _RECURRENT:
        return f"For one label per input, use return_sequences=False in `{before.name}`."
    pooling = f"keras.layers.GlobalAveragePooling{rank - 2}D()"
    return f"For one label per input, put {pooling} before `{head.weights.name}`."


def _text(behind: str, **options: Json) -> Facts:
    words = examples.layer("words", "Embedding", {}, {"input_dim": 100, "mask_zero": True})
    return examples.chain(words, examples.layer("behind", behind, {}, options))


def _per_position(sequence: bool) -> Facts:
    given = examples.layer("x", "InputLayer", {})
    hidden = examples.layer("conv", "Conv1D", config={"filters": 8})
    head = examples.layer("head", config={"units": 1, "activation": "linear"})
    shape = (None, 6, 1) if sequence else (None, 1)
    return examples.chain(
        replace(given, output_shape=(None, 12, 3)), hidden, replace(head, output_shape=shape)
    )


_NEEDS = (Need.ARCHITECTURE,)

RULES = (
    Rule(
        code="MA325",
        name="stateful-layer",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="A recurrent layer keeps its state between calls",
        pass_title="No recurrent layer keeps its state between calls",
        why="This is meant for long sequences that are given in pieces. Otherwise the same input "
        "gets different answers, and batches must have the size used in training.",
        fix="Call reset_states() of the layer before each new sequence, or use stateful=False.",
        check=_states,
        assumes="output",
        bad=lambda: _text("LSTM", stateful=True),
        good=lambda: _text("LSTM", stateful=False),
    ),
    Rule(
        code="MA327",
        name="value-for-each-position",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.LAYERS,),
        summary="The output has a value for each position, where one per input seems to be meant",
        pass_title="No output gives a value for each position where one seems to be meant",
        why="Keras repeats one label per input for all positions without an error. Each position "
        "then learns it from what it sees alone, and most see too little.",
        fix="Pool or flatten the positions before the last layer, and train again.",
        check=one_for_alike(_positions, "output"),
        assumes="output",
        bad=lambda: _per_position(True),
        good=lambda: _per_position(False),
    ),
)
