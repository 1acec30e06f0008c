"""Networks and programs drawn by lot from public code: a twenty-third list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained
from benchmarks.loading.list_23 import frames, views


def brand_reviews(k):
    """Words by two branches, from an embedding with its weights given."""
    layers = k.layers
    matrix = np.zeros((30, 6), "float32")
    input_layer = layers.Input(shape=(9,))
    embedding = layers.Embedding(
        input_dim=30, output_dim=6, weights=[matrix], input_length=9, trainable=True
    )(input_layer)
    cnn = layers.Conv1D(4, 3, activation="tanh")(embedding)
    cnn = layers.GlobalAveragePooling1D()(cnn)
    lstm = layers.Bidirectional(layers.LSTM(4))(embedding)
    x = layers.concatenate([cnn, lstm])
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(8, activation="relu")(x)
    output = layers.Dense(3, activation="softmax")(x)
    model = k.models.Model(inputs=input_layer, outputs=output)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, [integers(30, 2, 9)], np.array([0, 2]))


def traded_signals(k):
    """Prices by convolutions, by both directions and by attention, with a loss of its own."""
    import customs_23_maps as own

    layers = k.layers
    reg = k.regularizers.L2(1e-5)
    inp = k.Input(shape=(8, 5))
    conv_branches = []
    for size in (3, 5, 7):
        branch = layers.Conv1D(
            filters=3,
            kernel_size=size,
            padding="same",
            activation="relu",
            kernel_regularizer=reg,
            name=f"conv1d_k{size}",
        )(inp)
        branch = layers.BatchNormalization(name=f"bn_k{size}")(branch)
        conv_branches.append(branch)
    x = layers.Concatenate(name="cnn_concat")(conv_branches)
    x = layers.MaxPooling1D(pool_size=2, name="cnn_pool")(x)
    x = layers.Dropout(0.2, name="cnn_dropout")(x)
    for place, units in ((1, 8), (2, 4)):
        x = layers.Bidirectional(
            layers.LSTM(
                units, return_sequences=True, kernel_regularizer=reg, recurrent_regularizer=reg
            ),
            name=f"bilstm_{place}",
        )(x)
        x = layers.Dropout(0.2, name=f"bilstm{place}_dropout")(x)
    x = own.MultiHeadAttentionBlock(d_model=8, num_heads=4, dropout=0.2, name="mha_block")(x)

    def slice_last_step(z):
        return z[:, -1, :]

    x = layers.Lambda(slice_last_step, name="take_last_step")(x)
    x = layers.Dense(
        8,
        kernel_regularizer=reg,
        bias_initializer=k.initializers.Constant(0.01),
        name="fc_hidden",
    )(x)
    x = layers.LeakyReLU(negative_slope=0.01, name="fc_act")(x)
    x = layers.Dropout(0.2, name="fc_dropout")(x)
    out = layers.Dense(4, activation="sigmoid", name="classifier_head")(x)
    model = k.Model(inputs=inp, outputs=out, name="CNN_BiLSTM_MHA_Full")
    model.compile(
        optimizer=k.optimizers.Adam(1e-3),
        loss=own.collapse_aware_bce,
        metrics=[own.DirectionalAccuracy(name="dir_acc"), own.BinaryAUCFromSoft(name="auc")],
    )
    return trained(model, [floats(4, 8, 5)], np.abs(floats(4, 4)))


def flooded_land(k):
    """Frames and constants of places, by two inputs."""
    layers = k.layers
    constant_input = k.Input(shape=(3,), name="constants")
    temporal_input = k.Input(shape=(1, 1, 6, 3), name="temporal")
    lstm_1 = layers.ConvLSTM2D(filters=4, kernel_size=(1, 3))(temporal_input)
    flat = layers.Flatten()(lstm_1)
    repeat = layers.RepeatVector(1)(flat)
    lstm_2 = layers.LSTM(4, return_sequences=True)(repeat)
    lstm_3 = layers.LSTM(3, dropout=0.1, recurrent_dropout=0.1)(lstm_2)
    dense_1 = layers.Dense(4, activation="relu")(constant_input)
    flat_2 = layers.Flatten()(dense_1)
    concat_1 = layers.concatenate([flat_2, lstm_3])
    dense_2 = layers.Dense(1)(concat_1)
    model = k.Model(inputs=[temporal_input, constant_input], outputs=[dense_2])
    model.compile(
        optimizer="adam", loss=k.losses.Huber(), metrics=[k.metrics.RootMeanSquaredError()]
    )
    return trained(model, [floats(2, 1, 1, 6, 3), floats(2, 3)], floats(2, 1))


def waved_brains(k):
    """Waves of channels by convolutions, then in both directions."""
    layers = k.layers
    l2 = k.regularizers.l2
    inputs = layers.Input(shape=(8, 6, 1))
    x = inputs
    for width, size in ((3, (2, 1)), (4, (2, 2))):
        x = layers.Conv2D(
            width,
            (3, 3),
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=l2(1e-4),
        )(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D(pool_size=size)(x)
    cnn_shape = k.backend.int_shape(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape(target_shape=(cnn_shape[2], cnn_shape[1] * cnn_shape[3]))(x)
    x = layers.Bidirectional(
        layers.LSTM(4, return_sequences=False, dropout=0.2, recurrent_dropout=0.2)
    )(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(
        6, activation="relu", kernel_initializer="he_normal", kernel_regularizer=l2(1e-4)
    )(x)
    x = layers.Dropout(0.4)(x)
    outputs = layers.Dense(3, activation="softmax")(x)
    model = k.models.Model(inputs, outputs)
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, [floats(2, 8, 6, 1)], np.array([0, 2]))


def worn_wrists(k):
    """A linear head on the frozen layers of an encoder that has another head."""
    import tensorflow as tf

    layers = k.layers
    inputs = k.Input(shape=(20, 3), name="input")
    x = inputs
    for width, size in ((3, 5), (4, 4), (5, 3)):
        x = layers.Conv1D(
            width, size, activation="relu", kernel_regularizer=k.regularizers.l2(l2=1e-4)
        )(x)
        x = layers.Dropout(0.1)(x)
    x = layers.GlobalMaxPool1D(data_format="channels_last", name="global_max_pooling1d")(x)
    base_model = k.Model(inputs, x, name="base_model")
    x = base_model.output
    for width in (6, 5):
        x = layers.Activation("relu")(layers.Dense(width)(x))
    simclr = k.Model(base_model.input, layers.Dense(4)(x), name=base_model.name + "_simclr")
    x = simclr.layers[7].output
    x = layers.Dense(2, kernel_initializer=tf.random_normal_initializer(stddev=0.01))(x)
    outputs = layers.Softmax()(x)
    model = k.Model(inputs=simclr.inputs, outputs=outputs, name=simclr.name + "linear")
    for layer in model.layers[:8]:
        layer.trainable = False
    model.compile(
        optimizer=k.optimizers.SGD(learning_rate=0.03),
        loss=k.losses.CategoricalCrossentropy(),
        metrics=[
            k.metrics.CategoricalAccuracy(name="categorical_accuracy"),
            k.metrics.AUC(name="auc"),
            k.metrics.Precision(name="precision"),
        ],
    )
    return trained(model, [floats(2, 20, 3)], np.eye(2, dtype="float32"))


def said_once(k):
    """A layer in both directions, of which each is given."""
    layers = k.layers
    given = layers.Input(shape=(6, 4))
    forward_lstm = layers.LSTM(4)
    backward_lstm = layers.LSTM(4, go_backwards=True)
    bi = layers.Bidirectional(forward_lstm, backward_layer=backward_lstm)(given)
    dropout = layers.Dropout(rate=0.2)(bi)
    fc_layer = layers.Dense(6, activation="relu")(dropout)
    fc_layer = layers.Dropout(rate=0.2)(fc_layer)
    fc_layer = layers.Dense(2, activation="softmax")(fc_layer)
    model = k.Model(inputs=given, outputs=fc_layer, name="BiLSTM")
    optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, [floats(2, 6, 4)], np.eye(2, dtype="float32"))


def alarmed_gas(k):
    """Two layers in both directions, one after another."""
    layers = k.layers
    model = k.models.Sequential(
        [
            layers.Input(shape=(6, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.Dropout(0.3),
            layers.Bidirectional(layers.LSTM(3)),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        loss="binary_crossentropy",
        optimizer=k.optimizers.Adam(learning_rate=1e-3),
        metrics=["accuracy"],
    )
    return trained(model, [floats(2, 6, 3)], np.array([[0.0], [1.0]], "float32"))


def priced_pork(k):
    """A layer in both directions, built for any length."""
    layers = k.layers
    model = k.models.Sequential()
    model.add(layers.Bidirectional(layers.LSTM(5, activation="relu")))
    model.add(layers.Dense(units=1, activation="relu"))
    model.compile(
        optimizer=k.optimizers.Adam(0.001),
        loss="MeanSquaredError",
        metrics=["RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError"],
    )
    model.build(input_shape=(None, None, 1))
    return trained(model, [floats(2, 6, 1)], floats(2, 1))


MODELS = {
    "brand_reviews": (brand_reviews, [integers(30, 2, 9)]),
    "traded_signals": (traded_signals, [floats(2, 8, 5)]),
    "flooded_land": (flooded_land, [floats(2, 1, 1, 6, 3), floats(2, 3)]),
    "waved_brains": (waved_brains, [floats(2, 8, 6, 1)]),
    "worn_wrists": (worn_wrists, [floats(2, 20, 3)]),
    "said_once": (said_once, [floats(2, 6, 4)]),
    "alarmed_gas": (alarmed_gas, [floats(2, 6, 3)]),
    "priced_pork": (priced_pork, [floats(2, 6, 1)]),
    **frames.MODELS,
    **views.MODELS,
}
CUSTOM = frozenset({"traded_signals"}) | frames.CUSTOM | views.CUSTOM
LAMBDAS = frozenset({"traded_signals"}) | frames.LAMBDAS | views.LAMBDAS
INPUTS = {
    "flooded_land": ("temporal", "constants"),
    "styled_features": ("style", "content"),
    "viewed_twice": ("image", "image2"),
}
