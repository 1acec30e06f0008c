"""What the lists of models share: inputs, the same in every runtime, training and functions."""

from __future__ import annotations

import numpy as np

IN_KERAS_2 = {
    "mean": "reduce_mean",
    "sum": "reduce_sum",
    "max": "reduce_max",
    "std": "math.reduce_std",
    "concatenate": "concat",
}


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


def functions(k, *names):
    """Functions on tensors: `keras.ops` in Keras 3, TensorFlow's in Keras 2."""
    if hasattr(k, "ops"):
        return [getattr(k.ops, name) for name in names]
    import tensorflow as tf

    found = []
    for name in names:
        place = tf
        for part in IN_KERAS_2.get(name, name).split("."):
            place = getattr(place, part)
        found.append(place)
    return found


def adam(k, rate, **given):
    """Adam with its rate of learning under the old name, where that is known."""
    try:
        return k.optimizers.Adam(lr=rate, **given)
    except (TypeError, ValueError):
        return k.optimizers.Adam(learning_rate=rate, **given)
