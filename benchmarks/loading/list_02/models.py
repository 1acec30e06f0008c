"""More models for `matrix.py`, made after the first ones had been compared."""

from __future__ import annotations

from benchmarks.loading.inputs import floats, integers


def recurrent_variants(k):
    """Recurrent layers with other options, one of them started from the state of another."""
    value = start = k.layers.Input((5, 3), name="series")
    value = k.layers.GRU(4, reset_after=False, return_sequences=True)(value)
    value = k.layers.SimpleRNN(3, activation="relu", return_sequences=True, unroll=True)(value)
    value, hidden, cell = k.layers.LSTM(3, return_state=True, unit_forget_bias=False)(value)
    again = k.layers.RepeatVector(2)(value)
    again = k.layers.LSTM(3)(again, initial_state=[hidden, cell])
    return k.Model(start, k.layers.Dense(2)(k.layers.Maximum()([again, value])))


def operators(k):
    """Python's operators on symbolic tensors."""
    start = k.layers.Input((4,), name="numbers")
    value = k.layers.Dense(4)(start)
    value = (value + start) * 0.5 - value[:, ::-1]
    return k.Model(start, k.layers.Dense(2)(value))


def volumes(k):
    """Three-dimensional convolutions and pooling with kept axes."""
    value = start = k.layers.Input((4, 6, 6, 2), name="volume")
    value = k.layers.Conv3D(3, 3, padding="same", activation="softplus")(value)
    value = k.layers.MaxPooling3D((1, 2, 2))(k.layers.ZeroPadding3D(1)(value))
    value = k.layers.Conv3DTranspose(2, 2, strides=(1, 2, 2))(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalAveragePooling3D()(value)))


def frames_of_models(k):
    """A Functional model for each frame."""
    image = k.layers.Input((6, 6, 1))
    seen = k.layers.Flatten()(k.layers.Conv2D(2, 3, activation="tanh")(image))
    inner = k.Model(image, k.layers.Dense(3)(seen), name="per_frame")
    start = k.layers.Input((3, 6, 6, 1), name="frames")
    value = k.layers.Bidirectional(k.layers.GRU(2))(k.layers.TimeDistributed(inner)(start))
    return k.Model(start, k.layers.Dense(2)(value))


def shared_layers(k):
    """One layer called three times, and an input that is also an output."""
    start = k.layers.Input((4,), name="numbers")
    layer = k.layers.Dense(4, activation="tanh", name="shared")
    once = layer(start)
    twice = layer(once)
    value = k.layers.Average()([once, twice, layer(twice)])
    return k.Model(start, [k.layers.Dense(2)(value), k.layers.Minimum()([once, twice])])


def augmented(k):
    """Augmentation and rescaling before a small network for images."""
    model = k.Sequential([k.layers.Input((8, 8, 3), name="image")])
    model.add(k.layers.RandomFlip("horizontal"))
    model.add(k.layers.RandomContrast(0.1))
    model.add(k.layers.Rescaling(1.0 / 127.5, offset=-1.0))
    model.add(k.layers.Conv2D(3, 3, strides=2, use_bias=False, activation="relu"))
    model.add(k.layers.SpatialDropout2D(0.2))
    model.add(k.layers.GlobalAveragePooling2D())
    model.add(k.layers.Dense(2, activation="softmax"))
    return model


def softmax_over_axes(k):
    """Softmax over two axes, and a mean over time of an embedding with a penalty."""
    start = k.layers.Input((5,), dtype="int32", name="tokens")
    penalty = k.regularizers.L2(0.01)
    value = k.layers.Embedding(9, 4, embeddings_regularizer=penalty)(start)
    value = k.layers.Softmax(axis=[1, 2])(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(value)))


def own_cell(k):
    """An RNN around a cell of the user's own."""
    import customs

    start = k.layers.Input((5, 3), name="series")
    return k.Model(start, k.layers.Dense(2)(k.layers.RNN(customs.GatedCell(3))(start)))


def two_towers(k):
    """Two towers of embeddings, with a product, a difference and a slice by operators."""
    left = k.layers.Input((3,), dtype="int32", name="left")
    right = k.layers.Input((3,), dtype="int32", name="right")
    table = k.layers.Embedding(9, 4, embeddings_constraint=k.constraints.UnitNorm(axis=1))
    one, two = (k.layers.GlobalMaxPooling1D()(table(each)) for each in (left, right))
    value = k.layers.Concatenate()([one * two, one - two])
    return k.Model([left, right], k.layers.Dense(1, activation="sigmoid")(value))


def convolved_series(k):
    """A convolutional LSTM over one dimension."""
    value = start = k.layers.Input((3, 6, 2), name="clips")
    value = k.layers.ConvLSTM1D(2, 3, padding="same")(value)
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(value)))


MODELS = {
    "operators": (operators, [floats(3, 4)]),
    "convolved_series": (convolved_series, [floats(2, 3, 6, 2)]),
    "recurrent_variants": (recurrent_variants, [floats(3, 5, 3)]),
    "volumes": (volumes, [floats(2, 4, 6, 6, 2)]),
    "frames_of_models": (frames_of_models, [floats(2, 3, 6, 6, 1)]),
    "shared_layers": (shared_layers, [floats(3, 4)]),
    "augmented": (augmented, [floats(2, 8, 8, 3) * 100]),
    "softmax_over_axes": (softmax_over_axes, [integers(9, 3, 5)]),
    "own_cell": (own_cell, [floats(3, 5, 3)]),
    "two_towers": (two_towers, [integers(9, 2, 3), integers(9, 2, 3)[::-1]]),
}
