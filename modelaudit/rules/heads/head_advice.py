"""What to do about a last layer and a loss that do not suit each other, with code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.findings import Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    CROSS_ENTROPIES,
    DISTANCES,
    HINGES,
    OVERLAPS,
    SPARSE,
    CompiledLoss,
)
from modelaudit.measures.architecture.layer_shapes import channels_first
from modelaudit.rules.heads.mismatches import OF_MARGINS, ends_a_sequence
from modelaudit.rules.heads.regressions import independent, of_numbers
from modelaudit.rules.model import Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import NetworkHead


def advised(
    training: Mapping[str, Json] | None,
    head: NetworkHead,
    loss: CompiledLoss,
    said: str,
    *,
    scores: bool,
) -> str:
    """What to do, with code; of a sigmoid for numbers, what suits numbers of any size first."""
    if loss.name in OF_MARGINS:
        return said
    if loss.name in DISTANCES and ends_a_sequence(head.weights) and head.units:
        return (
            f"Put a layer without an activation behind `{head.weights.name}`, which may have more units then, "
            f"and train again:\nkeras.layers.Dense({head.units})"
        )
    if head.last == "sigmoid" and loss.name in DISTANCES and of_numbers(training):
        first = fix_of(head, "Remove the activation of the last layer")
        return (
            f"{first}, scale the targets to about 1, such as (y - y.mean()) / y.std(), and train "
            "again. Where all targets are from 0 to 1, the sigmoid may stay.\n"
            f'{head.code("linear")}\nmodel.compile(loss="{loss.name}")'
        )
    if head.last == "sigmoid" and loss.name in DISTANCES and head.units == 1 and not scores:
        number = fix_of(head, "use no activation in the last layer")
        number = f"{number[0].lower()}{number[1:]}"
        return (
            f'For two classes, use loss="binary_crossentropy"; for other targets than those from 0 to 1, '
            f"{number}. Then train again.\n# of two classes\n{head.code('sigmoid')}\n"
            f'model.compile(loss="binary_crossentropy")\n# of other targets\n{head.code("linear")}\n'
            f'model.compile(loss="{loss.name}")'
        )
    if loss.name in BINARY and head.last == "softmax" and independent(training):
        first = fix_of(head, "Use a sigmoid")
        return (
            f"{first}, as the metrics judge each class by itself, and train again.\n"
            f'{head.code("sigmoid")}\nmodel.compile(loss="binary_crossentropy")'
        )
    if (
        loss.name in CATEGORICAL | SPARSE
        and loss.axis == -1
        and head.last == "sigmoid"
        and channels_first(head.weights)
    ):
        return (
            f'Use loss="binary_crossentropy" and train again: {loss.name} compares the values along the '
            "last axis, which is no axis of channels where data_format is channels_first. For "
            'exclusive classes, build the model with data_format="channels_last" and a softmax.\n'
            'model.compile(loss="binary_crossentropy")'
        )
    return f"{fix_of(head, said)}\n{code_of(head, loss, scores=scores)}"


def exchanged(pairs: Sequence[tuple[NetworkHead, CompiledLoss]], head: NetworkHead) -> str:
    """What to do if this output and another seem to have each other's loss; empty if they do not."""
    of_scores = [(h, x) for h, x in pairs if h.last == "linear" and x.name in CROSS_ENTROPIES]
    of_shares = [(h, x) for h, x in pairs if h.last in PROBABILITIES and x.name in DISTANCES]
    if len(of_scores) != 1 or len(of_shares) != 1 or of_scores[0][1].from_logits:
        return ""
    (scores, crossed), (shares, distance) = *of_scores, *of_shares
    if head not in (scores, shares):
        return ""
    fits = (crossed.name in BINARY) == (shares.last == "sigmoid")
    name = crossed.name if fits else "categorical_crossentropy"
    name = "binary_crossentropy" if shares.last == "sigmoid" else name
    losses = {shares.route: name, scores.route: distance.name}
    said = f"`{scores.route}` and `{shares.route}` seem to have each other's loss. Exchange them, and train "
    if len(pairs) > 2 or any("/" in route for route in losses):  # of outputs with other names
        return f"{said}again: {distance.name} for the first, {name} for the other."
    return f"{said}again:\nmodel.compile(loss={json.dumps(losses, ensure_ascii=False)})"


