"""Input arrays of the models of the loading benchmark, the same in every runtime."""

from __future__ import annotations

import numpy as np


def floats(*shape):
    """Uniform in [-1, 1], float32."""
    return np.random.RandomState(sum(shape)).uniform(-1.0, 1.0, shape).astype("float32")


def integers(high, *shape):
    """Uniform in [1, high), int32."""
    return np.random.RandomState(sum(shape)).randint(1, high, shape).astype("int32")


def words(*texts):
    """One text a row."""
    return np.array([[text] for text in texts], dtype=object)


def trained(model, inputs, *targets):
    """The model after one step of training, so that its optimizer has all its variables."""
    model.fit(
        inputs if len(inputs) > 1 else inputs[0],
        list(targets) if len(targets) > 1 else targets[0],
        verbose=0,
    )
    return model
