"""Models of series, texts, tables, sounds and agents from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained


def steady_actor(k):
    """The policy of an agent: TensorFlow's function as the activation of dense layers."""
    start = x = k.Input(shape=(4,), dtype=tf.float32)
    for units in (8, 8):
        x = k.layers.Dense(units=units, activation=tf.tanh)(x)
    return k.Model(inputs=start, outputs=k.layers.Dense(units=2, activation=None)(x))


def two_stage_series(_):
    """Attention to driving series, then to steps: a subclass of Model with a config."""
    import customs_14_series as own

    model = own.TwoStageSeries(4, 5, 6, 1)
    model.compile(optimizer="adam", loss="mse", metrics=["mae", "mape"])
    return trained(model, INPUTS_OF["two_stage_series"], floats(3, 1))


def share_prices(k):
    """Two recurrent layers with dropout; several days at once."""
    model = k.models.Sequential(
        [
            k.layers.Input(shape=(6, 5)),
            k.layers.LSTM(8, return_sequences=True),
            k.layers.Dropout(0.25),
            k.layers.LSTM(4, return_sequences=False),
            k.layers.Dropout(0.25),
            k.layers.Dense(6, activation="relu"),
            k.layers.Dense(3),
        ]
    )
    model.compile(optimizer="adam", loss="mean_squared_error")
    return trained(model, INPUTS_OF["share_prices"], floats(3, 3))


def composed_music(k):
    """Notes by a subclass of Model with relative attention; an own loss and rate."""
    import customs_14_series as own

    model = own.ComposedMusic(embedding_dim=8, vocab_size=20, num_layer=1, max_seq=6)
    rate = own.MusicRate(8)
    model.compile(
        optimizer=k.optimizers.Adam(rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
        loss=own.padded_music_loss,
    )
    model(tf.constant(INPUTS_OF["composed_music"][0]), training=False)
    return model


def feature_importance(k):
    """Fields of a table weighed and multiplied in pairs by own layers with lists."""
    import customs_14_tables as own

    sizes = {"C1": 5, "C2": 7, "C3": 4}
    inputs = {name: k.layers.Input((1,), name=name, dtype="int32") for name in sizes}
    inputs["I1"] = k.layers.Input((1,), name="I1", dtype="float32")

    def tables(wide, start):
        return [
            k.layers.Embedding(
                size,
                wide,
                embeddings_initializer=k.initializers.RandomNormal(0.0, 0.0001, seed=2020),
                embeddings_regularizer=k.regularizers.l2(1e-5),
                name=f"{start}sparse_emb_{name}",
            )(inputs[name])
            for name, size in sizes.items()
        ]

    single = own.Joined(axis=-1)(tables(1, "linear0"))
    linear = own.WideLogit(1e-5, mode=2, use_bias=False, seed=1024)([single, inputs["I1"]])
    embedded = tables(4, "")
    weighed = own.FieldWeights(3, 1024)(embedded)
    pairs = own.BilinearPairs(bilinear_type="interaction", seed=1024)(weighed)
    others = own.BilinearPairs(bilinear_type="interaction", seed=1024)(embedded)
    x = k.layers.Flatten()(own.Joined(axis=1)([pairs, others]))
    x = own.Joined(axis=-1)([x, k.layers.Flatten()(inputs["I1"])])
    x = own.FieldDense((8, 4), "relu", 0, seed=1024)(x)
    x = k.layers.Dense(1, use_bias=False)(x)
    x = own.ClickChance("binary")(k.layers.Add()([linear, x]))
    model = k.Model(inputs=list(inputs.values()), outputs=x)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["feature_importance"], np.array([[1], [0], [1]]))


def heard_words(_):
    """Speech to words by a Functional model that makes itself; dictionaries in and out."""
    import customs_14_speech as own

    return own.HeardWords()


