"""The report's charts: only those whose numbers an audit holds."""

from __future__ import annotations

from modelaudit.report.charts import architecture, behaviour, flips, kernels, residuals
from modelaudit.report.charts.style import Chart
from modelaudit.schema import Audit


def build(audit: Audit) -> tuple[Chart, ...]:
    """All charts of one audit in reading order."""
    makers = (
        flips.flips,
        _orientation,
        behaviour.answers,
        residuals.residuals,
        architecture.receptive_field,
        kernels.symmetry,
        kernels.gallery,
    )
    return tuple(chart for make in makers if (chart := make(audit)) is not None)


def _orientation(audit: Audit) -> Chart | None:
    """With labels what is right, else what is told: a report has room for one of the two."""
    return behaviour.right(audit) or behaviour.orientation(audit)
