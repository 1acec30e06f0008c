"""The report's charts: those that the audit has data for."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.charts import (
    answers,
    directions,
    equivariance,
    kernels,
    receptive_field,
    sensitivity,
    transform_effects,
)
from modelaudit.report.charts.style import PAGE, PHONE, Chart, Paper
from modelaudit.schema import Audit
from modelaudit.structs import replace


def build(audit: Audit) -> tuple[Chart, ...]:
    """All charts of one audit in reading order."""
    makers: tuple[Callable[[Audit, Paper], Chart | None], ...] = (
        transform_effects.flips,
        sensitivity.sensitivity,
        receptive_field.receptive_field,
    )
    if words_for(audit.model.modality).oriented:
        makers = (
            transform_effects.flips,
            _orientation,
            answers.answers,
            sensitivity.sensitivity,
            equivariance.residuals,
            receptive_field.receptive_field,
            kernels.symmetry,
            kernels.gallery,
            directions.directions,
        )
    return tuple(
        replace(chart, phone=make(audit, PHONE))
        for make in makers
        if (chart := make(audit, PAGE)) is not None
    )


def _orientation(audit: Audit, paper: Paper) -> Chart | None:
    """Accuracy by orientation if there are labels, otherwise information by orientation."""
    return answers.right(audit, paper) or answers.orientation(audit, paper)
