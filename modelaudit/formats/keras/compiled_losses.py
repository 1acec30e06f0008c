"""The compiled losses of a model, under one name in all generations of Keras."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Architecture, Json
from modelaudit.formats.keras.dialects import activation

_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kldivergence": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

BINARY = frozenset(("binary_crossentropy", "binary_focal_crossentropy"))
SPARSE = frozenset(("sparse_categorical_crossentropy",))
CATEGORICAL = frozenset(
    ("categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence")
)
CROSS_ENTROPIES = BINARY | SPARSE | CATEGORICAL
OVERLAPS = frozenset(("dice", "tversky"))
HINGES = frozenset(("hinge", "squared_hinge", "categorical_hinge"))
DISTANCES = frozenset(
    {
        *("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"),
        *("mean_squared_logarithmic_error", "huber", "log_cosh"),
    }
)
KNOWN = CROSS_ENTROPIES | OVERLAPS | HINGES | DISTANCES | {"poisson", "cosine_similarity", "ctc"}
"""All losses of Keras whose effect is known."""


class CompiledLoss(Struct, frozen=True):
    """A loss.

    Attributes:
        name: as the function in `keras.losses`, such as `mean_squared_error`.
        from_logits: whether it applies the softmax or sigmoid itself; False by default.
        axis: the axis of the classes.
        smoothing: `label_smoothing`, the share of each label that goes to all classes.
        summed: whether it adds up the losses of a batch instead of averaging them.
        by_name: whether only the name of a function is saved, which may be the author's own. A text
            in the settings of an archive is what `compile` was given: a name that Keras knows.
    """

    name: str
    from_logits: bool = False
    axis: int = -1
    smoothing: float = 0.0
    summed: bool = False
    by_name: bool = False


def named_outputs(architecture: Architecture) -> tuple[str, ...]:
    """What losses and metrics call the outputs: keys of a dict of outputs, or names of layers."""
    config = architecture.config.get("config")
    ends = config.get("output_layers") if isinstance(config, dict) else None
    if isinstance(ends, dict) and len(ends) == len(architecture.outputs):
        return tuple(ends)
    return tuple(route.rpartition("/")[2] for route in architecture.outputs)


def compiled_losses(
    training: Mapping[str, Json] | None, outputs: Sequence[str]
) -> tuple[CompiledLoss | None, ...]:
    """The loss of each output; None where there is none or its form is unknown.

    Args:
        training: the saved `training_config` or `compile_config`.
        outputs: `named_outputs`.
    """
    given = training.get("loss") if training else None
    hdf5 = training is not None and "optimizer_config" in training
    if isinstance(given, list):
        each = given if len(given) == len(outputs) else [None] * len(outputs)
        return tuple(_loss(one, hdf5) for one in each)
    if isinstance(given, dict) and "class_name" not in given:
        return tuple(_loss(given.get(name), hdf5) for name in outputs)
    return (_loss(given, hdf5),) * len(outputs)


def _loss(value: Json, in_hdf5: bool) -> CompiledLoss | None:
    name = activation(value)  # losses are saved in the same forms as activations
    if not name:
        return None
    plain = _WORD.sub("_", name).lower()
    config = value.get("config") if isinstance(value, dict) else None
    config = config if isinstance(config, dict) else {}
    axis, smoothing = config.get("axis"), config.get("label_smoothing")
    return CompiledLoss(
        _SHORT.get(plain, plain),
        from_logits=config.get("from_logits") is True,
        axis=axis if isinstance(axis, int) else -1,
        smoothing=number(smoothing) or 0.0,
        summed=config.get("reduction") == "sum",
        by_name=value.get("class_name") == "function" if isinstance(value, dict) else in_hdf5,
    )
