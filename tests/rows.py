"""Result rows for tests: only what a test is about has to be said."""

from __future__ import annotations

from modelaudit.facts import Provenance
from modelaudit.findings import Severity, Verdict
from modelaudit.result_row import ResultRow, RowFinding


def finding(fingerprint="f", code="MA101", severity="high", **more) -> RowFinding:
    values = {"name": "some-rule", "detail": "So.", **more}
    return RowFinding(code=code, severity=Severity(severity), fingerprint=fingerprint, **values)


def row(path="a.h5", verdict="pass", *findings, keras=None, **more) -> ResultRow:
    """The row of one model; findings are made ones or fingerprints."""
    values = {
        "slug": path,
        "format": "keras_v3",
        "format_label": "Keras",
        "reason": "So it is.",
        "sha256": "aa",
        "bytes": 1,
        "exit": 0,
        "created": "2026-01-02T03:04:05Z",
        "saved_with": Provenance(keras=keras),
        **more,
    }
    made = tuple(each if isinstance(each, RowFinding) else finding(each) for each in findings)
    return ResultRow(path=path, verdict=Verdict(verdict), findings=made, **values)
