"""Figures of a run in the text format of Prometheus, for node-exporter's directory of text files.

Format: Prometheus documentation, "Exposition formats", text-based, version 0.0.4.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.findings import Severity, Verdict
from modelaudit.registry.output_directory import write_atomic
from modelaudit.runs.run_result import RunResult


def write_metrics(path: Path, ran: RunResult, started: float) -> None:
    """Write the figures of a run that ends now.

    Args:
        path: the file; it is replaced at once, since it may be read at any time.
        started: seconds since the epoch.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        write_atomic(path, ("\n".join(_lines(ran, started, time.time())) + "\n").encode())
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}") from error


def _lines(ran: RunResult, started: float, ended: float) -> Iterator[str]:
    verdicts = [row.verdict for row in ran.rows]
    severities = {level.value: 0 for level in Severity}
    for row in ran.rows:
        for level, count in row.severities.items():
            severities[level] += count
    registry = {"registry": ran.found.root}
    yield from _gauge(
        "models",
        "Models in the registry, by verdict.",
        {verdict.value: verdicts.count(verdict) for verdict in Verdict},
        registry,
        "verdict",
    )
    yield from _gauge(
        "findings", "Findings without waiver, by severity.", severities, registry, "severity"
    )
    for name, text, value in (
        ("models_audited", "Models audited in this run, and not reused.", ran.audited),
        ("models_changed", "Models that changed since the run before.", len(ran.changes)),
        ("paths_not_searched", "Paths that could not be searched.", len(ran.found.problems)),
        ("run_exit_code", "Exit code of the whole run.", ran.code.value),
        ("run_end_timestamp_seconds", "When the run ended.", round(ended, 3)),
        ("run_duration_seconds", "How long the run took.", round(ended - started, 3)),
    ):
        yield from _gauge(name, text, {"": value}, registry)


def _gauge(
    name: str,
    text: str,
    values: Mapping[str, float],
    labels: Mapping[str, str],
    by: str = "",
) -> Iterator[str]:
    """A gauge with one sample for each value, which the label `by` tells apart."""
    yield f"# HELP modelaudit_{name} {text}"
    yield f"# TYPE modelaudit_{name} gauge"
    for key, value in values.items():
        told = {**labels, by: key} if by else labels
        inner = ",".join(f'{label}="{_escaped(content)}"' for label, content in told.items())
        yield f"modelaudit_{name}{{{inner}}} {value}"


def _escaped(text: str) -> str:
    plain = text.encode("utf-8", "backslashreplace").decode()
    return plain.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
