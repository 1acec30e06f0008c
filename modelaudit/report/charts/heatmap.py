"""Numbers from -1 to 1 as the colours of a picture."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Brown over pale to purple: told apart by those who see no red or no green.
STOPS = np.linspace(-1, 1, 5)
COLOURS = np.array(
    [(122, 66, 10), (222, 150, 62), (246, 246, 246), (146, 130, 190), (50, 16, 92)],
    dtype=np.float64,
)


def png(values: NDArray[np.float64]) -> bytes:
    """A 2-D array as PNG, one pixel a number; what is no number is transparent."""
    known = np.isfinite(values)
    plain = np.where(known, values, 0.0)
    red, green, blue = (np.interp(plain, STOPS, COLOURS[:, i]) for i in range(3))
    pixels = np.stack([red, green, blue, np.where(known, 255.0, 0.0)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8), "RGBA").save(buffer, "PNG")
    return buffer.getvalue()
