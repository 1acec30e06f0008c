"""Audit saved TensorFlow and Keras models without trusting them.

    import modelaudit

    for audit in modelaudit.audit("models/"):
        print(audit.verdict, audit.reason)

Judge models:       `audit`, `scan` (files alone), `explain`, `compare`, `nightly`
Write:              `write_report`, `repair`
In your own code:   `record` and `golden.callback` when saving, `prove_restored` after loading

`help(modelaudit.audit)` describes a function. All take `Settings`, with the defaults of the command
line. Deliberate errors are a `ModelAuditError`. An `Audit`, a comparison and a run show themselves
in notebooks, and `to_frame()` makes them pandas frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelaudit.api import audit, compare, explain, nightly, repair, scan, write_report
    from modelaudit.audit_types.diagnosis import Diagnosis
    from modelaudit.audit_types.repair import Repair
    from modelaudit.errors import ModelAuditError
    from modelaudit.findings import Finding, Severity, Verdict
    from modelaudit.golden import record
    from modelaudit.report.export.job import ReportOptions
    from modelaudit.restore_api import prove_restored
    from modelaudit.runs.compare_models import ModelDiff
    from modelaudit.runs.progress import Progress
    from modelaudit.runs.run_result import RunResult
    from modelaudit.runs.scan import ScanResult
    from modelaudit.schema import Audit
    from modelaudit.settings import Limits, ProbeSettings, Settings

__version__ = "0.1.0"
__all__ = [
    "Audit",
    "Diagnosis",
    "Finding",
    "Limits",
    "ModelAuditError",
    "ModelDiff",
    "ProbeSettings",
    "Progress",
    "Repair",
    "ReportOptions",
    "RunResult",
    "ScanResult",
    "Settings",
    "Severity",
    "Verdict",
    "audit",
    "compare",
    "explain",
    "nightly",
    "prove_restored",
    "record",
    "repair",
    "scan",
    "write_report",
]

_HOMES = {
    "audit": "modelaudit.api",
    "compare": "modelaudit.api",
    "explain": "modelaudit.api",
    "nightly": "modelaudit.api",
    "prove_restored": "modelaudit.restore_api",
    "record": "modelaudit.golden",
    "repair": "modelaudit.api",
    "scan": "modelaudit.api",
    "write_report": "modelaudit.api",
    "Audit": "modelaudit.schema",
    "Diagnosis": "modelaudit.audit_types.diagnosis",
    "Finding": "modelaudit.findings",
    "Limits": "modelaudit.settings",
    "ModelAuditError": "modelaudit.errors",
    "ModelDiff": "modelaudit.runs.compare_models",
    "ProbeSettings": "modelaudit.settings",
    "Progress": "modelaudit.runs.progress",
    "Repair": "modelaudit.audit_types.repair",
    "ReportOptions": "modelaudit.report.export.job",
    "RunResult": "modelaudit.runs.run_result",
    "ScanResult": "modelaudit.runs.scan",
    "Settings": "modelaudit.settings",
    "Severity": "modelaudit.findings",
    "Verdict": "modelaudit.findings",
}
_MODULES = ("golden",)  # whose functions are used by their full names


def __getattr__(name: str) -> object:
    """The public names, imported when first used: the command line starts without numpy."""
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Also the public names that nobody has used yet."""
    return sorted({*globals(), *__all__, *_MODULES})
