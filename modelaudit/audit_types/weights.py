"""Every stored tensor with its digest and statistics."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from modelaudit.audit_types.kernels import InitialState
from modelaudit.audit_types.values import AuditSection, Count, Real


class TensorRow(AuditSection, frozen=True, kw_only=True):
    """One stored tensor. Statistics are null for tensors without numbers."""

    name: str
    """Name of the tensor in the file."""
    shape: tuple[int, ...]
    """Shape."""
    dtype: str
    """Data type."""
    role: str = ""
    """What the tensor is for: weight, optimizer, metric or other."""
    size: Count = 0
    """Number of values."""
    sha256: str | None
    """Digest of the values, alike in every format; null if they could not be read."""
    min: Real | None = None
    """Smallest finite value."""
    max: Real | None = None
    """Largest finite value."""
    mean: Real | None = None
    """Mean of the finite values."""
    std: Real | None = None
    """Population standard deviation of the finite values."""
    zeros: Count | None = None
    """Number of values that are zero."""
    nonfinite: Count | None = None
    """Number of values that are NaN or infinite."""
    initialization: InitialState | None = None
    """Whether the values are still those that the initializer draws; null if it was not tested."""


class WeightsSection(AuditSection, frozen=True, kw_only=True):
    """Every tensor of the file."""

    tensors: tuple[TensorRow, ...] = ()
    """The tensors, in the order of the file."""
    total: Count | UnsetType = UNSET
    """Number of parameters: values in all weights, without the state of random generators."""
    bytes: Count | UnsetType = UNSET
    """Size of those weights in bytes."""
    optimizer: Count = 0
    """Number of values that belong to the optimizer."""