def sorted_priorities(k):
    """A recurrent encoder whose last state is repeated for a recurrent decoder."""
    model = k.models.Sequential()
    model.add(
        k.layers.LSTM(
            8,
            input_shape=(7, 4),
            kernel_initializer="glorot_uniform",
            recurrent_initializer="orthogonal",
            activation="tanh",
            kernel_regularizer=None,
            dropout=0.0,
            recurrent_dropout=0.0,
        )
    )
    model.add(k.layers.Dense(8, input_shape=(7, 4)))
    model.add(k.layers.RepeatVector(7))
    model.add(k.layers.LSTM(8, return_sequences=True))
    model.add(k.layers.TimeDistributed(k.layers.Dense(4)))
    model.add(k.layers.Activation("sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["sorted_priorities"], np.round(np.abs(floats(3, 7, 4))))


def sampled_weights(k):
    """Dense layers that draw their weights in each call, and add their loss."""
    import customs_14_texts as own

    prior = {"prior_sigma_1": 1.0, "prior_sigma_2": 0.5, "prior_pi": 0.5}
    start = k.layers.Input(shape=(1,))
    x = own.SampledDense(6, 0.1, activation="relu", **prior)(start)
    x = own.SampledDense(6, 0.1, activation="relu", **prior)(x)
    model = k.Model(start, own.SampledDense(1, 0.1, **prior)(x))
    model.compile(loss="mse", optimizer="adam", metrics=["mse", "mae"])
    return trained(model, INPUTS_OF["sampled_weights"], floats(4, 1))


def masked_pairs(k):
    """Masked words and pairs of sentences by own layers with masks; an embedding with two ends."""
    import customs_14_texts as own

    names = ("Input-Token", "Input-Segment", "Input-Masked")
    inputs = [k.layers.Input(shape=(6,), name=name) for name in names]
    tokens, weights = own.ReturnedEmbedding(
        input_dim=20, output_dim=8, mask_zero=True, trainable=True, name="Embedding-Token"
    )(inputs[0])
    segments = k.layers.Embedding(2, 8, trainable=True, name="Embedding-Segment")(inputs[1])
    x = k.layers.Add(name="Embedding-Token-Segment")([tokens, segments])
    x = own.AddedPlaces(10, 8, mode="add", trainable=True, name="Embedding-Position")(x)
    x = k.layers.Dropout(rate=0.1, name="Embedding-Dropout")(x)
    x = own.OwnLayerNorm(trainable=True, name="Embedding-Norm")(x)
    name = "Encoder-1-MultiHeadSelfAttention"
    y = own.HeadedAttention(head_num=2, activation=None, history_only=False, name=name)(x)
    y = k.layers.Dropout(rate=0.1, name=f"{name}-Dropout")(y)
    x = own.OwnLayerNorm(name=f"{name}-Norm")(k.layers.Add(name=f"{name}-Add")([x, y]))
    name = "Encoder-1-FeedForward"
    y = k.layers.Dense(12, activation=own.bert_gelu, name=f"{name}-1")(x)
    y = k.layers.Dense(8, name=f"{name}-2")(y)
    y = k.layers.Dropout(rate=0.1, name=f"{name}-Dropout")(y)
    x = own.OwnLayerNorm(name=f"{name}-Norm")(k.layers.Add(name=f"{name}-Add")([x, y]))
    y = k.layers.Dense(units=8, activation=own.bert_gelu, name="MLM-Dense")(x)
    y = own.OwnLayerNorm(name="MLM-Norm")(y)
    y = own.TokenSimilarity(name="MLM-Sim")([y, weights])
    y = own.MaskedPlaces(name="MLM")([y, inputs[-1]])
    x = own.ExtractedPlace(index=0, name="Extract")(x)
    x = k.layers.Dense(units=8, activation="tanh", name="NSP-Dense")(x)
    x = k.layers.Dense(units=2, activation="softmax", name="NSP")(x)
    model = k.models.Model(inputs=inputs, outputs=[y, x])
    for layer in model.layers:
        layer.trainable = True
    return model


def one_window(k):
    """One dense layer over a window of a series."""
    layer = k.layers.Dense(1, input_shape=[8])
    model = k.models.Sequential([layer])
    model.compile(loss="mse", optimizer=k.optimizers.SGD(learning_rate=1e-6, momentum=0.9))
    return trained(model, INPUTS_OF["one_window"], floats(3, 1))


INPUTS_OF = {
    "steady_actor": [floats(3, 4)],
    "two_stage_series": [floats(3, 4, 4)],
    "share_prices": [floats(3, 6, 5)],
    "composed_music": [integers(20, 2, 6)],
    "feature_importance": [
        integers(5, 3, 1),
        integers(7, 3, 1),
        integers(4, 3, 1),
        floats(3, 1),
    ],
    "heard_words": [floats(2, 6, 10), integers(20, 2, 4)],
    "sorted_priorities": [floats(3, 7, 4)],
    "sampled_weights": [floats(4, 1)],
    "masked_pairs": [
        integers(20, 2, 6).astype("float32"),
        np.array([[0, 0, 0, 1, 1, 1]] * 2, "float32"),
        np.array([[0, 1, 0, 0, 1, 0]] * 2, "float32"),
    ],
    "one_window": [floats(3, 8)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("two_stage_series", "composed_music", "feature_importance", "heard_words")
CUSTOM += ("sampled_weights", "masked_pairs")
LAMBDAS = ("heard_words",)
INPUTS = {
    "feature_importance": ["C1", "C2", "C3", "I1"],
    "heard_words": ["input_features", "decoder_input_ids"],
    "masked_pairs": ["Input-Token", "Input-Segment", "Input-Masked"],
}
DICTIONARIES = ("heard_words",)
