"""Which cause explains what was seen, which were ruled out and by which control."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.diagnosis.procedure import diagnose

__all__ = ["Diagnosis", "diagnose"]
