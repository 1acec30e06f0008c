"""Sizes that do not fit: of inputs that are no integers, and of variables of another save."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json
from modelaudit.formats.keras.json_config import sequence
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import UPGRADE, Config
from modelaudit.runtimes.version_bounds import (
    DENSE_WITH_UNITS,
    RECURRENT_WITH_UNITS,
    WHOLE_SIZES,
)

SHAPES = ("batch_input_shape", "batch_shape", "input_shape")  # of a layer's inputs
_DENSE, _UNITS, _COLUMNS = "Dense", "units", 2


def check_sizes(config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """The first size of a layer's input that is a fraction, such as 270.0."""
    if not WHOLE_SIZES.holds(context.profile):
        return
    for key in SHAPES:
        fractions = [size for size in sequence(config.get(key)) if isinstance(size, float)]
        if fractions:
            whole = all(size.is_integer() for size in fractions)
            yield Reason(
                "size-not-integer",
                LoadOutcome.FAILS,
                f"{key} of `{route}` has the size {fractions[0]!r}, which is not an integer",
                f"Cannot convert '…' to a shape. Found invalid … '{fractions[0]!r}' of type "
                "'<class 'float'>'"
                if context.profile.keras3
                else "Dimension value must be integer or None or have an __index__ "
                f"method, got …{fractions[0]!r}",
                "Write the sizes in the config as integers."
                if whole
                else f"Build the model from code with integers as sizes, or {UPGRADE}.",
                route,
                repairs=whole,
            )
            return


def no_units(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A layer of 0 units, as code makes it that divides a small number of channels."""
    recurrent = has(name, Trait.RECURRENT) or has(name, Trait.RECURRENT_CELL)
    bound = RECURRENT_WITH_UNITS if recurrent else DENSE_WITH_UNITS
    known = recurrent or name == _DENSE
    if known and config.get(_UNITS) == 0 and bound.holds(context.profile):
        yield _without_units(f"`{route}` ({name}) has 0 units", context, route)


def no_columns(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A kernel without columns in a class of the program that makes Dense layers."""
    if not DENSE_WITH_UNITS.holds(context.profile):
        return
    parts = [part for owner in context.classes for part in context.code.parts(owner)]
    makes = any(made.name.endswith(f".layers.{_DENSE}") for part in parts for made in part.made)
    for tensor in artifact.tensors if makes else ():
        shape = tensor.shape
        if tensor.role == "weight" and len(shape) == _COLUMNS and shape[0] and shape[1] == 0:
            yield _without_units(f"`{tensor.name}` has no columns: 0 units", context, tensor.name)
            return


def _without_units(what: str, context: CheckContext, route: str) -> Reason:
    return Reason(
        "argument-refused",
        LoadOutcome.FAILS,
        f"{what}, which {context.profile.name} does not accept",
        "ValueError: Received an invalid value for `units`, expected a positive integer…",
        "Build the model from code with at least one unit, and train it.",
        route,
    )


def as_integers(shape: Json) -> Json:
    """A shape with whole sizes as integers; anything else as it is."""
    if not isinstance(shape, list):
        return shape
    return [int(size) if isinstance(size, float) and size.is_integer() else size for size in shape]


def shapes(artifact: Artifact) -> Iterator[Reason]:
    """Variables whose values in the checkpoint have another shape, which restoring refuses."""
    restore = artifact.extra.get("restore")
    found = restore.get("shapes") if isinstance(restore, dict) else None
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, dict):
            continue
        expected, stored = each.get("expected"), each.get("stored")
        if isinstance(expected, list) and isinstance(stored, list):
            yield Reason(
                "shape-of-variable",
                LoadOutcome.FAILS,
                f"the variable `{each.get('name')}` has the shape {expected}, and its value in "
                f"variables/ {stored}",
                f"ValueError: Received incompatible tensor with shape {_tuple(stored)} when "
                f"attempting to restore variable with shape {_tuple(expected)}",
                "Put graph and variables of the same save together, or export the model again.",
                f"variables/{each.get('name')}",
            )
            return


def _tuple(shape: list[Json]) -> str:
    return str(tuple(shape))
