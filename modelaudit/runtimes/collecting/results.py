"""Experiments on what layers without weights compute, and on the names in checkpoints."""

from __future__ import annotations

import importlib

from .signatures import AnyObject

# Layers whose inference has changed between versions, or may: class -> arguments.
COMPUTING: dict[str, list[dict[str, AnyObject]]] = {
    "CenterCrop": [{"height": 3, "width": 4}, {"height": 9, "width": 9}],
    "RandomCrop": [{"height": 3, "width": 4}, {"height": 9, "width": 9}],
    "Resizing": [
        {"height": 3, "width": 9, "interpolation": kind}
        for kind in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian")
    ],
}


def computed(keras: AnyObject) -> dict[str, list[AnyObject]]:
    """Class -> for each of its cases a number that depends on every output, at inference.

    A case that this version does not accept has none.
    """
    numpy = importlib.import_module("numpy")
    data = numpy.random.RandomState(3).uniform(0, 255, (2, 6, 7, 3)).astype("float32")
    found: dict[str, list[AnyObject]] = {}
    for name, cases in sorted(COMPUTING.items()):
        cls = getattr(keras.layers, name, None)
        if cls is None:
            continue
        found[name] = []
        for case in cases:
            try:
                layer = cls(**case)
                options = {"training": False} if name == "RandomCrop" else {}
                output = numpy.asarray(layer(data, **options), "float64")
                weights = numpy.cos(numpy.arange(output.size)).reshape(output.shape)
                found[name].append(round(float((output * weights).mean()), 3))
            except Exception:
                found[name].append(None)
    return found


def checkpoint_names(keras: AnyObject) -> list[str]:
    """Keras 3: names under which a checkpoint of a model lists its parts."""
    layers = keras.layers
    start = layers.Input(batch_shape=(2, 4, 3))
    value = layers.GRU(3, stateful=True, return_sequences=True)(start)
    value = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(value)
    value = layers.TimeDistributed(layers.Dense(3))(value)
    value = layers.MultiHeadAttention(1, 2)(value, value)
    value = layers.BatchNormalization()(layers.Dropout(0.5)(layers.Conv1D(2, 2)(value)))
    value = layers.Normalization()(layers.LayerNormalization()(value))
    inner = keras.Sequential([layers.Dense(2), layers.PReLU()])
    tokens = layers.Input((4,))
    embedded = layers.RNN([layers.GRUCell(2), layers.LSTMCell(2)])(layers.Embedding(3, 2)(tokens))
    model = keras.Model([start, tokens], [inner(value), embedded])
    names, seen, left = set(), {id(model)}, [model]
    while left:
        for name, child in left.pop()._trackable_children().items():
            names.add(name)
            if id(child) not in seen:
                seen.add(id(child))
                left.append(child)
    return sorted(name for name in names if not name.isdigit())
