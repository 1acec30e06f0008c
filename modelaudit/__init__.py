"""Audit saved TensorFlow and Keras models without trusting them."""

from __future__ import annotations

__version__ = "0.1.0"
