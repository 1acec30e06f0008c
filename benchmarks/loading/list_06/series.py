"""Models of texts, series and tables as projects build them, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words


def activities(k):
    """Stacked bidirectional layers over masked sensor readings, with a falling rate."""
    model = k.Sequential()
    model.add(k.layers.Masking(mask_value=0.0, input_shape=(8, 3)))
    model.add(k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True)))
    model.add(k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), name="second"))
    model.add(k.layers.GRU(4, dropout=0.2, recurrent_dropout=0.1, kernel_regularizer="l1"))
    model.add(k.layers.Dense(4, activation="softmax"))
    rate = k.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=100, decay_rate=0.9)
    model.compile(k.optimizers.Adam(learning_rate=rate), "sparse_categorical_crossentropy")
    return trained(model, INPUTS_OF["activities"], np.array([0, 3]))


def translator(k):
    """Bidirectional encoder, decoder from its joined states, attention after Luong."""
    source = k.Input(shape=(None,), name="source")
    value = k.layers.Embedding(12, 4, mask_zero=True)(source)
    encoded, fh, fc, bh, bc = k.layers.Bidirectional(
        k.layers.LSTM(3, return_sequences=True, return_state=True)
    )(value)
    states = [k.layers.Concatenate()([fh, bh]), k.layers.Concatenate()([fc, bc])]
    target = k.Input(shape=(None,), name="target")
    value = k.layers.Embedding(11, 4, mask_zero=True)(target)
    decoder = k.layers.LSTM(6, return_sequences=True, return_state=True)
    decoded, _, _ = decoder(value, initial_state=states)
    context = k.layers.Attention()([decoded, encoded])
    value = k.layers.Concatenate(axis=-1)([decoded, context])
    out = k.layers.TimeDistributed(k.layers.Dense(11, activation="softmax"))(value)
    model = k.Model([source, target], out)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy")
    return model


def captions(k):
    """Features of an image and the words so far, merged."""
    image = k.layers.Input(shape=(12,), name="image")
    text = k.layers.Input(shape=(5,), name="text")
    seen = k.layers.Dense(6, activation="relu")(k.layers.Dropout(0.4)(image))
    read = k.layers.Embedding(15, 6, mask_zero=True)(text)
    read = k.layers.LSTM(6)(k.layers.Dropout(0.4)(read))
    value = k.layers.Dense(6, activation="relu")(k.layers.add([seen, read]))
    model = k.Model([image, text], k.layers.Dense(15, activation="softmax")(value))
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    return model


def film_reviews(k):
    """Texts with a standardization of its own, in one Sequential model."""
    import customs_06 as own

    layer = k.layers.TextVectorization(
        standardize=own.custom_standardization, max_tokens=20, output_mode="int",
        output_sequence_length=6,
    )  # fmt: skip
    layer.adapt(np.array(["A Good film<br />really", "a bad film", "not good"], dtype=object))
    model = k.Sequential([k.Input(shape=(1,), dtype="string")])
    model.add(layer)
    model.add(k.layers.Embedding(20, 4, mask_zero=True))
    model.add(k.layers.Bidirectional(k.layers.LSTM(3)))
    model.add(k.layers.Dense(1))
    model.compile(loss=k.losses.BinaryCrossentropy(from_logits=True), optimizer="adam")
    return model


def retrieval(k):
    """Towers of looked-up names and embeddings, and the product of both."""
    towers = []
    for words_of in (["ann", "bob", "eve"], ["alien", "heat"]):
        look = k.layers.StringLookup(vocabulary=words_of, mask_token=None)
        towers.append(k.Sequential([look, k.layers.Embedding(len(words_of) + 1, 4)]))
    user = k.Input(shape=(1,), name="user_id", dtype="string")
    film = k.Input(shape=(1,), name="movie_title", dtype="string")
    value = k.layers.Dot(axes=2, normalize=True)([towers[0](user), towers[1](film)])
    return k.Model([user, film], k.layers.Flatten()(value))


def fuel(k):
    """A regression whose first layer is an adapted normalization."""
    normalizer = k.layers.Normalization(axis=-1)
    normalizer.adapt(floats(40, 9) * 4 + 1)
    model = k.Sequential([normalizer, k.layers.Dense(8, activation="relu"), k.layers.Dense(1)])
    model.compile(loss="mean_absolute_error", optimizer=k.optimizers.Adam(0.001))
    model(INPUTS_OF["fuel"][0])
    return model


def causal_residuals(k):
    """A temporal convolutional network, of which a Lambda takes the last step."""
    import customs_06 as own

    value = start = k.layers.Input(batch_shape=(None, 12, 2), name="series")
    for dilation in (1, 2, 4):
        inner = k.layers.Conv1D(4, 3, dilation_rate=dilation, padding="causal")(value)
        inner = k.layers.LayerNormalization()(inner)
        inner = k.layers.SpatialDropout1D(0.05)(k.layers.Activation("relu")(inner))
        short = value if dilation > 1 else k.layers.Conv1D(4, 1, padding="same")(value)
        value = k.layers.Activation("relu")(k.layers.add([short, inner]))
    value = k.layers.Lambda(own.LAMBDAS["last"])(value)
    model = k.Model(start, k.layers.Dense(1)(value))
    model.compile(k.optimizers.Adam(0.002, clipnorm=1.0), loss="mse", metrics=["mae"])
    return model


def forecast(_):
    """Steps from its own forecasts, as a subclass."""
    import customs_06 as own

    model = own.FeedBack(units=4, out_steps=3)
    model(floats(2, 6, 2))
    return model


def gated_table(k):
    """Gated residual networks, registered, over columns of a table."""
    import customs_06 as own

    age, pay = k.layers.Input((1,), name="age"), k.layers.Input((1,), name="pay")
    value = k.layers.concatenate([k.layers.Dense(4)(age), k.layers.Dense(4)(pay)])
    value = own.GatedResidualNetwork(5)(own.GatedResidualNetwork(5, 0.2)(value))
    model = k.Model([age, pay], k.layers.Dense(1, activation="sigmoid")(value))
    model.compile(k.optimizers.Adam(1e-3), k.losses.BinaryCrossentropy(), metrics=["accuracy"])
    return model


def engine_noise(k):
    """A transformer for series, with operators for the residuals."""
    start = value = k.Input(shape=(10, 1))
    for _ in range(2):
        inner = k.layers.MultiHeadAttention(key_dim=4, num_heads=2, dropout=0.25)(value, value)
        inner = k.layers.LayerNormalization(epsilon=1e-6)(k.layers.Dropout(0.25)(inner))
        res = inner + value
        inner = k.layers.Conv1D(filters=4, kernel_size=1, activation="relu")(res)
        inner = k.layers.Conv1D(filters=1, kernel_size=1)(k.layers.Dropout(0.25)(inner))
        value = k.layers.LayerNormalization(epsilon=1e-6)(inner) + res
    value = k.layers.GlobalAveragePooling1D(data_format="channels_first")(value)
    return k.Model(start, k.layers.Dense(2, activation="softmax")(value))


def half_series(k):
    """A GRU and convolutions under the policy mixed_float16."""
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        start = k.layers.Input((8, 2), name="series")
        value = k.layers.Conv1D(4, 3, padding="same", activation="relu")(start)
        value = k.layers.GRU(4)(k.layers.BatchNormalization()(value))
        value = k.layers.Dense(3)(value)
        return k.Model(start, k.layers.Activation("softmax", dtype="float32")(value))
    finally:
        k.mixed_precision.set_global_policy("float32")


def heartbeats(_):
    """An autoencoder as a subclass without a config."""
    import customs_06 as own

    model = own.AnomalyDetector()
    model.compile(optimizer="adam", loss="mae")
    return trained(model, INPUTS_OF["heartbeats"], floats(3, 10))


def dueling(k):
    """Values and advantages of actions, joined in a Lambda."""
    import customs_06 as own

    start = k.layers.Input((4,))
    value = k.layers.Dense(6, activation="relu", kernel_initializer="he_uniform")(start)
    value = k.layers.Concatenate()([k.layers.Dense(1)(value), k.layers.Dense(2)(value)])
    value = k.layers.Lambda(own.LAMBDAS["advantage"], output_shape=(2,))(value)
    model = k.Model(inputs=start, outputs=value)
    model.compile(loss="huber", optimizer=k.optimizers.RMSprop(0.00025, rho=0.95, epsilon=0.01))
    return model


def critic(k):
    """The critic of an agent: state and action, initial values in a range."""
    last = k.initializers.RandomUniform(minval=-0.003, maxval=0.003)
    state, action = k.layers.Input(shape=(3,), name="state"), k.layers.Input((1,), name="action")
    seen = k.layers.Dense(6, activation="relu")(k.layers.Dense(4, activation="relu")(state))
    done = k.layers.Dense(4, activation="relu")(action * 2.0)
    value = k.layers.Dense(8, activation="relu")(k.layers.Concatenate()([seen, done]))
    return k.Model([state, action], k.layers.Dense(1, kernel_initializer=last)(value))


def warm_up(k):
    """A rate and a metric of the user's own, in a Sequential model."""
    import customs_06 as own

    model = k.Sequential([k.layers.Input((6,)), k.layers.Dense(8, activation="gelu")])
    model.add(k.layers.LayerNormalization())
    model.add(k.layers.Dense(1, activation="sigmoid"))
    rate = own.WarmUp(16)
    model.compile(
        k.optimizers.Adam(rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
        loss="binary_crossentropy",
        metrics=["accuracy", own.F1Score()],
    )
    return trained(model, INPUTS_OF["warm_up"], np.ones((3, 1), "float32"))


def masked_encoder(k):
    """Tokens with a mask as a second input, which is sliced for the attention."""
    tokens = k.layers.Input((6,), dtype="int32", name="input_ids")
    mask = k.layers.Input((6,), dtype="int32", name="attention_mask")
    value = k.layers.Embedding(12, 4, name="words")(tokens)
    found = k.layers.MultiHeadAttention(2, 2)(value, value, attention_mask=mask[:, None, :])
    value = k.layers.LayerNormalization(epsilon=1e-12)(k.layers.Add()([value, found]))
    value = k.layers.Dense(4, activation="tanh", name="pooler")(value[:, 0, :])
    return k.Model([tokens, mask], k.layers.Dense(2)(value))


def variational_digits(k):
    """Encoder and decoder as models in a third, with a registered layer that draws."""
    import customs_06 as own

    start = k.Input(shape=(8, 8, 1))
    value = k.layers.Conv2D(4, 3, activation="relu", strides=2, padding="same")(start)
    value = k.layers.Flatten()(value)
    moments = [k.layers.Dense(2, name="z_mean")(value), k.layers.Dense(2, name="z_log_var")(value)]
    encoder = k.Model(start, [*moments, own.Sampling()(moments)], name="encoder")
    code = k.Input(shape=(2,))
    value = k.layers.Dense(64, activation="relu")(code)
    value = k.layers.Reshape((4, 4, 4))(value)
    value = k.layers.Conv2DTranspose(1, 3, activation="sigmoid", strides=2, padding="same")(value)
    decoder = k.Model(code, value, name="decoder")
    return k.Model(start, decoder(encoder(start)[2]), name="vae")


def commands(k):
    """Spectrograms of spoken words: resized, normalized, convolved."""
    normalize = k.layers.Normalization()
    normalize.adapt(floats(4, 12, 9, 1) * 2)
    model = k.models.Sequential([k.layers.Input(shape=(12, 9, 1))])
    model.add(k.layers.Resizing(8, 8))
    model.add(normalize)
    model.add(k.layers.Conv2D(4, 3, activation="relu"))
    model.add(k.layers.MaxPooling2D())
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(3))
    return model


