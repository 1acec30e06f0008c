"""Every stored tensor, and one digest over all weights."""

from __future__ import annotations

import hashlib

from modelaudit.audit_types.kernels import InitialState
from modelaudit.audit_types.weights import TensorRow, WeightsSection
from modelaudit.facts import Artifact, Shape, Tensor
from modelaudit.rules.model import Facts

WEIGHT_ROLES = frozenset({"weight"})


def weights_digest(section: WeightsSection) -> str:
    """One digest over the digests of all weights, independent of the file format.

    The state of random generators is excluded, because only exported SavedModels contain it.
    "" if the section lists no weights, or one without a digest.
    """
    digests = [
        tensor.sha256 or ""
        for tensor in section.tensors
        if tensor.role in WEIGHT_ROLES and not is_seed(tensor.shape, tensor.dtype)
    ]
    if not digests or not all(digests):
        return ""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:32]


def is_seed(shape: Shape, dtype: str) -> bool:
    """Whether it is the state of a Keras SeedGenerator: two integers."""
    return shape == (2,) and dtype in {"int64", "uint32"}


def parameters(artifact: Artifact) -> list[Tensor]:
    """The tensors that Keras counts as parameters: all weights except generator state."""
    weights = (tensor for tensor in artifact.tensors if tensor.role in WEIGHT_ROLES)
    return [each for each in weights if not is_seed(each.shape, each.dtype)]


def weights_section(facts: Facts) -> WeightsSection:
    """Every stored tensor with its digest and statistics."""
    artifact = facts.artifact
    measured = facts.measurements.initialization if facts.measurements else ()
    states = {kernel.tensor: kernel.state for kernel in measured}
    weights = parameters(artifact)
    return WeightsSection(
        tensors=tuple(_tensor(tensor, states.get(tensor.name)) for tensor in artifact.tensors),
        total=sum(tensor.size for tensor in weights),
        bytes=sum(tensor.nbytes for tensor in weights),
        optimizer=sum(t.size for t in artifact.tensors if t.role == "optimizer"),
    )


def _tensor(tensor: Tensor, state: InitialState | None) -> TensorRow:
    stats = tensor.stats
    return TensorRow(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        role=tensor.role,
        size=tensor.size,
        sha256=tensor.sha256,
        min=stats.minimum if stats else None,
        max=stats.maximum if stats else None,
        mean=stats.mean if stats else None,
        std=stats.std if stats else None,
        zeros=stats.zeros if stats else None,
        nonfinite=stats.nonfinite if stats else None,
        initialization=state,
    )
