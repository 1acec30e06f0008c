"""Which of the user's labels an output cannot give, whatever the weights are."""

from __future__ import annotations

import math

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.probe_data import ProbeInputs, TargetSummary
from modelaudit.formats.keras.compiled_losses import (
    CROSS_ENTROPIES,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules.model import Facts, NotApplicable, NotRelevant
from modelaudit.rules.network.network_heads import NetworkHead, output_heads
from modelaudit.rules.network.value_ranges import head_range

_CLASSES = frozenset(("softmax", "logits"))


def own_inputs(facts: Facts) -> ProbeInputs:
    """The inputs that the user gave.

    Raises:
        NotApplicable: there are none.
    """
    assert facts.behaviour is not None
    if facts.behaviour.inputs.kind != "user":
        raise NotApplicable("no inputs of your own were given (--probe-data)")
    return facts.behaviour.inputs


def labels_and_output(facts: Facts) -> tuple[TargetSummary, OutputBehaviour]:
    """The labels and the one output that they are for.

    Raises:
        NotApplicable: there are no labels.
        NotRelevant: the model has several outputs.
    """
    targets = own_inputs(facts).targets
    assert facts.behaviour is not None
    if targets is None:
        raise NotApplicable("no labels were given (class folders, or y in the .npz)")
    if len(facts.behaviour.outputs) != 1:
        raise NotRelevant("the labels are for one output, the model has several")
    return targets, facts.behaviour.outputs[0]


def only_head(facts: Facts) -> NetworkHead | None:
    """The head of the one output; None where it is not known."""
    architecture = facts.artifact.architecture
    heads = [*output_heads(layer_graph(architecture))] if architecture else []
    return heads[0] if len(heads) == 1 else None


def impossible_labels(facts: Facts) -> tuple[str, bool] | None:
    """What the output cannot give of the labels, and whether that is most of them."""
    targets, output = labels_and_output(facts)
    sizes = output.shape[1:]
    if not sizes or None in sizes:
        return None
    units, per_input = math.prod(n or 0 for n in sizes), len(sizes) == 1
    if per_input and units > 1 and targets.form == "classes" and output.kind in _CLASSES:
        if targets.maximum < units:
            return None
        scores = output.kind == "softmax" or _compares_classes(facts)
        what = "classes" if scores else "outputs. If these are scores of classes, they are"
        numbered = f"{units} {what} numbered from 0 to {units - 1}"
        return (
            f"The labels go up to {targets.maximum:.0f}, but `{output.name}` has {numbered}",
            scores,
        )
    one_hot = targets.form == "one-hot" and output.kind == "softmax"
    if per_input and one_hot and targets.width != units:
        return f"The labels have {targets.width} classes, but `{output.name}` has {units}", True
    low, high = _span(facts, output)
    if targets.width != units or (low <= targets.minimum and targets.maximum <= high):
        return None
    below, above = low - targets.minimum, targets.maximum - high
    if max(below, above) <= 1e-3 * max(1.0, targets.std):
        return None  # rounding
    span = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    given = f"between {targets.minimum:.4g} and {targets.maximum:.4g}"
    mostly = targets.low < low or targets.high > high
    return f"The labels are {given}, but `{output.name}` is always {span}", mostly


def _compares_classes(facts: Facts) -> bool:
    """Whether the compiled loss says so; linear outputs can also be quantiles of a whole number."""
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture else ("",)
    losses = compiled_losses(facts.artifact.training, names)
    return any(loss is not None and loss.name in CROSS_ENTROPIES for loss in losses)


def _span(facts: Facts, output: OutputBehaviour) -> tuple[float, float]:
    """The smallest and largest value that the output can have."""
    head = only_head(facts)
    if head is None:
        return (0.0, 1.0) if output.kind == "sigmoid" else (-math.inf, math.inf)
    lows, highs = zip(*map(head_range, (head, *head.joined)), strict=True)
    return min(lows), max(highs)
