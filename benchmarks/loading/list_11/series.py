"""Models of texts, sound, series, tables and agents from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, integers, trained

K = tf.keras.backend


def counted_columns(k):
    """All columns of a table through one embedding, a convolution, and skips that are joined."""
    start = k.layers.Input(shape=(10,))
    x = k.layers.Embedding(input_dim=30, output_dim=4)(start)
    x = k.layers.Conv1D(5, 1, activation="relu")(x)
    x = x1 = k.layers.Flatten()(x)
    x = k.layers.Dropout(0.3)(x)
    x = k.layers.Dense(12, activation="relu", kernel_initializer="random_uniform")(x)
    x = k.layers.Dropout(0.3)(k.layers.Concatenate()([x, x1]))
    x = k.layers.Dense(8, activation="relu", kernel_initializer="random_uniform")(x)
    x = k.layers.Dropout(0.4)(k.layers.Concatenate()([x, x1]))
    out = k.layers.Dense(
        9, activation="softmax", bias_initializer=k.initializers.Constant(value=0.1)
    )(x)
    model = k.Model(inputs=start, outputs=out)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.Adam(learning_rate=2e-4),
        metrics=[k.metrics.CategoricalCrossentropy()],
    )
    return trained(model, INPUTS_OF["counted_columns"], np.eye(9, dtype="float32")[[2, 0, 8]])


def house_prices(k):
    """A few dense layers with initial values by name, penalties and a metric as an object."""
    model = k.Sequential()
    model.add(
        k.layers.Dense(
            16,
            input_dim=12,
            kernel_initializer="normal",
            activation="relu",
            kernel_regularizer=k.regularizers.L1L2(l1=1e-5, l2=1e-4),
        )
    )
    model.add(k.layers.BatchNormalization())
    model.add(k.layers.GaussianNoise(0.1))
    model.add(k.layers.Dense(8, kernel_initializer="normal", activation="softplus"))
    model.add(k.layers.Dense(1, kernel_initializer="normal"))
    model.compile(
        loss="mean_squared_logarithmic_error",
        optimizer=k.optimizers.Nadam(learning_rate=1e-3),
        metrics=[k.metrics.RootMeanSquaredError(name="rmse"), "mape"],
    )
    return trained(model, INPUTS_OF["house_prices"], np.array([[1.2], [0.4], [2.0]], "float32"))


def asked_reviews(k):
    """The classifier of an active learner: both directions, the largest over time."""
    model = k.models.Sequential(
        [
            k.layers.Input(shape=(12,)),
            k.layers.Embedding(input_dim=30, output_dim=6),
            k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True)),
            k.layers.GlobalMaxPooling1D(),
            k.layers.Dense(5, activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        loss="binary_crossentropy",
        optimizer="rmsprop",
        metrics=[
            k.metrics.BinaryAccuracy(),
            k.metrics.FalseNegatives(),
            k.metrics.FalsePositives(),
        ],
    )
    return trained(model, INPUTS_OF["asked_reviews"], np.array([[0], [1]], "float32"))


def letters_of_news(k):
    """Convolutions over letters with rectifiers above a threshold, a layer of Keras 2."""
    inputs = k.layers.Input(shape=(48,), name="sent_input", dtype="int64")
    x = k.layers.Embedding(20, 6, input_length=48)(inputs)
    for filters, size, pool in ((6, 7, 3), (6, 3, -1), (6, 3, 2)):
        x = k.layers.Conv1D(filters, size)(x)
        x = k.layers.ThresholdedReLU(1e-6)(x)
        if pool != -1:
            x = k.layers.MaxPooling1D(pool)(x)
    x = k.layers.Flatten()(x)
    for width in (10, 10):
        x = k.layers.Dense(width)(x)
        x = k.layers.ThresholdedReLU(1e-6)(x)
        x = k.layers.Dropout(0.5)(x)
    model = k.Model(inputs=inputs, outputs=k.layers.Dense(4, activation="softmax")(x))
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return trained(model, INPUTS_OF["letters_of_news"], np.eye(4, dtype="float32")[[3, 1]])


def spoken_keywords(k):
    """Attention by the last state of two recurrent layers, by functions of the backend."""
    inputs = k.layers.Input((10, 8, 1), name="spectrogram")
    x = k.layers.Permute((2, 1, 3))(inputs)
    x = k.layers.Conv2D(4, (5, 1), activation="relu", padding="same")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Conv2D(1, (5, 1), activation="relu", padding="same")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Lambda(lambda q: K.squeeze(q, -1), name="squeeze_last_dim")(x)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x)
    first = k.layers.Lambda(lambda q: q[:, -1])(x)
    query = k.layers.Dense(8)(first)
    scores = k.layers.Dot(axes=[1, 2])([query, x])
    scores = k.layers.Softmax(name="attSoftmax")(scores)
    vector = k.layers.Dot(axes=[1, 1])([scores, x])
    x = k.layers.Dense(8, activation="relu")(vector)
    x = k.layers.Dense(6)(x)
    output = k.layers.Dense(6, activation="softmax", name="output")(x)
    model = k.Model(inputs=[inputs], outputs=[output])
    model.compile(optimizer="adam", loss=["sparse_categorical_crossentropy"], metrics=["accuracy"])
    return trained(model, INPUTS_OF["spoken_keywords"], np.array([5, 0]))


def separated_sound(_):
    """A subclass of Model whose config is its parameters, with a layer of layers in lists."""
    import customs_11 as own

    model = own.ConvTasNet(filters=6, length=4, hidden=8, blocks=2, speakers=2)
    model.compile(optimizer="adam", loss="mse")
    return trained(model, INPUTS_OF["separated_sound"], floats(2, 32, 2))


def worn_sensors(k):
    """Convolutions over time alone for every sensor, then two LSTMs over what they found."""
    model = k.Sequential(name="DeepConvLSTM")
    model.add(k.layers.Input(shape=(16, 6)))
    model.add(k.layers.BatchNormalization())
    model.add(k.layers.Reshape((16, 6, 1)))
    for _ in range(3):
        model.add(
            k.layers.Conv2D(
                4,
                kernel_size=(3, 1),
                kernel_regularizer=k.regularizers.l2(0.01),
                kernel_initializer="lecun_uniform",
            )
        )
        model.add(k.layers.BatchNormalization())
        model.add(k.layers.Activation("relu"))
    model.add(k.layers.Reshape((10, 24)))
    for _ in range(2):
        model.add(k.layers.LSTM(5, return_sequences=True, activation="tanh"))
    model.add(k.layers.Dropout(0.5))
    model.add(
        k.layers.TimeDistributed(k.layers.Dense(4, kernel_regularizer=k.regularizers.l2(0.01)))
    )
    model.add(k.layers.Activation("softmax"))
    model.add(k.layers.Lambda(lambda x: x[:, -1, :], output_shape=(4,)))
    model.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.RMSprop(learning_rate=1e-3),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["worn_sensors"], np.eye(4, dtype="float32")[[2, 0]])


def eeg_net(k):
    """Depthwise and separable convolutions over channels and time, with limits of the norm."""
    start = k.layers.Input(shape=(6, 32, 1))
    x = k.layers.Conv2D(4, (1, 16), padding="same", use_bias=False)(start)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.DepthwiseConv2D(
        (6, 1), use_bias=False, depth_multiplier=2, depthwise_constraint=k.constraints.max_norm(1.0)
    )(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Activation("elu")(x)
    x = k.layers.AveragePooling2D((1, 4))(x)
    x = k.layers.SpatialDropout2D(0.5)(x)
    x = k.layers.SeparableConv2D(8, (1, 8), use_bias=False, padding="same")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Activation("elu")(x)
    x = k.layers.AveragePooling2D((1, 4))(x)
    x = k.layers.SpatialDropout2D(0.5)(x)
    x = k.layers.Flatten(name="flatten")(x)
    x = k.layers.Dense(4, name="dense", kernel_constraint=k.constraints.max_norm(0.25))(x)
    model = k.Model(inputs=start, outputs=k.layers.Activation("softmax", name="softmax")(x))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["eeg_net"], np.eye(4, dtype="float32")[[0, 3]])


def past_clicks(k):
    """Clicks weighed by what is shown, with own layers around a mask, and an own activation."""
    import customs_11_tables as own

    user = k.layers.Input(shape=(1,), name="user", dtype="int32")
    item = k.layers.Input(shape=(1,), name="item", dtype="int32")
    history = k.layers.Input(shape=(5,), name="hist_item", dtype="int32")
    score = k.layers.Input(shape=(1,), name="pay_score", dtype="float32")
    l2 = k.regularizers.l2(1e-6)
    table = k.layers.Embedding(
        12, 4, mask_zero=True, embeddings_regularizer=l2, name="sparse_seq_emb_hist_item"
    )
    people = k.layers.Embedding(6, 4, embeddings_regularizer=l2, name="sparse_emb_user")
    query, keys = table(item), table(history)
    seen = own.AttentionSequencePoolingLayer(
        att_hidden_units=(6, 4), att_activation="sigmoid", weight_normalization=False
    )([query, keys])
    x = k.layers.Concatenate()([people(user), query, seen])
    x = k.layers.Concatenate()([k.layers.Flatten()(x), score])
    for width in (8, 6):
        x = own.Dice()(k.layers.Dense(width, kernel_regularizer=k.regularizers.l2(0.0))(x))
    logit = k.layers.Dense(1, use_bias=False)(x)
    output = k.layers.Activation("sigmoid")(logit)
    model = k.Model(inputs=[user, item, history, score], outputs=output)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["past_clicks"], np.array([[1], [0], [1]], "float32"))


def rated_films(k):
    """Vectors of a user and a film for retrieval beside a rating, in a dictionary of outputs."""
    (normalize,) = functions(k, "math.l2_normalize" if not hasattr(k, "ops") else "normalize")
    user = k.Input(shape=(), dtype="int32", name="user_id")
    movie = k.Input(shape=(), dtype="int32", name="movie_id")
    one = k.layers.Embedding(9, 6, name="user_embedding")(user)
    two = k.layers.Embedding(14, 6, name="candidate_embedding")(movie)
    body = k.Sequential(
        [
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(6, activation="relu"),
            k.layers.Dense(1),
        ],
        name="rating_model",
    )
    rating = body(k.layers.Concatenate(axis=1)([one, two]))
    outputs = {"user": normalize(one, axis=-1), "movie": normalize(two, axis=-1), "rating": rating}
    return k.Model({"user_id": user, "movie_id": movie}, outputs)


def table_tokens(k):
    """Numbers and words of a table as tokens of a transformer, before them one that answers."""
    import customs_11_tables as own

    numbers = k.Input(shape=(3,), name="numbers")
    kinds = [k.Input(shape=(1,), name=name, dtype="int32") for name in ("city", "shop")]
    tokens = [own.LinearTokens(n_features=3, d_token=8)(numbers)]
    tokens += [k.layers.Embedding(5, 8)(each) for each in kinds]
    x = own.ClassToken(8)(k.layers.Concatenate(axis=1)(tokens))
    for _ in range(2):
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.2)(y, y)
        x = k.layers.Add()([x, y])
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.Dense(12, activation="gelu")(y)
        x = k.layers.Add()([x, k.layers.Dense(8)(k.layers.Dropout(0.1)(y))])
    x = k.layers.LayerNormalization(epsilon=1e-6)(x[:, 0, :])
    output = k.layers.Dense(1, name="output")(k.layers.Dense(8, activation="relu")(x))
    model = k.Model([numbers, *kinds], output)
    model.compile(optimizer="adam", loss="mse", metrics=[k.metrics.RootMeanSquaredError()])
    return trained(model, INPUTS_OF["table_tokens"], floats(3, 1))


def kernel_machine(k):
    """Random features that come near a kernel, and a hinge: a layer that only Keras 2 has."""
    model = k.Sequential(
        [
            k.Input(shape=(20,)),
            k.layers.experimental.RandomFourierFeatures(
                output_dim=32, scale=10.0, kernel_initializer="gaussian"
            ),
            k.layers.Dense(units=4),
        ]
    )
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1e-3),
        loss=k.losses.hinge,
        metrics=[k.metrics.CategoricalAccuracy(name="acc")],
    )
    return trained(model, INPUTS_OF["kernel_machine"], np.eye(4, dtype="float32")[[1, 2]])


def normalized_advantages(k):
    """Three Sequential and Functional models for value, action and curvature, called in one."""

    def dense(width, last="linear"):
        return [
            k.layers.Dense(16),
            k.layers.Activation("relu"),
            k.layers.Dense(width),
            k.layers.Activation(last),
        ]

    value = k.Sequential([k.layers.Flatten(input_shape=(1, 3)), *dense(1)], name="V")
    best = k.Sequential([k.layers.Flatten(input_shape=(1, 3)), *dense(2, "tanh")], name="mu")
    action = k.Input(shape=(2,), name="action_input")
    seen = k.Input(shape=(1, 3), name="observation_input")
    x = k.layers.Concatenate()([action, k.layers.Flatten()(seen)])
    for layer in dense((2 * 2 + 2) // 2):
        x = layer(x)
    curve = k.Model(inputs=[action, seen], outputs=x, name="L")
    done = k.Input(shape=(2,), name="action")
    state = k.Input(shape=(1, 3), name="state")
    outputs = [value(state), best(state), curve([done, state])]
    return k.Model([done, state], outputs, name="naf")


_CLICKS = np.array([[3, 5, 0, 0, 0], [1, 2, 3, 0, 0], [7, 8, 9, 2, 11]], "int32")
INPUTS_OF = {
    "counted_columns": [integers(30, 3, 10)],
    "house_prices": [floats(3, 12)],
    "asked_reviews": [integers(30, 2, 12)],
    "letters_of_news": [integers(20, 2, 48)],
    "spoken_keywords": [floats(2, 10, 8, 1)],
    "separated_sound": [floats(2, 32, 1)],
    "worn_sensors": [floats(2, 16, 6)],
    "eeg_net": [floats(2, 6, 32, 1)],
    "past_clicks": [integers(6, 3, 1), integers(12, 3, 1), _CLICKS, floats(3, 1)],
    "rated_films": [integers(9, 4), integers(14, 4)],
    "table_tokens": [floats(3, 3), integers(5, 3, 1), integers(4, 3, 1)],
    "kernel_machine": [floats(2, 20)],
    "normalized_advantages": [floats(3, 2), floats(3, 1, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("separated_sound", "past_clicks", "table_tokens")
LAMBDAS = ("spoken_keywords", "worn_sensors")
DICTIONARIES = ("rated_films",)
INPUTS = {
    "past_clicks": ["user", "item", "hist_item", "pay_score"],
    "rated_films": ["user_id", "movie_id"],
    "table_tokens": ["numbers", "city", "shop"],
    "normalized_advantages": ["action", "state"],
}
