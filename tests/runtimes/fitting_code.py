"""Predictions of models of a program whose code fits the file, where it is not given or
where several of its classes could be that of the weights.
"""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.model import Prediction


def if_it_fits(prediction: Prediction) -> LoadOutcome:
    """The outcome where the only condition is that the code fits the file."""
    found = prediction.predicted
    return LoadOutcome.LOADS if found is LoadOutcome.CONDITIONAL else found


def causes(prediction: Prediction) -> set[str]:
    """The codes of reasons but for that condition."""
    found = (each for each in prediction.because if each.predicted is not LoadOutcome.CONDITIONAL)
    return {each.code for each in found}
