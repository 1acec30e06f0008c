"""The report's charts: only those whose numbers an audit holds."""

from __future__ import annotations

from modelaudit.report.charts import architecture, behaviour, kernels, residuals
from modelaudit.report.charts.style import Chart
from modelaudit.schema import Audit


def build(audit: Audit) -> tuple[Chart, ...]:
    """All charts of one audit in reading order."""
    makers = (
        behaviour.flips,
        behaviour.orientation,
        behaviour.answers,
        residuals.residuals,
        architecture.receptive_field,
        kernels.symmetry,
        kernels.gallery,
    )
    return tuple(chart for make in makers if (chart := make(audit)) is not None)
