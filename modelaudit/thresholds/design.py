"""Thresholds on what a saved architecture says by itself."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

ERASING = Threshold(
    0.9,
    "",
    "dropout rate from which training sees too little of a layer to learn from it",
    "Keras' examples use 0.1 to 0.6; with 0.9, a layer of 64 units passes on 6 of them",
)
IMAGE_SIDE = Threshold(
    16,
    "pixels",
    "side from which two equal axes of an input are taken for those of an image",
    "the smallest common images have 16 pixels; fewer equal numbers occur by chance",
)
