"""Losses of exclusive classes over an axis of a single value: the first rows of the table of MA306."""

from __future__ import annotations

import math

from modelaudit.findings import Severity
from modelaudit.formats.keras.compiled_losses import CATEGORICAL, SPARSE
from modelaudit.rules.heads.mismatches import ABOVE_ZERO, Mismatch

_ONE_CLASS = (
    "{loss} compares the shares of the classes. The share of a single class is always 1, so "
    "the loss does not depend on the prediction."
)
_ONE_UNIT = "Use one unit with a sigmoid and binary_crossentropy, or one unit for each class."
# Keras 2 and 3 drop a last axis of size 1 of predictions with one axis more than the labels, before
# losses of one-hot labels compare them; those of numbers then have no axis of classes, and raise.
_ONE_VALUE = (
    "{loss} compares the shares along the last axis, which has a single value. With labels of the "
    "output's shape, that share is always 1, and the loss does not depend on the prediction. With "
    "labels without that axis, Keras drops it from the output, and compares the values "
)
_POSITIONS = (
    "To choose one position of each input, use no activation, and behind it keras.layers.Flatten() "
    "and keras.layers.Softmax(). For yes or no at each position, use a sigmoid and "
    "binary_crossentropy. Then train again."
)
_SHAPES = (
    "See that the labels have the shape (samples, positions). For yes or no at each position, use a "
    "sigmoid and binary_crossentropy, and train again."
)
_ONE_HOT = CATEGORICAL - {"kl_divergence"}
LOSSES_OF_ONE_VALUE: tuple[Mismatch, ...] = (
    Mismatch(SPARSE, frozenset(), Severity.HIGH, _ONE_CLASS, _ONE_UNIT, units=(1, 1)),
    Mismatch(_ONE_HOT, frozenset(("softmax",)), Severity.HIGH, _ONE_CLASS, _ONE_UNIT, units=(1, 1)),
    Mismatch(
        _ONE_HOT, frozenset(), Severity.HIGH, _ONE_CLASS, _ONE_UNIT, units=(1, 1), ranks=(0, 2)
    ),
    Mismatch(
        _ONE_HOT,
        frozenset(),
        Severity.HIGH,
        _ONE_VALUE + "along the last axis of the map, which are no classes.",
        _POSITIONS,
        units=(1, 1),
        ranks=(4, math.inf),
    ),
    Mismatch(  # sound with labels of positions: a softmax over them
        _ONE_HOT,
        frozenset(("linear",)),
        Severity.INFO,
        _ONE_VALUE + "of the positions.",
        _SHAPES,
        from_logits=True,
        units=(1, 1),
    ),
    Mismatch(
        _ONE_HOT,
        ABOVE_ZERO,
        Severity.INFO,
        _ONE_VALUE + "of the positions.",
        _SHAPES,
        from_logits=False,
        units=(1, 1),
    ),
    Mismatch(
        _ONE_HOT,
        frozenset(),
        Severity.MEDIUM,
        _ONE_VALUE
        + "of the positions, which a softmax over them suits, and not the activation {last}.",
        _POSITIONS,
        units=(1, 1),
    ),
)
