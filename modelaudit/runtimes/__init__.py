"""What a given TensorFlow and Keras accept, and which of them load a model."""

from __future__ import annotations

from modelaudit.runtimes.catalogue import default_targets
from modelaudit.runtimes.model import LoadOutcome, Prediction, Reason
from modelaudit.runtimes.predict import predict

__all__ = ["LoadOutcome", "Prediction", "Reason", "default_targets", "predict"]
