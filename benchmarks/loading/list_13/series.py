"""Models of texts, series, tables, rules and agents from public code, for `images.py`."""

from __future__ import annotations

import argparse

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained

K = tf.keras.backend


def _set_of(values):
    """Texts as tensors, which `fit` takes in every version."""
    return [tf.constant(each.tolist()) for each in values]


def compact_ratings(k):
    """Names of users and films embedded by own layers that look up, divide and join tables."""
    import customs_13_series as own

    users, films = USERS, FILMS
    user = k.layers.Input(name="user_id", shape=(), dtype=tf.string)
    found = own.QuotientEmbedding(
        vocabulary=users, embedding_dim=8, num_buckets=2, name="user_embedding"
    )(user)
    film = k.layers.Input(name="movie_id", shape=(), dtype=tf.string)
    seen = own.MixedEmbedding(
        blocks_vocabulary=[films[:1], films[1:3], films[3:]],
        blocks_embedding_dims=[8, 4, 2],
        base_embedding_dim=8,
        name="movie_embedding",
    )(film)
    logits = k.layers.Dot(axes=1, name="dot_similarity")([found, seen])
    prediction = k.activations.sigmoid(logits) * 5
    model = k.Model(inputs=[user, film], outputs=prediction, name="baseline_model")
    model.compile(
        optimizer=k.optimizers.Adam(0.001),
        loss=k.losses.MeanSquaredError(),
        metrics=[k.metrics.MeanAbsoluteError(name="mae")],
    )
    rows = _set_of(INPUTS_OF["compact_ratings"])
    named = {"user_id": rows[0], "movie_id": rows[1]}
    model.fit(tf.data.Dataset.from_tensors((named, np.array([[4.0], [1.0], [5.0]]))), verbose=0)
    return model


def translated_pairs(k):
    """A transformer as a subclass of Model of own layers, compiled with own loss and rate."""
    import customs_13_series as own

    model = own.Translated(num_layers=2, d_model=8, num_heads=2, dff=16, sizes=(14, 16))
    model([tf.constant(each) for each in INPUTS_OF["translated_pairs"]])
    model.compile(
        loss=own.masked_loss,
        optimizer=k.optimizers.Adam(own.WarmRate(8), beta_1=0.9, beta_2=0.98, epsilon=1e-9),
        metrics=[own.masked_accuracy],
    )
    return model


def word_pairs(k):
    """Skip-grams as a subclass of Model of a pair."""
    import customs_13_series as own

    model = own.WordPairs(20, 6)
    model.compile(
        optimizer="adam",
        loss=k.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rows = tuple(tf.constant(each) for each in INPUTS_OF["word_pairs"])
    target = np.eye(5, dtype="float32")[[0, 0, 0]]
    model.fit(tf.data.Dataset.from_tensors((rows, target)), verbose=0)
    return model


def authors_of_lines(k):
    """A trained linear model of words that occur, behind an adapted layer and before a softmax."""
    lines = np.array(["how do i sort a list", "what is a pointer", "a list of a pointer"])
    vectorize = k.layers.TextVectorization(max_tokens=20, output_mode="multi_hot")
    vectorize.adapt(lines)
    binary = k.Sequential([k.layers.Dense(4)])
    binary.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer="adam",
        metrics=["accuracy"],
    )
    binary.fit(vectorize(lines), np.array([0, 3, 3]), verbose=0)
    model = k.Sequential([vectorize, binary, k.layers.Activation("sigmoid")])
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=False),
        optimizer="adam",
        metrics=["accuracy"],
    )
    model(_set_of(INPUTS_OF["authors_of_lines"])[0])
    return model


def toponyms(k):
    """Tags by both directions and an own random field, whose methods are loss and metric."""
    import customs_13_tables as own

    inputs = k.layers.Input(shape=(None,))
    x = k.layers.Embedding(input_dim=20, output_dim=6)(inputs)
    x = k.layers.Bidirectional(k.layers.LSTM(units=5, return_sequences=True))(x)
    x = k.layers.Dropout(0.5)(x)
    x = k.layers.Dense(4)(x)
    crf = own.ConditionalRandomField(lr_multiplier=1000)
    model = k.Model(inputs=inputs, outputs=crf(x))
    model.compile("adam", loss=crf.sparse_loss, metrics=[crf.sparse_accuracy])
    tags = np.array([[0, 1, 2, 3, 0], [3, 2, 0, 0, 1]], "int32")
    return trained(model, INPUTS_OF["toponyms"], tags)


