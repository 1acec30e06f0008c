"""Audit saved TensorFlow and Keras models without trusting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelaudit.api import audit, compare, explain, nightly, scan, write_report
    from modelaudit.errors import ModelAuditError
    from modelaudit.findings import Finding, Severity, Verdict
    from modelaudit.golden import record
    from modelaudit.restore_api import prove_restored
    from modelaudit.schema import Audit
    from modelaudit.settings import Limits, ProbeSettings, Settings

__version__ = "0.1.0"
__all__ = [
    "Audit",
    "Finding",
    "Limits",
    "ModelAuditError",
    "ProbeSettings",
    "Settings",
    "Severity",
    "Verdict",
    "audit",
    "compare",
    "explain",
    "nightly",
    "prove_restored",
    "record",
    "scan",
    "write_report",
]

_HOMES = {
    "audit": "modelaudit.api",
    "compare": "modelaudit.api",
    "explain": "modelaudit.api",
    "nightly": "modelaudit.api",
    "scan": "modelaudit.api",
    "write_report": "modelaudit.api",
    "prove_restored": "modelaudit.restore_api",
    "record": "modelaudit.golden",
    "Audit": "modelaudit.schema",
    "Finding": "modelaudit.findings",
    "Limits": "modelaudit.settings",
    "ModelAuditError": "modelaudit.errors",
    "ProbeSettings": "modelaudit.settings",
    "Settings": "modelaudit.settings",
    "Severity": "modelaudit.findings",
    "Verdict": "modelaudit.findings",
}


def __getattr__(name: str) -> object:
    """The public names, imported when first used: the command line starts without numpy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Also the public names that nobody has used yet."""
    return sorted({*globals(), *__all__})
