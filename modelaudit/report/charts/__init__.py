"""The report's charts: those that the audit has data for."""

from __future__ import annotations

from dataclasses import replace

from modelaudit.report.charts import (
    answers as behaviour,
)
from modelaudit.report.charts import (
    equivariance as residuals,
)
from modelaudit.report.charts import (
    kernels,
)
from modelaudit.report.charts import (
    receptive_field as architecture,
)
from modelaudit.report.charts import (
    transform_effects as flips,
)
from modelaudit.report.charts.style import PAGE, PHONE, Chart, Paper
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
    return tuple(
        replace(chart, phone=make(audit, PHONE))
        for make in makers
        if (chart := make(audit, PAGE)) is not None
    )


def _orientation(audit: Audit, paper: Paper) -> Chart | None:
    """Accuracy by orientation if there are labels, otherwise information by orientation."""
    return behaviour.right(audit, paper) or behaviour.orientation(audit, paper)
