"""What a given TensorFlow and Keras accept, and which of them load a model."""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.runtimes.catalogue import default_targets
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.runtimes.predict import predict

__all__ = ["LoadOutcome", "Prediction", "Reason", "default_targets", "predict"]
