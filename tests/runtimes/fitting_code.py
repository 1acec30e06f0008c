"""Predictions of models of a program whose code fits the file.

These tests do not give the code, or several of its classes could be that of the weights, so that a
prediction is conditional where nothing in the file stops the call.
"""

from __future__ import annotations

from collections.abc import Iterable

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.source_code.classes import SourceCode
from modelaudit.runtimes.model import LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.structs import replace


def if_it_fits(prediction: Prediction) -> LoadOutcome:
    """The outcome where the only condition is that the code fits the file."""
    return fitting(prediction).predicted


def causes(prediction: Prediction) -> set[str]:
    """The codes of reasons but for that condition."""
    return {each.code for each in fitting(prediction).because}


def fitting(prediction: Prediction) -> Prediction:
    """The prediction without that condition."""
    if prediction.predicted is not LoadOutcome.CONDITIONAL:
        return prediction
    return replace(prediction, predicted=LoadOutcome.LOADS, because=())


def fitting_predictions(
    artifact: Artifact,
    asked: Iterable[tuple[RuntimeProfile, LoadRequest]],
    code: SourceCode | None = None,
) -> tuple[Prediction, ...]:
    """As `predict_calls`."""
    return tuple(map(fitting, predict_calls(artifact, asked, code)))
