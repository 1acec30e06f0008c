"""The weights that audits list, compared without their values."""

from __future__ import annotations

from modelaudit.audit_types.values import finite
from modelaudit.audit_types.weights import TensorRow
from modelaudit.facts import TensorStats
from modelaudit.restore.compare import compare
from modelaudit.restore.model import Weight, WeightComparison
from modelaudit.schema import Audit


def compare_audited(old: Audit, new: Audit) -> WeightComparison:
    """Compares the weights of two audits by digests and statistics."""
    return compare(audited_weights(old), audited_weights(new))


def audited_weights(audit: Audit) -> list[Weight]:
    """The weights that an audit lists, with digests and statistics."""
    return [
        Weight((row.name,), row.shape, row.dtype, row.sha256, _stats(row))
        for row in audit.weights.tensors
        if row.role == "weight" and row.sha256
    ]


def _stats(row: TensorRow) -> TensorStats | None:
    low, high, mean, std = map(finite, (row.min, row.max, row.mean, row.std))
    if low is None or high is None or mean is None or std is None:
        return None
    return TensorStats(low, high, mean, std, row.zeros or 0, row.nonfinite or 0)
