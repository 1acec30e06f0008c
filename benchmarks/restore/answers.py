"""What models of the restore benchmark answer, and how far answers are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.restore.nets import Net, leaves

Values = list[np.ndarray]
ROUNDING = 1e-6  # relative to the largest output


def probes(k: Any, net: Net) -> Values:
    """Half of the rows are data of the task; the others are random, any known token included."""
    rng = np.random.default_rng(5)
    known, _ = net.data(rng, 32)
    model = net.build(k)
    embeddings = [x for x in leaves(model) if type(x).__name__ == "Embedding"]
    rows = {x.input.name: x.input_dim for x in embeddings}
    found = []
    for i, array in zip(model.inputs, known, strict=True):
        if array.dtype.kind == "i":
            wild = rng.integers(0, rows[i.name], array.shape)
        else:
            wild = rng.normal(array.mean(axis=0), array.std(axis=0) + 0.1, array.shape)
        found.append(np.concatenate([array, wild.astype(array.dtype)]))
    return found


def called(model: Any, inputs: Values) -> Values:
    """The outputs of a model of either Keras, not in training."""
    found = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    return [np.asarray(x) for x in tf.nest.flatten(found)]


def difference(wanted: Values, found: Values) -> str:
    """The largest difference as a number, `equal` up to rounding, or why there is no number."""
    if [x.shape for x in wanted] != [x.shape for x in found]:
        return "other shapes"
    if not all(np.isfinite(x).all() for x in found):
        return "not finite"
    pairs = list(zip(wanted, found, strict=True))
    worst = max(float(np.abs(a.astype(float) - b).max()) for a, b in pairs)
    largest = max(float(np.abs(a).max()) for a, _ in pairs)
    return "equal" if worst <= ROUNDING * (1 + largest) else f"{worst:.3g}"


def asked(severity: str, effect: str) -> str:
    """The severity to ask for: medium at most if the outputs are equal."""
    return "medium" if effect == "equal" and severity == "high" else severity
