"""The types of the training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Random = np.random.Generator
Drawn = tuple[NDArray[np.generic], NDArray[np.generic], int]  # inputs, targets, classes or 0
