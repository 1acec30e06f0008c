"""Weights of a Discretization that learns its bins: a weight in Keras 2 and none in Keras 3.

Keras 2 keeps a summary of the data that the layer was adapted to, or would be. A layer that was
given its bins has no weights in either. (Of all layers with a state that is no plain weight, it is
the only one that one generation counts and the other does not.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason

_SUMMARY = "summary"
_GROUP = re.compile(r"(?:.*/)?discretization(?:_[0-9]+)?")


def learnt_bins_in_keras3(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Legacy HDF5 weights of Keras 2 for Keras 3, which counts the layers with weights."""
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    for name, listed in groups.items() if context.profile.keras3 else ():
        variables = [str(each).rpartition("/")[2].partition(":")[0] for each in sequence(listed)]
        if variables == [_SUMMARY] and _is_summary(artifact, str(name)):
            yield Reason(
                "learnt-bins",
                LoadOutcome.FAILS,
                f"`{name}` is a Discretization that learns its bins, with a weight in Keras 2 "
                f"only, so that {context.profile.name} expects weights of one layer less",
                "ValueError: Layer count mismatch when loading weights from file. Model expected"
                if not context.request.by_name
                else "",
                "Load it into the model with tf-keras, and save the weights there as .weights.h5.",
                str(name),
            )
            return


def _is_summary(artifact: Artifact, layer: str) -> bool:
    """Whether the only weight of a layer has two rows, as the bins and how many values each has."""
    return any(
        len(tensor.shape) == 2 and tensor.shape[0] == 2
        for tensor in weights(artifact)
        if tensor.name.startswith(f"{layer}/")
    )


def learnt_bins_in_keras2(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """`.weights.h5` of Keras 3 for Keras 2, which looks for the weight of such a layer."""
    if context.profile.keras3 or context.request.call is not LoadCall.LOAD_WEIGHTS:
        return
    groups = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    held = {tensor.name.rpartition("/vars/")[0] for tensor in weights(artifact)}
    for route, name in groups.items():
        group = str(route).removesuffix("/vars")
        if _GROUP.fullmatch(group) and group not in held:
            yield Reason(
                "learnt-bins",
                LoadOutcome.UNKNOWN,
                f"`{name}` is a Discretization; if it learns its bins (`adapt`), "
                f"{context.profile.name} looks for a weight of it, which Keras 3 does not have",
                "ValueError: Layer '…' expected 1 variables, but received 0 variables",
                "Give the layer its bins (bin_boundaries=...) in the code.",
                str(name),
            )
            return
