"""Models of clicks, ranks, actions, plates and points, and more of photos, drawn by lot from
public code, for `images.py`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, integers, trained


def ensemble_votes(k):
    """EnsNet: classifiers of parts of the channels vote in a function of TensorFlow."""
    import customs_19 as own

    blocks = [{"n_filters": [4, 4, 5], "drop_rate": 0.35}]
    blocks.append({"n_filters": [5, 6, 10], "drop_rate": 0.35, "drop_after": True})
    config = {"block_config": blocks, "classifier_config": {"n_classes": 4, "drop_rate": 0.5}}
    model = own.EnsNet(config)
    loss = k.losses.CategoricalCrossentropy()
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    inputs = INPUTS_OF["ensemble_votes"]
    model.fit(inputs[0], np.eye(4, dtype="float32")[[1, 3]], verbose=0)
    model(inputs[0])
    return model


def adder_digits(k):
    """AdderNet: residuals of own layers with a gradient of their own and whole configs."""
    import customs_19_more as own

    layers = k.layers

    def adder(x, filters, kernel_size=3, strides=1, activation="relu", normalized=True):
        given = {"padding": "same", "kernel_initializer": "he_normal", "strides": strides}
        given["kernel_regularizer"] = k.regularizers.l2(1e-4)
        x = own.Adder2D(filters, kernel_size=kernel_size, **given)(x)
        x = layers.BatchNormalization()(x) if normalized else x
        return layers.Activation(activation)(x) if activation is not None else x

    start = layers.Input(shape=(8, 8, 3))
    given = {"padding": "same", "kernel_initializer": "he_normal"}
    x = layers.Conv2D(4, kernel_size=3, kernel_regularizer=k.regularizers.l2(1e-4), **given)(start)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    for stack, filters in enumerate((4, 6)):
        y = adder(adder(x, filters, strides=stack + 1), filters, activation=None)
        if stack:
            x = adder(x, filters, 1, stack + 1, activation=None, normalized=False)
        x = layers.Activation("relu")(layers.add([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(pool_size=4)(x))
    x = layers.Dense(5, activation="softmax", kernel_initializer="he_normal")(x)
    model = k.models.Model(inputs=start, outputs=x)
    optimizer = k.optimizers.Adam(learning_rate=1e-3)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    target = np.eye(5, dtype="float32")[[4, 2]]
    return trained(model, INPUTS_OF["adder_digits"], target)


def dehazed_rooms(k):
    """FFA-Net for Keras 3: groups of blocks with two gates, joined by a function of Keras."""
    layers = k.layers

    def conv(x, size=3, activation=None, filters=4):
        given = {"strides": 1, "padding": "same", "use_bias": True, "activation": activation}
        return layers.Conv2D(filters=filters, kernel_size=size, **given)(x)

    def pool(x):
        return layers.AveragePooling2D(pool_size=(1, 1), strides=(1, 1), padding="valid")(x)

    def block(x):
        two = conv(x)
        four = conv(conv(pool(two), 1, "relu"), 1, "sigmoid")
        one = layers.Multiply()([two, four])
        six = conv(conv(one, 3, "relu"), 3, "sigmoid")
        return layers.Add()([x, layers.Multiply()([one, six])])

    def group(x):
        return layers.Add()([x, conv(block(block(x)))])

    start = k.Input(shape=(8, 8, 3))
    one = group(conv(start))
    two = group(one)
    x = k.ops.concatenate([one, two, group(two)], axis=-1)
    two = conv(pool(x), 1, "relu")
    one = layers.Multiply()([two, conv(two, 1, "sigmoid")])
    x = layers.Multiply()([one, conv(conv(one, 3, "relu"), 3, "sigmoid")])
    return k.Model(start, layers.Add()([start, conv(conv(x), filters=3)]))


def cats_or_dogs(k):
    """A Sequential model behind an InputLayer, with all initializers by name."""
    model = k.models.Sequential()
    given = {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}
    if hasattr(k, "ops"):
        model.add(k.layers.InputLayer(shape=(24, 24, 3)))
    else:
        model.add(k.layers.InputLayer(input_shape=(24, 24, 3)))
    for filters, dropped in ((4, True), (5, False), (6, True)):
        given |= {"activation": "relu"}
        conv = {"kernel_size": (3, 3), "strides": (1, 1), "padding": "valid", **given}
        model.add(k.layers.Conv2D(filters=filters, **conv))
        model.add(k.layers.MaxPool2D(pool_size=(2, 2)))
        if dropped:
            model.add(k.layers.Dropout(0.2))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(units=8, **given))
    model.add(k.layers.Dense(units=5, **{**given, "activation": "linear"}))
    loss = tf.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["cats_or_dogs"], np.array([0, 4]))


def field_clicks(k):
    """A factorization machine of a dictionary of features, its embeddings in a dictionary."""
    import customs_19_tables as own

    dense = [{"name": "age", "feat_num": 1}, {"name": "spent", "feat_num": 1}]
    sparse = [{"name": "city", "feat_num": 5, "embed_dim": 3}]
    sparse.append({"name": "device", "feat_num": 4, "embed_dim": 2})
    model = own.FieldClicks(feature_columns=(dense, sparse), k=3)
    optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=[k.metrics.AUC()])
    values = INPUTS_OF["field_clicks"]
    features = {name: values[i] for i, name in enumerate(INPUTS["field_clicks"])}
    model.fit(features, np.array([[1.0], [0.0], [1.0]], "float32"), verbose=0)
    return model


def registered_units(k):
    """A fully connected network by settings: names with numbers, a registered activation."""
    import customs_19_points as own

    layers, penalty = k.layers, k.regularizers.l2(0.001)
    given = {"use_bias": True, "bias_initializer": "zeros", "kernel_regularizer": penalty}
    given["kernel_initializer"] = "truncated_normal"
    start = layers.Input(shape=(7,), name="input", dtype="float32")
    x = layers.Dropout(rate=0.1, name="dropout_input")(layers.BatchNormalization()(start))
    for i, units in enumerate((8, 6)):
        x = layers.Dense(units, name=f"hidden_{i}", activation=own.elup1, **given)(x)
        x = layers.Dropout(rate=0.2, name=f"hidden_dropout_{i}")(x)
        x = layers.BatchNormalization()(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(6, name="output_vector", activation="linear", **given)(x)
    x = layers.Activation(own.elup1)(layers.Reshape([3, 2])(x))
    model = k.models.Model(start, x)
    optimizer = k.optimizers.Adam(learning_rate=0.001, amsgrad=False)
    model.compile(loss="mse", optimizer=optimizer, metrics=["mae"], weighted_metrics=None)
    return trained(model, INPUTS_OF["registered_units"], floats(3, 3, 2))


def turned_points(k):
    """PointNet for Keras 3: layers that make layers in `build`, one of which has no config."""
    import customs_19_points as own

    model = own.PointClassifier(num_classes=4)
    loss = k.losses.SparseCategoricalCrossentropy()
    optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["turned_points"], np.array([3, 1]))


def lambda_ranks(_):
    """RankNet: own normalizations whose weights have their name first; its own optimizer."""
    import customs_19_tables as own

    model = own.LambdaRanks()
    model.create_optimizer("adam")
    x = tf.constant(INPUTS_OF["lambda_ranks"][0])
    model.train_once(x, tf.constant([[0.0], [2.0], [1.0], [4.0]]))
    return model


def fourier_grids(k):
    """Dense layers over a grid, called by a function of TensorFlow, built by a shape."""
    import customs_19_tables as own

    model = own.FourierModel()
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(), loss=loss, metrics=["accuracy"])
    model.build((2, 5, 5, 3))
    model.fit(INPUTS_OF["fourier_grids"][0], np.zeros((2, 5, 5, 1), "float32"), verbose=0)
    return model


def actor_and_critic(_):
    """A2C: a policy and a value, trained by a tape."""
    import customs_19_tables as own

    model = own.ActorAndCritic()
    model(INPUTS_OF["actor_and_critic"][0])
    return model


def shown_actions(k):
    """DQfD: values of actions with a penalty that is given to the constructor."""
    import customs_19_tables as own

    model = own.ShownActions(8, 3, reg=k.regularizers.l2(1e-5))
    model(INPUTS_OF["shown_actions"][0])
    return model


def bent_plates(k):
    """The energy of a plate: a tape in a call, a model in a model, dictionaries in and out."""
    import customs_19_tables as own

    model = own.PlateEnergy(own.PlateStress(own.PlateShift(), e=1.0, nu=0.3))
    sizes = {name: 1 if "wt" in name else 2 for name in INPUTS["bent_plates"]}
    model({name: k.Input(shape=(None, size)) for name, size in sizes.items()})
    model.compile(optimizer=k.optimizers.SGD(0.001, momentum=0.9), loss=own.PlateLoss())
    return model


def rippled_items(k):
    """RippleNet: own layers without a name, added losses, own metrics, eight inputs."""
    import customs_19_points as own

    layers, hops, memory, wide = k.layers, 2, 4, 3
    item = layers.Input(shape=(), name="items", dtype=tf.int32)
    label = layers.Input(shape=(), name="labels", dtype=tf.float32)
    starts = {
        kind: [
            layers.Input(shape=(memory,), name=f"{kind}_inputs_{hop}", dtype=tf.int32)
            for hop in range(hops)
        ]
        for kind in "hrt"
    }
    matmul = layers.Lambda(lambda x: tf.matmul(x[0], x[1]))
    penalty = k.regularizers.l2(1e-4)
    given = {"embeddings_initializer": "glorot_uniform", "embeddings_regularizer": penalty}
    entities = layers.Embedding(9, wide, name="entity_embedding", **given)
    relations = own.Embedding2D(5, wide, wide, name="relation_embedding", **given)
    x, found = entities(item), []
    heads, tails = ([entities(each) for each in starts[kind]] for kind in "ht")
    turns = [relations(each) for each in starts["r"]]
    for hop in range(hops):
        turned = own.Squeezed(3)(matmul([turns[hop], own.Widened(3)(heads[hop])]))
        probs = layers.Softmax()(own.Squeezed(2)(matmul([turned, own.Widened(2)(x)])))
        o = k.backend.sum(tails[hop] * own.Widened(2)(probs), axis=1)
        dense = {"kernel_initializer": "glorot_uniform", "kernel_regularizer": penalty}
        x = layers.Dense(wide, use_bias=False, **dense)(x + o)
        found.append(o)
    y = found[-1]
    for i in range(hops - 1):
        y += found[i]
    scores = own.Squeezed()(k.backend.sum(x * y, axis=1))
    scores = layers.Activation("sigmoid", name="score")(scores)
    inputs = [item, label, *starts["h"], *starts["r"], *starts["t"]]
    model = k.models.Model(inputs=inputs, outputs=scores)
    known = l2 = 0
    for hop in range(hops):
        turned = own.Widened(2)(heads[hop]) @ turns[hop] @ own.Widened(3)(tails[hop])
        known += k.backend.mean(layers.Activation("sigmoid")(own.Squeezed()(turned)))
        l2 += k.backend.sum(k.backend.square(heads[hop]))
        l2 += k.backend.sum(k.backend.square(turns[hop]))
    model.add_loss(k.losses.binary_crossentropy(label, scores))
    model.add_loss(1e-4 * l2)
    model.add_loss(0.01 * -known)
    metrics = [k.metrics.binary_accuracy, own.clicked_precision, own.clicked_recall]
    model.compile(optimizer=adam(k, 0.02), metrics=metrics)
    return model


_ripples = [integers(9 if kind != "r" else 5, 3, 4) for kind in "hhrrtt"]
INPUTS_OF = {
    "ensemble_votes": [np.abs(floats(2, 8, 8, 1))],
    "adder_digits": [floats(2, 8, 8, 3)],
    "dehazed_rooms": [np.abs(floats(2, 8, 8, 3))],
    "cats_or_dogs": [floats(2, 24, 24, 3)],
    "field_clicks": [
        floats(3, 1),
        np.abs(floats(3, 1)),
        np.eye(5, dtype="float32")[[0, 3, 4]],
        np.eye(4, dtype="float32")[[1, 1, 2]],
    ],
    "registered_units": [floats(3, 7)],
    "turned_points": [floats(2, 9, 3)],
    "lambda_ranks": [floats(4, 6)],
    "fourier_grids": [floats(2, 5, 5, 3)],
    "actor_and_critic": [floats(3, 4)],
    "shown_actions": [floats(3, 4)],
    "bent_plates": [
        floats(1, 6, 2),
        np.abs(floats(1, 6, 1)),
        floats(1, 4, 2),
        np.abs(floats(1, 4, 1)),
        floats(1, 4, 2) * 0.5,
    ],
    "rippled_items": [
        np.array([2, 5, 7], "int32"),
        np.array([1.0, 0.0, 1.0], "float32"),
        *_ripples,
    ],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
_PLAIN = ("dehazed_rooms", "cats_or_dogs")
CUSTOM = tuple(name for name in INPUTS_OF if name not in _PLAIN)
LAMBDAS = ("rippled_items",)
DICTIONARIES = ("field_clicks", "bent_plates")
_hops = [f"{kind}_inputs_{hop}" for kind in "hrt" for hop in range(2)]
INPUTS = {
    "field_clicks": ["age", "spent", "city", "device"],
    "bent_plates": ["X_int", "wt_int", "X_bnd", "wt_bnd", "Trac_bnd"],
    "rippled_items": ["items", "labels", *_hops],
}
