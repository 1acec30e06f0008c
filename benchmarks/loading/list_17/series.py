"""Models of voices, series, tables, graphs, actions and small photos drawn by lot from public code,
for `images.py`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained, words


def felt_voices(k):
    """Feelings in speech: large convolutions over coefficients, activations as layers."""
    layers = k.layers
    model = k.Sequential()
    model.add(layers.Conv2D(3, (5, 5), input_shape=(24, 16, 1)))
    for size, pooled in (((5, 5), True), ((3, 3), False), ((2, 2), True)):
        model.add(layers.BatchNormalization(axis=-1))
        model.add(layers.Activation("relu"))
        model.add(layers.Conv2D(3, size))
        if pooled:
            model.add(layers.MaxPooling2D(pool_size=(2, 1)))
    model.add(layers.Flatten())
    model.add(layers.Dense(8))
    model.add(layers.BatchNormalization())
    model.add(layers.Activation("relu"))
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(4, activation="softmax"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["felt_voices"], np.eye(4, dtype="float32")[[0, 3]])


def felt_frames(k):
    """Feelings in speech: one LSTM over frames, dense layers with two kinds of activations."""
    layers = k.layers
    model = k.Sequential()
    model.add(layers.LSTM(8, input_shape=(9, 5)))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(6, activation="relu"))
    model.add(layers.Dense(5, activation="tanh"))
    model.add(layers.Dense(4, activation="softmax"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["felt_frames"], np.eye(4, dtype="float32")[[1, 2]])


def counted_sunspots(k):
    """Spots of the sun: Lambda layers that add an axis and scale, recurrent layers, Huber."""
    layers = k.layers
    model = k.models.Sequential(
        [
            layers.Lambda(lambda x: tf.expand_dims(x, axis=-1), input_shape=[None]),
            layers.Conv1D(4, kernel_size=5, strides=1, padding="causal", activation="relu"),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.LSTM(5),
            layers.Dense(6, activation="relu"),
            layers.Dense(1),
            layers.Lambda(lambda x: x * 400),
        ]
    )
    optimizer = k.optimizers.SGD(learning_rate=1e-8, momentum=0.9)
    model.compile(loss=k.losses.Huber(), optimizer=optimizer, metrics=["mae"])
    return trained(model, INPUTS_OF["counted_sunspots"], floats(3, 1))


def sold_by_ads(k):
    """Sales from three ways to advertise: a dense layer and a number."""
    model = k.Sequential(
        [k.layers.Dense(10, input_shape=(3,), activation="relu"), k.layers.Dense(1)]
    )
    model.compile(optimizer="adam", loss="mse")
    return trained(model, INPUTS_OF["sold_by_ads"], floats(4, 1))


def three_irises(k):
    """One dense layer with a penalty, without an input; classes by number."""
    penalty = k.regularizers.l2()
    given = {"activation": "softmax", "kernel_regularizer": penalty}
    model = k.models.Sequential([k.layers.Dense(3, **given)])
    model.compile(
        optimizer=k.optimizers.SGD(learning_rate=0.1),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=False),
        metrics=["sparse_categorical_accuracy"],
    )
    return trained(model, INPUTS_OF["three_irises"], np.array([0, 2, 1, 1]))


def wide_residuals(k):
    """A wide residual network: penalties everywhere, dropout between, joined by a function."""
    layers, decay = k.layers, 5e-4

    def conv(x, filters, size=(3, 3), **given):
        given |= {"padding": "same", "kernel_initializer": "he_normal", "use_bias": False}
        given["kernel_regularizer"] = k.regularizers.l2(decay)
        return layers.Conv2D(filters, size, **given)(x)

    def active(x):
        given = {"axis": -1, "momentum": 0.1, "epsilon": 1e-5, "gamma_initializer": "uniform"}
        return layers.Activation("relu")(layers.BatchNormalization(**given)(x))

    def block(x, filters, strides):
        start = x
        x = active(conv(active(x), filters, strides=strides))
        x = conv(layers.Dropout(0.3)(x), filters)
        if strides != (1, 1) or start.shape[-1] != filters:
            start = conv(start, filters, (1, 1), strides=strides)
        return layers.add([start, x])

    start = layers.Input(shape=(16, 16, 3))
    x = active(conv(start, 4))
    x = block(block(x, 6, (1, 1)), 6, (1, 1))
    x = block(block(x, 8, (2, 2)), 8, (1, 1))
    x = layers.Flatten()(layers.AveragePooling2D((8, 8))(active(x)))
    x = layers.Dense(5, kernel_regularizer=k.regularizers.l2(decay), activation="softmax")(x)
    model = k.Model(start, x, name="wide-resnet")
    metrics = ["accuracy"]
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=metrics)
    return trained(model, INPUTS_OF["wide_residuals"], np.eye(5, dtype="float32")[[4, 0]])


def masked_actions(k):
    """A DQN as it is trained: a dueling model with a Lambda in a model with a Lambda of its own."""
    layers, b = k.layers, k.backend
    state = layers.Input((4,))
    x = layers.Dense(8, activation="tanh")(state)
    x = layers.Dense(6, activation="tanh")(x)
    advantage = layers.Dense(3, activation="linear")(x)
    value = layers.Dense(1, activation="linear")(x)

    def av_layer(args):
        a, v = args
        return v + a - b.mean(a, axis=-1, keepdims=True)

    def masked_out(args):
        q0, mask = args
        return b.sum(q0 * mask, axis=-1)[:, None]

    q = layers.Lambda(av_layer, output_shape=(3,))([advantage, value])
    inner = k.Model(inputs=state, outputs=q)
    inner.compile(optimizer="sgd", loss="mse")
    x0, mask = layers.Input(name="x0", shape=(4,)), layers.Input(name="mask", shape=(3,))
    out = layers.Lambda(masked_out)([inner(x0), mask])
    model = k.Model(inputs=[x0, mask], outputs=out)
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss="mean_squared_error", metrics=[])
    return trained(model, INPUTS_OF["masked_actions"], floats(3, 1))


def extreme_factors(_):
    """xDeepFM: models in models, a variable of TensorFlow, names with slashes in Keras 2."""
    import customs_17_tables as own

    model = own.ExtremeFactors([3, 4, 5, 4, 6], 4, [8, 5, 1], [6, 4])
    model(INPUTS_OF["extreme_factors"][0])
    return model


def titled_passengers(k):
    """Passengers by columns of features, which only Keras 2 has; a subclass of a dictionary."""
    import customs_17_tables as own

    column, found = tf.feature_column, []
    for name, levels, dim in (("Pclass", [1, 2, 3], 1), ("Title", ["mr", "mrs", "other"], 2)):
        each = column.categorical_column_with_vocabulary_list(name, levels)
        found.append(column.embedding_column(each, dim))
    embedding = k.layers.DenseFeatures(found)
    numbers = k.layers.DenseFeatures([column.numeric_column(name) for name in ("Age", "Fare")])
    model = own.PassengerClassifier(embedding, numbers)
    names = INPUTS["titled_passengers"]
    values = INPUTS_OF["titled_passengers"]
    model({name: tf.constant(values[i].tolist()) for i, name in enumerate(names)}, training=False)
    return model


def passed_messages(_):
    """MPNN: matrices from edges, a recurrent layer for nodes; models in models, four inputs."""
    import customs_17_tables as own

    model = own.MPNN([5, 4], 1, 4, 2)
    model(INPUTS_OF["passed_messages"])
    return model


def counted_nodes(k):
    """GIN: registered own layers with lists as arguments, one with a weight without axes."""
    import customs_17_tables as own

    node = k.layers.Input(shape=(5,), name="node_attributes", dtype="int32")
    edges = k.layers.Input(shape=(7, 2), name="edge_indices", dtype="int32")
    x = k.layers.Dense(6, use_bias=True, activation="linear")(k.layers.Embedding(9, 4)(node))
    found = [x]
    for _ in range(2):
        x = own.GINConv(epsilon_learnable=True)([x, edges])
        given = {"units": [6, 6], "activation": ["relu", "linear"], "use_normalization": True}
        x = own.GraphMLP(**given)(x)
        found.append(x)
    given = {"units": [5, 4], "activation": ["relu", "linear"]}
    out = [own.GraphMLP(**given)(own.PoolingNodes()(x)) for x in found]
    out = k.layers.Add()([k.layers.Dropout(0.1)(x) for x in out])
    out = own.GraphMLP(units=[1], activation=["linear"])(out)
    return k.models.Model(inputs=[node, edges], outputs=out, name="GIN")


_edge_masks = np.array([[0, 1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 1, 1, 0, 0, 1, 0, 0]], "float32")
_node_masks = np.array([[1, 1, 0], [1, 0, 1]], "float32")
INPUTS_OF = {
    "felt_voices": [floats(2, 24, 16, 1)],
    "felt_frames": [floats(2, 9, 5)],
    "counted_sunspots": [floats(3, 12)],
    "sold_by_ads": [np.abs(floats(4, 3))],
    "three_irises": [floats(4, 4)],
    "wide_residuals": [floats(2, 16, 16, 3)],
    "masked_actions": [floats(3, 4), np.eye(3, dtype="float32")],
    "extreme_factors": [np.array([[1, 2, 2, 1, 5], [0, 3, 2, 2, 4], [2, 2, 2, 1, 1]], "int32")],
    "titled_passengers": [
        np.array([[1], [3], [2]], "int32"),
        words("mr", "mrs", "dr"),
        np.abs(floats(3, 1)),
        np.abs(floats(3, 1)) * 2,
    ],
    "passed_messages": [floats(2, 3, 3), floats(2, 9, 2), _node_masks, _edge_masks],
    "counted_nodes": [integers(9, 2, 5), integers(5, 2, 7, 2)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("extreme_factors", "titled_passengers", "passed_messages", "counted_nodes")
LAMBDAS = ("counted_sunspots", "masked_actions")
DICTIONARIES = ("titled_passengers",)
INPUTS = {
    "masked_actions": ["x0", "mask"],
    "titled_passengers": ["Pclass", "Title", "Age", "Fare"],
    "passed_messages": ["input_1", "input_2", "input_3", "input_4"],
    "counted_nodes": ["node_attributes", "edge_indices"],
}
