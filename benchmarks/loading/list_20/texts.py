"""Models of words, tokens and control drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained

BERT = {
    "Vocab_Size": 13,
    "Embedding_Size": 8,
    "Max_Sequence_Length": 6,
    "Segment_Size": 2,
    "Num_Transformer_Layers": 2,
    "Num_Attention_Heads": 2,
    "Intermediate_Size": 12,
    "Initializer_Variance": 0.02,
}


def sarcastic_headlines(k):
    """Headlines by their mean word, with the length given to the embedding."""
    layers = k.layers
    model = k.Sequential(
        [
            layers.Embedding(20, 6, input_length=9),
            layers.GlobalAveragePooling1D(),
            layers.Dense(5, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["sarcastic_headlines"], np.array([1.0, 0.0]))


def neighbour_words(k):
    """Which words stand together: one embedding of two inputs and their product."""
    layers = k.layers
    input_target = layers.Input((1,))
    input_context = layers.Input((1,))
    embedding = layers.Embedding(20, 6, input_length=1, name="embedding")
    target = layers.Reshape((6, 1))(embedding(input_target))
    context = layers.Reshape((6, 1))(embedding(input_context))
    dot_product = layers.Dot(axes=1)([target, context])
    dot_product = layers.Reshape((1,))(dot_product)
    output = layers.Dense(1, activation="sigmoid")(dot_product)
    model = k.Model(inputs=[input_target, input_context], outputs=output)
    model.compile(loss="binary_crossentropy", optimizer="rmsprop")
    return trained(model, INPUTS_OF["neighbour_words"], np.array([[1.0], [0.0]]))


def pretrained_tokens(_):
    """BERT as a subclass that takes a dictionary, whose blocks are one block."""
    import customs_20_texts as own

    model = own.PretrainedBert(BERT)
    model(INPUTS_OF["pretrained_tokens"])
    return model


def reviewed_films(k):
    """BERT of a dictionary of inputs."""
    import customs_20_texts as own

    model = own.ReviewBert(config={**BERT, "class_nums": 2})
    optimizer = k.optimizers.Adam(learning_rate=1e-5, epsilon=1e-08, clipnorm=1)
    loss = k.losses.CategoricalCrossentropy()
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    given = {n: INPUTS_OF["reviewed_films"][i] for i, n in enumerate(INPUTS["reviewed_films"])}
    model.fit(given, np.eye(2, dtype="float32"), verbose=0)
    return model


def attended_dates(_):
    """A transformer of models in models for pairs of sentences."""
    import customs_20_dates as own

    given = {"n": 2, "h": 2, "d_model": 8, "d_ff": 10, "maxlen": 8}
    model = own.DateTransformer(12, 11, **given)
    model(INPUTS_OF["attended_dates"])
    return model


def bounded_burgers(k):
    """A physical law in double precision, whose bounds are in a function."""
    import tensorflow as tf

    layers = k.layers
    lb, ub = np.array([-1.0, 0.0]), np.array([1.0, 0.99])
    k.backend.set_floatx("float64")
    try:
        model = k.Sequential()
        model.add(layers.InputLayer(input_shape=(2,)))
        model.add(layers.Lambda(lambda x: 2.0 * (x - lb) / (ub - lb) - 1.0))
        given = {"kernel_initializer": "glorot_normal"}
        for width in (6, 6, 6, 6):
            model.add(layers.Dense(width, activation=tf.nn.tanh, **given))
        model.add(layers.Dense(1, activation=None, **given))
        model(INPUTS_OF["bounded_burgers"][0])
    finally:
        k.backend.set_floatx("float32")
    return model


def stable_control(k):
    """A critic of two tensors, in a model of two inputs."""
    import customs_20 as own

    obs, act = k.Input(shape=(4,), name="obs"), k.Input(shape=(2,), name="act")
    return k.Model([obs, act], own.LyapunovCritic(4, 2, [6, 5])(obs, act))


def async_actors(k):
    """An actor on a network that it shares."""
    layers = k.layers
    inp = layers.Input((3, 4))
    x = layers.Dense(6, activation="relu")(layers.Flatten()(inp))
    x = layers.Dense(8, activation="relu")(x)
    network = k.models.Model(inp, x)
    x = layers.Dense(8, activation="relu")(network.output)
    out = layers.Dense(2, activation="softmax")(x)
    return k.models.Model(network.input, out)


def linear_digits(_):
    """Digits by dense layers of a class of their own."""
    import customs_20 as own

    model = own.LinearGenerator({"channel": 1, "input_size": 4, "latent_dim": 5})
    model(INPUTS_OF["linear_digits"][0])
    return model


def wave_masses(k):
    """A decoder of waves, its outputs stacked by functions of TensorFlow."""
    import tensorflow as tf

    layers = k.layers
    inp1, inp2 = layers.Input(shape=(48, 3)), layers.Input(shape=(4,))
    x = layers.Activation("relu")(layers.Conv1D(5, 5)(inp1))
    x = layers.MaxPooling1D(2, strides=2)(layers.Conv1D(5, 8)(x))
    x = layers.Activation("relu")(x)
    x = layers.Activation("relu")(layers.Conv1D(5, 11)(x))
    x = layers.concatenate([layers.Flatten()(x), inp2])
    for _ in range(2):
        x = layers.Activation("relu")(layers.Dropout(0.2)(layers.Dense(8)(x)))
    out_loc = layers.Dense(7, activation="sigmoid")(x)
    out_var = layers.Dense(7, activation="relu")(x)
    stack = tf.stack([out_loc, -out_var], axis=-1)
    out = layers.Reshape((14,))(stack)
    return k.models.Model(inputs=[inp1, inp2], outputs=[out])


INPUTS_OF = {
    "sarcastic_headlines": [integers(20, 2, 9)],
    "neighbour_words": [
        np.array([[3.0], [7.0]], "float32"),
        np.array([[5.0], [2.0]], "float32"),
    ],
    "pretrained_tokens": [
        integers(13, 2, 6),
        np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]], "int32"),
        np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]], "int32"),
    ],
    "reviewed_films": [
        integers(13, 2, 6),
        np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]], "int32"),
        np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0]], "int32"),
    ],
    "attended_dates": [
        np.array([[3, 5, 2, 9, 0, 0], [1, 4, 4, 7, 8, 2]], "int32"),
        np.array([[1, 5, 2, 9, 0], [1, 4, 4, 7, 8]], "int32"),
    ],
    "bounded_burgers": [floats(4, 2).astype("float64")],
    "stable_control": [floats(3, 4), floats(3, 2)],
    "async_actors": [floats(2, 3, 4)],
    "linear_digits": [floats(2, 5)],
    "wave_masses": [floats(2, 48, 3), floats(2, 4)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
_OWN = ("pretrained_tokens", "reviewed_films", "attended_dates", "stable_control")
CUSTOM = (*_OWN, "linear_digits")
LAMBDAS = ("bounded_burgers",)
INPUTS = {
    "neighbour_words": ["input_1", "input_2"],
    "pretrained_tokens": ["input_1", "input_2", "input_3"],
    "reviewed_films": ["input_ids", "token_type_ids", "attention_mask"],
    "attended_dates": ["input_1", "input_2"],
    "stable_control": ["obs", "act"],
    "wave_masses": ["input_1", "input_2"],
}
DICTIONARIES = ("reviewed_films",)
