"""Numbers from -1 to 1 as the colours of an image."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

# Brown to purple: distinguishable with red-green colour blindness.
COLOURS = colormaps["PuOr"]


def png(values: NDArray[np.float64]) -> bytes:
    """A 2-D array as PNG, one pixel per number; NaN is transparent."""
    pixels = COLOURS(np.ma.masked_invalid((values + 1) / 2), bytes=True)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    return buffer.getvalue()
