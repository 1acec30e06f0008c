"""Build every model that needs TensorFlow, in one process: `python -m tests.made.build DIR`.

`DIR/golden.npz` holds the images `x`, shape (4, 8, 8, 3), and under each model's name the scores
that it gave before it was saved.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.made import keras_models, tensorflow_models

BUILDERS = (
    keras_models.keras3,
    keras_models.keras2,
    tensorflow_models.module_saved_model,
    tensorflow_models.tf1,
)


def build(folder: Path) -> None:
    """Write all models and `golden.npz` into an existing folder."""
    x = np.random.default_rng(6).random((4, 8, 8, 3), dtype=np.float32)
    golden = {"x": x}
    for builder in BUILDERS:
        golden |= builder(folder, x)
    np.savez(folder / "golden.npz", **golden)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
