"""What a given TensorFlow and Keras accept, and which of them load a model."""

from __future__ import annotations

from modelaudit.runtimes.model import Predicted, Prediction, Reason
from modelaudit.runtimes.predict import predict
from modelaudit.runtimes.profile import default_targets

__all__ = ["Predicted", "Prediction", "Reason", "default_targets", "predict"]
