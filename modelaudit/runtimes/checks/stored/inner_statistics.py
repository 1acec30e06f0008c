"""Statistics of a Normalization in a model inside, in legacy HDF5 weights for Keras 3.

Keras 3 reads them, and goes on computing with the copies that the layer made before: it refreshes
the copies only in layers of the whole model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Json, Shape
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.runtimes.model import CheckContext, Reason

_STATISTICS = {"mean", "variance", "count"}
_NAME = "norm"  # in the names that programs and Keras give to the layer itself


def inner_statistics(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first model inside that has statistics: a group with others, or of another name."""
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    # A layer that is also one of the whole model is refreshed as such.
    refreshed = [
        _shapes(sequence(listed), artifact)
        for listed in groups.values()
        if len(sequence(listed)) == len(_STATISTICS)
    ]
    for name, listed in groups.items() if context.profile.keras3 else ():
        held = [str(each).rpartition("/")[2].partition(":")[0] for each in sequence(listed)]
        others = len(held) > len(_STATISTICS) or _NAME not in str(name).lower()
        if {*held} >= _STATISTICS and others:
            if _shapes(sequence(listed), artifact) in refreshed:
                continue
            yield Reason(
                "normalization-not-refreshed",
                LoadOutcome.DIFFERS,
                f"`{name}` is a model with a Normalization layer, whose statistics "
                f"{context.profile.name} reads, but it goes on computing with those that the code "
                "gave it",
                "no error",
                "Call finalize_state() of the layer after the weights were loaded.",
                str(name),
                unless="the code adapts the layer to the same data",
            )
            return


def _shapes(names: Sequence[Json], artifact: Artifact) -> dict[str, Shape]:
    """Statistic -> its shape, among the weights of a group."""
    found = {str(each).rpartition("/")[2].partition(":")[0]: str(each) for each in names}
    tensors = {each: artifact.by_name.get(found[each]) for each in _STATISTICS & {*found}}
    return {each: tensor.shape for each, tensor in tensors.items() if tensor is not None}
