"""What a given TensorFlow and Keras accept, and which of them load a model."""

from __future__ import annotations

from modelaudit.runtimes.catalogue import default_targets
from modelaudit.runtimes.model import Predicted, Prediction, Reason
from modelaudit.runtimes.predict import predict

__all__ = ["Predicted", "Prediction", "Reason", "default_targets", "predict"]
