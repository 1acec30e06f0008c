"""The bodies of the models of `table.py`, from an input to features of an input."""

from __future__ import annotations

import numpy as np

WORDS = ["a", "model", "reads", "these", "words"]


def body(keras, name, kind):
    """Input and features; a kind's `options` change the shape, an activation, a window."""
    options, kl = dict(kind.options), keras.layers
    family, *more = BODIES[name]
    shape = options.get("shape", more[0])
    given = keras.Input(shape, dtype=more[1] if len(more) > 1 else None, name="given")
    x = given
    for layer in kind.front(kl):
        if isinstance(layer, kl.Normalization) and options.get("adapt"):
            layer.adapt(np.random.default_rng(1).normal(3, 2, (64, *shape)).astype("float32"))
        x = layer(x)
    x = family(keras, x, name, options)
    if options.get("gate"):
        x = kl.multiply([x, kl.Dense(1, activation="softmax", name="gate")(x)])
    return given, x


def _windows(kl, name, options, index):
    """A convolution, for the body of this name."""
    size = options.get("window", 3)
    strides = options.get("stride") or (2 if name == "strided" else 1)
    made = {"separable": kl.SeparableConv2D, "series": kl.Conv1D}.get(name, kl.Conv2D)
    wide = size > 3 or (options.get("shrink") and index)
    strides = 1 if index > 1 or size > 3 else strides
    said = options.get("act", "relu")
    return made(
        8,
        size,
        strides=strides,
        padding="same" if wide or "shape" in options else "valid",
        activation=said,
    )


def _image(keras, x, name, options):
    kl = keras.layers
    if name == "transfer":
        inner = keras.Sequential(
            [
                keras.Input(x.shape[1:]), _windows(kl, name, options, 0), kl.BatchNormalization(),
                _windows(kl, name, options, 2),
            ],
            name="base",
        )  # fmt: skip
        inner.trainable = False
        return kl.GlobalAveragePooling2D()(inner(x))
    flat = 1 if name == "series" else 2
    pool = getattr(kl, f"AveragePooling{flat}D")
    x = _windows(kl, name, options, 1 if options.get("shrink") else 0)(x)
    if name == "pooled":
        x = pool(2, padding="same")(x)
    if options.get("shrink"):
        x = _windows(kl, name, options, 2)(pool(int(x.shape[1]))(x))
    else:
        x = _windows(kl, name, options, 2)(x)
    if not options.get("flat", True):
        return x
    return getattr(kl, f"GlobalAveragePooling{flat}D")()(x) if name == "pooled" else kl.Flatten()(x)


def _table(keras, x, name, options):
    kl = keras.layers
    x = kl.Dense(16, activation=options.get("act", "relu"))(x)
    return x if name == "dense" or options.get("gate") or "flat" in options else kl.Flatten()(x)


def _recurrent(keras, x, name, options):
    kl, flat = keras.layers, options.get("flat", True) and not options.get("gate")
    said = {"activation": options.get("act", "tanh"), "return_sequences": not flat}
    if name == "stacked":
        x = kl.LSTM(8, activation=said["activation"], return_sequences=True)(x)
    if name == "bidirectional":
        return kl.Bidirectional(kl.LSTM(8, **said))(x)
    return {"gru": kl.GRU, "simple": kl.SimpleRNN}.get(name, kl.LSTM)(8, **said)(x)


def _attention(keras, x, _name, options):
    kl = keras.layers
    x = kl.LayerNormalization()(kl.add([x, kl.MultiHeadAttention(2, 4)(x, x)]))
    return x if not options.get("flat", True) or options.get("gate") else (
        kl.GlobalAveragePooling1D()(x)
    )  # fmt: skip


def _masked(keras, x, name, _options):
    kl = keras.layers
    words = name.startswith("words")
    x = kl.Embedding(50, 8, mask_zero=True)(x) if words else kl.Masking(0.0)(x)
    if name.endswith("max"):
        return kl.GlobalMaxPooling1D()(x)
    return kl.Flatten()(kl.Conv1D(8, 3, activation="relu")(x) if name.endswith("conv") else x)


def _lookup(keras, x, name, options):
    kl = keras.layers
    if name == "lookup_hash":
        x = kl.Hashing(20)(x)
    else:
        lookup = kl.TextVectorization(output_sequence_length=8)
        lookup.set_vocabulary(WORDS)
        x = lookup(x)
    x = kl.Embedding(options.get("room", 20), 8)(x)
    if name == "lookup_conv":
        x = kl.Conv1D(8, 3, activation="relu")(x)
    made = {"lookup_lstm": kl.LSTM, "lookup_gru": kl.GRU}.get(name)
    return made(8)(x) if made else kl.GlobalAveragePooling1D()(x)


BODIES = {
    **dict.fromkeys(("conv", "pooled", "strided", "separable", "transfer"), (_image, (32, 32, 3))),
    "series": (_image, (32, 3)), "dense": (_table, (12,)), "steps": (_table, (10, 4)),
    **dict.fromkeys(
        ("recurrent", "gru", "simple", "bidirectional", "stacked"), (_recurrent, (10, 4))
    ),
    "attention": (_attention, (10, 8)),
    **dict.fromkeys(("masked_flat", "masked_conv", "masked_max"), (_masked, (10, 4))),
    **dict.fromkeys(("words_flat", "words_conv"), (_masked, (10,), "int32")),
    **dict.fromkeys(
        ("lookup_mean", "lookup_lstm", "lookup_gru", "lookup_conv"), (_lookup, (), "string")
    ),
    "lookup_hash": (_lookup, (6,), "string"),
}  # fmt: skip
