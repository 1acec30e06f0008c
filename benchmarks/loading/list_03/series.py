"""Models of text and series as people build them, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words


def text_tfidf(k):
    """Words and pairs of words, weighted by their frequency."""
    texts = ["red green", "green blue red", "blue", "red red"]
    layer = k.layers.TextVectorization(max_tokens=12, ngrams=2, output_mode="tf_idf")
    layer.adapt(np.array(texts))
    start = k.layers.Input((1,), dtype="string", name="text")
    hidden = k.layers.Dense(4, activation="relu")(layer(start))
    return k.Model(start, k.layers.Dense(3, activation="softmax")(hidden))


def stateful_series(k):
    """Recurrent layers that keep their state between batches of two."""
    start = k.layers.Input(batch_shape=(2, 5, 3), name="series")
    value = k.layers.LSTM(4, stateful=True, return_sequences=True)(start)
    value = k.layers.GRU(3, stateful=True, recurrent_initializer="glorot_uniform")(value)
    return k.Model(start, k.layers.Dense(1, activation="linear")(value))


def cross_attention(k):
    """Attention of one sequence over another, with scores as an output."""
    query = k.layers.Input((4, 6), name="query")
    memory = k.layers.Input((5, 6), name="memory")
    attend = k.layers.MultiHeadAttention(2, 4, value_dim=3, dropout=0.1, output_shape=6)
    found, scores = attend(query, memory, return_attention_scores=True)
    value = k.layers.LayerNormalization(epsilon=1e-6)(k.layers.add([query, found]))
    again = k.layers.MultiHeadAttention(2, 3, use_bias=False, attention_axes=(1,))(value, memory)
    value = k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(again))
    return k.Model([query, memory], [value, scores])


def predicted_frames(k):
    """Convolutional LSTM layers over frames, with a volume as output."""
    start = k.layers.Input((3, 6, 6, 1), name="frames")
    options = {"padding": "same", "return_sequences": True, "recurrent_activation": "sigmoid"}
    value = k.layers.ConvLSTM2D(3, 3, dropout=0.1, **options)(start)
    value = k.layers.BatchNormalization()(value)
    value = k.layers.ConvLSTM2D(2, (1, 3), go_backwards=True, **options)(value)
    value = k.layers.TimeDistributed(k.layers.MaxPooling2D(2))(value)
    return k.Model(start, k.layers.Conv3D(1, 3, padding="same", activation="sigmoid")(value))


def tagged_words(k):
    """A tag for each word: masks, dropout in recurrent layers, and merged directions."""
    model = k.Sequential([k.layers.Input((6,), dtype="int32", name="words")])
    model.add(k.layers.Embedding(12, 5, mask_zero=True))
    lstm = k.layers.LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.2)
    model.add(k.layers.Bidirectional(lstm, merge_mode="ave"))
    model.add(k.layers.Bidirectional(k.layers.SimpleRNN(3, return_sequences=True), "mul"))
    model.add(k.layers.TimeDistributed(k.layers.Dense(4, activation="softmax")))
    model.compile(
        k.optimizers.Nadam(),
        loss=k.losses.SparseCategoricalCrossentropy(),
        weighted_metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["tagged_words"], integers(4, 3, 6))


def translation(k):
    """Encoder and decoder; the decoder starts from the encoder's states."""
    source = k.layers.Input((5,), dtype="int32", name="source")
    target = k.layers.Input((4,), dtype="int32", name="target")
    read = k.layers.Embedding(11, 4, name="source_words")(source)
    _, hidden, cell = k.layers.LSTM(5, return_state=True, name="encoder")(read)
    wrote = k.layers.Embedding(13, 4, name="target_words")(target)
    decoder = k.layers.LSTM(5, return_sequences=True, return_state=True, name="decoder")
    value, _, _ = decoder(wrote, initial_state=[hidden, cell])
    model = k.Model([source, target], k.layers.Dense(13, activation="softmax")(value))
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return trained(model, INPUTS_OF["translation"], integers(13, 2, 4))


def text_transformer(k):
    """Layers of the user's own that hold an embedding and attention."""
    import customs

    start = k.layers.Input((6,), dtype="int32", name="tokens")
    value = customs.TokenAndPosition(6, 12, 4)(start)
    value = customs.EncoderBlock(4, 2, 8)(value)
    value = k.layers.GlobalAveragePooling1D()(value)
    return k.Model(start, k.layers.Dense(2, activation="softmax")(value))


def merged_ways(k):
    """Merges by layers and functions, over several axes, of normalized series."""
    one, two = k.layers.Input((4, 3), name="one"), k.layers.Input((4, 3), name="two")
    shared = k.layers.Dense(3, activation="selu", kernel_initializer="lecun_normal")
    masking = k.layers.Masking(-1.0)
    left, right = shared(masking(one)), shared(masking(two))
    stacked = k.layers.Concatenate(axis=1)([left, right])
    product = k.layers.Dot(axes=(2, 2))([left, right])
    value = k.layers.subtract([k.layers.maximum([left, right]), k.layers.average([left, right])])
    value = k.layers.multiply([value, k.layers.minimum([left, right, one])])
    value = k.layers.Concatenate(axis=-1)([value, product])
    outputs = [k.layers.Dense(2)(k.layers.Flatten()(value)), k.layers.GlobalMaxPooling1D()(stacked)]
    return k.Model([one, two], outputs)


def sensor_series(k):
    """Separable and transposed convolutions over series, compiled with Huber and Adamax."""
    start = k.layers.Input((12, 3), name="series")
    value = k.layers.SeparableConv1D(4, 3, padding="same", activation="relu")(start)
    value = k.layers.AveragePooling1D(2)(k.layers.SpatialDropout1D(0.1)(value))
    value = k.layers.Conv1D(6, 3, padding="causal", dilation_rate=2, groups=2)(value)
    value = k.layers.Conv1DTranspose(3, 2, strides=2)(k.layers.PReLU()(value))
    value = k.layers.Add()([k.layers.ZeroPadding1D(0)(value), start])
    model = k.Model(start, k.layers.Dense(1, activation="softplus")(value))
    model.compile(
        k.optimizers.Adamax(0.01),
        loss=k.losses.Huber(delta=0.5),
        metrics=["mape", "cosine_similarity"],
    )
    return trained(model, INPUTS_OF["sensor_series"], floats(2, 12, 1))


INPUTS_OF = {
    "text_tfidf": [words("red green", "blue", "green gray red")],
    "stateful_series": [floats(2, 5, 3)],
    "cross_attention": [floats(2, 4, 6), floats(2, 5, 6)],
    "predicted_frames": [floats(2, 3, 6, 6, 1)],
    "tagged_words": [integers(12, 3, 6) * (integers(3, 3, 6) - 1)],
    "translation": [integers(11, 2, 5), integers(13, 2, 4)],
    "text_transformer": [integers(12, 3, 6)],
    "merged_ways": [floats(2, 4, 3), floats(2, 4, 3)[::-1]],
    "sensor_series": [floats(2, 12, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("text_transformer",)
INPUTS = {
    "cross_attention": ["query", "memory"],
    "translation": ["source", "target"],
    "merged_ways": ["one", "two"],
}
