"""A loss and a last activation that do not go together: one row of the table behind MA306."""

from __future__ import annotations

import math

from msgspec import Struct

from modelaudit.facts import Layer
from modelaudit.findings import Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    CROSS_ENTROPIES,
    DISTANCES,
    OVERLAPS,
    SPARSE,
    CompiledLoss,
)
from modelaudit.formats.keras.dialects import activation
from modelaudit.rules.network.loss_inputs import class_axis
from modelaudit.rules.network.network_heads import NetworkHead
from modelaudit.rules.network.value_ranges import head_range

ABOVE_ZERO = frozenset(("softplus", "squareplus", "exponential"))
"""Activations of no limit whose values are all above 0."""

OF_MARGINS = frozenset(("contrastive_loss", "contrastive"))
"""Names that many give to a loss of distances with a margin (Hadsell et al. 2006)."""

_ROW = 2  # axes of an output of values for each input


_RECURRENT = frozenset(("LSTM", "GRU", "SimpleRNN"))


class Mismatch(Struct, frozen=True):
    """Losses and last activations that do not go together.

    Attributes:
        of_classes: severity for losses of more than two exclusive classes, if it is another. Four
            classes that softmaxes learn to 0.97 were learnt to 0.18 to 0.83 (median 0.38) by 24
            networks of two layers with linear, relu or tanh outputs; two classes to 0.88 to 0.99.
        detail, fix: with `{loss}`, `{last}` and `{suited}`, the activation for that loss.
        from_logits: the loss's setting; None for both.
        units: the smallest and largest number of units.
        unchanged: only where nothing behind the activation changes its range.
        ungrouped: only where one activation is over all units.
        dense: only for values of the whole input: not for pixels or steps of a convolution.
        takes: the smallest and largest value that the losses take: not for a head between them.
        named: only for these activations, as they are saved; empty for all.
        ranks: the fewest and the most axes of the output, with that of the batch; one of which the
            file tells no shape counts as a row.
        changes_loss: whether the fix is another setting of the loss, which a function of the program's
            own need not have.
    """

    losses: frozenset[str]
    activations: frozenset[str]
    severity: Severity
    detail: str
    fix: str
    from_logits: bool | None = None
    units: tuple[int, float] = (0, math.inf)
    unchanged: bool = False
    ungrouped: bool = False
    dense: bool = False
    takes: tuple[float, float] | None = None
    of_classes: Severity | None = None
    ranks: tuple[int, float] = (0, math.inf)
    changes_loss: bool = False
    named: frozenset[str] = frozenset()

    def severity_of(self, loss: CompiledLoss, units: int | None) -> Severity:
        """How severe it is with one of its losses; two classes are learnt all the same."""
        exclusive = loss.name in (CATEGORICAL | SPARSE) - {"kl_divergence"} and (units or 0) > 2
        return self.of_classes if exclusive and self.of_classes else self.severity

    def applies(self, head: NetworkHead, loss: CompiledLoss) -> bool:
        """Whether this loss and this head are such a pair."""
        low, high = self.units
        axes = len(head.steps[-1].layer.output_shape or ()) or _ROW
        least, most = head_range(head)
        sound = self.takes is not None and self.takes[0] <= least and most <= self.takes[1]
        return (
            loss.name in self.losses
            and (head.last in self.activations or not self.activations)
            and self.from_logits in {None, loss.from_logits}
            and self.ranks[0] <= axes <= self.ranks[1]
            and (
                (low, high) == (0, math.inf)
                # A loss over another axis does not compare the units.
                or (low <= (head.units or -1) <= high and class_axis(head, loss) == -1)
            )
            and not sound
            and not (self.unchanged and head.rescaled)
            and not (self.ungrouped and head.grouped)
            and not (self.dense and not _of_whole_inputs(head.weights))
            and not (self.named and _saved_name(head) not in self.named)
        )


def suited_to(head: NetworkHead, loss: CompiledLoss) -> str:
    """The activation of probabilities for a loss that takes them."""
    one = loss.name in BINARY or (loss.name in OVERLAPS and head.units == 1)
    return "sigmoid" if one else "softmax"


def _saved_name(head: NetworkHead) -> str:
    """The last activation by the name that the file has."""
    layer = head.activations[-1].layer if head.activations else head.weights
    return activation(layer.config.get("activation")) or ""


def _of_whole_inputs(layer: Layer) -> bool:
    """Whether a layer gives its units once for an input: dense, or the last state of a recurrent one."""
    return layer.class_name == "Dense" or ends_a_sequence(layer)


def ends_a_sequence(layer: Layer) -> bool:
    """Whether it is a recurrent layer that gives its last state."""
    return layer.class_name in _RECURRENT and layer.config.get("return_sequences") is False


LEAST = {
    "elu": -1.0,
    "selu": -1.76,
    "celu": -1.0,
    "gelu": -0.17,
    "silu": -0.28,
    "swish": -0.28,
    "mish": -0.31,
}
"""Activations with few negative values, and the least, of usual settings."""

RARE: tuple[Mismatch, ...] = (
    Mismatch(
        OF_MARGINS,
        frozenset(("sigmoid",)),
        Severity.LOW,
        "{loss} seems to compare a distance with a margin, but {last} gives no value above 1, and little "
        "gradient near it.",
        "Let the last layer give the distance itself, such as keras.ops.norm(a - b, axis=-1), without a "
        "sigmoid behind it, and train again. For a probability of being alike, use "
        'loss="binary_crossentropy".',
        units=(1, 1),
    ),
    *(
        Mismatch(
            DISTANCES,
            frozenset((name,)),
            Severity.LOW,
            f"{{last}} gives no value below {least:g}: targets below, such as standardized ones, are out "
            "of reach.",
            "Use no activation in the last layer, or softplus for targets above 0, and train again.",
            unchanged=True,
            dense=True,
        )
        for name, least in LEAST.items()
    ),
    Mismatch(
        CROSS_ENTROPIES,
        frozenset(("sigmoid",)),
        Severity.LOW,
        "a hard_sigmoid is exactly 0 or 1 for scores that are not near 0, where {loss} gets no gradient: "
        "answers that are wrong and certain stay so.",
        'Use activation="sigmoid" in the last layer and train again.',
        from_logits=False,
        named=frozenset(("hard_sigmoid", "HardSigmoid", "hardsigmoid")),
    ),
)
"""Losses that few programs have; none is in another row of the table."""