INPUTS_OF = {
    "activities": [floats(2, 8, 3) * (np.arange(8) < 6)[None, :, None].astype("float32")],
    "translator": [integers(12, 2, 5).astype("float32"), integers(11, 2, 4).astype("float32")],
    "captions": [floats(2, 12), integers(15, 2, 5).astype("float32")],
    "film_reviews": [words("a good film", "bad<br />film", "what")],
    "retrieval": [words("ann", "zoe", "bob"), words("heat", "heat", "jaws")],
    "fuel": [floats(3, 9)],
    "causal_residuals": [floats(2, 12, 2)],
    "forecast": [floats(2, 6, 2)],
    "gated_table": [floats(3, 1), floats(3, 1) * 3],
    "engine_noise": [floats(2, 10, 1)],
    "half_series": [floats(2, 8, 2)],
    "heartbeats": [floats(3, 10)],
    "dueling": [floats(3, 4)],
    "critic": [floats(2, 3), floats(2, 1)],
    "warm_up": [floats(3, 6)],
    "masked_encoder": [integers(12, 2, 6), np.array([[1] * 6, [1, 1, 1, 0, 0, 0]], "int32")],
    "variational_digits": [floats(2, 8, 8, 1)],
    "commands": [floats(2, 12, 9, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("film_reviews", "forecast", "gated_table", "heartbeats", "variational_digits", "warm_up")
LAMBDAS = ("causal_residuals", "dueling")
INPUTS = {
    "translator": ["source", "target"],
    "captions": ["image", "text"],
    "retrieval": ["user_id", "movie_title"],
    "gated_table": ["age", "pay"],
    "critic": ["state", "action"],
    "masked_encoder": ["input_ids", "attention_mask"],
}