def of_one_class(
    training: Mapping[str, Json] | None, head: NetworkHead, loss: CompiledLoss | None
) -> str:
    """What to do about a softmax over a single unit, with code."""
    if loss is not None and loss.name in DISTANCES and not independent(training):
        return (
            "For a number, use no activation in the last layer; for two classes, a sigmoid and "
            f"binary_crossentropy. Then train again:\n# of a number\n{head.code('linear')}\n"
            f'model.compile(loss="{loss.name}")\n# of two classes\n{head.code("sigmoid")}\n'
            'model.compile(loss="binary_crossentropy")'
        )
    return (
        "For two classes, use one unit with a sigmoid. If binary_crossentropy trained it, its "
        "weights may be kept; otherwise, train again:\n"
        f'{head.code("sigmoid")}\nmodel.compile(loss="binary_crossentropy", '
        'metrics=["accuracy"])\n\n'
        f"For K exclusive classes, use {head.code('softmax').replace('(1,', '(K,')}."
    )


def wrong_axis(
    rule: Rule, head: NetworkHead, axis: int, loss: CompiledLoss, *, unused: bool
) -> Finding:
    """What is said of a softmax over another axis than that of the classes."""
    layer = head.activations[-1].layer
    return rule.finding(
        f"`{layer.route}` normalizes over axis {axis}, but {loss.name} compares the classes along "
        f"axis {loss.axis}: the values of the classes do not add up to 1.",
        route=layer.route,
        evidence={"loss": loss.name, "measured": axis, "expected": loss.axis},
        key=head.route,
        severity=Severity.LOW if unused else Severity.MEDIUM,
        fix=f"Use this layer and train again:\nkeras.layers.Softmax(axis=-1, name={layer.name!r})",
    )


def fix_of(head: NetworkHead, said: str) -> str:
    """What to do, with the name of the activation where that is a layer of its own."""
    last = head.activations[-1].layer if head.activations else head.weights
    if last.route == head.weights.route or head.joined:
        return said
    own = f"Remove the layer `{last.name}`"
    for general in ("Remove the activation of the last layer", "Remove the activation"):
        if general in said:
            return said.replace(general, own)
    return f"{own}. {said}"


def code_of(head: NetworkHead, loss: CompiledLoss, *, scores: bool = False) -> str:
    """The last layer and its loss as they suit each other; `scores`: of a loss that takes scores."""
    if scores:
        name = "".join(part.capitalize() for part in loss.name.split("_"))
        compiled = f"model.compile(loss=keras.losses.{name}(from_logits=True))"
        return f"{head.code('linear')}\n{compiled}"
    if loss.name == "ctc":
        return f"{head.code('linear')}\nmodel.compile(loss=keras.losses.CTC())"
    one = head.units == 1 and loss.name in CROSS_ENTROPIES - BINARY
    if one and loss.name in CATEGORICAL | SPARSE and not head.joined:
        several = head.code("softmax").replace("(1,", "(K,", 1)
        return (
            f'# of two classes\n{head.code("sigmoid")}\nmodel.compile(loss="binary_crossentropy")\n'
            f"# of K classes, with their numbers from 0 to K - 1 as labels\n{several}\n"
            'model.compile(loss="sparse_categorical_crossentropy")'
        )
    if loss.name == "poisson" and head.last in PROBABILITIES:
        return (
            f'# of counts\n{head.code("exponential")}\nmodel.compile(loss="poisson")\n'
            f'# of other numbers\n{head.code("linear")}\nmodel.compile(loss="mean_squared_error")'
        )
    name = "binary_crossentropy" if one else loss.name
    suited = "exponential" if name == "poisson" else "sigmoid" if name in BINARY else "softmax"
    if name == "cosine_similarity":
        name = "mean_squared_error"
    if head.last == "softmax" and name not in CROSS_ENTROPIES | HINGES | {"poisson"}:
        name = "categorical_crossentropy"
    if name in BINARY and head.last == "softmax" and (head.units or 0) > 2:
        name, suited = "categorical_crossentropy", "softmax"
    if name in DISTANCES and head.last == "sigmoid":
        name, suited = "binary_crossentropy", "sigmoid"
    if name in OVERLAPS and head.units == 1:
        suited = "sigmoid"
    if name == "mean_squared_logarithmic_error":
        suited = "softplus"
    linear = name not in CROSS_ENTROPIES | OVERLAPS | {"poisson", "mean_squared_logarithmic_error"}
    margins = "linear" if name == "categorical_hinge" else "tanh"
    last = head.code(margins if name in HINGES else "linear" if linear else suited)
    return f'{last}\nmodel.compile(loss="{name}")'
