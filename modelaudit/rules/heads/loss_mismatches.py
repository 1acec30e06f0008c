"""Which losses do not go with which last activation: the table behind MA306.

Keras clips probabilities to [1e-7, 1 - 1e-7], and divides those of the classes by their sum
(`categorical_crossentropy` and `binary_crossentropy` in `keras/src/backend/tensorflow/nn.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
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
from modelaudit.rules.heads.mismatches import ABOVE_ZERO, RARE, Mismatch, suited_to
from modelaudit.rules.heads.one_value_losses import LOSSES_OF_ONE_VALUE
from modelaudit.rules.model import Rule
from modelaudit.rules.network.loss_inputs import FOCAL, PROBABILITIES
from modelaudit.rules.network.named_losses import WASSERSTEIN, named_after
from modelaudit.rules.network.network_heads import NetworkHead

# Losses that divide the values of the classes by their sum first, so that any above 0 will do.
_SHARED = frozenset(("categorical_crossentropy", "categorical_focal_crossentropy"))
_UNBOUNDED = frozenset(
    {
        *("relu", "leaky_relu", "elu", "selu", "celu", "gelu", "glu", "silu", "swish", "mish"),
        *("hard_silu", "hard_swish", "softplus", "sparse_plus", "squareplus", "exponential"),
        *("hard_shrink", "soft_shrink", "tanh_shrink"),
    }
)
_SIGNED = frozenset(("tanh", "hard_tanh", "softsign"))
_LOGARITHMIC = frozenset(("mean_squared_logarithmic_error",))
_BARE = (
    "{loss} expects probabilities, but the output has no activation. Values that are no "
    "probabilities are clipped, where they give no gradient."
)
_PROBABILITIES_OR_SCORES = (
    'Use activation="{suited}" in the last layer, or compile with from_logits=True, and train '
    "again."
)
_PROBABILITIES_AGAIN = 'Use activation="{suited}" in the last layer and train again.'
# The first that applies is reported. Empty `activations` stand for all.
MISMATCHES: tuple[Mismatch, ...] = (
    *LOSSES_OF_ONE_VALUE,
    Mismatch(
        CROSS_ENTROPIES - _SHARED,
        ABOVE_ZERO,
        Severity.MEDIUM,
        "{loss} expects probabilities, but {last} is not limited to 1, and values above 1 are "
        "clipped, where they give no gradient: the output can stay there.",
        _PROBABILITIES_AGAIN,
        from_logits=False,
        takes=(0.0, 1.0),
    ),
    Mismatch(
        CROSS_ENTROPIES,
        _UNBOUNDED - ABOVE_ZERO,
        Severity.MEDIUM,
        "{loss} expects probabilities, but {last} is not limited to 1, and values at or below 0 "
        "are clipped, where they give no gradient: the output can stay there.",
        _PROBABILITIES_AGAIN,
        from_logits=False,
        of_classes=Severity.HIGH,
        takes=(0.0, 1.0),
    ),
    Mismatch(
        _SHARED,
        frozenset(("log_softmax", "log_sigmoid")),
        Severity.MEDIUM,
        "{loss} expects probabilities, but {last} gives their logarithms, which are never above 0. It "
        "divides them by their sum first, which makes the least likely class the largest share: "
        "training lowers the probability of the right class.",
        _PROBABILITIES_OR_SCORES,
        changes_loss=True,
        from_logits=False,
        of_classes=Severity.HIGH,
    ),
    Mismatch(
        CROSS_ENTROPIES - _SHARED,
        frozenset(("log_softmax", "log_sigmoid")),
        Severity.MEDIUM,
        "{loss} expects probabilities, but {last} gives their logarithms, which are never above 0: "
        "all are clipped, where they give no gradient.",
        _PROBABILITIES_OR_SCORES,
        changes_loss=True,
        from_logits=False,
        of_classes=Severity.HIGH,
    ),
    Mismatch(
        frozenset(("ctc",)),
        PROBABILITIES,
        Severity.LOW,
        "{loss} expects scores and applies a softmax itself, so that of a {last} makes all symbols "
        "nearly equally likely.",
        "Remove the activation of the last layer and train again.",
    ),
    Mismatch(
        frozenset(("kl_divergence",)),
        frozenset(("linear",)),
        Severity.MEDIUM,
        _BARE,
        _PROBABILITIES_AGAIN,
    ),
    Mismatch(
        CROSS_ENTROPIES,
        frozenset(("linear",)),
        Severity.MEDIUM,
        _BARE,
        'Compile with from_logits=True, or use activation="{suited}", and train again.',
        changes_loss=True,
        from_logits=False,
        of_classes=Severity.HIGH,
    ),
    Mismatch(
        CROSS_ENTROPIES,
        _SIGNED,
        Severity.MEDIUM,
        "{loss} expects probabilities, but {last} gives values from -1 to 1. Negative ones are "
        "clipped, where they give no gradient.",
        _PROBABILITIES_AGAIN,
        from_logits=False,
        of_classes=Severity.HIGH,
        takes=(0.0, 1.0),
    ),
    Mismatch(
        BINARY,
        ABOVE_ZERO | {"relu"},
        Severity.HIGH,
        "{loss} with from_logits=True takes scores above 0 for class 1, and {last} gives no others: "
        "class 0 is never predicted.",
        "Remove the activation of the last layer and train again.",
        from_logits=True,
        units=(1, 1),
    ),
    Mismatch(
        CROSS_ENTROPIES,
        frozenset(("relu", *_SIGNED)),
        Severity.MEDIUM,
        "{loss} with from_logits=True expects scores of any size, but {last} limits them, so no "
        "class gets a probability near 0 and gradients vanish at the limit.",
        "Remove the activation of the last layer and train again.",
        from_logits=True,
        unchanged=True,  # multiplied by 10, the limits of a tanh leave room for any probability
    ),
    Mismatch(
        OVERLAPS,
        _UNBOUNDED | _SIGNED | {"linear"},
        Severity.MEDIUM,
        "{loss} measures how far two masks of 0 and 1 overlap, but {last} gives other values: the "
        "loss falls below 0 as they grow, or has no limit where their sum is near 0.",
        _PROBABILITIES_AGAIN,
        unchanged=True,
    ),
    Mismatch(
        frozenset(("poisson",)),
        frozenset(("linear", "leaky_relu", "elu", "selu", *_SIGNED)),
        Severity.MEDIUM,
        "{loss} takes the logarithm of the output, which is NaN for negative values, and the "
        "output has the activation {last}.",
        'Use activation="exponential" or "softplus" in the last layer and train again.',
        takes=(0.0, math.inf),
    ),
    Mismatch(
        frozenset(("poisson",)),
        PROBABILITIES,
        Severity.LOW,
        "{loss} is of counts, but a {last} gives none above 1.",
        'For counts, use activation="exponential" or "softplus" in the last layer; for other numbers, '
        'which may be negative, no activation and loss="mse". Then train again.',
        unchanged=True,
    ),
    Mismatch(
        _LOGARITHMIC,
        frozenset(("linear", "leaky_relu", "elu", "selu", *_SIGNED)),
        Severity.LOW,
        "{loss} raises negative values to 0 before it takes a logarithm, so they get no gradient, "
        "and the output has the activation {last}.",
        'Use activation="softplus" in the last layer and train again.',
        takes=(0.0, math.inf),
    ),
    Mismatch(
        frozenset(("cosine_similarity",)),
        frozenset(),
        Severity.HIGH,
        "{loss} compares directions. A single value has none but its sign, so the loss gives no "
        "gradient.",
        'Use loss="mse" for a single value and train again.',
        units=(1, 1),
    ),
    Mismatch(
        FOCAL,
        PROBABILITIES,
        Severity.MEDIUM,
        "{loss} with from_logits=True squashes the output, which has a {last}, again. Unlike other "
        "losses, it looks for the scores before it in no version of Keras, or for a part of its sum "
        "only: the probabilities that it compares are alike.",
        "Remove the activation, or compile with from_logits=False, and train again.",
        changes_loss=True,
        from_logits=True,
    ),
    Mismatch(
        CROSS_ENTROPIES,
        PROBABILITIES,
        Severity.MEDIUM,
        "{loss} with from_logits=True expects scores, but the output has a {last}. Keras on TensorFlow "
        "warns of it and uses the scores before it where it finds them; otherwise, as with JAX or "
        "PyTorch, it squashes the probabilities again.",
        "Remove the activation, or compile with from_logits=False.",
        changes_loss=True,
        from_logits=True,
    ),
    Mismatch(
        CATEGORICAL | SPARSE,
        frozenset(("sigmoid",)),
        Severity.MEDIUM,
        "{loss} is for exclusive classes, but a sigmoid judges each class by itself.",
        "Use a softmax for exclusive classes, or binary_crossentropy for independent ones.",
    ),
    Mismatch(
        BINARY,
        frozenset(("softmax",)),
        Severity.LOW,
        "{loss} judges each class by itself, but a softmax makes the classes exclusive.",
        "Use categorical_crossentropy for exclusive classes, or a sigmoid.",
        units=(3, math.inf),
        ungrouped=True,
    ),
    Mismatch(
        DISTANCES,
        frozenset(("softmax",)),
        Severity.LOW,
        "{loss} of a softmax gives little gradient where a prediction is wrong and confident.",
        'Use loss="categorical_crossentropy", or "sparse_categorical_crossentropy" for numbers of '
        "classes; for other targets than shares of 1, no activation in the last layer. Then train "
        "again.",
        units=(2, math.inf),
    ),
    Mismatch(
        DISTANCES,
        frozenset(("sigmoid",)),
        Severity.LOW,
        "a sigmoid gives values from 0 to 1 only, and {loss} gives it little gradient where a "
        "prediction is wrong and confident.",
        'For two classes, use loss="binary_crossentropy"; for other targets than those from 0 to '
        "1, no activation in the last layer. Then train again.",
        units=(1, 1),
        unchanged=True,
        dense=True,
    ),
    Mismatch(
        DISTANCES,
        _SIGNED,
        Severity.LOW,
        "{last} gives values from -1 to 1 only, so {loss} cannot fit targets beyond.",
        "Scale the targets to that range, or use no activation in the last layer and train again.",
        units=(1, 1),
        unchanged=True,
        dense=True,
    ),
    Mismatch(
        DISTANCES,
        frozenset(("relu",)),
        Severity.LOW,
        "relu gives no negative values. If the score before it is negative for all inputs, the "
        "only output is always 0, and no gradient changes it.",
        "Use no activation in the last layer, or softplus for targets above 0, and train again.",
        units=(1, 1),
        unchanged=True,
    ),
    Mismatch(
        DISTANCES,
        frozenset(("relu",)),
        Severity.LOW,
        "relu gives no negative values: targets below 0, such as standardized ones, are out of reach. A "
        "unit whose score is negative for all inputs is always 0, and no gradient changes it.",
        "Use no activation in the last layer, or softplus for targets above 0, and train again.",
        units=(2, math.inf),
        unchanged=True,
        dense=True,
    ),
    Mismatch(
        DISTANCES,
        frozenset(("relu",)),
        Severity.LOW,
        "relu gives no negative values. Where the score before it is negative for all inputs, the "
        "output is always 0, and no gradient changes it.",
        "Use no activation in the last layer, or softplus for targets above 0, and train again.",
        unchanged=True,
    ),
    Mismatch(
        HINGES - {"categorical_hinge"},
        PROBABILITIES | ABOVE_ZERO | {"relu"},
        Severity.MEDIUM,
        "{loss} expects scores from -1 to 1, but {last} gives no negative values.",
        "Use tanh or no activation.",
    ),
    Mismatch(
        frozenset(("categorical_hinge",)),
        PROBABILITIES,
        Severity.LOW,
        "{loss} wants the score of the right class 1 above all others. Of a {last}, only a certain "
        "prediction is, where the gradient vanishes.",
        "Use no activation in the last layer.",
    ),
    Mismatch(
        frozenset((WASSERSTEIN,)),
        PROBABILITIES | {"relu", *_SIGNED},
        Severity.LOW,
        "{loss} compares mean scores, which have no limit, but {last} limits them: a critic that tells its "
        "inputs apart gives little gradient then.",
        "Use no activation in the last layer of the critic and train again.",
    ),
    *RARE,
)


def by_their_names(rule: Rule, head: NetworkHead, loss: CompiledLoss) -> Iterator[Finding]:
    """Functions of the program's own that do not suit an output, if they are what their names say."""
    alike = named_after(head, loss)
    found = alike and next((each for each in MISMATCHES if each.applies(head, alike)), None)
    if not alike or not found:
        return
    words = {"loss": loss.name, "last": head.last, "suited": suited_to(head, alike)}
    said = found.detail.format(**words)
    if alike.name in CROSS_ENTROPIES:  # what Keras does with other values, this one may not
        said = f"{said.partition('. ')[0].removesuffix('.')}."
    own = _PROBABILITIES_AGAIN if found.changes_loss else found.fix
    if alike.from_logits and head.last in PROBABILITIES:
        said = f"{loss.name} expects scores, but the output has a {head.last}."
        own = "Remove the activation of the last layer and train again."
    yield rule.finding(
        f"`{head.route}`: {said} This is by the name of {loss.name} alone, a function of the program's own.",
        route=head.route,
        evidence={"loss": loss.name, "alike": alike.name, "activation": head.last},
        key=head.route,
        severity=min(found.severity, Severity.LOW, key=lambda x: x.rank),
        confidence=Confidence.LOW,
        fix=own.format(**words),
    )
