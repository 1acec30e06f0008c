"""Models of talk, molecules, tables and agents from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained


def film_replies(k):
    """A model of replies: an encoder by Fourier transforms, and a decoder as an inner model."""
    import customs_15 as own

    said = k.Input(shape=(None,), dtype="int32", name="encoder_inputs")
    encoded = own.ReplyMixer(8, 12)(own.ReplyPlaces(6, 20, 8)(said))
    k.Model(said, encoded)
    start = k.Input(shape=(None,), dtype="int32", name="decoder_inputs")
    state = k.Input(shape=(None, 8), name="decoder_state_inputs")
    x = own.ReplyPlaces(6, 20, 8)(start)
    x = k.layers.Dropout(0.5)(own.ReplyDecoder(8, 12, 2)(x, state))
    outputs = k.layers.Dense(20, activation="softmax")(x)
    decoder = k.Model([start, state], outputs, name="outputs")
    model = k.Model([said, start], decoder([start, encoded]), name="fnet")
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["film_replies"], integers(20, 2, 6))


def drawn_molecules(k):
    """A variational autoencoder of molecules by a subclass with a train_step; codes are drawn."""
    import customs_15 as own

    adjacency, features = k.layers.Input(shape=(3, 4, 4)), k.layers.Input(shape=(4, 5))
    x = own.BondConvolution(9)([adjacency, features])
    x = k.layers.Dense(8, activation="relu")(k.layers.GlobalAveragePooling1D()(x))
    x = k.layers.Dropout(0.0)(x)
    ends = [k.layers.Dense(4, dtype="float32", name=each)(x) for each in ("z_mean", "log_var")]
    encoder = k.Model([adjacency, features], ends, name="encoder")
    x = start = k.Input(shape=(4,))
    for units in (6, 8):
        x = k.layers.Dropout(0.2)(k.layers.Dense(units, activation="tanh")(x))
    bonds = k.layers.Reshape((3, 4, 4))(k.layers.Dense(48)(x))
    turned = (k.ops if hasattr(k, "ops") else tf).transpose(bonds, (0, 1, 3, 2))
    bonds = k.layers.Softmax(axis=1)((bonds + turned) / 2)
    atoms = k.layers.Softmax(axis=2)(k.layers.Reshape((4, 5))(k.layers.Dense(20)(x)))
    decoder = k.Model(start, outputs=[bonds, atoms], name="decoder")
    model = own.MoleculeMaker(encoder, decoder, 4)
    model.compile(k.optimizers.Adam(learning_rate=5e-4))
    graphs = [np.abs(each) for each in INPUTS_OF["drawn_molecules"]]
    model.fit([*graphs, np.abs(floats(2, 1))], verbose=0)
    return model


def numpy_houses(k):
    """A subclass of Model in the style of NumPy, with an own function for the loss."""
    import customs_15_more as own

    model = own.NumpyNetwork(blocks=[3, 3])
    metrics = [k.metrics.MeanAbsolutePercentageError()]
    model.compile(optimizer="adam", loss=own.numpy_squares, metrics=metrics)
    return trained(model, INPUTS_OF["numpy_houses"], np.abs(floats(4)) * 20)


def latent_digits(k):
    """An autoencoder of own layers, whose call draws a code and adds a loss."""
    import customs_15_more as own

    model = own.DigitAutoencoder(36, 8, 4)
    rate = k.optimizers.Adam(learning_rate=1e-3)
    model.compile(rate, loss=k.losses.MeanSquaredError())
    return trained(model, INPUTS_OF["latent_digits"], INPUTS_OF["latent_digits"][0])


def heart_columns(k):
    """A subclass of Model for columns in a dictionary, adapted and trained eagerly."""
    import customs_15_more as own

    values = INPUTS_OF["heart_columns"]
    columns = {name: values[i] for i, name in enumerate(INPUTS["heart_columns"])}
    model = own.HeartModel()
    model.adapt(columns)
    model.compile(
        optimizer="adam",
        loss=k.losses.BinaryCrossentropy(from_logits=True),
        metrics=["accuracy"],
        run_eagerly=True,
    )
    model.fit(columns, np.array([[1], [0], [1], [0]]), epochs=1, batch_size=2, verbose=0)
    return model


def pole_critic(_):
    """A subclass of Model with two outputs, for a loop of its own."""
    import customs_15_more as own

    model = own.PoleCritic(2, 8)
    model(tf.constant(INPUTS_OF["pole_critic"][0]))
    return model


def soft_actor(_):
    """A policy as a subclass of Model, named by place, that keeps an object of an environment."""
    import customs_15_more as own

    model = own.SoftGaussian((6, 6), own.Continuous(3))
    model(tf.constant(INPUTS_OF["soft_actor"][0]))
    return model


def strained_steel(k):
    """Two dense layers whose sizes were tuned."""
    model = k.Sequential()
    model.add(k.layers.Dense(units=10, input_dim=6, activation="relu"))
    model.add(k.layers.Dense(3))
    rate = k.optimizers.Adam(learning_rate=1e-3)
    model.compile(optimizer=rate, loss=k.losses.MeanSquaredError(), metrics=["accuracy"])
    return trained(model, INPUTS_OF["strained_steel"], floats(4, 3))


def added(x, axis=None, keep_dims=False):
    """A sum."""
    return tf.reduce_sum(x, axis=axis, keepdims=keep_dims)


def field_matrices(k):
    """Fields of a table multiplied through matrices of own layers, summed by a Lambda."""
    import customs_14_tables as tables
    import customs_15_more as own

    sizes = {"C1": 5, "C2": 7, "C3": 4}
    inputs = {name: k.layers.Input((1,), name=name, dtype="int32") for name in sizes}
    inputs["I1"] = k.layers.Input((1,), name="I1", dtype="float32")

    def embedded(wide, start):
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

    single = tables.Joined(axis=-1)(embedded(1, "linear0"))
    line = own.Unmasked()(inputs["I1"])
    linear = tables.WideLogit(1e-5, mode=2, use_bias=False, seed=1024)([single, line])
    fields = embedded(4, "")
    pairs = own.FieldMatrices(regularizer=1e-5)(tables.Joined(axis=1)(fields))
    pairs = own.Unmasked()(pairs)
    x = k.layers.Flatten()(tables.Joined(axis=-1)(fields))
    x = tables.Joined(axis=-1)([x, k.layers.Flatten()(own.Unmasked()(inputs["I1"]))])
    x = tables.Joined(axis=1)([x, pairs])
    x = tables.FieldDense((8, 4), "relu", 0, seed=1024)(x)
    initializer = k.initializers.glorot_normal(1024)
    x = k.layers.Dense(1, use_bias=False, kernel_initializer=initializer)(x)
    summed = k.layers.Lambda(lambda x: added(x, axis=1, keep_dims=True))(pairs)
    x = tables.ClickChance("binary")(k.layers.add([linear, summed, x]))
    model = k.models.Model(inputs=list(inputs.values()), outputs=x)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["field_matrices"], np.array([[1], [0], [1]]))


def boston_rooms(k):
    """Dense layers without activations."""
    model = k.models.Sequential()
    model.add(k.layers.Dense(5, input_dim=13))
    for units in (10, 30, 40, 20, 10, 1):
        model.add(k.layers.Dense(units))
    model.compile(loss="mse", optimizer="adam")
    return trained(model, INPUTS_OF["boston_rooms"], np.abs(floats(4)) * 20)


def wine_grades(k):
    """Dense layers for three grades; the rate of learning under the old name where it is known."""
    model = k.Sequential()
    model.add(k.layers.Dense(units=12, activation="relu", input_shape=(12,)))
    model.add(k.layers.Dense(units=8, activation="relu"))
    model.add(k.layers.Dense(units=6, activation="relu"))
    model.add(k.layers.Dense(units=3, activation="softmax"))
    try:
        rate = k.optimizers.Adam(lr=0.01)
    except (TypeError, ValueError):
        rate = k.optimizers.Adam(learning_rate=0.01)
    model.compile(optimizer=rate, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["wine_grades"], np.eye(3, dtype="float32")[[2, 0]])


def five_folds(k):
    """Dense layers with functions of TensorFlow as activations."""
    model = k.models.Sequential()
    model.add(k.layers.Dense(14, input_dim=8, activation=tf.nn.relu))
    model.add(k.layers.Dense(8, activation=tf.nn.relu))
    model.add(k.layers.Dense(1, activation=tf.nn.sigmoid))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["five_folds"], np.array([[1], [0], [1]]))


def body_grades(k):
    """Normalized measures and dense layers whose activations have a maximum."""
    x = start = k.Input((11,))
    x = k.layers.BatchNormalization()(x)
    for _ in range(2):
        x = k.layers.ReLU(max_value=10)(k.layers.Dense(16)(x))
    x = k.layers.Dropout(0.2)(x)
    model = k.Model(start, k.layers.Dense(4, activation="softmax")(x))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["body_grades"], np.eye(4, dtype="float32")[[3, 0]])


INPUTS_OF = {
    "film_replies": [integers(20, 2, 6), integers(20, 2, 6)[:, ::-1].copy()],
    "drawn_molecules": [np.abs(floats(2, 3, 4, 4)), np.abs(floats(2, 4, 5))],
    "numpy_houses": [floats(4, 13)],
    "latent_digits": [np.abs(floats(2, 36))],
    "heart_columns": [floats(4, 1) * each for each in (50.0, 200.0, 2.0, 150.0, 130.0)],
    "pole_critic": [floats(3, 4)],
    "soft_actor": [floats(3, 5)],
    "strained_steel": [floats(4, 6)],
    "field_matrices": [integers(5, 3, 1), integers(7, 3, 1), integers(4, 3, 1), floats(3, 1)],
    "boston_rooms": [floats(4, 13)],
    "wine_grades": [np.abs(floats(2, 12))],
    "five_folds": [floats(3, 8)],
    "body_grades": [floats(2, 11)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("film_replies", "drawn_molecules", "numpy_houses", "latent_digits", "heart_columns")
CUSTOM += ("pole_critic", "soft_actor", "field_matrices")
LAMBDAS = ("field_matrices",)
DICTIONARIES = ("heart_columns",)
INPUTS = {
    "drawn_molecules": ["input_1", "input_2"],
    "film_replies": ["encoder_inputs", "decoder_inputs"],
    "heart_columns": ["age", "chol", "oldpeak", "thalach", "trestbps"],
    "field_matrices": ["C1", "C2", "C3", "I1"],
}