def made_series(_):
    """A generator of series: a subclass of Model with one cell in a stack, of parsed arguments."""
    import customs_13_tables as own

    args = argparse.Namespace(module_name="gru", hidden_dim=6, num_layers=3)
    model = own.MadeSeries(args)
    model(tf.constant(INPUTS_OF["made_series"][0]))
    return model


def values_of_goals(_):
    """The value of a state and a goal, as a subclass around a Sequential model."""
    import customs_13_tables as own

    model = own.ValueNetwork((7,))
    model(tf.constant(INPUTS_OF["values_of_goals"][0]))
    return model


def later_rewards(k):
    """The reward between two states by one network called twice, in a Lambda with a closure."""
    gamma = 0.98
    state = k.layers.Input(shape=(4,))
    x = k.layers.Dense(8, activation="tanh")(state)
    x = k.layers.Dense(6, activation="tanh")(x)
    q_model = k.Model(inputs=[state], outputs=[k.layers.Dense(3, activation="linear")(x)])
    final = k.layers.Input(shape=(1,))
    mask = k.layers.Input(shape=(3,))
    s0 = k.layers.Input(shape=(4,))
    s1 = k.layers.Input(shape=(4,))

    def differential(args):
        q0, mask, q1, final = args
        q0 = K.sum(q0 * mask, axis=-1)[:, None]
        q1max = K.max(q1, axis=-1)[:, None]
        return q0 - (1.0 - final) * gamma * q1max

    out = k.layers.Lambda(differential)([q_model(s0), mask, q_model(s1), final])
    model = k.Model(inputs=[s0, mask, s1, final], outputs=[out])
    model.compile(k.optimizers.Adam(learning_rate=1e-3), ["mse"])
    return trained(model, INPUTS_OF["later_rewards"], floats(3, 1))


def fuzzy_rules(k):
    """Fuzzy sets and rules as own layers in batches of one size, fitted by gradients."""
    import customs_13_tables as own

    start = k.layers.Input(shape=(2,), name="inputLayer", batch_size=4)
    x = own.FuzzyLayer(2, 3, "gaussian", name="fuzzyLayer")(start)
    x = own.RuleLayer(2, 3, name="ruleLayer")(x)
    x = own.NormLayer(name="normLayer")(x)
    x = own.DefuzzLayer(2, 3, name="defuzzLayer")(x, start)
    x = own.SummationLayer(name="sumLayer")(x)
    model = k.Model(inputs=[start], outputs=[x], name="MyAnfis")
    model.compile(optimizer=k.optimizers.SGD(), loss="mse", metrics=["mae", "mse"])
    model.fit(INPUTS_OF["fuzzy_rules"][0], floats(4, 1), batch_size=4, verbose=0)
    return model


USERS = ["user_1", "user_2", "user_3", "user_4"]
FILMS = ["movie_7", "movie_2", "movie_9", "movie_4", "movie_5"]
INPUTS_OF = {
    "compact_ratings": [
        np.array(["user_3", "user_1", "user_4"], dtype=object),
        np.array(["movie_2", "movie_7", "movie_5"], dtype=object),
    ],
    "translated_pairs": [
        integers(14, 2, 6) * (integers(3, 2, 6) - 1),
        integers(16, 2, 5),
    ],
    "word_pairs": [integers(20, 3, 1), integers(20, 3, 5)],
    "authors_of_lines": [np.array(["how do i list", "what is it", "a pointer"], dtype=object)],
    "toponyms": [integers(20, 2, 5).astype("float32")],
    "made_series": [floats(2, 5, 6)],
    "values_of_goals": [floats(3, 7)],
    "later_rewards": [
        floats(3, 4),
        np.eye(3, dtype="float32")[[2, 0, 1]],
        floats(3, 4) * 0.5,
        np.array([[0.0], [1.0], [0.0]], "float32"),
    ],
    "fuzzy_rules": [floats(4, 2)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("compact_ratings", "translated_pairs", "word_pairs", "toponyms", "made_series")
CUSTOM += ("values_of_goals", "fuzzy_rules")
LAMBDAS = ("compact_ratings", "later_rewards")
INPUTS = {
    "compact_ratings": ["user_id", "movie_id"],
    "translated_pairs": ["context", "x"],
    "word_pairs": ["target", "context"],
    "later_rewards": ["s0", "mask", "s1", "final"],
}
