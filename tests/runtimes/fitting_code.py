"""Predictions of models of a program whose code is not given, but does fit the file."""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.model import Prediction


def if_it_fits(prediction: Prediction) -> LoadOutcome:
    """The outcome where the only condition is that the code fits the file."""
    found = prediction.predicted
    return LoadOutcome.LOADS if found is LoadOutcome.CONDITIONAL else found
