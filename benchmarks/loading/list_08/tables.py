"""Models of tables and series as services run them, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, functions, integers, trained, words


def card_fraud(k):
    """Rare classes, as the guide on unequal classes teaches them: a first bias and many metrics."""
    metrics = [
        k.metrics.TruePositives(name="tp"),
        k.metrics.FalseNegatives(name="fn"),
        k.metrics.BinaryAccuracy(name="accuracy"),
        k.metrics.Precision(name="precision"),
        k.metrics.AUC(name="auc"),
        k.metrics.AUC(name="prc", curve="PR"),
    ]
    bias = k.initializers.Constant(np.log([0.01])[0])
    model = k.Sequential(
        [
            k.layers.Dense(8, activation="relu", input_shape=(10,)),
            k.layers.Dropout(0.5),
            k.layers.Dense(1, activation="sigmoid", bias_initializer=bias),
        ]
    )
    model.compile(k.optimizers.Adam(1e-3), loss=k.losses.BinaryCrossentropy(), metrics=metrics)
    return trained(model, INPUTS_OF["card_fraud"], np.array([[0], [1], [0]], "float32"))


def stock_prices(k):
    """The stack of recurrent layers with dropout of countless notebooks."""
    model = k.models.Sequential()
    model.add(k.layers.LSTM(units=6, return_sequences=True, input_shape=(10, 1)))
    model.add(k.layers.Dropout(0.2))
    model.add(k.layers.LSTM(units=6, return_sequences=True))
    model.add(k.layers.Dropout(0.2))
    model.add(k.layers.LSTM(units=6))
    model.add(k.layers.Dense(units=4))
    model.add(k.layers.Dense(units=1))
    model.compile(optimizer="adam", loss="mean_squared_error")
    return trained(model, INPUTS_OF["stock_prices"], floats(3, 1))


def demand(k):
    """Sales of a week from two weeks, the shop and known promotions; added to the last week."""
    history = k.Input((14, 3), name="history")
    store = k.Input((1,), dtype="int32", name="store")
    promo = k.Input((7, 2), name="promotions")
    _, hidden, carry = k.layers.LSTM(5, return_state=True, name="encoder")(history)
    place = k.layers.Flatten()(k.layers.Embedding(5, 3, name="store_vector")(store))
    known = k.layers.concatenate([k.layers.RepeatVector(7)(place), promo], axis=2)
    decode = k.layers.LSTM(5, return_sequences=True, name="decoder")
    value = decode(known, initial_state=[hidden, carry])
    value = k.layers.TimeDistributed(k.layers.Dense(1))(value)
    last = k.layers.Lambda(lambda x: x[:, -7:, :1], name="last_week")(history)
    model = k.Model([history, store, promo], k.layers.Add(name="sales")([value, last]))
    model.compile(k.optimizers.Adam(clipvalue=0.5), "mae", metrics=["mse", "mape"])
    return trained(model, INPUTS_OF["demand"], floats(2, 7, 1))


def energy_load(k):
    """The next day by convolutions, a GRU and attention over itself, with the calendar beside."""
    load = k.Input((24, 2), name="load")
    calendar = k.Input((5,), name="calendar")
    x = k.layers.Conv1D(4, 3, padding="causal", activation="relu")(load)
    x = k.layers.GRU(6, return_sequences=True, recurrent_regularizer="l2")(x)
    seen = k.layers.Attention(use_scale=True)([x, x])
    x = k.layers.GlobalAveragePooling1D()(k.layers.add([x, seen]))
    day = k.layers.Dense(3, activation="gelu", name="calendar_vector")(calendar)
    x = k.layers.LayerNormalization()(k.layers.concatenate([x, day]))
    x = k.layers.Reshape((24, 1))(k.layers.Dense(24)(x))
    model = k.Model({"load": load, "calendar": calendar}, x, name="load_forecast")
    rate = k.optimizers.schedules.ExponentialDecay(1e-2, 100, 0.9, staircase=True)
    metrics = [k.metrics.RootMeanSquaredError(), k.metrics.MeanAbsolutePercentageError()]
    model.compile(k.optimizers.Adam(rate), loss=k.losses.MeanSquaredError(), metrics=metrics)
    given = {name: INPUTS_OF["energy_load"][n] for n, name in enumerate(INPUTS["energy_load"])}
    model.fit(given, floats(2, 24, 1), verbose=0)
    return model


def inception_time(k):
    """Kinds of series by kernels of several widths, with a short cut around them."""
    start = rest = x = k.Input((24, 2), name="sensor")
    for _ in range(2):
        narrow = k.layers.Conv1D(3, 1, padding="same", use_bias=False)(x)
        wide = [
            k.layers.Conv1D(3, size, strides=1, padding="same", use_bias=False)(narrow)
            for size in (9, 5, 3)
        ]
        top = k.layers.MaxPool1D(pool_size=3, strides=1, padding="same")(x)
        wide.append(k.layers.Conv1D(3, 1, padding="same", use_bias=False)(top))
        x = k.layers.BatchNormalization()(k.layers.Concatenate(axis=2)(wide))
        x = k.layers.Activation(activation="relu")(x)
    short = k.layers.Conv1D(int(x.shape[-1]), 1, padding="same", use_bias=False)(rest)
    x = k.layers.Add()([k.layers.BatchNormalization()(short), x])
    x = k.layers.GlobalAveragePooling1D()(k.layers.Activation("relu")(x))
    model = k.models.Model(inputs=start, outputs=k.layers.Dense(3, activation="softmax")(x))
    loss = k.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(loss=loss, optimizer=k.optimizers.Adam(), metrics=["accuracy"])
    return trained(model, INPUTS_OF["inception_time"], np.eye(3, dtype="float32")[[1, 2]])


def neural_collaborative(k):
    """Products of vectors and a deep network over other vectors of user and item."""
    user = k.Input(shape=(1,), dtype="int32", name="user_input")
    item = k.Input(shape=(1,), dtype="int32", name="item_input")

    def vector(start, size, width, name):
        layer = k.layers.Embedding(
            input_dim=size,
            output_dim=width,
            name=name,
            embeddings_initializer="random_normal",
            embeddings_regularizer=k.regularizers.l2(1e-6),
        )
        return k.layers.Flatten()(layer(start))

    product = k.layers.Multiply()([vector(user, 6, 3, "mf_user"), vector(item, 9, 3, "mf_item")])
    deep = k.layers.concatenate([vector(user, 6, 4, "mlp_user"), vector(item, 9, 4, "mlp_item")])
    for units in (6, 4):
        deep = k.layers.Dense(units, kernel_regularizer=k.regularizers.L2(1e-4), activation="relu")(
            deep
        )
    value = k.layers.Concatenate()([product, deep])
    score = k.layers.Dense(
        1, activation="sigmoid", kernel_initializer="lecun_uniform", name="prediction"
    )(value)
    model = k.Model([user, item], score)
    model.compile(optimizer=k.optimizers.Adam(), loss="binary_crossentropy", metrics=["AUC"])
    return trained(model, INPUTS_OF["neural_collaborative"], np.array([[1], [0], [1]], "float32"))


def factorized(k):
    """A factorization machine and a deep network over the same embedded fields."""
    (total,) = functions(k, "sum")
    fields = k.Input((4,), dtype="int32", name="fields")
    linear = total(k.layers.Embedding(20, 1, name="first_order")(fields), axis=1)
    vectors = k.layers.Embedding(20, 3, embeddings_regularizer="l2", name="second_order")(fields)
    whole = total(vectors, axis=1)
    pairs = 0.5 * total(whole * whole - total(vectors * vectors, axis=1), axis=1, keepdims=True)
    deep = k.layers.Dense(6, activation="relu")(k.layers.Flatten()(vectors))
    deep = k.layers.Dense(1)(k.layers.Dropout(0.5)(deep))
    click = k.layers.Activation("sigmoid", name="click")(linear + pairs + deep)
    model = k.Model(inputs=fields, outputs=click, name="deepfm")
    model.compile("adagrad", k.losses.BinaryCrossentropy(label_smoothing=0.01))
    return trained(model, INPUTS_OF["factorized"], np.array([[1], [0], [1]], "float32"))


def job_adverts(k):
    """Pay from a title, an employer, skills, a weekday and experience; nothing is compiled."""
    title = k.Input((1,), dtype="string", name="title")
    employer = k.Input((1,), dtype="string", name="employer")
    skills = k.Input((3,), dtype="string", name="skills")
    weekday = k.Input((1,), dtype="int32", name="weekday")
    years = k.Input((1,), name="years")
    bag = k.layers.TextVectorization(max_tokens=12, output_mode="multi_hot")
    bag.adapt(np.array(["senior data engineer", "data analyst", "junior engineer"]))
    hashed = k.layers.Hashing(num_bins=8, salt=133)(employer)
    known = k.layers.StringLookup(vocabulary=["python", "sql", "spark"], output_mode="multi_hot")
    day = k.layers.CategoryEncoding(num_tokens=7, output_mode="one_hot")(weekday)
    scaled = k.layers.Normalization(mean=4.0, variance=9.0)(years)
    parts = [
        k.layers.Flatten()(bag(title)),
        k.layers.Flatten()(k.layers.Embedding(8, 3)(hashed)),
        known(skills),
    ]
    value = k.layers.Concatenate()([*parts, day, scaled])
    value = k.layers.Dense(6, activation="relu")(value)
    return k.Model([title, employer, skills, weekday, years], k.layers.Dense(1, name="pay")(value))


def monotone_price(k):
    """Counts that fall with the price: weights that cannot be negative, an exponential end."""
    price, others = k.Input((1,), name="price"), k.Input((4,), name="others")
    positive = k.constraints.NonNeg()
    x = k.layers.Rescaling(-1.0, name="cheapness")(price)
    x = k.layers.Dense(4, activation="softplus", kernel_constraint=positive)(x)
    context = k.layers.Dense(4, activation="selu", kernel_constraint="unit_norm")(others)
    gate = k.layers.Dense(4, activation="hard_sigmoid", bias_constraint="max_norm")(others)
    mixed = k.layers.add([k.layers.minimum([x, context]), k.layers.multiply([x, gate])])
    rate = k.layers.Dense(1, activation="exponential", kernel_constraint="non_neg")(mixed)
    model = k.Model(inputs=(price, others), outputs=rate)
    model.compile(optimizer="sgd", loss="poisson", metrics=[k.metrics.Poisson()])
    return trained(model, INPUTS_OF["monotone_price"], np.array([[2], [0], [1]], "float32"))


def machine_anomalies(_):
    """A registered subclass of Model with an encoder and a decoder, trained for a step."""
    import customs_08 as own

    model = own.MachineDetector(12, 3)
    model.compile(optimizer="adam", loss="mae")
    return trained(model, INPUTS_OF["machine_anomalies"], INPUTS_OF["machine_anomalies"][0])


def ranking(_):
    """A subclass of Model that looks up users and titles, of a dictionary."""
    import customs_08 as own
    import tensorflow as tf

    model = own.RankingModel(["ann", "bob"], ["alien", "brazil", "casablanca"])
    given = {name: INPUTS_OF["ranking"][n] for n, name in enumerate(INPUTS["ranking"])}
    model({name: tf.constant(value.tolist()) for name, value in given.items()})
    return model


INPUTS_OF = {
    "card_fraud": [floats(3, 10)],
    "stock_prices": [floats(3, 10, 1)],
    "demand": [floats(2, 14, 3), np.array([[1], [4]], "int32"), floats(2, 7, 2)],
    "energy_load": [floats(2, 24, 2), floats(2, 5)],
    "inception_time": [floats(2, 24, 2)],
    "neural_collaborative": [integers(6, 3, 1), integers(9, 3, 1)],
    "factorized": [integers(20, 3, 4)],
    "job_adverts": [
        words("Data engineer", "junior analyst"),
        words("acme", "initech"),
        np.array([["sql", "python", "cobol"], ["spark", "spark", "sql"]], dtype=object),
        np.array([[0], [6]], "int32"),
        np.array([[1.5], [12.0]], "float32"),
    ],
    "monotone_price": [np.abs(floats(3, 1)), floats(3, 4)],
    "machine_anomalies": [floats(3, 12)],
    "ranking": [words("ann", "zoe", "bob"), words("brazil", "alien", "dune")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("machine_anomalies", "ranking")
LAMBDAS = ("demand",)
DICTIONARIES = ("energy_load", "ranking")
INPUTS = {
    "demand": ["history", "store", "promotions"],
    "energy_load": ["load", "calendar"],
    "neural_collaborative": ["user_input", "item_input"],
    "job_adverts": ["title", "employer", "skills", "weekday", "years"],
    "monotone_price": ["price", "others"],
    "ranking": ["user_id", "movie_title"],
}
